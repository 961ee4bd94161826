"""``ipmix evaluate MODEL DATA`` on what exists: corrupted sets on the disk, shards, Hugging Face data sets."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402

COUNT = 8
NAMES = ("bright", "dark")


def pixels_of(place: int) -> np.ndarray:
    draws = np.random.default_rng(place)
    return draws.integers(120 - 60 * (place % 2), 200 - 60 * (place % 2), (16, 16, 3), dtype=np.uint8)


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[Path, Path]:
    """Clean images in an .npz, and as .npy with labels for ``ipmix corrupt``."""
    images = np.stack([pixels_of(place) for place in range(COUNT)])
    labels = np.arange(COUNT) % 2
    np.savez(tmp_path / "clean.npz", images=images, labels=labels)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path / "clean.npz", tmp_path / "images.npy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in range(COUNT):
        target = tmp_path / "data" / NAMES[place % 2]
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels_of(place)).save(target / f"{place}.png")
    return tmp_path / "data"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    models.save(tmp_path / "net.safetensors", models.build("wrn-10-1", NAMES), {"size": 16})
    return tmp_path / "net.safetensors"


def card_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "scorecard.json").read_text())


def evaluate(*words: object) -> int:
    return main(["evaluate", *map(str, words), "--device", "cpu", "--quiet", "--no-attack"])


MADE = ["--corruptions", "brightness,contrast", "--severities", "2,4"]


def test_arrays_that_corrupt_wrote_give_what_is_made_on_the_fly(
    arrays: tuple[Path, Path], network: Path, tmp_path: Path
) -> None:
    clean, images = arrays
    words = ["corrupt", images, tmp_path / "c", "--names", "brightness,contrast", "--severities", "2,4"]
    assert main(list(map(str, words))) == 0
    assert evaluate(network, clean, "--out", tmp_path / "made", *MADE) == 0
    assert evaluate(network, tmp_path / "c", "--clean", clean, "--out", tmp_path / "read") == 0
    made, read = card_of(tmp_path / "made"), card_of(tmp_path / "read")
    assert read["corruptions"] == made["corruptions"]
    assert set(read["corruptions"]) == {"brightness", "contrast"}
    assert read["measures"]["clean_error"] == made["measures"]["clean_error"]
    shards = [np.load(next((tmp_path / n / "predictions").glob("part-*.npz"))) for n in ("made", "read")]
    for key in ("clean", "corruption/brightness/2", "corruption/contrast/4"):
        assert np.array_equal(shards[0][key], shards[1][key]), key
    assert not np.array_equal(shards[0]["clean"], shards[1]["corruption/contrast/4"]), "the comparison can fail"


def test_without_clean_images(arrays: tuple[Path, Path], network: Path, tmp_path: Path) -> None:
    _, images = arrays
    words = ["corrupt", images, tmp_path / "c", "--names", "brightness", "--severities", "1,2,3,4,5"]
    assert main(list(map(str, words))) == 0
    (tmp_path / "c" / "settings.json").unlink()  # as published
    assert evaluate(network, tmp_path / "c", "--out", tmp_path / "read", "--severities", "3", "--limit", 4) == 0
    card = card_of(tmp_path / "read")
    assert card["pictures"] == 4
    assert list(card["corruptions"]["brightness"]) == ["3"]
    assert card["measures"]["clean_error"]["value"] is None
    assert "--clean" in card["measures"]["clean_error"]["reason"]
    assert card["reliability"] is None
    assert (tmp_path / "read" / "report.html").is_file()


def test_sequences(arrays: tuple[Path, Path], network: Path, tmp_path: Path) -> None:
    clean, images = arrays
    words = ["corrupt", images, tmp_path / "p", "--set", "p", "--names", "brightness,shot_noise"]
    assert main(list(map(str, words))) == 0
    assert evaluate(network, tmp_path / "p", "--clean", clean, "--out", tmp_path / "read") == 0
    sequences = ["--corruptions", "none", "--perturbations", "brightness,shot_noise"]
    assert evaluate(network, clean, "--out", tmp_path / "made", *sequences) == 0
    assert card_of(tmp_path / "read")["flips"] == card_of(tmp_path / "made")["flips"]
    assert set(card_of(tmp_path / "read")["flips"]) == {"brightness", "shot_noise"}


@pytest.mark.parametrize(("kind", "names"), [("c", "contrast"), ("c-bar", "pinch_and_twirl"), ("p", "tilt")])
def test_folders_that_corrupt_wrote(folder: Path, network: Path, tmp_path: Path, kind: str, names: str) -> None:
    levels = [] if kind == "p" else ["--severities", "2,4"]
    words = ["corrupt", folder, tmp_path / kind, "--set", kind, "--names", names, *levels]
    assert main(list(map(str, words))) == 0
    assert evaluate(network, tmp_path / kind, "--clean", folder, "--out", tmp_path / "both") == 0
    assert evaluate(network, tmp_path / kind, "--out", tmp_path / "alone", "--limit", 6) == 0
    both, alone = card_of(tmp_path / "both"), card_of(tmp_path / "alone")
    assert (both["pictures"], alone["pictures"]) == (COUNT, 6)
    assert alone["measures"]["clean_error"]["value"] is None
    assert both["measures"]["clean_error"]["value"] is not None
    if kind == "p":
        assert list(both["flips"]) == [names]
    else:
        assert list(both["corruptions"][names]) == ["2", "4"]


def shard(path: Path, endings: tuple[str, str] = ("png", "cls")) -> None:
    with tarfile.open(path, "w") as archive:
        for place in range(COUNT):
            file = io.BytesIO()
            Image.fromarray(pixels_of(place)).save(file, "PNG")
            for ending, content in zip(endings, (file.getvalue(), str(place % 2).encode())):
                entry = tarfile.TarInfo(f"{place:04d}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def same_answers(one: Path, other: Path) -> bool:
    first, second = (np.load(next((out / "predictions").glob("part-*.npz"))) for out in (one, other))
    return all(np.array_equal(first[key], second[key]) for key in ("clean", "corruption/brightness/2", "labels"))


def test_shards_of_webdataset(arrays: tuple[Path, Path], network: Path, tmp_path: Path) -> None:
    pytest.importorskip("webdataset", reason="the extra webdataset is not installed")
    shard(tmp_path / "part-0.tar")
    assert evaluate(network, tmp_path / "part-0.tar", "--out", tmp_path / "one", *MADE) == 0
    assert evaluate(network, arrays[0], "--out", tmp_path / "npz", *MADE) == 0
    assert same_answers(tmp_path / "one", tmp_path / "npz")
    shard(tmp_path / "part-1.tar")
    assert evaluate(network, tmp_path / "part-{0..1}.tar", "--out", tmp_path / "two", *MADE) == 0
    assert card_of(tmp_path / "two")["pictures"] == 2 * COUNT
    assert not same_answers(tmp_path / "two", tmp_path / "npz")


def test_hugging_face(arrays: tuple[Path, Path], network: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(NAMES))})
    rows = {"image": [Image.fromarray(pixels_of(i)) for i in range(COUNT)], "label": [i % 2 for i in range(COUNT)]}
    made = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(str(tmp_path / "saved"))
    made.to_parquet(str(tmp_path / "parquet" / "test.parquet"))
    assert evaluate(network, arrays[0], "--out", tmp_path / "npz", *MADE) == 0
    for name in ("saved", "parquet"):
        assert evaluate(network, f"hf:{tmp_path / name}", "--out", tmp_path / f"from-{name}", *MADE) == 0
        assert same_answers(tmp_path / f"from-{name}", tmp_path / "npz")
        assert card_of(tmp_path / f"from-{name}")["run"]["data"]["classes"] == list(NAMES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.tar"], "there is no shard missing.tar"),
        (["hf:missing/none"], "hf:missing/none can't be opened"),
        (["C", "--corruptions", "fog"], "has no 'fog'; it has brightness"),
        (["C", "--severities", "5"], "has no severity 5; it has 2, 4"),
        (["C", "--clean", "OTHER"], "have other labels"),
        (["NPZ", "--clean", "NPZ"], "--clean is for corrupted images"),
        (["BROKEN.tar"], "no label"),
    ],
)
def test_what_cannot_be_read_leaves_nothing_behind(
    arrays: tuple[Path, Path],
    network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    if words[0].endswith(".tar"):
        pytest.importorskip("webdataset", reason="the extra webdataset is not installed")
    if words[0].startswith("hf:"):
        pytest.importorskip("datasets", reason="the extra datasets is not installed")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    clean, images = arrays
    main(list(map(str, ["corrupt", images, tmp_path / "c", "--names", "brightness", "--severities", "2,4"])))
    np.savez(tmp_path / "other.npz", images=np.load(images), labels=np.zeros(COUNT, np.int64))
    shard(tmp_path / "broken.tar", ("png", "txt2"))
    places = {"C": tmp_path / "c", "NPZ": clean, "OTHER": tmp_path / "other.npz", "BROKEN.tar": tmp_path / "broken.tar"}
    assert evaluate(network, *(places.get(word, word) for word in words), "--out", tmp_path / "r") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
