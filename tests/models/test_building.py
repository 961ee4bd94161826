from pathlib import Path

import pytest
import torch

from ipmix import models
from ipmix.core.errors import InputError

PARAMETERS = [
    ("wrn-40-4", 10, 8_949_210),
    ("wrn-40-4", 100, 8_972_340),
    ("wrn-28-10", 10, 36_479_194),
    ("wrn-28-10", 100, 36_536_884),
    ("wrn-40-2", 10, 2_243_546),
    ("wrn-40-2", 100, 2_255_156),
    ("resnext-29", 10, 6_807_882),
    ("resnext-29", 100, 6_900_132),
    ("resnet-18-cifar", 10, 11_173_962),
    ("resnet-18-cifar", 100, 11_220_132),
    ("torchvision:resnet50", 1000, 25_557_032),
    ("torchvision:resnet18", 1000, 11_689_512),
    ("timm:resnet18", 1000, 11_689_512),
]


@pytest.mark.parametrize(("name", "classes", "count"), PARAMETERS)
def test_parameters_are_those_of_the_authors_networks(name: str, classes: int, count: int) -> None:
    with torch.device("meta"):
        if name.startswith(("torchvision", "timm")):
            pytest.importorskip(name.split(":")[0])
        network = models.build(name, classes)
    assert sum(weight.numel() for weight in network.parameters()) == count


@pytest.mark.parametrize("name", ["wrn-10-1", "resnext-29", "resnet-18-cifar", "vit-small-cifar", "fast-cifar"])
def test_logits_for_every_class(name: str) -> None:
    network = models.build(name, 7).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert network(images).shape == (2, 7)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("name", ["wrn-10-1", "resnext-29", "resnet-18-cifar", "vit-small-cifar", "fast-cifar"])
def test_any_number_of_channels(name: str, channels: int) -> None:
    network = models.build(name, 3, channels=channels).eval()
    with torch.no_grad():
        assert network(torch.rand(1, channels, 32, 32)).shape == (1, 3)


def test_convolutions_take_any_size_and_the_transformer_its_own() -> None:
    with torch.no_grad():
        assert models.build("wrn-10-1", 3).eval()(torch.rand(1, 3, 40, 24)).shape == (1, 3)
        assert models.build("vit-small-cifar", 3, size=24).eval()(torch.rand(1, 3, 24, 24)).shape == (1, 3)
    with pytest.raises(InputError, match="24x24"):
        models.build("vit-small-cifar", 3, size=24)(torch.rand(1, 3, 32, 32))


def test_normalisation_is_inside_and_bytes_are_divided() -> None:
    torch.manual_seed(0)
    network = models.build("wrn-10-1", 4, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)).eval()
    raw = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    by_hand = (raw / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(network(raw), network.network(by_hand), atol=1e-6)
        assert torch.equal(network(raw), network(raw / 255))


def test_defaults_of_the_normalisation() -> None:
    assert models.build("wrn-10-1", 2).mean.flatten().tolist() == [0.5, 0.5, 0.5]
    imagenet = models.build("torchvision:resnet18", 2)
    assert imagenet.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_wide_residual_blocks_share_the_activated_input_where_the_width_changes() -> None:
    """A block by hand, both kinds."""
    from ipmix.models.wide_resnet import Block

    torch.manual_seed(1)
    x = torch.randn(2, 16, 6, 6)
    for outputs in (16, 32):
        block = Block(16, outputs, 1, 0.0).eval()
        active = block.norm1(x).relu()
        expected = block.conv2(block.norm2(block.conv1(active)).relu())
        expected = expected + (x if outputs == 16 else block.shortcut(active))  # type: ignore[misc]
        assert torch.allclose(block(x), expected, atol=1e-6)


def test_efficientnet_v2_l_has_the_normalisation_it_was_published_with() -> None:
    with torch.device("meta"):
        network = models.build("torchvision:efficientnet_v2_l", 2)
    assert network.mean.shape == (1, 3, 1, 1)
    from ipmix.models import form_of

    form = form_of("torchvision:efficientnet_v2_l")
    assert form is not None
    assert form.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_train_and_answer_like_others(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = models.build(f"torchvision:{name}", 4).train()
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5], "ImageNet's and the one inside it, together"
    images = torch.rand(4, 3, 128, 128)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # one batch tells how large a new network's values are
    with torch.no_grad():
        network(images)
        models.save(tmp_path / "a.safetensors", network)
        answer = network.eval()(images)
        assert torch.isfinite(answer).all()
        assert torch.equal(models.load(tmp_path / "a.safetensors")(images), answer)
    network.train()
    before = network.network.fc.weight.clone()  # type: ignore[union-attr, operator]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    loss = torch.nn.functional.cross_entropy(network(images), torch.tensor([0, 3, 1, 2]))
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    assert not torch.equal(before, network.network.fc.weight)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "vit_b_16", "densenet121"])
def test_the_last_layer_is_replaced(name: str) -> None:
    """As for published weights with other classes; SqueezeNet's is a convolution."""
    from torchvision.models import get_model

    from ipmix.models.building import _replace_head

    with torch.device("meta"):
        network = get_model(name, weights=None)
        _replace_head(network, 7)
        assert network.eval()(torch.rand(1, 3, 224, 224)).shape == (1, 7)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network = models.build("wrn-10-1", 4)
    images = torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
        plain = models.build("wrn-10-1", 4, dropout=0.0)
        assert torch.equal(plain(images), plain(images))
        network.eval()
        assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wrn-41-4", {}, "6n"),
        ("wrn-16-0", {}, "width"),
        ("lenet", {}, "unknown model 'lenet'"),
        ("torchvision:lenet", {}, "no model 'lenet'"),
        ("timm:lenet", {}, "lenet"),
        ("wrn-10-1", {"pretrained": True}, "no pretrained"),
        ("wrn-10-1", {"mean": (0.5,)}, "together"),
        ("wrn-10-1", {"mean": (0.5,), "std": (0.5,)}, "3 channels"),
        ("wrn-10-1", {"mean": (0.5,) * 3, "std": (0.0,) * 3}, "above 0"),
        ("wrn-10-1", {"weights": "nowhere.pt"}, r"nowhere\.pt"),
        ("wrn-10-1", {"channels": 0}, "at least one channel"),
        ("torchvision:resnet18", {"channels": 1}, "3 channels"),
    ],
)
def test_bad_requests(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        models.build(name, 2, **options)
    with pytest.raises(InputError, match="at least one class"):
        models.build("wrn-10-1", 0)


def test_a_hub_that_can_not_be_reached_is_no_lack_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm", reason="not installed")

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(InputError, match=r"timm's settings of hf-hub:a/b can't be fetched \(no network\)"):
        models.build("timm:hf-hub:a/b", 2)
    with pytest.raises(InputError, match=r"timm's weights of resnet18 can't be fetched \(no network\)"):
        models.build("timm:resnet18", 2, pretrained=True)


def test_weights_of_a_hubs_network_are_trained_and_opened_by_who_trusts_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hub is played by a network of timm's own."""
    timm = pytest.importorskip("timm", reason="not installed")
    create, asked = timm.create_model, []

    def hub(name: str, *rest: object, **settings: object) -> torch.nn.Module:
        asked.append(name)
        return create("resnet18", *rest, **settings)

    monkeypatch.setattr(timm, "create_model", hub)
    models.save(tmp_path / "a.safetensors", models.build("timm:hf-hub:a/b", 2))
    assert set(asked) == {"hf-hub:a/b"}
    asked.clear()
    with pytest.raises(InputError, match=r"a\.safetensors: .*'timm:hf-hub:a/b': one of a hub.*pass --trust"):
        models.load(tmp_path / "a.safetensors")
    assert asked == []
    loaded = models.load(tmp_path / "a.safetensors", trust=True)
    assert (loaded.name, set(asked)) == ("timm:hf-hub:a/b", {"hf-hub:a/b"})
