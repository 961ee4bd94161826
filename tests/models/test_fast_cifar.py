from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.models.fast_cifar import FastCifar, whitening


def smooth_images(count: int, channels: int = 3, side: int = 12) -> torch.Tensor:
    """Images whose neighbouring pixels and channels are alike, as those of photographs are."""
    noise = torch.randn(count, 1, side + 2, side + 2, generator=torch.Generator().manual_seed(0))
    smooth = functional.avg_pool2d(noise, 3, 1)
    own = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(1))
    return smooth + 0.2 * own


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_whitened_patches_have_variance_one_and_no_correlation(channels: int) -> None:
    images = smooth_images(60, channels)
    patches = functional.unfold(images, 2).transpose(1, 2).reshape(-1, 4 * channels)
    before = (patches.T @ patches / len(patches)).numpy()
    assert np.abs(before - np.eye(len(before))).max() > 0.5, "there is something to whiten"
    filters = whitening(images)
    assert filters.shape == (4 * channels, 4 * channels)
    white = patches @ filters.T
    covariance = (white.T @ white / len(white)).numpy()
    variances = np.linalg.eigvalsh(before.astype(np.float64))[::-1]
    expected = np.diag(variances / (variances + 5e-4))
    np.testing.assert_allclose(covariance, expected, atol=2e-3)


def test_the_first_layer_has_the_filters_with_both_signs_and_is_no_subject_of_training() -> None:
    network = FastCifar(10)
    images = smooth_images(20)
    before = network.whitening.weight.clone()
    network.initialise_from(images)
    weight = network.whitening.weight
    assert not torch.equal(before, weight)
    assert torch.equal(weight[:12].reshape(12, 12), whitening(images))
    assert torch.equal(weight[12:], -weight[:12])
    network(images).sum().backward()
    assert weight.grad is None
    assert network.whitening.bias is not None
    assert network.whitening.bias.grad is not None


def test_images_without_any_variance_give_finite_filters() -> None:
    for value in (0.0, 0.7):
        assert torch.isfinite(whitening(torch.full((3, 3, 9, 9), value))).all()


def test_the_network_by_hand() -> None:
    torch.manual_seed(0)
    network = FastCifar(4).eval()
    network.initialise_from(smooth_images(10))
    x = smooth_images(3, side=32)
    out = functional.gelu(network.whitening(x))
    assert out.shape == (3, 24, 31, 31)
    for block, (side, width) in zip(network.blocks, [(15, 32), (7, 128), (3, 128)], strict=True):
        out = functional.gelu(block.norm1(functional.max_pool2d(block.conv1(out), 2)))
        out = functional.gelu(block.norm2(block.conv2(out)))
        assert out.shape == (3, width, side, side)
    expected = functional.max_pool2d(out, 3).flatten(1) @ network.head.weight.T / 9
    torch.testing.assert_close(network(x), expected)


def test_convolutions_begin_with_the_channels_before_them() -> None:
    block = FastCifar(10).blocks[1]
    x = torch.randn(1, 32, 6, 6)
    torch.testing.assert_close(block.conv1(x)[:, :32], x)


@pytest.mark.parametrize(("channels", "size"), [(1, 9), (3, 28), (4, 64)])
def test_any_large_enough_image(channels: int, size: int) -> None:
    network = models.build("fast-cifar", 5, channels=channels, size=size).eval()
    with torch.no_grad():
        assert network(torch.rand(2, channels, size, size + 3)).shape == (2, 5)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(InputError, match="at least 9x9 pixels, got 8x8"):
        models.build("fast-cifar", 5, size=8)
    with pytest.raises(InputError, match="at least 9x9 pixels, got 8x12"):
        models.build("fast-cifar", 5)(torch.rand(1, 3, 12, 8))


def test_a_classifier_whitens_what_its_network_sees_and_a_file_keeps_it(tmp_path: Path) -> None:
    raw = torch.randint(0, 256, (30, 3, 12, 12), dtype=torch.uint8)
    classifier = models.build("fast-cifar", 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))
    assert classifier.images_to_begin == 5000
    classifier.initialise_from(raw)
    seen = (raw / 255 - classifier.mean) / classifier.std
    network = classifier.network
    assert isinstance(network, FastCifar)
    torch.testing.assert_close(network.whitening.weight[:12].reshape(12, 12), whitening(seen))
    models.save(tmp_path / "a.safetensors", classifier)
    loaded = models.load(tmp_path / "a.safetensors")
    with torch.no_grad():
        assert torch.equal(loaded(raw), classifier.eval()(raw))


def test_other_networks_need_no_images() -> None:
    torch.manual_seed(0)
    classifier = models.build("wrn-10-1", 3)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    assert classifier.images_to_begin == 0
    classifier.initialise_from(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())
