"""Inputs that once got the wrong answer: a call is refused in one line, a command too, and it leaves nothing behind.

Those of array files, saved runs, weights and scorecards are tested beside their readers: tests/data/test_npy.py,
tests/training/test_saved_state.py, tests/models/test_strangers_files.py, tests/report.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

if os.name == "nt":
    pytest.skip("pipes, links and alarms of POSIX", allow_module_level=True)
pytest.importorskip("torch", reason="the train extra is not installed")

from tests.reliability.writers import prepare, small_images

import ipmix
from ipmix.cli.main import main
from ipmix.core.randomness import Key
from ipmix.data import datasets
from ipmix.data.datasets import ArrayDataset
from ipmix.measures import bootstrap, calibration, clean, corruption
from ipmix.training.loader import Loader

IMAGES, MIXING = small_images(4), ipmix.MixingSet.array(small_images(3, 20, seed=1))
TABLE = ipmix.draw(ipmix.IPMix(), IMAGES.shape, 3, seed=0)
MIXED = ipmix.draw(ipmix.MixUp(), IMAGES.shape, seed=0)
ONE = ipmix.Augmenter(ipmix.IPMix(), MIXING, seed=0)
CONFIDENCE, CORRECT = np.linspace(0, 1, 200), np.arange(200) % 2 == 0


def one(**more: Any) -> Any:
    return ONE(IMAGES[0], **{"index": 0, "epoch": 0, **more})


def loader(**more: Any) -> Any:
    dataset = ArrayDataset(IMAGES, np.arange(4) % 2, ("a", "b"), "noise")
    return Loader(dataset, **{"batch_size": 2, "seed": 0, "method": ipmix.AugMix(), **more})


def draw(shape: Any = (4, 16, 16, 3), mixing_count: Any = 3) -> Any:
    return ipmix.draw(ipmix.IPMix(), shape, mixing_count, seed=0)


def augment(method: Any = None, **more: Any) -> Any:
    return ipmix.augment(IMAGES, method, MIXING, seed=0, **more)


def generate(**more: Any) -> Any:
    return ipmix.MixingSet.generate(**{"count": 3, "size": 16, "seed": 0, "cache": "/proc/none", **more})


CALLS: dict[str, Callable[[], Any]] = {
    "Augmenter shape str": lambda: ipmix.Augmenter(ipmix.IPMix(), MIXING, seed=0, shape=("a", 16, 3)),
    "Augmenter() epoch float": lambda: one(epoch=1.5),
    "Augmenter() epoch None": lambda: one(epoch=None),
    "Augmenter() index float": lambda: one(index=0.5),
    "Augmenter() index 2^63": lambda: one(index=2**63),
    "Augmenter() index -2^63-1": lambda: one(index=-(2**63) - 1),
    "Augmenter() index 2^70": lambda: one(index=2**70),
    "Augmenter() index None": lambda: one(index=None),
    "Augmenter() index list": lambda: one(index=[0]),
    "Augmenter() index str": lambda: one(index="a"),
    "Augmenter() view 2^63": lambda: one(view=2**63),
    "Augmenter() view str": lambda: one(view="a"),
    "Loader pad 1.5": lambda: loader(pad=1.5),
    "Loader method str": lambda: loader(method=3),
    "Loader seed str": lambda: loader(seed="a"),
    "MixingSet generate threads 0": lambda: generate(threads=0),
    "MixingSet generate threads -1": lambda: generate(threads=-1),
    "MixingSet generate seed float": lambda: generate(seed=0.5),
    "MixingSet generate count float": lambda: generate(count=2.5),
    "MixingSet generate count 0": lambda: generate(count=0),
    "MixingSet generate size float": lambda: generate(size=16.5),
    "MixingSet planes -1": lambda: MIXING.planes(-1, 16),
    "MixingSet crop index 99": lambda: MIXING.crop(99, 16, 16, Key(0, 0, 0, 0)),
    "MixingSet gather 99": lambda: MIXING.gather([99], 16, 16),
    "MixingSet getitem str": lambda: MIXING["a"],  # type: ignore[index]
    "MixingSet open None": lambda: ipmix.MixingSet.open(None),  # type: ignore[arg-type]
    "apply None": lambda: ipmix.apply(None, IMAGES, MIXING),  # type: ignore[arg-type]
    "augment engine list": lambda: augment(ipmix.IPMix(), engine=["compiled"]),
    "augment output list": lambda: augment(ipmix.IPMix(), output=["uint8"]),
    "augment method None": lambda: augment(None),
    "augment method class": lambda: augment(ipmix.IPMix),
    "augment method int": lambda: augment(3),
    "augment method str": lambda: augment("nothing"),
    "corrupt indices ragged": lambda: ipmix.corrupt(IMAGES, "fog", 1, seed=0, indices=[[0], [1, 2], 3, 4]),  # type: ignore[list-item]
    "draw mixing_count 2^40": lambda: draw(mixing_count=2**40),
    "draw mixing_count str": lambda: draw(mixing_count="a"),
    "draw shape huge H": lambda: draw((4, 2**40, 16, 3)),
    "draw shape huge N": lambda: draw((2**60, 16, 16, 3)),
    "draw shape None": lambda: draw(None),
    "draw shape str": lambda: draw(("a", 16, 16, 3)),
    "labels classes float": lambda: MIXED.labels(np.arange(4), 2.5),  # type: ignore[arg-type]
    "labels huge classes": lambda: MIXED.labels(np.arange(4), 10**12),
    "load size 1.5": lambda: datasets.load("digits", "test", size=1.5),  # type: ignore[arg-type]
    "load size str": lambda: datasets.load("digits", "test", size="a"),  # type: ignore[arg-type]
    "load source None": lambda: datasets.load(None, "test"),  # type: ignore[arg-type]
    "measure top5 floats nan": lambda: clean.error(np.full((4, 3), np.nan), np.array([0.5, 1, 1, 0])),
    "measure boot seed 2^70": lambda: bootstrap.mean_interval(CONFIDENCE, seed=2**70),
    "measure boot seed None": lambda: bootstrap.mean_interval(CONFIDENCE, seed=None),  # type: ignore[arg-type]
    "measure mce str": lambda: corruption.mean_corruption_error({"fog": ["a"]}),
    "measure rms bin float": lambda: calibration.rms_calibration_error(CONFIDENCE, CORRECT, bin_size=10.5),  # type: ignore[arg-type]
    "measure rms strings": lambda: calibration.rms_calibration_error(["a"] * 200, CORRECT),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_refused_in_a_line(case: str) -> None:
    with pytest.raises(ipmix.InputError) as error:
        CALLS[case]()
    assert "\n" not in str(error.value)
    assert "/proc" not in str(error.value), "refused for what was asked, not for where"


def test_what_a_python_sequence_raises() -> None:
    with pytest.raises(IndexError):
        MIXING[99]
    assert ipmix.corrupt(IMAGES, "fog", 1, seed=0, indices=np.arange(4, dtype=np.uint64)).shape == IMAGES.shape


# --- commands ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reliability programs' writers read, and files that are not as they should be."""
    folder = tmp_path_factory.mktemp("in")
    prepare(folder)
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "1x1.png")
    (folder / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n")
    (folder / "strange" / "dir.png").mkdir(parents=True)
    for ending in ("npz", "npy", "yaml", "json", "safetensors", "png"):
        os.mkfifo(folder / f"pipe.{ending}")  # whoever opens it waits
    os.symlink("loop", folder / "loop")
    logits = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
    good = {"logits": logits, "labels": np.arange(12) % 3}
    for name, more in PREDICTIONS.items():
        np.savez(folder / f"{name}.npz", **{**good, **{key.replace("|", "/"): value for key, value in more.items()}})
    for name, text in MAPS.items():
        (folder / f"{name}.json").write_text(text)
    assert main(["mixing-set", "make", str(folder / "set"), "--count", "4", "--size", "16", "--mix", "ifs=1"]) == 0
    for name, text in MANIFESTS.items():
        shutil.copytree(folder / "set", folder / name)
        place = next((folder / name).glob("manifest*.json"))
        place.write_text(text(json.loads(place.read_text())) if callable(text) else text)
    base = (folder / "experiment.yaml").read_text()
    for name, change in SETTINGS.items():
        (folder / f"{name}.yaml").write_bytes(change(base) if callable(change) else change)
    return folder


DEEP = "[" * 100_000
PREDICTIONS: dict[str, dict[str, Any]] = {
    "fog-99": {"corruption|fog|99": np.zeros((12, 3), np.float32)},
    "fog-x": {"corruption|fog|x": np.zeros((12, 3), np.float32)},
    "corruption-x": {"corruption|x": np.zeros((12, 3), np.float32)},
    "indices-str": {"indices": np.array(["a"] * 12)},
    "frames-short": {"frames|tilt": np.zeros((5, 3), np.int64)},
    "frames-1d": {"frames|tilt": np.zeros(12, np.int64)},
    "frames-float": {"frames|tilt": np.zeros((12, 3), np.float32)},
    "frames-one": {"frames|tilt": np.zeros((12, 1), np.int64)},
    "top5-str": {"top5|tilt": np.array([["a"] * 5] * 12)},
    "attack-empty": {"attack": np.zeros((0, 3), np.float32)},
    "places-float": {"attack": np.zeros((2, 3), np.float32), "places|attack": np.array([0.5, 1.5])},
    "places-99": {"attack": np.zeros((2, 3), np.float32), "places|attack": np.array([0, 99])},
}
MAPS = {
    "duplicate": '{"a": 0, "a": 1, "b": 1}', "deep": DEEP, "large": '{"a": 99999999999999999999999, "b": 1}',
    "outside": '{"a": 7, "b": 1}',
}  # fmt: skip
MANIFESTS: dict[str, Any] = {
    "deep-manifest": DEEP, "closed-manifest": DEEP + "]" * 100_000,
    "digits-manifest": lambda made: json.dumps(made).replace('"seed": 0', f'"seed": {"1" * 5000}'),
    "mix-manifest": lambda made: json.dumps({**made, "mix": {"ifs": 10**12}}),
    "billion-manifest": lambda made: json.dumps({**made, "mix": {"ifs": 10**9}}),
    "seed-manifest": lambda made: json.dumps({**made, "seed": 1e30}),
    "size-manifest": lambda made: json.dumps({**made, "size": 4096}),
}  # fmt: skip
"""In place of the manifest of a set that was made."""
SETTINGS: dict[str, Any] = {
    "utf-16": lambda text: text.encode("utf-16"),
    "latin-1": b"data: {source: caf\xe9}\n",
    "image": b"\x89PNG\r\n\x1a\n",
    "deep-yaml": ("a: " + "[" * 5000).encode(),
    "deeper-yaml": DEEP.encode(),
    "digits-yaml": lambda text: text.replace("epochs: 2", "epochs: " + "1" * 5000).encode(),
    "1e400": lambda text: text.replace("epochs: 2", "epochs: 2, lr: 1" + "0" * 400).encode(),
    "key-dict": b"{a: b}: c\n",
    "key-list": b"[a, b]: c\n",
    "smoothing": lambda text: text.replace("epochs: 2", "epochs: 2, label_smoothing: .nan").encode(),
    "corruption": lambda text: text.replace("[brightness]", "[foo]").encode(),
    "option": lambda text: text.replace("{name: augmix}", "{name: ipmix, options: {k: zero}}").encode(),
    "nested": lambda text: text.replace("{name: augmix}", "{name: ipmix, options: {patch_sizes: [[1, 2]]}}").encode(),
    "model": lambda text: text.replace("wrn-10-1", "os:getcwd").encode(),
    "crop": lambda text: text.replace("crop_size: 16", "crop_size: -3").encode(),
    "newline": b'data: {source: "a\\nb"}\n',
    "split": lambda text: text.replace("data: {", "data: {test_split: foo, ").encode(),
    "aliases": b"a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b]\n",
}

TRAIN = "train IN/data --model wrn-10-1 --epochs 1 --batch-size 4 --crop-size 16 --method none --quiet --out OUT"
EVALUATE = (
    "evaluate IN/model.safetensors IN/data --corruptions brightness --severities 1 --no-attack --device cpu --quiet"
    " --out OUT"
)
ATTACK = EVALUATE.replace(" --no-attack", "")
AUGMENT = "augment IN/data/train/a/00.png --count 2 --mixing-count 20 --out OUT.png"
CORRUPT = "corrupt IN/data/test OUT --names contrast"
MAKE = "mixing-set make OUT --count 4 --size 16 --mix ifs=1"
SCORE = "score IN/predictions.npz --samples 20 --out OUT"

COMMANDS = [
    *(f"{TRAIN} {more}" for more in (
        "--pad 1000000000000", "--seed -5", "--seed 9223372036854775808", "--seed 18446744073709551616",
        "--seed 100000000000000000000", "--label-smoothing nan", "--label-smoothing 5",
        "--threads 100000", "--threads 0", "--sync-batchnorm", "--checkpoint-seconds nan", "--jsd-coefficient nan",
        "--clip-norm=-inf", "--model wrn-0-0", "--model wrn-10-0", "--model wrn-11-1", "--model wrn-100000-1",
        "--dropout=-1", "--dropout 2", "--epochs ²", "--batch-size 1e3", "--lr inf", "--crop-size 1",
        "--crop resized --crop-size 7", "--crop resized --crop-size 8 --model fast-cifar",
        "--crop resized --crop-size 18 --model vit-small-cifar", "--model torchvision:alexnet",
        "--crop resized --crop-size 8 --model torchvision:alexnet",
    )),
    *(f"{ATTACK} {more}" for more in (
        "--attack-images 0", "--attack-images=-5", "--steps 0", "--steps=-1", "--restarts 0", "--epsilon nan",
    )),
    *(f"{EVALUATE} {more}" for more in (
        "--seed=-1", "--seed 9223372036854775808", "--mean 0,0,0 --std 0,0,0", "--device foo", "--threads 0",
        "--anomalies IN/missing", "--anomalies IN/strange", "--size 1000000",
        "--class-map IN/duplicate.json", "--class-map IN/deep.json",
        "--class-map IN/large.json", "--class-map IN/outside.json",
    )),
    *(f"{SCORE} {more}" for more in ("--samples 1000000000", "--seed=-1", "--seed 100000000000000000000")),
    *(SCORE.replace("predictions", name) for name in PREDICTIONS),
    *(f"{AUGMENT} {more}" for more in (
        "--mixing-count 1000000000000", "--cell 100000", "--method-option k=999999999", "--method-option patch_sizes=0",
        '--method-option patch_sizes={"a":1}', f"--method-option patch_sizes={DEEP}",
    )),
    AUGMENT.replace("data/train/a/00", "eps"), AUGMENT.replace("OUT.png", "IN/strange/dir.png --force"),
    f"{CORRUPT} --size 100000", "corrupt IN/data/test /proc/none/out --names contrast",
    "corrupt IN/data/test IN/images.npy --names contrast",
    f"{MAKE} --threads 0", f"{MAKE} --shard ²/³", f"{MAKE} --count 1000000000000", f"{MAKE} --size 1000000",
    *(f"mixing-set verify IN/{name}" for name in MANIFESTS),
    *(f"mixing-set info IN/{name}" for name in MANIFESTS),
    *(f"experiment IN/{name}.yaml --quiet --out OUT" for name in SETTINGS),
    "score IN/predictions.npz --out OUT\0", "corrupt IN/data/test OUT\0 --names contrast", "corrupt IN/\0 OUT",
    "mixing-set make OUT\0 --count 4 --size 16", "train IN/data --out OUT\0", "report IN/\0 --out OUT.html",
    f"{EVALUATE} --name \0", f"{EVALUATE} --class-map IN/\0", EVALUATE.replace("model.safetensors", "\0"),
    TRAIN.replace("OUT", "IN/images.npy/out"), EVALUATE.replace("OUT", "IN/images.npy/out"),
    "mixing-set verify IN/data/train/a", "score IN/loop --out OUT", SCORE.replace("OUT", "IN/loop"),
    *(f"{words}" for words in (
        "score IN/pipe.npz --out OUT", "experiment IN/pipe.yaml --out OUT", "report IN/pipe.json --out OUT.html",
        EVALUATE.replace("model.safetensors", "pipe.safetensors"), EVALUATE.replace("IN/data", "IN/pipe.npz"),
        f"{EVALUATE} --class-map IN/pipe.json", f"{EVALUATE} --baseline IN/pipe.json",
        AUGMENT.replace("data/train/a/00", "pipe"), CORRUPT.replace("data/test", "pipe.npy"),
    )),
    "quickstart --seed=-1 --out OUT", "quickstart --train-images=-1 --out OUT",
]  # fmt: skip


class Hangs(BaseException):
    """A command that waits for something that will not come."""


@pytest.fixture(autouse=True)
def never_waiting() -> Iterator[None]:
    """SIGALRM ends a test, by what no command takes for its own."""

    def hangs(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, hangs)
    yield
    signal.signal(signal.SIGALRM, before)


def refused(command: str, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says that is to be refused: one line; nothing is left behind, and the inputs are as they were."""
    words = [word.replace("IN/", f"{inputs}/").replace("OUT", str(tmp_path / "out")) for word in command.split()]
    before = sorted(inputs.rglob("*"))
    signal.alarm(120)
    try:
        assert main(words) in (1, 2)
    finally:
        signal.alarm(0)
    told = capsys.readouterr().err
    assert told.startswith("ipmix"), told
    assert len(told.splitlines()) == 1, told
    assert list(tmp_path.iterdir()) == [], "a refused command leaves nothing behind"
    assert sorted(inputs.rglob("*")) == before
    return told


@pytest.mark.parametrize("command", COMMANDS, ids=[command[:110] for command in COMMANDS])
def test_commands_are_refused_in_a_line(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    refused(command, inputs, tmp_path, capsys)


def test_the_same_commands_as_they_should_be(inputs: Path, tmp_path: Path) -> None:
    for number, command in enumerate((EVALUATE, SCORE, CORRUPT, MAKE)):
        words = [
            word.replace("IN/", f"{inputs}/").replace("OUT", str(tmp_path / str(number))) for word in command.split()
        ]
        assert main(words) == 0, command
    assert json.loads((tmp_path / "0" / "scorecard.json").read_text())["pictures"] == 8
