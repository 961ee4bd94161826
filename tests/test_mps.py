"""Training and evaluation on a device that has no float64, as Apple's MPS has none: simulated on the CPU."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from ipmix import models  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.core.processes import Processes  # noqa: E402
from ipmix.data.datasets import ArrayDataset  # noqa: E402
from ipmix.data.sources import InMemory  # noqa: E402
from ipmix.evaluation.plan import AttackConfig, EvaluationPlan  # noqa: E402
from ipmix.evaluation.predicting import predict  # noqa: E402
from ipmix.methods import METHODS  # noqa: E402
from ipmix.methods.augmax import AugMax  # noqa: E402
from ipmix.training import objective  # noqa: E402
from ipmix.training.config import TrainingConfig  # noqa: E402
from ipmix.training.loop import train  # noqa: E402
from ipmix.training.objective import views_of  # noqa: E402

REFUSAL = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64"


class _Operations(TorchDispatchMode):
    """Refuses every operation with a float64 tensor among its results or, but for conversions, its inputs.

    That is more than MPS refuses (float64 on the CPU beside it is allowed there), so what passes here passes there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.count += 1
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket is torch.ops.aten.lift_fresh:  # NumPy's memory as a tensor, not yet on the device
            return result
        converts = function.overloadpacket is torch.ops.aten._to_copy
        if _has_float64(result) or (not converts and _has_float64((args, kwargs))):
            raise TypeError(f"{REFUSAL} ({function})")
        return result


class _Moves(TorchFunctionMode):
    """Refuses to bring float64 to a device: on the CPU such a move is no operation, and the above does not see it."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        rest = (*args[1:], *kwargs.values())
        moves = any(isinstance(value, torch.device) for value in rest) or "device" in kwargs
        converts = any(isinstance(value, torch.dtype) for value in rest)
        if function is torch.Tensor.to and moves and not converts and _has_float64(args[0]):
            raise TypeError(f"{REFUSAL} (moved)")
        return function(*args, **kwargs)


def _has_float64(values: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64 for leaf in tree_leaves(values))


@contextmanager
def no_float64() -> Iterator[_Operations]:
    with _Moves(), _Operations() as operations:
        yield operations


FAULTS: dict[str, Callable[[], object]] = {
    "made": lambda: torch.zeros(2, dtype=torch.float64, device=torch.device("cpu")),
    "converted": lambda: torch.ones(2).double(),
    "computed": lambda: torch.mul(torch.ones(2), torch.from_numpy(np.ones(2))),
    "reduced": lambda: torch.ones(2).sum(dtype=torch.float64),
    "moved": lambda: torch.from_numpy(np.ones(2)).to(torch.device("cpu")),
    "moved by keyword": lambda: torch.from_numpy(np.ones(2)).to(device="cpu"),
    "compared": lambda: torch.gt(torch.from_numpy(np.ones(2)), 0),
    "in the backward pass": lambda: _Widened.apply(torch.ones(2, requires_grad=True)).sum().backward(),
}


class _Widened(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        return values * 2

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return (gradients[0].double() * 2).float()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_simulated_device_refuses_float64(fault: str) -> None:
    FAULTS[fault]()
    with no_float64(), pytest.raises(TypeError, match="doesn't support float64"):
        FAULTS[fault]()


def test_it_lets_float32_and_conversions_on_the_way_pass() -> None:
    with no_float64() as operations:
        moved = torch.from_numpy(np.ones(2)).to(torch.device("cpu"), torch.float32)
        assert (moved * 2).sum().item() == 4.0
    assert operations.count >= 3


def test_figures_are_float64_where_they_can_be() -> None:
    assert Processes("float32", "cpu").figures(3).dtype == torch.float64
    with no_float64():
        assert Processes("float32", "cpu").figures(3).dtype == torch.float32


def dataset(count: int, side: int = 8) -> ArrayDataset:
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return ArrayDataset(images, np.arange(count, dtype=np.int64) % 4, ("a", "b", "c", "d"), "noise")


PLAIN = TrainingConfig(model="wrn-10-1", epochs=1, batch_size=6, dropout=0.0)
TRAININGS: dict[str, tuple[TrainingConfig, Any]] = {
    "plain": (replace(PLAIN, ema_decay=0.9, clip_norm=1.0, dropout=0.1, accumulate=2), None),
    "Adam": (replace(PLAIN, optimizer="adamw", lr=1e-3), METHODS["ipmix"]()),
    "mixed labels": (replace(PLAIN, label_smoothing=0.1), METHODS["cutmix"]()),
    "JSD": (replace(PLAIN, jsd=True), METHODS["ipmix"]()),
    "AugMax": (replace(PLAIN, model="wrn-10-1-dubin", jsd=True), AugMax(steps=2)),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_training_needs_no_float64(name: str, tmp_path: Path) -> None:
    config, method = TRAININGS[name]
    options: dict[str, Any] = {"mixing": dataset(4, 12).images} if getattr(method, "needs_mixing_images", False) else {}
    assert views_of(config, method) >= 1
    with no_float64() as operations:
        outcome = train(
            config, dataset(12), test=dataset(8), method=method, out=tmp_path, device="cpu", quiet=True, **options
        )
    assert operations.count > 100
    assert np.isfinite(outcome.last["test_loss"])
    ordinary = train(config, dataset(12), test=dataset(8), method=method, device="cpu", quiet=True, **options)
    for figure in ("loss", "test_loss", "train_error", "test_error"):  # sums in float32 against sums in float64
        assert outcome.last[figure] == pytest.approx(ordinary.last[figure], rel=1e-5)


@pytest.mark.parametrize("widened", ["the figures", "the loss"])
def test_a_training_that_needs_float64_is_found(widened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if widened == "the figures":
        monkeypatch.setattr(Processes, "figures", lambda _, count: torch.zeros(count, dtype=torch.float64))
    else:
        monkeypatch.setattr(objective, "cross_entropy", lambda logits, targets, **_: logits.double().square().mean())
    with no_float64(), pytest.raises(TypeError, match="doesn't support float64"):
        train(PLAIN, dataset(12), device="cpu", quiet=True)


def test_an_evaluation_that_needs_float64_is_found(tmp_path: Path) -> None:
    class Wide(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.double().mean((2, 3)).float()

    with no_float64(), pytest.raises(InputError, match="doesn't support float64"):  # told by the first image's check
        predict(
            Wide(), InMemory(dataset(6)), EvaluationPlan((), attack=None), tmp_path, name="x", quiet=True, device="cpu"
        )


def test_evaluation_needs_no_float64(tmp_path: Path) -> None:
    plan = EvaluationPlan(
        corruptions=("fog",), severities=(3,), perturbations=("tilt",), attack=AttackConfig(steps=2, restarts=2)
    )
    model = models.build("wrn-10-1", 4).eval()
    source = InMemory(dataset(6, 32))
    with no_float64() as operations:
        found = predict(model, source, plan, tmp_path / "a", name="x", quiet=True, device="cpu", batch_size=4)
    assert operations.count > 100
    plain = predict(model, source, plan, tmp_path / "b", name="x", quiet=True, device="cpu", batch_size=4)
    assert type(found) is type(plain)


@pytest.mark.parametrize(("norm", "centre"), [("l2", "clean"), ("linf", "noisy")])
def test_attacks_need_no_float64(norm: Any, centre: Any) -> None:
    from ipmix.attacks.pgd import pgd

    model = models.build("wrn-10-1", 4).eval()
    images = torch.from_numpy(dataset(3).images).permute(0, 3, 1, 2) / 255
    with no_float64():
        pgd(model, images, torch.arange(3), epsilon=0.1, steps=2, step_size=0.05, norm=norm, centre=centre, seed=0)
