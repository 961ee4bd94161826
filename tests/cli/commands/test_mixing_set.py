"""The commands: make, info, show, verify."""

import os

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.commands.mixing_set import COMMANDS, info, load_model, make, show, verify
from ipmix.core.checking import parse_shard
from ipmix.core.errors import InputError
from ipmix.mixing_set.composition import parse_mix


def make_small(out, **options):
    make(out, **{"count": 12, "size": 16, "mix": "ifs=6,julia=6", "threads": 2, **options})


def test_the_group():
    assert list(COMMANDS) == ["make", "info", "show", "verify"]


@pytest.mark.parametrize("files", ["png", "jpeg", "webp", "shard"])
def test_make_info_verify(tmp_path, capsys, files):
    make_small(tmp_path / "set", files=files)
    assert "12 images of 16 x 16 from seed 0: 6 ifs, 6 julia" in capsys.readouterr().out
    info(tmp_path / "set")
    told = capsys.readouterr().out
    assert files in told
    assert "6 ifs, 6 julia" in told
    assert verify(tmp_path / "set", sample=0) == 0
    assert "12 images read, 12 painted again, all as the manifest says" in capsys.readouterr().out


def test_verify_finds_a_changed_image(tmp_path, capsys):
    make_small(tmp_path / "set")
    file = tmp_path / "set" / "ifs" / "ifs-00002.png"
    Image.fromarray(np.full((16, 16, 3), 9, np.uint8)).save(file)
    assert verify(tmp_path / "set") == 1
    assert "ifs/ifs-00002.png holds other pixels than the manifest says" in capsys.readouterr().out
    file.write_bytes(b"")
    assert verify(tmp_path / "set", sample=3) == 1
    Image.fromarray(np.full((8, 9, 3), 9, np.uint8)).save(file)
    assert verify(tmp_path / "set") == 1
    assert "is 9 x 8, the manifest says 16 x 16" in capsys.readouterr().out


def test_verify_paints_again(tmp_path, capsys, monkeypatch):
    make_small(tmp_path / "set", files="jpeg")
    from ipmix.mixing_set import verifying

    real = verifying.paint
    monkeypatch.setattr(verifying, "paint", lambda kind, seed, index, size: real(kind, seed + 1, index, size))
    assert verify(tmp_path / "set") == 1
    assert "painted again from seed 0, differs" in capsys.readouterr().out


def test_verify_needs_a_manifest_of_this_generator(tmp_path, monkeypatch):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no manifest"):
        verify(tmp_path)
    make_small(tmp_path / "set")
    monkeypatch.setattr("ipmix.mixing_set.verifying.PAINTINGS_VERSION", 99)
    with pytest.raises(InputError, match="made by version"):
        verify(tmp_path / "set")
    with pytest.raises(InputError, match="0 \\(all\\) or more"):
        verify(tmp_path / "set", sample=-1)


def test_own_images(tmp_path, capsys):
    (tmp_path / "own").mkdir()
    for i in range(3):
        Image.new("RGB", (40, 30), (80 * i, 10, 10)).save(tmp_path / "own" / f"{i}.png")
    make_small(tmp_path / "set", images=tmp_path / "own", mix=None)
    assert "3 image" in capsys.readouterr().out
    assert verify(tmp_path / "set") == 0
    make_small(tmp_path / "more", images=tmp_path / "own", mix="image=6,ifs=6")
    assert "6 image, 6 ifs" in capsys.readouterr().out
    (tmp_path / "own" / "3.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"3.png is not an image"):
        make_small(tmp_path / "broken", images=tmp_path / "own", mix="image=6,ifs=6")
    assert not (tmp_path / "broken").exists()
    make_small(tmp_path / "kept", images=tmp_path / "own", mix="image=6,ifs=6", skip_broken=True)
    assert "passed over 1 broken image; " in capsys.readouterr().err
    assert (tmp_path / "kept" / "broken.txt").read_text() == f"{tmp_path / 'own' / '3.png'}\n"
    assert verify(tmp_path / "kept") == 0
    for i in range(12):
        (tmp_path / "own" / f"bad{i}.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"13 of 16 images(.|\n)*3 more"):
        make_small(tmp_path / "broken", images=tmp_path / "own", mix="image=6,ifs=6")
    with pytest.raises(InputError, match="is not a folder"):
        make_small(tmp_path / "none", images=tmp_path / "nowhere")


def test_own_images_are_known_by_their_content(tmp_path):
    (tmp_path / "own").mkdir()
    draws = np.random.default_rng(0)
    for i in range(3):
        pixels = draws.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "own" / f"{i}.png", compress_level=0)
    options = {"mix": "image=3,ifs=3", "count": 6}
    make_small(tmp_path / "set", images=tmp_path / "own", **options)
    (tmp_path / "own").rename(tmp_path / "moved")
    make_small(tmp_path / "set", images=tmp_path / "moved", **options)
    path = tmp_path / "moved" / "1.png"
    before = path.stat()
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path, compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(InputError, match=r"holds another mixing set \(.*, now "):
        make_small(tmp_path / "set", images=tmp_path / "moved", **options)


def test_show(tmp_path, capsys):
    make_small(tmp_path / "set")
    show(tmp_path / "set", out=tmp_path / "sheet.png", count=9, cell=20)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (68, 68)
    with pytest.raises(InputError, match="exists already"):
        show(tmp_path / "set", out=tmp_path / "sheet.png")
    show(tmp_path / "set", out=tmp_path / "sheet.png", kind="julia", force=True)
    assert "6 images" in capsys.readouterr().out
    with pytest.raises(InputError, match="no images of the kind 'flame'; it has ifs, julia"):
        show(tmp_path / "set", out=tmp_path / "b.png", kind="flame")
    with pytest.raises(InputError, match=r"written as .png"):
        show(tmp_path / "set", out=tmp_path / "b.gif")
    with pytest.raises(InputError, match="--count must be a whole number of at least 1"):
        show(tmp_path / "set", out=tmp_path / "b.png", count=0)
    with pytest.raises(InputError, match="--first must lie in"):
        show(tmp_path / "set", out=tmp_path / "b.png", first=12)


@pytest.mark.parametrize("text", ["ifs", "ifs=x", "ifs=1,ifs=2", "ifs=-3", "=3,", ""])
def test_a_mix_that_is_none(text):
    with pytest.raises(InputError, match="--mix is kind=count"):
        parse_mix(text)


@pytest.mark.parametrize("text", ["3", "0/4", "5/4", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none(text):
    with pytest.raises(InputError, match="--shard is i/n"):
        parse_shard(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"count": 0}, "number from 1 to"), ({"size": 7}, "from 8 to 4096"), ({"mix": "feature=2"}, "need a network"),
     ({"mix": "fern=2"}, "unknown kind")],
)  # fmt: skip
def test_bad_input_writes_nothing(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        make_small(tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_a_network_that_could_run_code_needs_trust(tmp_path):
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten()), tmp_path / "network.pt")
    torch.save({"net": torch.nn.Linear(2, 2)}, tmp_path / "weights.pt")
    with pytest.raises(InputError, match="--trust"):
        load_model(str(tmp_path / "network.pt"), None, 10, pretrained=False)
    with pytest.raises(InputError, match="--trust"):
        load_model("wrn-10-1", tmp_path / "weights.pt", 10, pretrained=False)
    with pytest.raises(InputError, match="does not fit"):  # it has been opened
        load_model("wrn-10-1", tmp_path / "weights.pt", 10, pretrained=False, trust=True)
    with pytest.raises(InputError, match="--trust"):
        make(tmp_path / "set", count=1, size=16, mix="feature=1", model=str(tmp_path / "network.pt"))
    make(tmp_path / "set", count=1, size=16, mix="feature=1", model=str(tmp_path / "network.pt"), trust=True)
    assert len(list((tmp_path / "set").rglob("*.png"))) == 1
