"""What Python callers may pass by mistake to public functions: each is refused in one line, none is a traceback."""

from typing import Any

import numpy as np
import pytest

import ipmix
from ipmix import InputError, IPMix, Key, MixingSet
from ipmix.data import datasets
from ipmix.measures import bootstrap, consistency, corruption, selective

TABLE = ipmix.draw(ipmix.Vanilla(), (2, 8, 8, 3), seed=0)
MIXING = MixingSet.array(np.zeros((2, 10, 10, 3), np.uint8))
CONFIDENCE, CORRECT = np.linspace(0, 1, 20), np.arange(20) % 2 == 0
THINGS = (None, "x", b"x", 1.5, [], {}, object(), np.zeros((2, 2)), 2**70, True)


def _refuses_all_but(call: Any, good: Any, things: tuple[Any, ...]) -> None:
    call(good)
    for thing in things:
        with pytest.raises(InputError) as error:
            call(thing)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "good", "fine"),
    [
        (lambda v: datasets.splits(v), "digits", ("x",)),
        (lambda v: IPMix.preset(v), "paper-cifar", ()),
        (lambda v: ipmix.Combined(v), ("augmix", "mixup"), ()),
        (lambda v: ipmix.Recipe.from_json(v), TABLE[0].to_json(), ()),
        (lambda v: MIXING.crop(0, 8, 8, v), Key(0, 0, 0, 0), ()),
        (lambda v: MIXING.planes(8, 8, v), 3, ()),
        (lambda v: TABLE.labels(v, 3), np.arange(2), ()),
        (lambda v: selective.coverage_at_risk(CONFIDENCE, CORRECT, v), 0.5, ()),
        (lambda v: corruption.mean_corruption_error({"fog": [0.1]}, baseline=v), {"fog": 0.5}, (None,)),
        (lambda v: consistency.mean_flip_rate({"tilt": 0.1}, v), {"tilt": 0.5}, ()),
        (lambda v: consistency.flip_rate(np.zeros((2, 3), int), reference=v), "first", ()),
        (lambda v: bootstrap.interval(v, 20, seed=0, samples=20), lambda drawn: float(drawn.mean()), ()),
        (lambda v: bootstrap.interval(np.mean, 20, seed=0, samples=20, groups=v), [10, 10], (None,)),
    ],
)
def test_other_things_are_refused(call: Any, good: Any, fine: tuple[Any, ...]) -> None:
    _refuses_all_but(call, good, tuple(thing for thing in THINGS if not any(thing is each for each in fine)))


def test_places_in_a_table_are_whole_numbers() -> None:
    assert [recipe == TABLE[i] for i, recipe in enumerate(TABLE)] == [True, True]
    for place in (2, -3):
        with pytest.raises(IndexError):
            TABLE[place]
    for thing in (None, "x", 1.5, True, np.zeros((2, 2))):
        with pytest.raises(InputError, match="a recipe's place is a whole number, or a slice, got"):
            TABLE[thing]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, r"model must be a torch\.nn\.Module, got None"),
        ({"epsilon": "x"}, "epsilon is a number, got 'x'"),
        ({"epsilon": float("nan")}, "epsilon is a finite number of at least 0, got nan"),
        ({"step_size": None}, "step_size is a number, got None"),
        ({"steps": 2**40}, "steps is at most 1048576"),
        ({"steps": 1.5}, "steps is a whole number, got 1.5"),
        ({"restarts": 0}, "restarts is at least 1, got 0"),
        ({"seed": "x"}, "seed must be an integer of 64 bits, got 'x'"),
        ({"centre": np.zeros(2)}, "centre must be one of clean, noisy"),
        ({"indices": ["a"]}, "indices must be a one-dimensional array of integers"),
    ],
)
def test_an_attack_that_can_not_be(change: dict[str, Any], message: str) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    good = {
        "model": network, "images": torch.full((1, 3, 2, 2), 0.5), "labels": torch.tensor([0]), "epsilon": 0.1,
        "steps": 1, "step_size": 0.1, "seed": 0,
    }  # fmt: skip
    assert ipmix.ascent.pgd(**good).shape == (1, 3, 2, 2)
    with pytest.raises(InputError, match=message):
        ipmix.ascent.pgd(**{**good, **change})


@pytest.mark.parametrize(
    "change", [{"name": None}, {"name": 3}, {"classes": None}, {"classes": 1.5}, {"classes": "ab"}]
)
def test_a_network_that_can_not_be(change: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    with pytest.raises(InputError, match=r"a network's name is a text|classes is how many there are, or their names"):
        ipmix.models.build(**{"name": "wrn-10-1", "classes": 2, **change})


IMAGES = np.zeros((1, 8, 8, 3), np.uint8)


def augmented(images: Any = IMAGES, method: Any = None, **named: Any) -> Any:
    return ipmix.augment(images, ipmix.AugMix() if method is None else method, seed=0, **named)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: augmented(np.zeros((5, 8, 8), np.uint8)), r"a batch of grey images is images\[\.\.\., None\]"),
        (lambda: augmented(IMAGES[0]), r"give one image as image\[None\]"),
        (lambda: augmented(method="augmix"), "pass named_method of it"),
        (lambda: augmented(method=ipmix.PRIME), r"pass PRIME\(\)"),
        (lambda: augmented(epoch=np.array(2)), r"pass int\(\.\.\.\) of it"),
    ],
)
def test_likely_mistakes_are_told_with_what_to_do(call: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
