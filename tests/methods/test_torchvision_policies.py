"""AutoAugment, RandAugment and TrivialAugmentWide: torchvision's own images, as a pure function of a key."""

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipmix.augmentation.batches import augment, draw
from ipmix.augmentation.single import Augmenter
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys, bits, stream
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.methods.combined import Combined
from ipmix.methods.torchvision_policies import SALT, AutoAugment, RandAugment, TrivialAugmentWide
from ipmix.training.loader import Loader

torch = pytest.importorskip("torch")
transforms = pytest.importorskip("torchvision.transforms.v2")
AutoAugmentPolicy = pytest.importorskip("torchvision.transforms").AutoAugmentPolicy

THREE: list[Any] = [AutoAugment(), RandAugment(), TrivialAugmentWide()]


def by_hand(policy: Any, image: np.ndarray, key: tuple[int, int, int, int]) -> np.ndarray:
    """What torchvision makes of one image when its global generator is seeded from the key."""
    seed, epoch, index, view = key
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(bits(stream(seed ^ SALT, epoch, index, view))) >> 1)
        return np.asarray(policy(Image.fromarray(image)))


@pytest.mark.parametrize(
    ("method", "policy"),
    [
        (AutoAugment(), lambda: transforms.AutoAugment(AutoAugmentPolicy.CIFAR10, fill=0)),
        (
            AutoAugment("svhn", "bilinear", 128),
            lambda: transforms.AutoAugment(AutoAugmentPolicy.SVHN, transforms.InterpolationMode.BILINEAR, fill=128),
        ),
        (RandAugment(3, 5), lambda: transforms.RandAugment(3, 5)),
        (TrivialAugmentWide(), transforms.TrivialAugmentWide),
    ],
)
def test_images_are_torchvisions(method: Any, policy: Any, make_images: Any) -> None:
    images = make_images(40, 32, 29)
    got = method.transform(images, Keys.of(3, 4, range(40), 1))
    made = policy()
    expected = np.stack([by_hand(made, image, (3, 4, i, 1)) for i, image in enumerate(images)])
    assert np.array_equal(got, expected)
    assert not np.array_equal(got, method.transform(images, Keys.of(3, 4, range(40), 0)))


@pytest.mark.parametrize("method", THREE)
def test_a_result_depends_on_its_key_alone(method: Any, make_images: Any) -> None:
    images, order = make_images(30, 20, 20), np.random.default_rng(0).permutation(30)
    together = method.transform(images, Keys.of(-5, 0, np.arange(30)))
    assert np.array_equal(method.transform(images[order], Keys.of(-5, 0, order)), together[order])
    for i in (0, 7, 29):
        assert np.array_equal(method.transform(images[i : i + 1], Keys.of(-5, 0, [i]))[0], together[i])
    for other in (Keys.of(-4, 0, np.arange(30)), Keys.of(-5, 1, np.arange(30)), Keys.of(-5, 0, np.arange(30), 1)):
        assert not np.array_equal(method.transform(images, other), together)


@pytest.mark.parametrize("method", THREE)
def test_torchs_generator_is_neither_read_nor_advanced(method: Any, images: np.ndarray) -> None:
    """Not even while other threads draw from it, or transform images of their own."""
    keys = Keys.of(0, 0, range(len(images)))
    torch.manual_seed(1)
    expected = method.transform(images, keys)
    before = torch.get_rng_state().clone()
    torch.manual_seed(2)
    assert np.array_equal(method.transform(images, keys), expected)
    torch.set_rng_state(before)
    method.transform(images, keys)
    assert torch.equal(torch.get_rng_state(), before)

    done = threading.Event()
    drawn: list[float] = []
    found: list[np.ndarray] = []
    torch.manual_seed(5)

    def draw() -> None:
        while not done.is_set() or len(drawn) < 100:
            drawn.append(float(torch.rand(())))

    def work() -> None:
        found.extend(method.transform(images, keys) for _ in range(5))

    noise, workers = threading.Thread(target=draw), [threading.Thread(target=work) for _ in range(3)]
    for thread in (noise, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    noise.join()
    assert len(found) == 15
    assert all(np.array_equal(sample_images, expected) for sample_images in found)
    torch.manual_seed(5)
    assert drawn == [float(torch.rand(())) for _ in drawn]


def test_autoaugment_goes_by_the_images_size(make_images: Any) -> None:
    for side, policy in ((32, "cifar10"), (64, "cifar10"), (65, "imagenet")):
        images, keys = make_images(10, side, 20), Keys.of(0, 0, range(10))
        assert np.array_equal(AutoAugment().transform(images, keys), AutoAugment(policy).transform(images, keys))
        other = AutoAugment("svhn").transform(images, keys)
        assert not np.array_equal(AutoAugment().transform(images, keys), other)


@pytest.mark.parametrize("method", THREE)
def test_grey_images_and_others(method: Any, make_images: Any) -> None:
    grey = make_images(30, 16, 16, 1)
    out = method.transform(grey, Keys.of(0, 0, range(30)))
    assert out.shape == grey.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, grey)
    assert method.transform(grey[:0], Keys.of(0, 0, [])).shape == (0, 16, 16, 1)
    with pytest.raises(InputError, match="1 or 3 channels"):
        method.transform(make_images(2, 8, 8, 4), Keys.of(0, 0, range(2)))


def test_images_are_left_alone(images: np.ndarray) -> None:
    copy = images.copy()
    for method in THREE:
        assert not np.shares_memory(method.transform(images, Keys.of(0, 0, range(len(images)))), images)
    assert np.array_equal(images, copy)


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (AutoAugment, {"policy": "mnist"}, "policy must be one of cifar10"),
        (AutoAugment, {"fill": 256}, "fill must be a byte"),
        (RandAugment, {"num_ops": 0}, "num_ops"),
        (RandAugment, {"magnitude": 31}, "magnitude must be below num_magnitude_bins"),
        (TrivialAugmentWide, {"num_magnitude_bins": 1}, "num_magnitude_bins"),
        (TrivialAugmentWide, {"interpolation": "cubic"}, "interpolation"),
    ],
)
def test_wrong_options_say_what_is_expected(kind: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        kind(**options)
    with pytest.raises(InputError, match="no presets"):
        kind.preset("paper")


def test_the_list_of_methods_loads_no_torch() -> None:
    assert {METHODS[name] for name in ("autoaugment", "randaugment", "trivialaugment")} == {type(m) for m in THREE}
    code = "import sys, ipmix.methods; sys.exit('torch' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torchvision_it_says_what_to_install(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.transforms", None)
    with pytest.raises(InputError, match=r"ipmix\[train\]"):
        TrivialAugmentWide(fill=7).transform(images, Keys.of(0, 0, range(len(images))))


# --- behind the same functions as recipes -----------------------------------------------------------------


@pytest.mark.parametrize("method", THREE)
def test_augment_in_every_form(method: Any, images: np.ndarray) -> None:
    keys = Keys.of(7, 2, range(100, 112), 1)
    expected = method.transform(images, keys)
    where = {"seed": 7, "epoch": 2, "indices": range(100, 112), "view": 1}
    assert np.array_equal(augment(images, method, **where), expected)
    assert np.array_equal(augment(images, method, images, engine="reference", threads=3, **where), expected)
    out = np.empty((12, 3, 32, 32), np.float32)
    got = augment(images, method, output="float32", layout="nchw", mean=0.5, std=0.25, out=out, **where)
    assert got is out
    assert np.allclose(got, (expected.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.25, atol=2e-6)
    augmenter = Augmenter(method, shape=images.shape[1:], seed=7)
    for i in (0, 11):
        assert np.array_equal(augmenter(images[i], epoch=2, index=100 + i, view=1), expected[i])


@pytest.mark.parametrize("method", THREE)
def test_there_are_no_recipes(method: Any, images: np.ndarray) -> None:
    with pytest.raises(InputError, match=f"{method.name} draws no recipes.*augment()"):
        draw(method, images.shape, seed=0)
    with pytest.raises(InputError, match="draws no recipes"):
        Combined((method,))
    with pytest.raises(InputError, match="one number for each of the 12 images"):
        augment(images, method, seed=0, indices=[1, 2])


def test_the_loader_takes_them(make_images: Any) -> None:
    sample_images = ArrayDataset(make_images(20, 16, 16), np.arange(20) % 2, ("a", "b"), "two")
    options: dict[str, Any] = {"batch_size": 8, "seed": 3, "method": TrivialAugmentWide(), "views": 2}
    first, second = (list(Loader(sample_images, threads=threads, **options).epoch(1)) for threads in (1, 3))
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))
        assert not np.array_equal(*one.images)
