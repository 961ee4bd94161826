"""``ipmix corrupt``: layouts, resuming, shards, refusals."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.commands.corrupt import corrupt as command
from ipmix.core.errors import InputError
from ipmix.corruptions import C_BAR_CIFAR, PERTURBATIONS_CIFAR, corrupt, perturb
from ipmix.corruptions.test_sets import writing
from ipmix.corruptions.test_sets.published import open_set


@pytest.fixture
def array(tmp_path, make_images):
    images = make_images(6, 32, 32, seed=1)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.array([1, 0, 2, 2, 1, 0]))
    return tmp_path / "images.npy", images


@pytest.fixture
def folder(tmp_path, make_images):
    images = make_images(4, 60, 50, seed=1)
    for k, image in enumerate(images):
        place = tmp_path / "val" / f"n0{k % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"image{k}.png")
    return tmp_path / "val"


@pytest.fixture
def network(tmp_path):
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix import models

    torch.manual_seed(0)
    models.save(tmp_path / "net.safetensors", models.build("wrn-10-1", ("bright", "dark")), {"size": 32})
    return tmp_path / "net.safetensors"


def size_of(path):
    with Image.open(path) as image:
        return image.size


def test_the_layout_of_cifar(array, tmp_path):
    path, images = array
    out = tmp_path / "out"
    command(str(path), str(out), names=["fog", "gaussian_noise"], seed=3, threads=2)
    opened = open_set(out)
    assert opened.names == ("gaussian_noise", "fog")
    np.testing.assert_array_equal(opened.labels, [1, 0, 2, 2, 1, 0])
    assert np.load(out / "labels.npy").dtype == np.uint8
    assert len(np.load(out / "labels.npy")) == 30
    for severity in range(1, 6):
        np.testing.assert_array_equal(opened.images("fog", severity), corrupt(images, "fog", severity, seed=3))
    record = json.loads((out / "settings.json").read_text())
    assert record["seed"] == 3
    assert record["count"] == 6


def test_c_bar_and_p_take_the_sets_of_the_nearer_size(array, tmp_path):
    path, images = array
    command(str(path), str(tmp_path / "bar"), set="c-bar", severities=[2])
    assert set(open_set(tmp_path / "bar").names) == set(C_BAR_CIFAR)
    command(str(path), str(tmp_path / "p"), set="p", names=["tilt", "shot_noise"], difficulty=2)
    opened = open_set(tmp_path / "p")
    np.testing.assert_array_equal(opened.sequences("tilt"), perturb(images, "tilt", seed=0, difficulty=2))
    assert opened.sequences("shot_noise").shape[1] == 31
    from ipmix.corruptions.test_sets.planning import set_names

    assert set_names("p", 32) == PERTURBATIONS_CIFAR


def test_the_layout_of_imagenet(folder, tmp_path):
    out = tmp_path / "out"
    command(str(folder), str(out), names=["contrast", "snow"], severities=[1, 4], size=32)
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*.JPEG"))
    assert len(found) == 4 * 2 * 2
    assert found[0] == "contrast/1/n00/image0.JPEG"
    assert size_of(out / found[0]) == (32, 32)
    opened = open_set(out)
    assert opened.classes == ("n00", "n01")
    assert [label for _, label in opened.images("snow", 4)] == [0, 0, 1, 1]


def test_images_keep_their_size_if_none_is_given(folder, tmp_path):
    command(str(folder), str(tmp_path / "out"), names=["contrast"], severities=[3])
    assert size_of(tmp_path / "out/contrast/3/n00/image0.JPEG") == (50, 60)


def test_frames_of_images(folder, tmp_path):
    command(str(folder), str(tmp_path / "out"), set="p", names=["translate"], size=32)
    frames = list((tmp_path / "out/translate/n01/image1").glob("img*.png"))
    assert len(frames) == 16


def test_c_bar_folders_are_named_by_level(folder, tmp_path):
    command(str(folder), str(tmp_path / "out"), set="c-bar", names=["sparkles"], severities=[1, 5], size=32)
    assert sorted(p.name for p in (tmp_path / "out/sparkles").iterdir()) == ["0.70", "7.00"]


def test_shards_fit_together(folder, array, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for kind, source in (("folders", folder), ("arrays", array[0])):
        options = {"names": ["glass_blur", "fog"], "severities": [2], "layout": kind}
        command(str(source), str(whole / kind), **options)
        for shard in ("1/3", "2/3", "3/3"):
            command(str(source), str(parts / kind), shard=shard, **options)
        files = sorted(p.relative_to(whole) for p in (whole / kind).rglob("*") if p.is_file())
        assert files == sorted(p.relative_to(parts) for p in (parts / kind).rglob("*") if p.is_file())
        for file in files:
            assert (whole / file).read_bytes() == (parts / file).read_bytes()


def test_an_interrupted_run_goes_on(array, tmp_path, monkeypatch):
    path, images = array
    out, real, calls = tmp_path / "out", writing.corrupt, []

    def stops(images, name, severity, **options):
        calls.append(name)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(images, name, severity, **options)

    monkeypatch.setattr(writing, "corrupt", stops)
    options = {"names": ["contrast", "fog"]}
    with pytest.raises(KeyboardInterrupt):
        command(str(path), str(out), **options)
    assert {p.name for p in out.iterdir()} == {"contrast.npy", "labels.npy", "settings.json"}, "no half files"
    begun = (out / "contrast.npy").stat().st_mtime_ns
    command(str(path), str(out), **options)
    assert (out / "contrast.npy").stat().st_mtime_ns == begun
    assert calls[7:] == ["fog"] * 5
    np.testing.assert_array_equal(open_set(out).images("fog", 5), real(images, "fog", 5, seed=0))


def test_what_a_killed_run_left_is_cleared(array, tmp_path):
    out = tmp_path / "out"
    command(str(array[0]), str(out), names=["contrast", "fog"])
    (out / "fog.npy").unlink()
    (out / ".fog.npy.123.part").write_bytes(b"half")
    command(str(array[0]), str(out), names=["contrast", "fog"])
    assert {p.name for p in out.iterdir()} == {"contrast.npy", "fog.npy", "labels.npy", "settings.json"}


def test_images_that_are_there_are_kept(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    command(str(folder), str(out), names=["contrast"])
    (out / "contrast/3/n00/image0.JPEG").unlink()
    made, real = [], writing.corrupt

    def counts(images, name, severity, **options):
        made.append(severity)
        return real(images, name, severity, **options)

    monkeypatch.setattr(writing, "corrupt", counts)
    command(str(folder), str(out), names=["contrast"])
    assert made == [3]


def test_other_settings_are_not_mixed(array, tmp_path):
    path, _ = array
    command(str(path), str(tmp_path / "out"), names=["fog"], severities=[1])
    with pytest.raises(InputError, match=r"begun with other settings \(seed differ"):
        command(str(path), str(tmp_path / "out"), names=["fog"], severities=[1], seed=1)
    before = (tmp_path / "out/fog.npy").read_bytes()
    command(str(path), str(tmp_path / "out"), names=["fog"], severities=[1], seed=1, force=True)
    assert (tmp_path / "out/fog.npy").read_bytes() != before


def test_frost_without_photographs_is_marked(array, tmp_path, monkeypatch):
    from ipmix.corruptions.common import frost

    monkeypatch.delenv(frost.VARIABLE, raising=False)
    monkeypatch.setattr(frost, "find_folder", lambda named: None)
    command(str(array[0]), str(tmp_path / "out"), names=["frost"], severities=[1])
    assert "not comparable" in json.loads((tmp_path / "out/settings.json").read_text())["frost"]


def test_grey_palette_and_transparent_images(tmp_path):
    place = tmp_path / "data" / "a"
    place.mkdir(parents=True)
    for mode in ("L", "P", "RGBA", "1"):
        Image.new(mode, (40, 40), 1).save(place / f"{mode}.png")
    Image.new("RGB", (1, 1)).save(place / "tiny.png")
    command(str(tmp_path / "data"), str(tmp_path / "out"), names=["fog", "glass_blur", "elastic_transform"])
    assert len(list((tmp_path / "out").rglob("*.JPEG"))) == 5 * 5 * 3


def put(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_nested_files_keep_their_places(tmp_path, make_images, capsys):
    images = make_images(4, 40, 48, seed=2)
    names = ("a/x/p.png", "a/q.png", "b/p.png", "b/y/z/p.png")
    for name, image in zip(names, images):
        put(tmp_path / "data" / name, image)
    put(tmp_path / "data" / "a" / ".ipynb_checkpoints" / "p.png", images[0])
    out = tmp_path / "out"
    command(str(tmp_path / "data"), str(out), names=["contrast"], severities=[1], quality=100)
    written = out / "contrast" / "1"
    found = sorted(str(p.relative_to(written)) for p in written.rglob("*.JPEG"))
    assert found == ["a/q.JPEG", "a/x/p.JPEG", "b/p.JPEG", "b/y/z/p.JPEG"]
    assert capsys.readouterr().err.startswith("left out 1 hidden files and folders, the first ")
    opened = open_set(out)
    assert [label for _, label in opened.images("contrast", 1)] == [0, 0, 1, 1]
    # Another image each, that of the same place: equal only to its own source.
    order = (images[1], images[0], images[2], images[3])
    for place, (copy, _) in enumerate(opened.images("contrast", 1)):
        expected = corrupt(np.stack(order), "contrast", 1, seed=0)
        distances = np.abs(expected.astype(int) - copy).mean(axis=(1, 2, 3))
        assert distances.argmin() == place
    command(str(tmp_path / "data"), str(tmp_path / "p"), set="p", names=["translate"])
    assert len(list((tmp_path / "p/translate/b/y/z/p").glob("img*.png"))) > 10


def test_names_that_would_fall_together(tmp_path, make_images):
    (image,) = make_images(1, 20, 20, seed=0)
    put(tmp_path / "data" / "a" / "p.png", image)
    put(tmp_path / "data" / "a" / "p" / "q.png", image)
    command(str(tmp_path / "data"), str(tmp_path / "c"), names=["fog"], severities=[1])
    with pytest.raises(InputError, match=r"a/p is an image and a folder of images; rename one"):
        command(str(tmp_path / "data"), str(tmp_path / "p"), set="p", names=["tilt"])
    put(tmp_path / "data" / "a" / "p" / "q.bmp", image)
    with pytest.raises(InputError, match=r"q\.png has a namesake with another ending \(q\.bmp\)"):
        command(str(tmp_path / "data"), str(tmp_path / "d"))
    assert not (tmp_path / "p").exists()
    assert not (tmp_path / "d").exists()


def test_a_folder_of_splits_is_refused(tmp_path, make_images):
    for split in ("train", "val"):
        put(tmp_path / "data" / split / "a" / "p.png", make_images(1, 20, 20, seed=0)[0])
    with pytest.raises(InputError, match=r"holds splits; give one of them: .*data/train, .*data/val"):
        command(str(tmp_path / "data"), str(tmp_path / "out"))


def test_labels_that_will_not_do(array, tmp_path):
    for labels in ([0, 1, 2, 3, 4, -1], [0, 1, 2, 3, 4, 2**62], [[0, 1, 2, 3, 4, 5]]):
        np.save(tmp_path / "other.npy", np.array(labels))
        with pytest.raises(InputError, match=r"other\.npy: .*labels"):
            command(str(array[0]), str(tmp_path / "out"), labels=str(tmp_path / "other.npy"))


def test_without_labels(array, tmp_path):
    path, _ = array
    (tmp_path / "labels.npy").unlink()
    command(str(path), str(tmp_path / "out"), names=["fog"], severities=[2])
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"fog.npy", "settings.json"}
    command(str(path), str(tmp_path / "files"), names=["fog"], severities=[2], layout="folders")
    assert sorted(p.name for p in (tmp_path / "files/fog/2/unknown").iterdir())[0] == "00000000.JPEG"


def test_16_bit_images_are_refused(tmp_path):
    place = tmp_path / "data" / "a"
    place.mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(place / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png holds 16-bit"):
        command(str(tmp_path / "data"), str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"set": "d"}, "set is one of c, c-bar, p"),
        ({"names": ["rain"]}, "unknown corruption 'rain'; known are gaussian_noise"),
        ({"names": []}, "names is empty; known are"),
        ({"severities": [0]}, "severity must be a whole number from 1 to 5"),
        ({"severities": []}, "severities is empty"),
        ({"set": "c-bar", "validation": True}, "no validation corruptions"),
        ({"shard": "3/2"}, "--shard is i/n"),
        ({"shard": "two"}, "--shard is i/n"),
        ({"threads": 0}, "threads"),
        ({"quality": 101}, "quality"),
        ({"difficulty": 0}, "difficulty"),
        ({"layout": "zip"}, "layout is auto"),
        ({"size": 32}, "--size is for a folder"),
        ({"labels": "missing.npy"}, "does not exist"),
    ],
)
def test_refusals(array, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        command(str(array[0]), str(tmp_path / "out"), **options)
    assert not (tmp_path / "out").exists(), "nothing is written before everything is checked"


def test_data_that_will_not_do(array, folder, tmp_path):
    for data, words in (
        (tmp_path / "missing", "does not exist"),
        (tmp_path / "labels.npy", "expected uint8 with 4 axes"),
        (tmp_path, "empty has no class folders"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        data = tmp_path / "empty" if data == tmp_path else data
        with pytest.raises(InputError, match=words):
            command(str(data), str(tmp_path / "out"))
    np.save(tmp_path / "short.npy", np.arange(3))
    with pytest.raises(InputError, match="expected 6 labels"):
        command(str(array[0]), str(tmp_path / "out"), labels=str(tmp_path / "short.npy"))
    Image.new("RGB", (9, 9)).save(folder / "n00" / "other.png")
    with pytest.raises(InputError, match=r"arrays need one size: pass --size, or --layout folders"):
        command(str(folder), str(tmp_path / "out"), layout="arrays", names=["fog"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        command(str(array[0]), str(tmp_path / "full"))


def test_grey_images_stay_grey_and_a_colored_one_makes_all_rgb(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "a"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / f"{number}.png")
    command(str(folder.parent), str(tmp_path / "grey"), names=["gaussian_noise"], severities=[3])
    command(str(folder.parent), str(tmp_path / "arrays"), names=["fog"], severities=[3], layout="arrays")
    command(str(folder.parent), str(tmp_path / "p"), set="p", names=["tilt"])
    with Image.open(tmp_path / "grey" / "gaussian_noise" / "3" / "a" / "0.JPEG") as written:
        assert (written.mode, written.size) == ("L", (40, 40))
    assert np.load(tmp_path / "arrays" / "fog.npy").shape == (2, 40, 40, 1)
    with Image.open(next((tmp_path / "p").rglob("*.png"))) as frame:
        assert frame.mode == "L"
    Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / "2.png")
    command(str(folder.parent), str(tmp_path / "mixed"), names=["gaussian_noise"], severities=[3])
    with Image.open(tmp_path / "mixed" / "gaussian_noise" / "3" / "a" / "0.JPEG") as written:
        assert written.mode == "RGB"


def test_an_array_of_one_channel_is_written_as_grey_files(tmp_path: Path) -> None:
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), dtype=np.uint8))
    command(str(tmp_path / "grey.npy"), str(tmp_path / "out"), names=["fog"], severities=[1], layout="folders")
    with Image.open(next((tmp_path / "out").rglob("*.JPEG"))) as written:
        assert written.mode == "L"


def test_photos_are_corrupted_upright(tmp_path: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    tag = Image.Exif()
    tag[0x0112] = 6
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "photos" / "a" / "0.jpg", exif=tag)
    command(str(tmp_path / "photos"), str(tmp_path / "out"), names=["fog"], severities=[1])
    with Image.open(next((tmp_path / "out").rglob("*.JPEG"))) as written:
        assert written.size == (40, 60)
        assert 0x0112 not in written.getexif()
    command(str(tmp_path / "photos"), str(tmp_path / "stored"), names=["fog"], severities=[1], exif=False)
    with Image.open(next((tmp_path / "stored").rglob("*.JPEG"))) as written:
        assert written.size == (60, 40)
    with pytest.raises(InputError, match=r"other settings \(.*exif differ"):
        command(str(tmp_path / "photos"), str(tmp_path / "out"), names=["fog"], severities=[1], exif=False)


def test_a_folder_inside_of_the_data_is_refused(folder):
    with pytest.raises(InputError, match=r"lies in .* choose a folder outside"):
        command(str(folder), str(folder / "corrupted"))
    assert not (folder / "corrupted").exists()


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_the_command_that_is_told_works(array, network, tmp_path, monkeypatch, capsys, where):
    from ipmix.cli.main import main

    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "labels.npy", np.array([1, 0, 1, 1, 1, 0]))
    more = []
    if where == "elsewhere":
        (tmp_path / "labels.npy").rename(tmp_path / "numbers.npy")
        more = ["--labels", "numbers.npy"]
    assert main(["corrupt", "images.npy", "a set", "--names", "brightness", "--severities", "1,2", *more]) == 0
    told = capsys.readouterr().out.partition("ipmix evaluate ")[2].strip()
    assert told == "MODEL 'a set' --clean images.npy --out FOLDER"
    given = [{"MODEL": str(network), "FOLDER": "result"}.get(word, word) for word in shlex.split(told)]
    assert main(["evaluate", *given, "--no-attack", "--device", "cpu", "--quiet"]) == 0
    assert (
        json.loads((tmp_path / "result" / "scorecard.json").read_text())["measures"]["clean_error"]["value"] is not None
    )
    if where == "beside":
        assert main(["evaluate", str(network), "images.npy", "--out", "r2", "--corruptions", "none", "--no-attack",
                     "--device", "cpu", "--quiet"]) == 0  # fmt: skip


def test_without_labels_no_command_is_told(array, tmp_path, capsys):
    (tmp_path / "labels.npy").unlink()
    command(str(array[0]), str(tmp_path / "out"), names=["brightness"], severities=[1])
    assert "ipmix evaluate" not in (told := capsys.readouterr().out)
    assert "--labels" in told


def test_what_is_no_data_is_told_with_all_that_is(network, tmp_path, capsys):
    from ipmix.cli.main import main

    (tmp_path / "images.txt").touch()
    assert main(["evaluate", str(network), str(tmp_path / "images.txt"), "--out", str(tmp_path / "r")]) == 2
    complaint = capsys.readouterr().err
    assert ".npz" in complaint
    assert ".npy" in complaint
