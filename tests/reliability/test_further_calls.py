"""More calls of Python of the kinds of test_listed_inputs.py: each is refused in one line that names what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from tests.reliability.writers import small_images

import ipmix
from ipmix.training.config import TrainingConfig

IMAGES = small_images(4)
MIXING = ipmix.MixingSet.array(small_images(3, 20, seed=1))
TABLE = ipmix.draw(ipmix.IPMix(), IMAGES.shape, 3, seed=0)


def augment(images: Any = IMAGES, **more: Any) -> Any:
    return ipmix.augment(images, ipmix.IPMix(), **{"mixing": MIXING, "seed": 0, **more})


def corrupt(images: Any = IMAGES, name: Any = "contrast", severity: Any = 1, **more: Any) -> Any:
    return ipmix.corrupt(images, name, severity, **{"seed": 0, **more})


def perturb(images: Any = IMAGES, name: Any = "brightness", **more: Any) -> Any:
    return ipmix.perturb(images, name, **{"seed": 0, **more})


def evaluate(model: Any, data: Any = IMAGES, labels: Any = (0, 1, 0, 1), **more: Any) -> Any:
    return ipmix.evaluate(model, data, labels, **{"plan": "clean", "progress": False, "device": "cpu", **more})


def zeros(images: Any) -> Any:
    return torch.zeros(len(images), 2)


def augmenter(**more: Any) -> Any:
    return ipmix.Augmenter(ipmix.IPMix(), **{"mixing": MIXING, "seed": 0, **more})


def transformed(image: Any, **more: Any) -> Any:
    return ipmix.transforms.IPMix(mixing=MIXING, **more)(image)


def dataset(data: Any = IMAGES, method: Any = "ipmix", **more: Any) -> Any:
    return ipmix.transforms.AugmentedDataset(data, method, **{"mixing": MIXING, **more})


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "augment floats": (lambda: augment(IMAGES / 255.0), "uint8"),
    "augment a list": (lambda: augment([[1]]), "uint8"),
    "augment None": (lambda: augment(None), "None"),
    "augment 2-D": (lambda: augment(IMAGES[0, :, :, 0]), "\\["),
    "augment 7 channels": (lambda: augment(np.zeros((2, 16, 16, 7), np.uint8)), "7"),
    "augment no side": (lambda: augment(np.zeros((2, 0, 16, 3), np.uint8)), "0"),
    "augment without a mixing set": (lambda: augment(mixing=None), "mixing"),
    "augment empty mixing": (lambda: augment(mixing=np.zeros((0, 20, 20, 3), np.uint8)), "mixing"),
    "augment small mixing": (lambda: augment(mixing=np.zeros((2, 4, 4, 3), np.uint8)), "mixing"),
    "augment float mixing": (lambda: augment(mixing=np.zeros((2, 20, 20, 3))), "uint8"),
    "augment without mixing in a row": (lambda: augmenter(mixing=None)(IMAGES[0], index=0, epoch=0), "mixing"),
    "augment text mixing": (lambda: augment(mixing="folder"), "mixing"),
    "augment seed float": (lambda: augment(seed=0.5), "seed"),
    "augment seed None": (lambda: augment(seed=None), "seed"),
    "augment seed 2^64": (lambda: augment(seed=2**64), "seed"),
    "augment epoch -1": (lambda: augment(epoch=-(2**70)), "epoch"),
    "augment epoch str": (lambda: augment(epoch="a"), "epoch"),
    "augment indices few": (lambda: augment(indices=[0, 1]), "indices"),
    "augment indices nan": (lambda: augment(indices=[np.nan] * 4), "indices"),
    "augment indices set": (lambda: augment(indices={0, 1, 2, 3}), "indices"),
    "augment view float": (lambda: augment(view=0.5), "view"),
    "augment threads 0": (lambda: augment(threads=0), "threads"),
    "augment threads 1e12": (lambda: augment(threads=10**12), "threads"),
    "augment threads nan": (lambda: augment(threads=float("nan")), "threads"),
    "augment output": (lambda: augment(output="float16"), "float16"),
    "augment layout": (lambda: augment(layout="nwhc"), "nwhc"),
    "augment std 0": (lambda: augment(output="float32", mean=0.5, std=0), "std"),
    "augment mean nan": (lambda: augment(output="float32", mean=float("nan"), std=1), "mean"),
    "augment mean 2": (lambda: augment(output="float32", mean=(0.5, 0.5), std=(1, 1)), "mean"),
    "augment mean str": (lambda: augment(output="float32", mean="a", std="b"), "mean"),
    "augment out small": (lambda: augment(out=np.zeros((1, 2, 2, 3), np.uint8)), "out"),
    "augment out frozen": (lambda: augment(out=np.broadcast_to(np.zeros(3, np.uint8), IMAGES.shape)), "out"),
    "augment out list": (lambda: augment(out=[0]), "out"),
    "draw 3-D": (lambda: ipmix.draw(ipmix.AugMix(), (4, 16, 16), seed=0), "shape"),
    "draw negative": (lambda: ipmix.draw(ipmix.AugMix(), (-1, 16, 16, 3), seed=0), "-1"),
    "draw nan": (lambda: ipmix.draw(ipmix.AugMix(), (4, float("nan"), 16, 3), seed=0), "nan"),
    "draw count -1": (lambda: ipmix.draw(ipmix.IPMix(), (4, 16, 16, 3), -1, seed=0), "mixing"),
    "apply other images": (lambda: ipmix.apply(TABLE, IMAGES[:2], MIXING), "4"),
    "apply other size": (lambda: ipmix.apply(TABLE, IMAGES[:, :8], MIXING), "16"),
    "apply fewer mixing images": (lambda: ipmix.apply(TABLE, IMAGES, small_images(1, 20)), "mixing"),
    "apply a list": (lambda: ipmix.apply([1], IMAGES, MIXING), "table must be"),  # type: ignore[arg-type]
    "IPMix k 0": (lambda: ipmix.IPMix(k=0), "k"),
    "IPMix k True": (lambda: ipmix.IPMix(k=True), "k"),
    "IPMix t huge": (lambda: ipmix.IPMix(t=10**9), "t"),
    "IPMix alpha nan": (lambda: ipmix.IPMix(alpha=float("nan")), "alpha"),
    "IPMix alpha inf": (lambda: ipmix.IPMix(alpha=float("inf")), "alpha"),
    "IPMix beta -1": (lambda: ipmix.IPMix(beta=-1), "beta"),
    "IPMix severity 99": (lambda: ipmix.IPMix(severity=99), "severity"),
    "IPMix mixers": (lambda: ipmix.IPMix(mixers=("nope",)), "nope"),
    "IPMix mixers empty": (lambda: ipmix.IPMix(mixers=()), "mixers"),
    "IPMix operations": (lambda: ipmix.IPMix(operations="nope"), "nope"),
    "IPMix patch huge": (lambda: ipmix.IPMix(patch_sizes=(2**40,)), "patch"),
    "IPMix overflow": (lambda: ipmix.IPMix(overflow="bend"), "bend"),
    "MixUp alpha 0": (lambda: ipmix.MixUp(alpha=0), "alpha"),
    "AugMix operations int": (lambda: ipmix.AugMix(operations=3), "operations"),  # type: ignore[arg-type]
    "corrupt name": (lambda: corrupt(name="nope"), "nope"),
    "corrupt name None": (lambda: corrupt(name=None), "None"),
    "corrupt severity 0": (lambda: corrupt(severity=0), "severity"),
    "corrupt severity 6": (lambda: corrupt(severity=6), "severity"),
    "corrupt severity float": (lambda: corrupt(severity=1.5), "severity"),
    "corrupt severity str": (lambda: corrupt(severity="a"), "severity"),
    "corrupt severity True": (lambda: corrupt(severity=True), "severity"),
    "corrupt seed str": (lambda: corrupt(seed="a"), "seed"),
    "corrupt floats": (lambda: corrupt(IMAGES / 1.0), "uint8"),
    "corrupt one image": (lambda: corrupt(IMAGES[0, 0]), "\\["),
    "corrupt indices -1": (lambda: corrupt(indices=[-(2**70), 0, 1, 2]), "indices"),
    "corrupt form": (lambda: corrupt(form="other"), "other"),
    "corrupt threads str": (lambda: corrupt(threads="2"), "threads"),
    "perturb name": (lambda: perturb(name="fog"), "fog"),
    "perturb difficulty 0": (lambda: perturb(difficulty=0), "difficulty"),
    "perturb difficulty str": (lambda: perturb(difficulty="a"), "difficulty"),
    "perturb crop 0": (lambda: perturb(crop=0), "crop"),
    "perturb crop 99": (lambda: perturb(crop=99), "crop"),
    "perturb crop float": (lambda: perturb(crop=1.5), "crop"),
    "generate mix str": (lambda: ipmix.MixingSet.generate(3, 16, 0, mix="ifs"), "mix"),  # type: ignore[arg-type]
    "generate mix -1": (lambda: ipmix.MixingSet.generate(3, 16, 0, mix={"ifs": -1}), "ifs"),
    "generate mix nan": (lambda: ipmix.MixingSet.generate(3, 16, 0, mix={"ifs": float("nan")}), "ifs"),  # type: ignore[dict-item]
    "generate mix unknown": (lambda: ipmix.MixingSet.generate(3, 16, 0, mix={"nope": 3}), "nope"),
    "generate seed 2^70": (lambda: ipmix.MixingSet.generate(3, 16, 2**70), "seed"),
    "generate count 1e12": (lambda: ipmix.MixingSet.generate(10**12, 16, 0), "count"),
    "generate size 1e6": (lambda: ipmix.MixingSet.generate(3, 10**6, 0), "size"),
    "open a number": (lambda: ipmix.MixingSet.open(3), "int"),  # type: ignore[arg-type]
    "open a zero byte": (lambda: ipmix.MixingSet.open("a\0b"), "a"),
    "array floats": (lambda: ipmix.MixingSet.array(np.zeros((2, 20, 20, 3))), "uint8"),
    "array None": (lambda: ipmix.MixingSet.array(None), "None"),  # type: ignore[arg-type]
    "evaluate a text model": (lambda: evaluate("nope.safetensors"), "nope"),
    "evaluate None": (lambda: evaluate(None), "None"),
    "evaluate a number": (lambda: evaluate(3), "int"),
    "evaluate labels short": (lambda: evaluate(zeros, labels=[0, 1]), "labels"),
    "evaluate labels floats": (lambda: evaluate(zeros, labels=[0.5, 1, 0, 1]), "labels"),
    "evaluate labels -1": (lambda: evaluate(zeros, labels=[-1, 1, 0, 1]), "-1"),
    "evaluate labels None": (lambda: evaluate(zeros, labels=None), "labels"),
    "evaluate plan": (lambda: evaluate(zeros, plan="nope"), "nope"),
    "evaluate device": (lambda: evaluate(zeros, device="nope"), "nope"),
    "evaluate mean": (lambda: evaluate(zeros, mean=[0.5], std=[0]), "std"),
    "evaluate batch 0": (lambda: evaluate(zeros, batch_size=0), "batch"),
    "evaluate threads -1": (lambda: evaluate(zeros, threads=-1), "threads"),
    "evaluate input": (lambda: evaluate(zeros, input="cnhw"), "cnhw"),
    "evaluate classes": (lambda: evaluate(zeros, classes=["a", "a"]), "a"),
    "evaluate out a file": (lambda: evaluate(zeros, out="/proc/version"), "version"),
    "evaluate raises": (lambda: evaluate(lambda images: 1 / 0), "ZeroDivision"),
    "evaluate gives None": (lambda: evaluate(lambda images: None), "scores"),
    "evaluate gives text": (lambda: evaluate(lambda images: ["a"] * len(images)), "scores"),
    "evaluate gives too few": (lambda: evaluate(lambda images: torch.zeros(1, 2)), "1"),
    "evaluate ends": (lambda: evaluate(lambda images: exit(3)), "SystemExit"),
    "plan severities": (lambda: ipmix.EvaluationPlan(severities=(9,)), "severit"),
    "plan corruptions": (lambda: ipmix.EvaluationPlan(corruptions=("nope",)), "nope"),
    "attack epsilon": (lambda: ipmix.AttackConfig(epsilon=-1), "epsilon"),
    "attack steps": (lambda: ipmix.AttackConfig(steps=1.5), "steps"),  # type: ignore[arg-type]
    "plan difficulty": (lambda: ipmix.EvaluationPlan(difficulty=9), "difficulty"),
    "plan seed": (lambda: ipmix.EvaluationPlan(seed=-1), "seed"),
    "plan form": (lambda: ipmix.EvaluationPlan(form="other"), "form"),  # type: ignore[arg-type]
    "training bias factor": (lambda: TrainingConfig(norm_bias_factor=1e20), "norm_bias_factor"),
    "Augmenter output": (lambda: augmenter(output="x"), "output"),
    "Augmenter layout": (lambda: augmenter(layout="x"), "layout"),
    "Augmenter std": (lambda: augmenter(output="float32", mean=[0.5] * 3, std=0), "std"),
    "Augmenter mean and std": (lambda: augmenter(output="float32", mean=[0.5] * 3, std=[0.5] * 2), "std"),
    "Augmenter mean of bytes": (lambda: augmenter(mean=0.5), "mean"),
    "evaluate out zero byte": (lambda: evaluate(zeros, out="a\0b"), "zero byte"),
    "wrap zero byte": (lambda: ipmix.models.wrap("a\0b.onnx"), "onnx"),
    "save zero byte": (lambda: ipmix.models.save("a\0b", ipmix.models.build("wrn-10-1", 2)), "zero byte"),
    "generate cache zero byte": (
        lambda: ipmix.MixingSet.generate(count=2, size=16, seed=0, cache="a\0b"), "zero byte",
    ),
    "Augmenter shape 2": (lambda: augmenter(shape=(16, 16)), "shape"),
    "Augmenter shape -1": (lambda: augmenter(shape=(-1, 16, 3)), "-1"),
    "Augmenter seed": (lambda: augmenter(seed="a"), "seed"),
    "Augmenter() floats": (lambda: augmenter()(IMAGES[0] / 1.0, index=0, epoch=0), "uint8"),
    "Augmenter() batch": (lambda: augmenter()(IMAGES, index=0, epoch=0), "\\["),
    "Augmenter() another shape": (lambda: augmenter(shape=(16, 16, 3))(IMAGES[0, :8], index=0, epoch=0), "16"),
    "Augmenter() None": (lambda: augmenter()(None, index=0, epoch=0), "NoneType"),
    "transform floats of NumPy": (lambda: transformed(IMAGES[0] / 1.0), "uint8"),
    "transform text": (lambda: transformed("a.png"), "str"),
    "transform None": (lambda: transformed(None), "None"),
    "transform complex": (lambda: transformed(torch.zeros(3, 8, 8, dtype=torch.complex64)), "complex"),
    "transform 5 channels": (lambda: transformed(torch.zeros(5, 8, 8, dtype=torch.uint8)), "5"),
    "transform option": (lambda: ipmix.transforms.IPMix(nope=1, mixing=MIXING), "nope"),
    "transform boxes": (lambda: ipmix.transforms.IPMix(mixing=MIXING, boxes="nope"), "nope"),
    "transform from a name": (lambda: ipmix.transforms.from_name("nope"), "nope"),
    "collate classes 0": (lambda: ipmix.transforms.collate("mixup", 0), "classes"),
    "collate classes str": (lambda: ipmix.transforms.collate("mixup", "a"), "classes"),  # type: ignore[arg-type]
    "dataset method": (lambda: dataset(method="nope"), "nope"),
    "dataset views 0": (lambda: dataset(views=0), "views"),
    "dataset views float": (lambda: dataset(views=1.5), "views"),
    "dataset seed": (lambda: dataset(seed="a"), "seed"),
    "dataset None": (lambda: dataset(None), "None"),
    "dataset boxes": (lambda: dataset(boxes="nope"), "nope"),
    "dataset of texts": (lambda: dataset(["a"])[0], "str"),
    "recipe text": (lambda: ipmix.Recipe.from_json("{"), "recipe"),
    "recipe None": (lambda: ipmix.Recipe.from_json(None), "None"),  # type: ignore[arg-type]
    "recipe deep": (lambda: ipmix.Recipe.from_json("[" * 100_000), "recipe"),
    "recipe huge number": (lambda: ipmix.Recipe.from_json('{"height": 1' + "0" * 5000 + "}"), "recipe"),
    "table pack None": (lambda: ipmix.RecipeTable.pack(None), "None"),  # type: ignore[arg-type]
    "table pack numbers": (lambda: ipmix.RecipeTable.pack([1]), "1"),  # type: ignore[list-item]
    "key_of number": (lambda: ipmix.key_of(3), "3"),  # type: ignore[arg-type]
    "Key float": (lambda: ipmix.Key(0.5), "0.5"),  # type: ignore[arg-type]
    "build name": (lambda: ipmix.models.build("nope", 2), "nope"),
    "build classes": (lambda: ipmix.models.build("wrn-10-1", 0), "class"),
    "build channels": (lambda: ipmix.models.build("wrn-10-1", 2, channels=0), "channel"),
    "build mean": (lambda: ipmix.models.build("wrn-10-1", 2, mean=[0.5] * 3), "std"),
    "datasets load": (lambda: ipmix.datasets.load("/nowhere", "train"), "/nowhere"),
    "datasets split": (lambda: ipmix.datasets.load("digits", "nope"), "nope"),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_a_call_names_what_is_wrong(case: str) -> None:
    call, word = CALLS[case]
    with pytest.raises(ipmix.InputError, match=word) as error:
        call()
    assert "\n" not in str(error.value)
