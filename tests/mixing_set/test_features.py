"""Feature images on a small network: they do what they are for, block by block, the same again."""

import hashlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ipmix.core.errors import InputError  # noqa: E402
from ipmix.mixing_set.features import FeaturePainter, _weights_hash  # noqa: E402


def small_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 4),
    )


@pytest.fixture(scope="module")
def painter():
    return FeaturePainter(small_network(), steps=24, work_size=32, device="cpu")


def activity(network, target, position, pixels):
    seen = []
    layer = dict(network.named_modules())[target.layer]
    handle = layer.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        network(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255)
    handle.remove()
    return float(seen[0][0, target.channels[position]].mean())


def test_the_channel_responds_more_than_to_noise_and_to_others_images(painter):
    target = painter.draw(0, 0)
    images = painter(0, list(range(8)), 32)
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    for i, image in enumerate(images):
        assert image.parameters["layer"] == target.layer
        own = activity(painter.model, target, i, image.pixels)
        assert own > activity(painter.model, target, i, noise)
    table = np.array([[activity(painter.model, target, i, p.pixels) for p in images] for i in range(8)])
    # The best image for a channel is the one made for it (or for the same channel).
    for i in range(8):
        assert target.channels[table[i].argmax()] == target.channels[i]


def test_a_image_is_the_same_whichever_are_asked_for(painter):
    all_of_them = painter(3, list(range(10)), 32)
    np.testing.assert_array_equal(painter(3, [9], 32)[0].pixels, all_of_them[9].pixels)
    np.testing.assert_array_equal(painter(3, [2], 32)[0].pixels, all_of_them[2].pixels)
    assert not np.array_equal(painter(4, [2], 32)[0].pixels, all_of_them[2].pixels)
    assert len({p.pixels.tobytes() for p in all_of_them}) > 5


def test_larger_images_than_the_ascent(painter):
    assert painter(0, [0], 80)[0].pixels.shape == (80, 80, 3)


def test_the_identity_names_the_weights(painter):
    other = small_network()
    with torch.no_grad():
        other[0].bias += 1
    assert FeaturePainter(other, steps=24).identity != painter.identity
    assert FeaturePainter(small_network(), steps=24).identity == painter.identity


def test_networks_without_convolutions():
    with pytest.raises(InputError, match="no convolution"):
        FeaturePainter(torch.nn.Linear(3, 4))
    with pytest.raises(InputError, match="at least 1 step"):
        FeaturePainter(small_network(), steps=0)


def test_the_network_is_left_as_it_was():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 8, 3))
    network.train()
    statistics = network[1].running_mean.clone()
    FeaturePainter(network, steps=1, work_size=16)(0, [0], 16)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"cpu"}, "moved with an accelerator"
    assert torch.equal(network[1].running_mean, statistics)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_weights_of_any_type_have_a_hash():
    """By their bytes: bfloat16 and quantised tensors have no NumPy array."""
    layer = torch.nn.Linear(3, 2)
    content = hashlib.sha256()
    for name, values in layer.state_dict().items():
        content.update(name.encode() + values.numpy().tobytes())
    assert _weights_hash(layer) == content.hexdigest()[:16]
    assert _weights_hash(layer.to(torch.bfloat16)) != content.hexdigest()[:16]
    hashes = set()
    for value in (1.0, 2.0):
        holder = torch.nn.Module()
        holder.register_buffer("scalar", torch.tensor(0.0))
        holder.register_buffer("weights", torch.quantize_per_tensor(torch.full((2, 2), value), 0.1, 0, torch.qint8))
        hashes.add(_weights_hash(holder))
    assert len(hashes) == 2
