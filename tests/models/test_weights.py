import os
from pathlib import Path

import pytest
import torch

from ipmix import models
from ipmix.core.errors import InputError

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def fresh(name: str, classes: int = 3, seed: int = 0) -> models.Classifier:
    """A network whose BatchNorm statistics are not those of a new one."""
    torch.manual_seed(seed)
    network = models.build(name, classes)
    for key, buffer in network.network.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_()
        elif key.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    return network.eval()


def logits(network: models.Classifier) -> torch.Tensor:
    with torch.no_grad():
        return network(IMAGES)


@pytest.mark.parametrize("name", ["wrn-10-2", "resnext-29", "vit-small-cifar", "torchvision:resnet18"])
def test_saved_and_loaded_is_the_same_network(tmp_path: Path, name: str) -> None:
    network = fresh(name).to(memory_format=torch.channels_last)
    models.save(tmp_path / "a.safetensors", network, {"figures": {"error": 1.5}})
    again = models.load(tmp_path / "a.safetensors")
    assert again.name == name
    assert again.classes == network.classes
    assert torch.equal(logits(again), logits(network.to(memory_format=torch.contiguous_format)))
    assert models.facts(tmp_path / "a.safetensors") == {"figures": {"error": 1.5}}


# The names in the public checkpoints, written down from the AugMix and IPMix authors' model definitions.
FOREIGN = {
    "wrn-10-2": lambda key: (
        key.replace("stages.0.", "block1.layer.")
        .replace("stages.1.", "block2.layer.")
        .replace("stages.2.", "block3.layer.")
        .replace("stem.", "conv1.")
        .replace("head.", "fc.")
        .replace(".norm1.", ".bn1.")
        .replace(".norm2.", ".bn2.")
        .replace(".shortcut.", ".convShortcut.")
    ),
    "resnext-29": lambda key: (
        key.replace("stages.0.", "stage_1.")
        .replace("stages.1.", "stage_2.")
        .replace("stages.2.", "stage_3.")
        .replace("stem.0.", "conv_1_3x3.")
        .replace("stem.1.", "bn_1.")
        .replace("head.", "classifier.")
        .replace(".conv1.", ".conv_reduce.")
        .replace(".norm1.", ".bn_reduce.")
        .replace(".conv2.", ".conv_conv.")
        .replace(".norm2.", ".bn.")
        .replace(".conv3.", ".conv_expand.")
        .replace(".norm3.", ".bn_expand.")
        .replace(".shortcut.", ".downsample.")
    ),
    "resnet-18-cifar": lambda key: (
        key.replace("stages.0.", "conv2_x.")
        .replace("stages.1.", "conv3_x.")
        .replace("stages.2.", "conv4_x.")
        .replace("stages.3.", "conv5_x.")
        .replace("stem.", "conv1.")
        .replace("head.", "fc.")
        .replace(".conv1.", ".residual_function.0.")
        .replace(".norm1.", ".residual_function.1.")
        .replace(".conv2.", ".residual_function.3.")
        .replace(".norm2.", ".residual_function.4.")
    ),
}


def renamed(name: str, key: str) -> str:
    if name == "wrn-10-2" and key.startswith("norm."):
        return key.replace("norm.", "bn1.")
    return FOREIGN[name](key)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_checkpoints_fit(tmp_path: Path, name: str, prefix: str) -> None:
    network = fresh(name)
    state = {f"{prefix}{renamed(name, key)}": value for key, value in network.network.state_dict().items()}
    content = {"epoch": 99, "dataset": "cifar10", "state_dict": state, "best_acc": 0.96, "optimizer": {}}
    torch.save(content, tmp_path / "checkpoint.pth.tar")
    again = models.build(name, 3, weights=tmp_path / "checkpoint.pth.tar").eval()
    assert torch.equal(logits(again), logits(network))


def test_the_common_names_of_resnet_fit(tmp_path: Path) -> None:
    network = fresh("resnet-18-cifar")
    state = {}
    for key, value in network.network.state_dict().items():
        for stage in range(4):
            key = key.replace(f"stages.{stage}.", f"layer{stage + 1}.")
        key = key.replace("stem.0.", "conv1.").replace("stem.1.", "bn1.").replace("head.", "linear.")
        state[key.replace(".norm1.", ".bn1.").replace(".norm2.", ".bn2.")] = value
    torch.save({"net": state, "acc": 95.1}, tmp_path / "a.pth")
    again = models.build("resnet-18-cifar", 3, weights=tmp_path / "a.pth").eval()
    assert torch.equal(logits(again), logits(network))


def test_old_checkpoints_without_batch_counters_fit(tmp_path: Path) -> None:
    network = fresh("wrn-10-1")
    state = {k: v for k, v in network.network.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "a.pt")
    assert torch.equal(logits(models.build("wrn-10-1", 3, weights=tmp_path / "a.pt").eval()), logits(network))


def test_our_own_file_serves_as_first_weights(tmp_path: Path) -> None:
    network = fresh("wrn-10-1")
    models.save(tmp_path / "a.safetensors", network)
    again = models.build("wrn-10-1", 3, weights=tmp_path / "a.safetensors").eval()
    assert torch.equal(logits(again), logits(network))


def test_another_number_of_classes_needs_a_new_head(tmp_path: Path) -> None:
    network = fresh("wrn-10-1", 5)
    models.save(tmp_path / "a.safetensors", network)
    with pytest.raises(InputError, match=r"with 3 classes: network\.head\.bias is \[5\]"):
        models.build("wrn-10-1", 3, weights=tmp_path / "a.safetensors")
    again = models.build("wrn-10-1", 3, weights=tmp_path / "a.safetensors", new_head=True)
    assert torch.equal(again.network.stem.weight, network.network.stem.weight)  # type: ignore[union-attr]
    assert again.network.head.out_features == 3  # type: ignore[union-attr]


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    models.save(tmp_path / "a.safetensors", fresh("wrn-10-1"))
    with pytest.raises(InputError, match="it lacks"):
        models.build("wrn-16-1", 3, weights=tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors does not fit wrn-10-2"):
        models.build("wrn-10-2", 3, weights=tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="no file of weights"):
        models.load(tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"c\.safetensors is not a safetensors file"):
        models.load(tmp_path / "c.safetensors")
    (tmp_path / "d.pt").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"d\.pt can't be read as weights"):
        models.read_weights(tmp_path / "d.pt")
    torch.save({"epoch": 3}, tmp_path / "e.pt")
    with pytest.raises(InputError, match=r"e\.pt holds no weights"):
        models.read_weights(tmp_path / "e.pt")


class Harmful:
    def __reduce__(self) -> tuple:
        return (print, ("code has run",))


def test_no_code_in_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}, "extra": Harmful()}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="may run code"):
        models.read_weights(tmp_path / "a.pt")
    assert "code has run" not in capsys.readouterr().out


def test_saving_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    models.save(target, fresh("wrn-10-1"))
    before = target.read_bytes()
    with pytest.raises(TypeError):
        models.save(target, fresh("wrn-10-1", seed=1), {"figures": object()})
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_file_whose_name_is_not_utf8_opens(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    model = fresh("wrn-10-1")
    models.save(folder / "a.safetensors", model)
    assert models.load(folder / "a.safetensors").name == "wrn-10-1"
    models.build("wrn-10-1", 3, weights=folder / "a.safetensors")
