"""Checkpoints as people have them; and that no code in a file runs unless it is trusted."""

import argparse
import os
import pathlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.models.loading import open_model


def network(seed: int = 0) -> models.Classifier:
    torch.manual_seed(seed)
    return models.build("wrn-10-1", 3).eval()


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return network().network.state_dict()


def opened(path: Path | str, **options: object) -> models.Classifier:
    return models.build("wrn-10-1", 3, weights=path, **options).eval()  # type: ignore[arg-type]


def is_first(found: models.Classifier) -> bool:
    return torch.equal(found.network.stem.weight, network().network.stem.weight)  # type: ignore[union-attr]


def test_settings_beside_the_weights_need_no_trust(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    """As timm's training script keeps them: a namespace, NumPy's numbers, paths."""
    content = {
        "epoch": 3,
        "arch": "resnet50",
        "state_dict": state,
        "args": argparse.Namespace(lr=0.1, out=pathlib.Path("a/b"), amp=None, sizes=[1, 2]),
        "metric": np.float64(76.5),
        "best": np.float32(1.5),
        "count": np.int64(7),
        "flag": np.bool_(True),
    }
    torch.save(content, tmp_path / "a.pth.tar")
    assert is_first(opened(tmp_path / "a.pth.tar"))
    from ipmix.models.checkpoints import read_checkpoint

    read = read_checkpoint(tmp_path / "a.pth.tar")
    assert read["args"].lr == 0.1
    assert (read["metric"], read["best"], read["count"], read["flag"]) == (76.5, 1.5, 7, True)


@pytest.mark.parametrize(
    "prefix", ["model.", "net.", "network.", "module.", "_orig_mod.", "model._orig_mod.", "module.model."]
)
@pytest.mark.parametrize("beside", [{}, {"criterion.weight": torch.ones(3), "accuracy.total": torch.zeros(1)}])
def test_prefixes_of_training_frameworks(
    tmp_path: Path, state: dict[str, torch.Tensor], prefix: str, beside: dict[str, torch.Tensor]
) -> None:
    if beside and prefix in ("module.", "_orig_mod."):
        beside = {}  # these wrap a network, and nothing else
    weights = {f"{prefix}{key}": value for key, value in state.items()} | beside
    torch.save({"state_dict": weights, "pytorch-lightning_version": "2.4"}, tmp_path / "a.ckpt")
    assert is_first(opened(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("key", ["state_dict", "model", "net", "model_state_dict", "network"])
def test_where_checkpoints_keep_weights(tmp_path: Path, state: dict[str, torch.Tensor], key: str) -> None:
    torch.save({key: state, "optimizer": {"state": {}}}, tmp_path / "a.pt")
    assert is_first(opened(tmp_path / "a.pt"))
    torch.save({"model": {key: state}}, tmp_path / "b.pt")
    assert is_first(opened(tmp_path / "b.pt"))


@pytest.mark.parametrize(
    ("plain", "average"), [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("model", "ema")]
)
def test_a_moving_average_is_taken_when_it_is_asked_for(
    tmp_path: Path, state: dict[str, torch.Tensor], plain: str, average: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = network(1).network.state_dict()
    path = tmp_path / "a.pt"
    torch.save({plain: state, average: other}, path)
    assert is_first(opened(path))
    assert f"{plain} is taken; for its moving average, {average}, say {path}@ema" in capsys.readouterr().err
    asked = opened(f"{path}@ema")
    assert torch.equal(asked.network.stem.weight, other["stem.weight"])  # type: ignore[union-attr]
    assert capsys.readouterr().err == ""
    torch.save({average: state}, path)
    assert is_first(opened(path))
    assert f"its moving average, {average}, is taken" in capsys.readouterr().err
    torch.save({plain: state}, path)
    with pytest.raises(InputError, match="holds no moving average"):
        opened(f"{path}@ema")
    spec = open_model(f"wrn-10-1:{path}", classes=3)
    assert is_first(spec)  # type: ignore[arg-type]


def test_a_whole_module_within_needs_trust(tmp_path: Path) -> None:
    torch.save({"model": network().network, "epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"holds ipmix\.models\.wide_resnet\.WideResNet.*--trust"):
        opened(tmp_path / "a.pt")
    assert is_first(opened(tmp_path / "a.pt", trust=True))
    model = open_model(str(tmp_path / "a.pt"), classes=3, trust=True)
    assert torch.equal(model.stem.weight, network().network.stem.weight)  # type: ignore[union-attr]


def test_a_pickled_module_whose_source_lies_beside_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "my_net_beside.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(12, 3)\n"
        "    def forward(self, x):\n        return {'logits': self.layer(x.flatten(1))}\n"
    )
    script = "import torch, my_net_beside; torch.save(my_net_beside.Net(), 'net.pth')"
    subprocess.run([sys.executable, "-c", script], cwd=home, check=True)
    before = list(sys.path)
    try:
        model = open_model(str(home / "net.pth"), classes=3, trust=True)
        assert model(torch.rand(2, 3, 2, 2)).shape == (2, 3)
        assert sys.path == before
        (home / "my_net_beside.py").rename(home / "moved.py")
        del sys.modules["my_net_beside"]
        with pytest.raises(InputError, match=r"my_net_beside.*must lie beside it"):
            open_model(str(home / "net.pth"), classes=3, trust=True)
    finally:
        sys.modules.pop("my_net_beside", None)


def test_what_holds_no_weights_is_named(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    for content, message in (
        ({0: torch.ones(1), 1: torch.ones(2)}, r"keys that are no text, such as 0"),
        ({"state_dict": {1: torch.ones(1)}}, "keys that are no text, such as 1"),
        ([torch.ones(1)], "holds a list"),
        ({"\x1b[31mred": 1}, r"found: red\)"),
        ({}, "found: nothing"),
    ):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(InputError, match=message):
            opened(tmp_path / "a.pt")
    broken = {**state, "head.bias": torch.tensor([1.0, torch.nan, 0.0])}
    torch.save(broken, tmp_path / "b.pt")
    with pytest.raises(InputError, match=r"b\.pt: the tensor network\.head\.bias holds numbers that are not finite"):
        opened(tmp_path / "b.pt")


def test_messages_hold_no_escape_codes(tmp_path: Path) -> None:
    """PyTorch's own advice is in bold."""
    torch.save({"a": nn.Linear(1, 1)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"\x80\x02junk")
    for name in ("a.pt", "b.pt"):
        with pytest.raises(InputError) as caught:
            models.read_weights(tmp_path / name)
        assert "\x1b" not in str(caught.value)
        assert "\n" not in str(caught.value)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.path),))


def test_no_trusted_name_is_a_way_to_run_code(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    sprung = tmp_path / "sprung"
    number = np.float64(1).__reduce__()[0]

    class Hidden:
        def __reduce__(self) -> tuple:
            return (number, (np.dtype("O"), Trap(sprung)))

    class Wrong:
        def __reduce__(self) -> tuple:
            return (number, (np.dtype("O"), b"12345678"))

    for extra in (Trap(sprung), argparse.Namespace(a=Trap(sprung)), Hidden(), Wrong()):
        torch.save({"state_dict": state, "extra": extra}, tmp_path / "a.pt")
        with pytest.raises(InputError, match=r"a\.pt can't be read as weights"):
            opened(tmp_path / "a.pt")
    assert not sprung.exists()
    torch.save({"state_dict": state, "extra": Trap(sprung)}, tmp_path / "a.pt")
    assert is_first(opened(tmp_path / "a.pt", trust=True))
    assert sprung.exists(), "the trap does work"


def test_auxiliary_heads_and_counters_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    from torchvision.models import googlenet

    published = googlenet(weights=None, num_classes=4, aux_logits=True, init_weights=False).eval()
    torch.save(published.state_dict(), tmp_path / "g.pth")
    ours = models.build("torchvision:googlenet", 4, weights=tmp_path / "g.pth").eval()
    published.transform_input = True  # as with its published weights, behind ImageNet's normalisation
    images = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        assert torch.allclose(ours(images), published((images - mean) / std), atol=1e-4)


def test_a_state_with_a_profiler_s_counters(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    more = {"total_ops": torch.zeros(1), "stages.0.total_params": torch.zeros(1), "n_averaged": torch.tensor(3)}
    torch.save(state | more, tmp_path / "a.pt")
    assert is_first(opened(tmp_path / "a.pt"))


def test_file_and_flag_of_the_average_are_told_apart(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "odd@ema")
    assert is_first(opened(tmp_path / "odd@ema"))
    with pytest.raises(InputError, match="there is no file of weights"):
        opened(tmp_path / "absent.pt@ema")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_refused_without_torch_s_advice(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, protocol: int
) -> None:
    """It says that another setting "will likely succeed", and warns of the pickle's protocol."""
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"a": subprocess.Popen}, protocol=protocol))
    with pytest.raises(InputError, match=r"a\.pt can't be read as weights \(.*--trust") as caught:
        models.read_weights(tmp_path / "a.pt")
    assert "weights_only" not in str(caught.value)
    assert not recwarn.list
    (tmp_path / "a.pt").write_bytes(b"hello")
    with pytest.raises(InputError, match=r"a\.pt can't be read as weights \(it is no file of torch\.save, or damaged"):
        models.read_weights(tmp_path / "a.pt")
