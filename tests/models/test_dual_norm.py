import pytest
import torch
from torch import nn
from torch.nn import functional

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.models.dual_norm import DualBatchInstanceNorm2d, DualBatchNorm2d, has_dual_norms, routed, with_dual_norms

NAMES = ["wrn-16-2", "resnext-29", "resnet-18-cifar", "torchvision:resnet18"]


def uneven(norm: nn.BatchNorm2d, seed: int) -> nn.BatchNorm2d:
    """A BatchNorm whose weights and statistics can be told apart."""
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            values.copy_(0.5 + torch.rand(values.shape, generator=draws))
    return norm


def slow_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, over: tuple[int, ...]) -> torch.Tensor:
    """(x - mean) / deviation over some dimensions, channel by channel."""
    mean = x.mean(over, keepdim=True)
    variance = ((x - mean) ** 2).mean(over, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * weight[:, None, None] + bias[:, None, None]


def test_each_part_of_a_batch_is_normalised_by_itself_with_its_own_norm() -> None:
    dual = DualBatchNorm2d(uneven(nn.BatchNorm2d(3), 0)).train()
    uneven(dual.adversarial, 1)
    x = torch.randn(6, 3, 4, 5)
    with routed(dual, "main", "main", "adversarial"):
        got = dual(x)
    for part, norm in ((slice(0, 2), dual.main), (slice(2, 4), dual.main), (slice(4, 6), dual.adversarial)):
        expected = slow_norm(x[part], norm.weight, norm.bias, (0, 2, 3))
        assert torch.allclose(got[part], expected, atol=1e-5)
    assert not torch.allclose(got[4:], slow_norm(x[4:], dual.main.weight, dual.main.bias, (0, 2, 3)), atol=1e-2)


def test_each_norm_keeps_statistics_of_its_own_images() -> None:
    dual = DualBatchNorm2d(nn.BatchNorm2d(2)).train()
    low, high = torch.zeros(4, 2, 3, 3), torch.full((4, 2, 3, 3), 10.0)
    with routed(dual, "main", "adversarial"):
        dual(torch.cat([low, high]))
    assert dual.main.running_mean.tolist() == [0.0, 0.0]
    assert dual.adversarial.running_mean.tolist() == [1.0, 1.0]
    dual.eval()
    assert torch.equal(dual(low), dual.main(low)), "testing goes through the main norm"
    with routed(dual, "adversarial"):
        assert torch.equal(dual(low), dual.adversarial(low))


def test_half_of_the_channels_are_normalised_image_by_image() -> None:
    both = DualBatchInstanceNorm2d(uneven(nn.BatchNorm2d(5), 2)).train()
    x = torch.randn(4, 5, 3, 6)
    got = both(x)
    first, rest = both.instance, both.batch.main
    assert first.num_features == 2
    assert rest.num_features == 3
    assert torch.allclose(got[:, :2], slow_norm(x[:, :2], first.weight, first.bias, (2, 3)), atol=1e-5)
    assert torch.allclose(got[:, 2:], slow_norm(x[:, 2:], rest.weight, rest.bias, (0, 2, 3)), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_which_norms_a_network_gets(name: str) -> None:
    """The first norm of each block in all stages but the last has instance normalisation; all others are two."""
    plain = {n: m for n, m in models.build(name, 5).named_modules() if isinstance(m, nn.BatchNorm2d)}
    dual = models.build(f"{name}-dubin", 5)
    mixed = {n for n, m in dual.named_modules() if isinstance(m, DualBatchInstanceNorm2d)}
    assert {
        n for n, m in dual.named_modules() if isinstance(m, DualBatchNorm2d) and not n.endswith("batch")
    } | mixed == {*plain}
    firsts = [n for n in plain if n.endswith(("norm1", "bn1")) and n.count(".") >= 3]
    last = max(n.split(".")[-3] if "stages" in n else n.split(".")[1] for n in firsts)
    assert mixed == {n for n in firsts if last not in n.split(".")[:-2]}
    assert has_dual_norms(dual)
    assert not has_dual_norms(models.build(name, 5))


def test_parameters_of_the_authors_networks() -> None:
    """A half-instance norm of C channels: C/2 + 2 C/2 weights, as many biases; a dual one 2 C of each."""
    plain, dual = (models.build(f"wrn-40-2{end}", 10) for end in ("", "-dubin"))
    more = 0
    for name, norm in plain.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            half = name.endswith("norm1") and "stages.2" not in name
            more += norm.num_features if half else 2 * norm.num_features
    counts = [sum(weight.numel() for weight in network.parameters()) for network in (plain, dual)]
    assert counts[1] == counts[0] + more


def test_what_the_norms_held_is_kept() -> None:
    """A trained network's statistics and weights go to both copies: without instance norms it computes the same."""
    torch.manual_seed(0)
    network = models.build("wrn-10-1", 4, dropout=0.0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            uneven(module, module.num_features)
    x = torch.rand(2, 3, 12, 12)
    with torch.no_grad():
        for norm in [m for n, m in network.named_modules() if n.endswith("norm1")]:
            half = DualBatchInstanceNorm2d(norm).eval()
            given = torch.randn(2, norm.num_features, 4, 4)
            expected = norm.eval()(given)
            assert torch.allclose(half(given)[:, half.first :], expected[:, half.first :], atol=1e-6)
            instance = functional.instance_norm(given[:, : half.first], eps=norm.eps)
            weight, bias = norm.weight[: half.first, None, None], norm.bias[: half.first, None, None]
            assert torch.allclose(half(given)[:, : half.first], instance * weight + bias, atol=1e-6)
        dual = with_dual_norms(network.network).eval()
        first = dual(x)
        with routed(dual, "adversarial"):
            assert torch.equal(dual(x), first)


def test_routes_end_with_the_block_even_after_an_error() -> None:
    network = models.build("wrn-10-1-dubin", 3)

    def fail() -> None:
        with routed(network, "adversarial"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert all(m.routes == () for m in network.modules() if isinstance(m, DualBatchNorm2d))


def test_saved_and_loaded(tmp_path) -> None:
    network = models.build("wrn-10-1-dubin", 3).eval()
    models.save(tmp_path / "a.safetensors", network)
    again = models.load(tmp_path / "a.safetensors")
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))


@pytest.mark.parametrize("name", ["vit-small-cifar-dubin", "torchvision:alexnet-dubin"])
def test_networks_without_blocks_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="need a residual network"):
        models.build(name, 3)
