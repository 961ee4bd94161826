"""Bad words are refused in one line that names what was given, before anything is written."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.methods.choosing import named_method  # noqa: E402

EVALUATE = "evaluate net.safetensors clean.npz --out new --device cpu --quiet"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals")
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    models.save(folder / "net.safetensors", models.build("wrn-10-1", ("a", "b")), {"size": 16})
    np.savez(folder / "clean.npz", images=images, labels=np.arange(6) % 2)
    np.savez(folder / "predictions.npz", logits=draws.normal(size=(6, 2)), labels=np.arange(6) % 2)
    np.savez(folder / "unlabelled.npz", logits=draws.normal(size=(6, 2)))
    np.save(folder / "images.npy", images)
    for name in ("a", "b"):
        (folder / "photos" / name).mkdir(parents=True)
        for place in range(2):
            Image.fromarray(images[place]).save(folder / "photos" / name / f"{place}.png")
    (folder / "sizes" / "a").mkdir(parents=True)
    (folder / "names" / "a").mkdir(parents=True)
    Image.fromarray(images[0]).save(folder / "sizes" / "a" / "0.png")
    Image.fromarray(images[0, :9]).save(folder / "sizes" / "a" / "1.png")
    Image.fromarray(images[0]).save(folder / "names" / "a" / f"{'n' * 251}.png")
    (folder / "file").write_text("x")
    os.mkfifo(folder / "pipe")
    return folder


def refused(
    here: Path, words: str, message: str, capsys: pytest.CaptureFixture[str], more: tuple[str, ...] = ()
) -> None:
    there = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    before = Path.cwd()
    os.chdir(here)
    try:
        code = main([*words.split(), *more])
    finally:
        os.chdir(before)
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert said.startswith("ipmix: ")
    assert code == 2
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == there, "something was left behind"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{EVALUATE} --epsilon -1", "ipmix: attack.epsilon is a number of at least 0"),
        (f"{EVALUATE} --autoattack --autoattack-epsilon -1", "ipmix: autoattack.epsilon is"),
        (f"{EVALUATE} --centre middle", "--centre is one of clean, noisy, got 'middle'"),
        ("score predictions.npz --scores percent", "--scores is one of auto, logits, probabilities, got 'percent'"),
        ("evaluate :m clean.npz --out new", "there is no model ':m': expected a file"),
        ("train digits --out new --mixing-kinds stars", "mix (--mixing-kinds) is kind=count"),
        ("score unlabelled.npz", "unlabelled.npz holds logits; expected arrays"),
        ("experiment pipe --out new", "pipe is no ordinary file but a device or a pipe"),
        ("experiment /dev/zero --out new", "/dev/zero is no ordinary file but a device or a pipe"),
        ("experiment photos --out new", "photos is a folder; expected a settings file"),
        ("score pipe", "pipe is no ordinary file but a device or a pipe"),
        ("report pipe --out new.html", "pipe holds no results (pipe is no ordinary file but a device or a pipe)"),
        ("corrupt sizes new --layout arrays", "a/1 is 16x9, the first image 16x16; arrays need one size"),
        ("mixing-set make photos --count 4 --size 8", "photos holds other files (a) and is no mixing set"),
        ("corrupt names new", "with the ending .JPEG its name is longer than 255 bytes"),
        ("score predictions.npz --out file", "file is a file; expected a folder to write to"),
    ],
)
def test_words(here: Path, words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(here, words, message, capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("corrupt images.npy new --set p --severities 1,2", "--severities does nothing here: perturbation sequences"),
        ("corrupt images.npy new --difficulty 2", "--difficulty does nothing here"),
        ("corrupt images.npy new --quality 50", "--quality does nothing here: no JPEG files are written"),
        ("corrupt photos new --names fog --validation", "--validation does nothing here: --names says"),
        ("corrupt images.npy new --no-exif", "--no-exif does nothing here: images.npy holds no image files"),
        ("corrupt images.npy new --skip-broken", "--skip-broken does nothing here"),
        (f"{EVALUATE} --split val", "--split does nothing here: clean.npz has no splits"),
        (f"{EVALUATE} --root photos", "--root does nothing here: clean.npz is no CIFAR"),
        (f"{EVALUATE} --trim 2", "--trim does nothing here"),
        (f"{EVALUATE} --no-exif", "--no-exif does nothing here"),
        (f"{EVALUATE} --skip-broken", "--skip-broken does nothing here"),
        (f"{EVALUATE} --corruptions none,fog", "corruptions none stands alone, got none, fog"),
        (f"{EVALUATE} --perturbations tilt,none", "perturbations none stands alone"),
        (f"{EVALUATE} --corruptions none --severities 1", "--severities does nothing here: there are no corruptions"),
        (f"{EVALUATE} --corruptions none --form corrected", "--form does nothing here"),
        (f"{EVALUATE} --no-attack --steps 3", "--steps does nothing here: there is no PGD attack"),
        (f"{EVALUATE} --no-attack --epsilon 8/255", "--epsilon does nothing here: there is no attack"),
        (f"{EVALUATE} --no-attack --attack-images 3", "--attack-images does nothing here"),
        (f"{EVALUATE} --autoattack-images 3", "--autoattack-images does nothing here: pass --autoattack"),
        (f"{EVALUATE} --autoattack-epsilon 0.1", "--autoattack-epsilon does nothing here: pass --autoattack"),
        ("score predictions.npz --partial", "--partial does nothing here: predictions.npz is a file"),
        ("augment photos --out new.png --method augmix --mixing-set photos", "--mixing-set does nothing here: augmix"),
        ("augment photos --out new.png --mixing-set photos --mixing-count 5", "--mixing-count does nothing here"),
        ("augment photos --out new.png --explain --count 3", "--count does nothing here: --explain"),
        ("augment photos --out new.png --method-option k=2 --method-option k=3", "--method-option k is given twice"),
        ("train digits --out new --method augmix --mixing-seed 3", "--mixing-seed does nothing here: augmix"),
        ("train digits --out new --mixing-set photos --mixing-kinds ifs=1", "--mixing-kinds does nothing here"),
        ("mixing-set make new --weights net.safetensors", "--weights does nothing here: there is no --model"),
        ("mixing-set make new --pretrained", "--pretrained does nothing here"),
        ("mixing-set make new --classes 5", "--classes does nothing here"),
        ("mixing-set make new --no-exif", "--no-exif does nothing here: there are no --images"),
        ("mixing-set make new --images photos --mix ifs=3", "--images does nothing here: --mix has no image"),
        ("experiment file --out new --set training.epochs=1 --set training.epochs=2", "--set training.epochs is given"),
    ],
)
def test_options_that_cannot_apply(here: Path, words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They were ignored in silence."""
    refused(here, words, message, capsys)


@pytest.mark.parametrize("name", ["ipmix-k3-k4", "augmix-w3-k2"])
def test_a_method_s_name_that_sets_an_option_twice(name: str) -> None:
    with pytest.raises(InputError, match="sets k twice"):
        named_method(name)


@pytest.mark.parametrize("command", [EVALUATE, "score predictions.npz"])
@pytest.mark.parametrize("name", ["\0", "a\nb", "", " ", "\x1b[31mred"])
def test_names_of_runs(here: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"\0": "holds a zero byte", "": "--name: it is empty; expected a text"}
    message = told.get(name, "a run's name is a text of one line")
    refused(here, command, message, capsys, ("--name", name))


def test_a_name_as_long_as_disks_take_is_corrupted(here: Path) -> None:
    folder = here / "longest" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(folder / f"{'n' * 250}.png")
    words = ["corrupt", str(folder.parent), str(here / "made"), "--names", "brightness", "--severities", "1"]
    assert main(words) == 0
    assert (here / "made" / "brightness" / "1" / "a" / f"{'n' * 250}.JPEG").is_file()
