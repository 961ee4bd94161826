"""Commands one after the other on folders that are not as usual: names not in UTF-8; grey, lying and hidden images."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.main import main
from ipmix.mixing_set.mixing_set import MixingSet

BROKEN = os.fsdecode(b"caf\xe9")


def write_images(folder: Path, classes: tuple[str, ...], channels: int) -> None:
    for split in ("train", "test"):
        for label in classes:
            (folder / split / label).mkdir(parents=True)
            for number in range(2):
                pixels = np.random.default_rng(number).integers(0, 256, (36, 32, channels), dtype=np.uint8)
                Image.fromarray(pixels.squeeze()).save(folder / split / label / f"{label}{number}.png")


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_every_command_takes_names_that_are_not_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    photos, out = tmp_path / BROKEN / "photos", tmp_path / BROKEN / "out"
    try:
        write_images(photos, ("a", BROKEN), 3)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    run("corrupt", photos / "test", out / "folders", "--names", "fog", "--severities", "1")
    run("corrupt", photos / "test", out / "arrays", "--names", "fog", "--severities", "1", "--layout", "arrays")
    run("corrupt", photos / "test", out / "frames", "--set", "p", "--names", "tilt")
    assert (out / "folders" / "fog" / "1" / BROKEN / f"{BROKEN}1.JPEG").is_file()
    run("augment", photos / "test" / BROKEN, "--out", out / f"{BROKEN}.png", "--mixing-count", 2, "--explain")
    run("mixing-set", "make", out / "set", "--images", photos, "--count", 4, "--size", 32)
    run("mixing-set", "verify", out / "set")
    quick = ("--epochs", 1, "--batch-size", 2, "--device", "cpu", "--quiet", "--model", "wrn-10-1")
    run("train", photos, "--out", out / "run", "--mixing-set", photos, "--size", 32, *quick)
    run("train", photos, "--out", out / "files", "--crop", "resized", "--crop-size", 32, "--method", "none", *quick)
    run("evaluate", out / "run", photos, "--out", out / "card", "--corruptions", "none", "--steps", 1, "--device",
        "cpu", "--quiet", "--anomalies", photos / "test")  # fmt: skip
    run("report", out / "card", out / "card", "--out", out / "page.html")
    said = capsys.readouterr()
    assert "caf\\udce9" in said.out
    (photos / "test" / "a" / f"{BROKEN}.png").write_bytes(b"no image")
    assert main(["corrupt", str(photos / "test"), str(out / "again")]) == 2
    assert "caf\\udce9.png is not an image" in capsys.readouterr().err


def test_a_model_of_one_channel_is_measured_on_grey_files(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix import models

    write_images(tmp_path / "photos", ("a", "b", "c", "d"), 1)
    models.save(tmp_path / "grey.safetensors", models.build("wrn-10-1", 4, channels=1), {"size": 32})
    run("evaluate", tmp_path / "grey.safetensors", tmp_path / "photos", "--out", tmp_path / "card", "--corruptions",
        "fog,jpeg_compression", "--severities", 2, "--perturbations", "tilt", "--steps", 1, "--device", "cpu",
        "--quiet", "--anomalies", tmp_path / "photos" / "test")  # fmt: skip
    assert "wrn-10-1" in json.dumps(json.loads((tmp_path / "card" / "scorecard.json").read_text()))
    assert (tmp_path / "card" / "report.html").is_file()


def test_a_model_of_three_channels_takes_grey_files_as_rgb(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from ipmix import models

    write_images(tmp_path / "photos", ("a", "b"), 1)
    models.save(tmp_path / "color.safetensors", models.build("wrn-10-1", 2), {"size": 32})
    run("evaluate", tmp_path / "color.safetensors", tmp_path / "photos", "--out", tmp_path / "card", "--corruptions",
        "none", "--steps", 1, "--device", "cpu", "--quiet")  # fmt: skip


def lying_photos(top: Path) -> Path:
    """Two classes of photos of 48x32 pixels as stored, 32x48 upright; and a hidden one."""
    tag = Image.Exif()
    tag[0x0112] = 6
    for split in ("train", "test"):
        for number, label in enumerate(("a", "b")):
            (top / split / label).mkdir(parents=True)
            pixels = np.random.default_rng(number).integers(0, 256, (32, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(top / split / label / "0.png", exif=tag)
        (top / split / "a" / ".preview.png").write_bytes(b"hidden")
    return top


def test_no_exif_reaches_training_and_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    photos = lying_photos(tmp_path / "photos")
    quick = ("--epochs", 1, "--batch-size", 2, "--device", "cpu", "--quiet", "--model", "wrn-10-1")
    found: dict[str, dict[str, object]] = {}
    for exif in ("exif", "no-exif"):
        for crop in ("pad", "resized"):
            out = tmp_path / exif / crop
            size = ("--size", 32) if crop == "pad" else ("--crop-size", 32)
            run("train", photos, "--out", out, "--crop", crop, *size, "--method", "none", f"--{exif}", *quick)
            found.setdefault(crop, {})[exif] = json.loads((out / "experiment.json").read_text())
            assert capsys.readouterr().err.count("left out 1 hidden files and folders, the first ") == 2
        run("evaluate", tmp_path / "exif" / "pad", photos, "--out", tmp_path / exif / "card", "--corruptions", "none",
            "--steps", 1, "--device", "cpu", "--quiet", f"--{exif}", "--anomalies", photos / "test")  # fmt: skip
        assert capsys.readouterr().err.count("left out 1 hidden files and folders, the first ") == 2
    for crop in ("pad", "resized"):
        assert found[crop]["exif"] != found[crop]["no-exif"]
    for kept in ("predictions", "predictions-anomalies"):
        runs = [json.loads((tmp_path / exif / "card" / kept / "run.json").read_text()) for exif in ("exif", "no-exif")]
        assert runs[0]["data"]["sha256"] != runs[1]["data"]["sha256"]


def test_no_exif_reaches_mixing_sets_and_sheets(tmp_path: Path) -> None:
    photos = lying_photos(tmp_path / "photos") / "test"
    for exif in ("exif", "no-exif"):
        run("mixing-set", "make", tmp_path / exif, "--images", photos, "--count", 2, "--size", 32, f"--{exif}")
        run("augment", photos / "a" / "0.png", "--out", tmp_path / f"{exif}.png", "--mixing-set", photos, f"--{exif}")
    upright, stored = (np.asarray(Image.open(tmp_path / f"{exif}.png")) for exif in ("exif", "no-exif"))
    assert upright.shape != stored.shape
    upright, stored = (MixingSet.open(tmp_path / exif)[0] for exif in ("exif", "no-exif"))
    np.testing.assert_array_equal(upright, np.rot90(stored, -1))
