"""Any model in evaluation: what it returns, what it computes with, and the advice where it can't take the images."""

import os
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from torch import nn  # noqa: E402

from ipmix.attacks.pgd import pgd  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation.batched_model import BatchedModel  # noqa: E402


def images_of(side: int = 8, channels: int = 3, count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


class Net(nn.Module):
    """A convolution and a linear layer: takes one size only."""

    def __init__(self, side: int = 8, channels: int = 3, wrap: Callable = lambda logits: logits) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(channels, 4, 3, padding=1)
        self.layer = nn.Linear(4 * side * side, 4)
        self.wrap = wrap

    def forward(self, images):
        return self.wrap(self.layer(self.convolution(images).relu().flatten(1)))


def batched(model: nn.Module, batch_size: int = 2) -> BatchedModel:
    return BatchedModel(model, torch.device("cpu"), batch_size, None)


ATTACK = {"epsilon": 0.1, "steps": 2, "step_size": 0.05, "seed": 0}


def quiet(finished: int = 1) -> None:
    pass


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: (logits, logits + 1),
        lambda logits: {"logits": logits, "features": logits[:, :2]},
        lambda logits: SimpleNamespace(logits=logits),
        lambda logits: logits[:, :, None, None],
    ],
)
def test_models_that_wrap_their_logits(wrap):
    target = batched(Net(wrap=wrap))
    images = images_of()
    target.check(images[:1], 4)
    expected = batched(Net()).logits(images, quiet)
    assert target.logits(images, quiet) == pytest.approx(expected, abs=1e-6)
    found = pgd(target.on_data_classes, target.tensor(images), torch.zeros(5, dtype=torch.int64), **ATTACK)
    assert found.shape == (5, 3, 8, 8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_models_of_half_precision(dtype):
    target = batched(Net().to(dtype))
    images = images_of()
    target.check(images[:1], 4)
    found = target.logits(images, quiet)
    assert found.dtype == np.float32
    assert found == pytest.approx(batched(Net()).logits(images, quiet), abs=0.05)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="needs fbgemm")
def test_quantised_models():
    from torch.ao.quantization import quantize_dynamic

    target = batched(quantize_dynamic(Net().eval(), {nn.Linear}, dtype=torch.qint8))
    images = images_of()
    target.check(images[:1], 4)
    assert target.logits(images, quiet) == pytest.approx(batched(Net()).logits(images, quiet), abs=0.05)


@pytest.mark.parametrize(
    ("model", "images", "message"),
    [
        (Net(32), images_of(8), r"can't take an image of 8x8 with 3 channels: given float32\[1, 3, 8, 8\] in \[0, 1\], "
         r"it said RuntimeError: .*this model takes 32x32 images: pass --size 32"),
        (Net(28, 1), images_of(28, 3), "the model takes 1 channel, the data has 3: use grey images"),
        (Net(28, 3), images_of(28, 1), "the model takes 3 channels, the data has 1: use color images"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), images_of(8, 3), "the model takes 1 channel, the data has 3"),
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 4)), images_of(8), "if it was trained on another size"),
    ],
)  # fmt: skip
def test_what_a_model_can_t_take_is_said_with_advice(model, images, message):
    with pytest.raises(InputError, match=message) as caught:
        batched(model).check(images[:1], 4)
    assert ("--size" in str(caught.value)) == ("size" in message)


def test_a_model_for_a_fixed_number_of_images():
    class Fixed(Net):
        def forward(self, images):
            return super().forward(images.reshape(8, 3, 8, 8))

    with pytest.raises(InputError, match="it takes 8 images at once, but not one: export it"):
        batched(Fixed()).check(images_of()[:1], 4)


class Odd(Exception):
    """No kind of error that anybody would expect."""


@pytest.mark.parametrize("error", [Odd, TypeError, AttributeError, AssertionError, KeyError, ZeroDivisionError])
def test_whatever_a_model_raises_is_one_line(error):
    class Failing(Net):
        def forward(self, images):
            raise error("\x1b[31mfirst\x1b[0m\nsecond")

    with pytest.raises(InputError) as caught:
        batched(Failing()).check(images_of()[:1], 4)
    text = str(caught.value)
    assert f"it said {error.__name__}: " in text
    assert "first" in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert isinstance(caught.value.__cause__, error)


def test_an_interruption_is_none_of_a_model_s_errors():
    class Interrupted(Net):
        def forward(self, images):
            raise KeyboardInterrupt

    target = batched(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        target.check(images_of()[:1], 4)
    with pytest.raises(KeyboardInterrupt):
        target.logits(images_of(), quiet)


def test_a_model_that_fails_on_a_whole_batch_names_it():
    class Single(Net):
        def forward(self, images):
            assert len(images) == 1, "one at a time"
            return super().forward(images)

    target = batched(Single(), 3)
    target.check(images_of()[:1], 4)
    with pytest.raises(
        InputError, match=r"batch of float32\[3, 3, 8, 8\] \(AssertionError: one at .*--batch-size \(3\)"
    ):
        target.logits(images_of(), quiet)
    assert batched(Single(), 1).logits(images_of(), quiet).shape == (5, 4)


def test_too_little_memory_names_what_was_asked_for():
    class Large(Net):
        def forward(self, images):
            if len(images) > 1:
                return torch.empty(2**60)
            return super().forward(images)

    with pytest.raises(
        InputError, match=r"not enough memory for a batch of float32\[2, 3, 8, 8\] on cpu; lower --batch"
    ):
        batched(Large()).logits(images_of(), quiet)


def test_outputs_that_are_no_logits():
    with pytest.raises(InputError, match=r"it gives a tuple of \(float32\[1, 4, 2, 2\]\)"):
        batched(Net(wrap=lambda logits: (logits[:, :, None, None].expand(-1, -1, 2, 2),))).check(images_of()[:1], 4)
    with pytest.raises(InputError, match=r"logits \[images, classes\], got shape \[1\]"):
        batched(Net(wrap=lambda logits: logits[:, 0])).check(images_of()[:1], 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_evaluate_takes_a_model_that_returns_a_dict(tmp_path, monkeypatch):
    """From the command line to the page, with the attack and Grad-CAM."""
    from PIL import Image

    from ipmix.cli.main import main

    for name in ("a", "b", "c", "d"):
        (tmp_path / "data" / "test" / name).mkdir(parents=True)
        for i, pixels in enumerate(images_of(count=3)):
            Image.fromarray(pixels).save(tmp_path / "data" / "test" / name / f"{i}.png")
    (tmp_path / "dict_model_trial.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        torch.manual_seed(0)\n        self.c = nn.Conv2d(3, 4, 3)\n        self.l = nn.Linear(4, 4)\n"
        "    def forward(self, x):\n        return {'logits': self.l(self.c(x).relu().mean((2, 3)))}\n"
        "def small():\n    return Net().to(torch.bfloat16)\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["--corruptions", "brightness", "--severities", "1", "--steps", "2", "--device", "cpu", "--quiet"]
    assert main(["evaluate", "dict_model_trial:small", "data", "--out", "out", *words]) == 0
    assert "Where it looks" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert os.listdir(tmp_path / "out" / "predictions")


def test_a_model_whose_outputs_vary_in_number():
    """Their rows can't be put beside each other."""

    class Varying(Net):
        def forward(self, images):
            found = super().forward(images)
            return found if len(images) == 2 else found[:, :3]

    target = batched(Varying())
    with pytest.raises(InputError, match="gave 3 outputs an image for one batch and 4 for another"):
        target.logits(images_of(), quiet)
    target = batched(Varying())
    target.check(images_of(count=1), 3)
    with pytest.raises(InputError, match="gave 4 outputs an image for one batch and 3 for another"):
        target.logits(images_of(count=2), quiet)


def test_a_model_with_two_rows_for_an_image():
    with pytest.raises(InputError, match=r"got shape \[2, 4\] for one image: a row for each"):
        batched(Net(wrap=lambda logits: torch.cat([logits, logits]))).check(images_of(count=1), 4)
    with pytest.raises(InputError, match="4 rows of logits for a batch of 2 images"):
        batched(Net(wrap=lambda logits: torch.cat([logits, logits]))).logits(images_of(), quiet)


@pytest.mark.parametrize("kind", [complex, object, str, "M8[s]"])
def test_a_function_that_gives_other_things_than_numbers(kind):
    from ipmix.models import wrap

    module = wrap(lambda images: np.zeros((len(images), 4)).astype(kind), name="theirs")
    with pytest.raises(InputError, match=r"theirs gives an array of .*; expected scores \[images, classes\]"):
        batched(module).check(images_of(count=1), 4)
