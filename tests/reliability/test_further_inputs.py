"""More inputs of the kinds of test_listed_inputs.py: each is refused in one line that names what is wrong with what.

Of a command the exit code is 1 or 2, one line is told that holds the word beside it here (the file, key or value), and
nothing is left behind; of a call :class:`ipmix.InputError` says the word.
"""

import io
import json
import os
import shlex
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

if os.name == "nt":
    pytest.skip("pipes, links and alarms of POSIX", allow_module_level=True)
pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from tests.reliability.test_listed_inputs import (
    AUGMENT,
    CORRUPT,
    EVALUATE,
    MAKE,
    SCORE,
    TRAIN,
    Hangs,
    never_waiting,
    refused,
)
from tests.reliability.writers import prepare, small_images

import ipmix
from ipmix.cli.main import main
from ipmix.data.sources import open_images

__all__ = ["Hangs", "never_waiting"]  # the fixture that ends what waits for ever

# --- files ------------------------------------------------------------------------------------------------


def header_of(shape: str, kind: str = "|u1", order: str = "False") -> bytes:
    """A .npy file that says this of itself and holds 64 zero bytes."""
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{key.replace("|", "/"): value for key, value in arrays.items()})
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


LOGITS = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
LABELS = np.arange(12) % 3
IMAGES = small_images(4)

FILES: dict[str, bytes] = {
    "terabytes.npy": header_of("(1000000000, 32, 32, 3)"),
    "minus.npy": header_of("(4, -2, 2, 4)"),
    "words.npy": header_of("('a', 2)"),
    "objects.npy": header_of("(4, 2, 2, 4)", "|O"),
    "complex.npy": header_of("(1, 2, 2, 1)", "<c16"),
    "times.npy": header_of("(2, 2, 2, 1)", "<M8[s]"),
    "flat.npy": header_of("(64,)"),
    "nothing.npy": header_of("(0, 32, 32, 3)"),
    "thin.npy": header_of("(4, 0, 16, 3)"),
    "seven.npy": header_of("(1, 3, 3, 7)"),
    "cut.npy": header_of("(4, 4, 4, 3)")[:150],
    "headless.npy": b"\x93NUMPY\x01\x00\xff\xff",
    "version.npy": b"\x93NUMPY\x09\x00" + header_of("(4, 4, 4, 1)")[8:],
    "folded.npz": npz(images=IMAGES, labels=np.zeros((4, 2), np.int64)),
    "texts.npz": npz(images=IMAGES, labels=np.array(["a", "b", "a", "b"])),
    "halves.npz": npz(images=IMAGES, labels=np.array([0, 1, 0.5, 1])),
    "unlabelled.npz": npz(images=IMAGES),
    "imageless.npz": npz(labels=LABELS),
    "twofold.npz": zipped(images=header_of("(4, 4, 4, 1)")) + b"more behind it",
    "bomb.npz": zipped(images=header_of("(4000, 1000, 1000, 3)") + bytes(10_000_000), labels=header_of("(4,)", "<i8")),
    "p-one.npz": npz(logits=LOGITS[:, :1], labels=np.zeros(12, np.int64)),
    "p-none.npz": npz(logits=LOGITS[:0], labels=LABELS[:0]),
    "p-deep.npz": npz(logits=LOGITS[None], labels=LABELS),
    "p-many.npz": npz(logits=LOGITS, labels=np.full(12, 3)),
    "p-minus.npz": npz(logits=LOGITS, labels=LABELS - 1),
    "p-huge.npz": npz(logits=LOGITS, labels=np.full(12, 2**63 - 1)),
    "p-bool.npz": npz(logits=LOGITS > 0, labels=LABELS),
    "p-complex.npz": npz(logits=LOGITS.astype(complex), labels=LABELS),
    "p-severity.npz": npz(logits=LOGITS, labels=LABELS, **{"corruption|fog|0": LOGITS}),
    "p-minus-severity.npz": npz(logits=LOGITS, labels=LABELS, **{"corruption|fog|-1": LOGITS}),
    "p-nameless.npz": npz(logits=LOGITS, labels=LABELS, **{"corruption||1": LOGITS}),
    "p-wide.npz": npz(logits=LOGITS, labels=LABELS, **{"corruption|fog|1": LOGITS[:, :2]}),
    "p-short.npz": npz(logits=LOGITS, labels=LABELS, **{"corruption|fog|1": LOGITS[:7]}),
    "p-top5.npz": npz(logits=LOGITS, labels=LABELS, **{"frames|tilt": np.full((12, 3), 99)}),
    "p-classes.npz": npz(logits=LOGITS, labels=LABELS, classes=np.array(["a", "b"])),
    "p-strange.npz": npz(logits=LOGITS, labels=LABELS, nonsense=LOGITS),
    "p-percent.npz": npz(probabilities=np.full((12, 3), -0.5), labels=LABELS),
    "text.npz": b"not an archive",
    "empty.npz": b"",
    "list.json": b"[0, 1]", "null.json": b"null", "number.json": b"7",
    "nan.json": b'{"a": NaN, "b": 1}', "half.json": b'{"a": 0.5, "b": 1}', "below.json": b'{"a": -1, "b": 1}',
    "true.json": b'{"a": true, "b": 1}', "nested.json": b'{"a": [[0]], "b": 1}', "few.json": b'{"a": []}',
    "latin.json": b'{"caf\xe9": 0}', "bom.json": b"\xff\xfe{}", "empty.json": b"", "surrogate.json": b'{"\\ud800": 0}',
    "card-nan.json": b'{"run": {"name": "a"}, "measures": {"clean_error": NaN}}',
    "card-list.json": b'{"runs": [[1, 2]]}', "card-deep.json": b'{"measures":' * 5000,
    "empty.yaml": b"", "list.yaml": b"- 1\n- 2\n", "text.yaml": b"only a text",
    "tag.yaml": b"a: !!python/object:os.system x\n",
    "twice.yaml": b"data: {source: a}\ndata: {source: b}\n", "tabs.yaml": b"data:\n\tsource: a\n",
    "anchor.yaml": b"data: &a {source: *a}\n", "nul.yaml": b"data: {source: \"a\\0b\"}\n",
    "dates.yaml": b"data: {source: 2020-01-01}\n", "hex.yaml": b"training: {epochs: 0x7fffffffffffffffffff}\n",
    "strange.safetensors": (8).to_bytes(8, "little") + b'{"a": 1}',
    "long.safetensors": (2**60).to_bytes(8, "little") + b"{}",
    "empty.safetensors": b"", "text.pt": b"hello", "empty.pt": b"",
    "cut.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x02\x00\x00\x00",
    "script.png": b"#!/bin/sh\n", "page.jpg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "bytes.webp": b"RIFF\xff\xff\xff\xffWEBP",
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the writers of the reliability programs read, and the files above."""
    folder = tmp_path_factory.mktemp("in")
    prepare(folder)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    for name in ("unlabelled", "short", "many", "text"):
        (folder / name).mkdir()
        np.save(folder / name / "images.npy", IMAGES)
    np.save(folder / "short" / "labels.npy", np.zeros(3, np.int64))
    np.save(folder / "many" / "labels.npy", np.full(4, 10**15))
    (folder / "text" / "labels.npy").write_bytes(b"0 1 0 1")
    (folder / "hollow" / "train").mkdir(parents=True)
    shutil.copytree(folder / "data", folder / "other")
    (folder / "other" / "test" / "a").rename(folder / "other" / "test" / "z")
    shutil.copytree(folder / "data", folder / "broken")
    (folder / "broken" / "test" / "a" / "12.png").write_bytes(FILES["script.png"])
    (folder / "broken" / "train" / "a" / "00.png").write_bytes(FILES["script.png"])
    shutil.copytree(folder / "data", folder / "shapes")
    Image.fromarray(np.zeros((9, 30, 3), np.uint8)).save(folder / "shapes" / "train" / "a" / "00.png")
    torch.save({"conv.weight": torch.full((1,), torch.nan)}, folder / "nan.pt")
    torch.save([1, 2, 3], folder / "list.pt")
    torch.save({"state_dict": None}, folder / "none.pt")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nothing")
    assert main(["mixing-set", "make", str(folder / "set"), "--count", "4", "--size", "16", "--mix", "ifs=1"]) == 0
    for name, change in MANIFESTS.items():
        shutil.copytree(folder / "set", folder / name)
        place = folder / name / "manifest.json"
        place.write_text(json.dumps(change(json.loads(place.read_text()))))
    shutil.copytree(folder / "set", folder / "m-image")
    next((folder / "m-image").rglob("*.png")).write_bytes(FILES["script.png"])
    base = (folder / "experiment.yaml").read_text()
    for name, (old, new) in SETTINGS.items():
        assert old in base
        (folder / f"{name}.yaml").write_text(base.replace(old, new))
    study = (folder / "study.yaml").read_text()
    for name, (old, new) in STUDIES.items():
        assert old in study
        (folder / f"{name}.yaml").write_text(study.replace(old, new))
    return folder


MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "m-null": lambda _: None,
    "m-list": lambda made: [made],
    "m-format": lambda made: {**made, "format": "another"},
    "m-size": lambda made: {**made, "size": "16"},
    "m-kinds": lambda made: {**made, "mix": {"ifs": -1}},
    "m-unknown": lambda made: {**made, "mix": {"../../etc": 4}},
    "m-empty": lambda made: {**made, "mix": {}},
    "m-half": lambda made: {**made, "mix": {"ifs": 3.5}},
}
SETTINGS = {
    "e-epochs": ("epochs: 2", "epochs: two"), "e-true": ("epochs: 2", "epochs: true"),
    "e-null": ("epochs: 2", "epochs: null"), "e-list": ("epochs: 2", "epochs: [2]"),
    "e-infinite": ("ema_decay: 0.9", "ema_decay: .inf"), "e-decay": ("ema_decay: 0.9", "ema_decay: 1.5"),
    "e-unknown": ("log_steps: 1", "log_stepz: 1"), "e-severity": ("severities: [1]", "severities: [0]"),
    "e-severities": ("severities: [1]", "severities: 1.5"), "e-attack": ("attack: false", "attack: maybe"),
    "e-method": ("{name: augmix}", "{name: augmix, options: {k: -1}}"),
    "e-name": ("{name: augmix}", "{name: [augmix]}"),
    "e-preset": ("{name: augmix}", "{name: ipmix, preset: nope}"), "e-crop": ("crop_size: 16", "crop_size: 7"),
    "e-batch": ("batch_size: 6", "batch_size: 1000000000000"), "e-model": ("wrn-10-1", "wrn-10-1-dubin-dubin"),
    "e-lr": ("epochs: 2", "epochs: 2, lr: -0.1"), "e-limit": ("attack: false", "attack: false, limit: 0"),
    "e-same": ("corruptions: [brightness]", "corruptions: {brightness: 1}"),
}  # fmt: skip
STUDIES = {
    "s-kind": ("kind: training", "kind: nothing"), "s-measure": ("[clean_error,", "[nonsense,"),
    "s-cells": ("plain: {method: {name: none}}", "plain: {method: {name: nope}}"),
    "s-path": ("plain:", "../../plain:"), "s-limit": ("limit: 4", "limit: -4"), "s-scale": ("laptop:", "[laptop]:"),
    "s-data": ("{source: data}", "{source: [data]}"),
}  # fmt: skip

PERTURB = "corrupt IN/data/test OUT --set p --names brightness"
SHOW = "mixing-set show IN/set --out OUT.png"
QUICK = "quickstart --out OUT"
REPRODUCE = "reproduce run IN/study.yaml --data IN/data --device cpu --no-estimate --here --quiet --out OUT"
EXPERIMENT = "experiment IN/experiment.yaml --device cpu --quiet --out OUT"

COMMANDS: list[tuple[str, str]] = [
    # Arrays in the place of a folder of images.
    *((CORRUPT.replace("data/test", file), file) for file in (
        "terabytes.npy", "minus.npy", "words.npy", "objects.npy", "complex.npy", "times.npy", "flat.npy", "nothing.npy",
        "thin.npy", "seven.npy", "cut.npy", "headless.npy", "version.npy", "text.npz", "empty.npz", "imageless.npz",
    )),
    *((EVALUATE.replace("IN/data", f"IN/{file}"), file.removesuffix(".npz")) for file in (
        "folded.npz", "texts.npz", "halves.npz", "unlabelled.npz", "imageless.npz", "bomb.npz", "text.npz",
        "unlabelled", "short", "many", "text",
    )),
    # Predictions of somebody's.
    *((SCORE.replace("predictions.npz", name), name) for name in sorted(FILES) if name.startswith("p-")),
    (SCORE.replace("predictions.npz", "text.pt"), "text.pt"), (SCORE.replace("predictions.npz", "data"), "data"),
    (SCORE + " --scores probabilities", "predictions.npz"), (SCORE + " --samples=-1", "samples"),
    (SCORE + " --anomalies IN/empty.npz", "empty.npz"), (SCORE + " --baseline IN/card-list.json", "card-list.json"),
    (SCORE + " --own-measures nothing:Here", "nothing"), (SCORE + " --own-measures os:getcwd", "getcwd"),
    # Class maps.
    *((f"{EVALUATE} --class-map IN/{name}.json", name) for name in (
        "list", "null", "number", "nan", "half", "below", "true", "nested", "latin", "bom", "empty", "surrogate",
    )),
    # Models and weights.
    *((EVALUATE.replace("model.safetensors", file), file) for file in (
        "strange.safetensors", "long.safetensors", "empty.safetensors", "text.pt", "empty.pt", "list.pt", "none.pt",
        "script.png", "images.npy",
    )),
    (EVALUATE.replace("IN/model.safetensors", "wrn-10-1:IN/nan.pt"), "nan.pt"),
    (EVALUATE.replace("IN/model.safetensors", "wrn-10-1:IN/list.pt"), "list.pt"),
    (f"{TRAIN} --weights IN/none.pt", "none.pt"), (f"{TRAIN} --weights IN/long.safetensors", "long.safetensors"),
    # Settings of the measurement.
    *((f"{EVALUATE} {words}", word) for words, word in (
        ("--crop 0", "crop"), ("--crop nan", "crop"), ("--crop 1.5", "crop"), ("--limit 0", "limit"),
        ("--trim=-1", "trim"),
        ("--batch-size 0", "batch"), ("--batch-size 1e9", "batch"), ("--severities 1,1", "severit"),
        ("--severities 0", "severit"), ("--corruptions fog,fog", "fog twice"), ("--perturbations nope", "nope"),
        ("--classes 0", "classes"), ("--classes=-3", "classes"), ("--mean 0.5 --std 0.5,0.5,0.5", "mean"),
        ("--mean nan,0,0 --std 1,1,1", "mean"), ("--mean 0.5,0.5,0.5 --std=-1,1,1", "std"), ("--split nope", "nope"),
        ("--subset IN/missing.txt", "missing.txt"), ("--subset IN/script.png", "script.png"),
        ("--baseline IN/card-nan.json", "card-nan.json"), ("--baseline IN/card-deep.json", "card-deep.json"),
        ("--no-worse-than=-1 --baseline IN/card-nan.json", "no-worse-than"), ("--fail-if nonsense", "nonsense"),
        ("--fail-if clean_error>nan", "nan"), ("--own-measures nothing", "nothing"), ("--form other", "form"),
        ("--summary IN/images.npy/x.md", "images.npy"), ("--junit /proc/none/x.xml", "/proc/none"),
    )),
    *((EVALUATE.replace(" --no-attack", f" {words}"), word) for words, word in (
        ("--epsilon=-0.1", "epsilon"), ("--epsilon 2", "epsilon"), ("--step-size 0", "step"), ("--steps 1e12", "steps"),
        ("--restarts 1000000000000", "restarts"), ("--norm l3", "norm"), ("--attack-images 1.5", "attack-images"),
    )),
    (EVALUATE.replace("IN/data", "IN/hollow"), "hollow"), (EVALUATE.replace("IN/data", "IN/broken"), "12.png"),
    # Training.
    *((f"{TRAIN} {words}", word) for words, word in (
        ("--epochs 0", "epochs"), ("--epochs=-1", "epochs"), ("--epochs 1000000000000", "epochs"),
        ("--batch-size 0", "batch"),
        ("--lr nan", "lr"), ("--lr=-1", "lr"), ("--momentum 1.5", "momentum"),
        ("--weight-decay=-1", "weight"), ("--ema-decay 1", "ema"), ("--ema-decay 0", "ema"),
        ("--warmup-epochs=-1", "warmup"),
        ("--accumulate 9", "batch"), ("--log-steps 0", "log"), ("--pad=-1", "pad"), ("--triangle-climb 0", "triangle"),
        ("--precision float16 --device cpu", "float16"), ("--device cuda:99", "device"),
        ("--trackers nothing", "nothing"),
        ("--method nothing", "nothing"), ("--method os:getcwd", "getcwd"), ("--method-option k=1", "no augmentation"),
        ("--method ipmix --method-option k", "k"), ("--method ipmix --method-option k=nan", "k"),
        ("--method ipmix --preset nope", "nope"), ("--method ipmix --mixing-count 0", "mixing"),
        ("--method ipmix --mixing-kinds ifs=-1", "ifs"), ("--method ipmix --mixing-kinds nope=1", "nope"),
        ("--method ipmix --mixing-set IN/hollow", "hollow"), ("--method ipmix --mixing-set IN/text.pt", "text.pt"),
        ("--test-split val", "val"), ("--size 7", "size"), ("--crop resized --size 16", "size"), ("--seed 1.5", "seed"),
        ("--training-preset nope", "nope"), ("--model vit-small-cifar --size 9", "9"), ("--engine other", "engine"),
        ("--checkpoint-seconds=-1", "checkpoint"), ("--model timm:nope", "nope"), ("--model torchvision:nope", "nope"),
        ("--model hf-hub:a/b", "hf-hub"),
    )),
    (TRAIN.replace("IN/data", "IN/other"), "classes"), (TRAIN.replace("IN/data", "IN/broken"), "00.png"),
    (TRAIN.replace("IN/data", "IN/shapes"), "30x9"), (TRAIN.replace("IN/data", "IN/hollow"), "hollow"),
    (TRAIN.replace("IN/data", "IN/images.npy"), "images.npy"), (TRAIN.replace("IN/data", "https://a.b/c"), "https:"),
    # Experiments and studies.
    *((EXPERIMENT.replace("experiment.yaml", f"{name}.yaml"), name) for name in SETTINGS),
    *((EXPERIMENT.replace("experiment.yaml", f"{name}.yaml"), name) for name in (
        "empty", "list", "text", "tag", "twice", "tabs", "anchor", "nul", "dates", "hex",
    )),
    *((f"{EXPERIMENT} --set {words}", word) for words, word in (
        ("training.epochs=0", "epochs"), ("training.nothing=1", "nothing"), ("=1", "set"), ("training", "training"),
        ("training.epochs=[", "epochs"), ("data.source=", "source"), ("a.b.c.d=1", "a"),
    )),
    *((REPRODUCE.replace("study.yaml", f"{name}.yaml"), name) for name in STUDIES),
    *((f"{REPRODUCE} {words}", word) for words, word in (
        ("--seeds=-1", "seed"), ("--seeds 1.5", "seeds"), ("--cells nope", "nope"), ("--jobs 0", "jobs"),
        ("--shard 3/2", "3/2"),
        ("--threads 0", "threads"), ("--scale nope", "nope"), ("--folder photos", "photos"),
        ("--folder a=IN/missing", "--folder a"),
    )),
    (REPRODUCE.replace("IN/study.yaml", "nothing"), "nothing"), (REPRODUCE.replace("IN/data", "IN/missing"), "missing"),
    ("reproduce table IN/study.yaml --out IN/missing", "missing"), ("reproduce show nope", "nope"),
    ("reproduce table headline --seeds x", "x"), ("reproduce show nope/../headline", "nope"),
    # Corrupted copies.
    *((f"{CORRUPT} {words}", word) for words, word in (
        ("--severities 6", "severit"), ("--severities=-1", "severit"), ("--severities 1.5", "severities"),
        ("--seed=-1", "seed"),
        ("--quality 0", "quality"), ("--quality 101", "quality"), ("--size 0", "size"), ("--size=-8", "size"),
        ("--threads 0", "threads"), ("--shard 0/2", "0/2"), ("--shard 1/0", "1/0"), ("--shard a/b", "a/b"),
        ("--labels IN/labels.npy", "labels"), ("--names nope", "nope"), ("--names contrast,contrast,x", "x"),
        ("--set x", "set"), ("--layout other", "layout"), ("--difficulty 0", "difficulty"),
    )),
    (CORRUPT.replace("data/test", "broken/test"), "12.png"), (CORRUPT.replace("data/test", "hollow/train"), "train"),
    (f"{PERTURB} --difficulty 9", "difficulty"), (f"{PERTURB} --severities 2", "severities"),
    (CORRUPT.replace("IN/data/test", "IN/images.npy") + " --labels IN/text.npz", "text.npz"),
    # Links that lead nowhere, in the place of the output.
    *((command.replace("OUT", f"IN/{link}"), f"{link} is a link that leads {where}")
        for link, where in (("loop", "to itself"), ("dangling", "nowhere"))
        for command in (CORRUPT, EVALUATE, SCORE, MAKE, TRAIN, EXPERIMENT, QUICK, REPRODUCE)),
    (CORRUPT.replace("OUT", "IN/loop/below"), "loop is a link that leads to itself"),
    # Sheets, mixing sets, reports, and what is left.
    *((f"{AUGMENT} {words}", word) for words, word in (
        ("--count 0", "count"), ("--count=-1", "count"), ("--count 1000000000000", "count"), ("--cell 0", "cell"),
        ("--cell=-1", "cell"), ("--epoch=-1", "epoch"), ("--epoch 1e3", "epoch"), ("--seed 2^3", "seed"), 
        ("--methods nope", "nope"), ("--method nope", "nope"), ("--preset nope", "nope"),
        ("--method-option k=[]", "k"), ("--method-option nope=1", "nope"), ("--mixing-count 0", "mixing"),
    )),
    (AUGMENT.replace("OUT.png", "OUT.exe"), ".exe"), (AUGMENT.replace("OUT.png", "IN/hollow/no/x.png"), "no"),
    *((AUGMENT.replace("data/train/a/00.png", file), file) for file in (
        "cut.png", "script.png", "page.jpg", "bytes.webp", "text.pt", "missing.png", "hollow",
    )),
    *((f"{MAKE} {words}", word) for words, word in (
        ("--count 0", "count"), ("--count=-1", "count"), ("--size 7", "size"), ("--size 4097", "size"),
        ("--seed=-1", "seed"),
        ("--seed 1e3", "seed"), ("--mix nope=1", "nope"), ("--mix ifs=0", "ifs"), ("--mix ifs=1,ifs=2", "ifs"),
        ("--mix =", "mix"),
        ("--mix feature=1", "feature"), ("--mix image=1", "images"), ("--images IN/missing", "missing"),
        ("--images IN/hollow", "hollow"), ("--model IN/text.pt --mix feature=1", "text.pt"), ("--classes 0", "classes"),
        ("--shard 2/1", "2/1"), ("--threads=-1", "threads"), ("--files tiff", "files"), ("--mix ifs=nan", "ifs"),
        ("--model os:getcwd --mix feature=1", "getcwd"), ("--weights IN/nan.pt", "weights"),
    )),
    *((f"mixing-set {word} IN/{name}", name) for word in ("info", "verify") for name in MANIFESTS),
    ("mixing-set info IN/hollow", "hollow"), ("mixing-set verify IN/set --sample=-1", "sample"),
    ("mixing-set verify IN/set --threads 0", "threads"),
    *((f"{SHOW} {words}", word) for words, word in (
        ("--count 0", "count"), ("--cell 0", "cell"), ("--cell 1000000", "cell"), ("--kind nope", "nope"),
        ("--first=-1", "first"),
        ("--first 4", "first"),
    )),
    (SHOW.replace("OUT.png", "OUT.txt"), ".txt"), (SHOW.replace("IN/set", "IN/m-image"), ".png"),
    *((f"report IN/{file} --out OUT.html", file) for file in (
        "card-nan.json", "card-list.json", "card-deep.json", "empty.json", "list.json", "bom.json", "hollow", "text.pt",
    )),
    ("report IN/card-nan.json --format robustbench --out OUT.json", "card-nan.json"),
    *((f"{QUICK} {words}", word) for words, word in (
        ("--epochs 0", "epochs"), ("--size 7", "size"), ("--size 100000", "size"), ("--test-images 0", "test"),
        ("--train-images 1.5", "train-images"), ("--model nope", "nope"), ("--seed 99999999999999999999", "seed"),
        ("--data IN/missing", "missing"), ("--data IN/hollow", "hollow"), ("--device tpu", "device"),
    )),
    *((f"explore {words}", word) for words, word in (
        ("--port 65536", "port"), ("--port=-1", "port"), ("--host 0.0.0.0", "0.0.0.0"),
        ("--scorecard IN/missing.json", "missing.json"), ("--scorecard IN/card-list.json", "card-list.json"),
        ("--mixing-set IN/missing", "missing"), ("--mixing-set IN/m-list", "m-list"),
    )),
    ("doctor extra", "extra"), ("doctor --checks=maybe", "maybe"),
    (f"{QUICK} --model torchvision:alexnet", "32x32"), ("quickstart --out IN/images.npy/out", "images.npy"),
    (f"{QUICK} --data IN/other", "other"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "word"), COMMANDS, ids=[command[:120] for command, _ in COMMANDS])
def test_a_command_names_what_is_wrong(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, word: str
) -> None:
    if command.startswith("explore"):
        pytest.importorskip("streamlit", reason="the explore extra is not installed")
    told = refused(command, inputs, tmp_path, capsys)
    assert word in told.replace(str(inputs), "IN"), told


EMPTY = [
    ("corrupt IN/data/test ''", "OUT"), ("corrupt '' OUT", "DATA"), (f"{CORRUPT} --labels=", "--labels"),
    ("mixing-set make ''", "OUT"), ("mixing-set verify ''", "PATH"), ("augment '' --out OUT.png", "FILE"),
    (f"{AUGMENT} --mixing-set=", "--mixing-set"), ("score '' --out OUT", "PREDICTIONS"), (f"{SCORE} --name=", "--name"),
    ("report IN/predictions.npz --out=", "--out"), ("experiment '' --out OUT", "FILE"),
    (EXPERIMENT.replace("--out OUT", "--out="), "--out"),
    ("evaluate '' IN/data --out OUT", "MODEL"), ("evaluate IN/model.safetensors '' --out OUT", "DATA"),
    *((f"{EVALUATE} {option}=", option) for option in (
        "--clean", "--split", "--class-map", "--subset", "--anomalies", "--baseline", "--junit", "--root",
    )),
    *((f"{TRAIN} {option}=", option) for option in ("--mixing-set", "--weights", "--model", "--test-split")),
    ("train '' --out OUT", "DATA"), ("quickstart --out=", "--out"), (f"{QUICK} --data=", "--data"),
    ("reproduce show ''", "NAME"), (f"{REPRODUCE} --data=", "--data"), ("explore --host=", "--host"),
]  # fmt: skip
"""Words without a letter, as a shell's variable that isn't set leaves them, and the option or place that is named."""


@pytest.mark.parametrize(("command", "place"), EMPTY, ids=[command for command, _ in EMPTY])
def test_an_empty_word_is_no_name(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str,
    place: str,
) -> None:  # fmt: skip
    """Not of a file, and not of the folder that one works in."""
    if command.startswith("explore"):
        pytest.importorskip("streamlit", reason="the explore extra is not installed")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.replace("IN/", f"{inputs}/").replace("OUT", "out"))
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert place in line
    assert "empty" in line or "''" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [ipmix.MixingSet.open, ipmix.MixingSet.folder, open_images])
def test_an_empty_name_in_a_call(call: Callable[[str], Any]) -> None:
    with pytest.raises(ipmix.InputError, match="must be the name of a file or folder, got ''"):
        call("")
