"""Models, weights and files of settings: what of a stranger's runs, and what does not."""

import io
import json
import re
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as serialise
from tests.security.bomb import Bomb

import ipmix
from ipmix import models
from ipmix.cli.main import main
from ipmix.core.children import PYTHON
from ipmix.core.errors import InputError
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.config_file import read as read_settings
from ipmix.experiment.studies.study import open_study
from ipmix.models.loading import open_model
from ipmix.training.checkpoint import RunFolder, read_state


@pytest.mark.parametrize("spec", ["{}", "wrn-10-1:{}", "timm:resnet18:{}", "torchvision:resnet18:{}"])
@pytest.mark.parametrize("name", ["a.pth", "a.ckpt", "a.safetensors", "a.onnx"])
def test_without_trust_no_pickle_runs(tmp_path: Path, spec: str, name: str) -> None:
    for library in ("timm", "torchvision"):
        if spec.startswith(library):
            pytest.importorskip(library, reason="not installed")
    mark = tmp_path / "mark"
    torch.save({"state_dict": Bomb(mark)}, tmp_path / name)
    with pytest.raises((InputError, ModuleNotFoundError)):
        open_model(spec.format(tmp_path / name), classes=2)
    assert not mark.exists()
    torch.load(io.BytesIO((tmp_path / name).read_bytes()), weights_only=False)
    assert mark.exists(), "it would have run"


def test_programs_torchscript_and_pickles_need_trust(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(1, 3, 2, 2)).save(str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(network, (torch.rand(1, 3, 2, 2),)), tmp_path / "program.pt2")
    torch.save(network, tmp_path / "module.pth")
    for name in ("script.pt", "program.pt2", "module.pth"):
        with pytest.raises(InputError, match=rf"{name}.*--trust"):
            open_model(str(tmp_path / name), classes=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert open_model(str(tmp_path / name), classes=2, trust=True)(torch.rand(1, 3, 2, 2)).shape == (1, 2)


def test_the_rule_holds_for_mixing_sets(tmp_path: Path) -> None:
    from ipmix.cli.commands.mixing_set import load_model, make

    mark = tmp_path / "mark"
    torch.save(Bomb(mark), tmp_path / "a.pth")
    for weights, name in ((None, str(tmp_path / "a.pth")), (tmp_path / "a.pth", "wrn-10-1")):
        with pytest.raises(InputError, match="--trust"):
            load_model(name, weights, 2, False)
    with pytest.raises(InputError, match="--trust"):
        make(tmp_path / "set", count=2, size=16, model=str(tmp_path / "a.pth"))
    assert not mark.exists()
    assert not (tmp_path / "set").exists()


def test_metadata_asks_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    for name in ("timm:hf-hub:someone/something", "timm:resnet18.a1_in1k", "torchvision:hub", "os:getcwd"):
        about = {"format": 1, "name": name, "classes": ["a", "b"], "facts": {}}
        (tmp_path / "a.safetensors").write_bytes(serialise({"x": torch.zeros(1)}, {"ipmix": json.dumps(about)}))
        with pytest.raises(InputError, match=r"a\.safetensors"):
            open_model(str(tmp_path / "a.safetensors"), classes=2)
    with pytest.raises(AssertionError, match="the network was asked"):
        socket.create_connection(("127.0.0.1", 9))


@pytest.mark.parametrize(
    "name", ["hf-hub:a/b", "hf_hub:a/b", "HF-HUB:a/b", "local-dir:/tmp", "a/b", "resnet18:a/b", "hf-hub:a/b-dubin"]
)
def test_no_file_of_settings_asks_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(f"data: {{source: digits}}\ntraining: {{model: 'timm:{name}'}}\n")
    told = r"training\.model names a network of a hub or a folder, 'timm:.*--trust"
    assert main(["experiment", "a.yaml", "--out", "out"]) == 2
    with pytest.raises(InputError, match=rf"a\.yaml: {told}"):
        read_settings(ExperimentConfig, "a.yaml")
    assert read_settings(ExperimentConfig, "a.yaml", trust=True).training.model == f"timm:{name}"
    Path("a.yaml").write_text("data: {source: digits}\n")
    named = {"training.model": f"'timm:{name}'"}  # on the command line
    assert read_settings(ExperimentConfig, "a.yaml", named).training.model == f"timm:{name}"
    for settings in (
        f"base: {{training: {{model: 'timm:{name}'}}}}\ncells: {{a: {{}}}}\nscales: {{a: {{}}}}",
        f"cells: {{a: {{training: {{model: 'timm:{name}'}}}}}}\nscales: {{a: {{}}}}",
        f"cells: {{a: {{}}}}\nscales: {{a: {{changes: {{training: {{model: 'timm:{name}'}}}}}}}}",
    ):
        Path("study.yaml").write_text(f"title: a\n{settings}\n")
        with pytest.raises(InputError, match=rf"study\.yaml: \S*{told}"):
            open_study("study.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "study.yaml"]


def test_no_file_can_name_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.py").write_text("from pathlib import Path\nPath('ran').touch()\ndef model(): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    about = {"format": 1, "name": "theirs:model", "classes": ["a"], "facts": {}}
    Path("a.safetensors").write_bytes(serialise({"x": torch.zeros(1)}, {"ipmix": json.dumps(about)}))
    Path("a.yaml").write_text("data: {source: digits}\ntraining: {model: 'theirs:model'}\n")
    with pytest.raises(InputError):
        open_model("a.safetensors", classes=1)
    with pytest.raises(InputError):
        models.build(read_settings(ExperimentConfig, "a.yaml").training.model, 2)
    for settings in (
        "method: {name: 'theirs:model'}",
        "method.name: 'theirs:model'",
        "method: {name: combined, options: {after: 'theirs:model'}}",
        "evaluation: {corruptions: ['theirs:model']}",
    ):
        Path("b.yaml").write_text(f"data: {{source: digits}}\n{settings}\n")
        with pytest.raises(InputError, match=r"b\.yaml: .* names code, 'theirs:model'.*--trust"):
            read_settings(ExperimentConfig, "b.yaml")
    Path("b.yaml").write_text("data: {source: digits}\nmethod: {name: 'theirs:model'}\n")
    assert read_settings(ExperimentConfig, "b.yaml", trust=True).method.name == "theirs:model"
    Path("study.yaml").write_text("title: a\ncells: {a: {method: {name: 'theirs:model'}}}\nscales: {a: {}}\n")
    with pytest.raises(InputError, match=r"study\.yaml: cells\.a\.method\.name names code"):
        open_study("study.yaml")
    assert not Path("ran").exists()
    with pytest.raises(InputError, match="returned a NoneType"):
        open_model("theirs:model", classes=1)
    assert Path("ran").exists(), "named on the command line, it runs"


@pytest.mark.filterwarnings("ignore")  # PyTorch's nested and sparse tensors are in beta
def test_odd_tensors_are_refused(tmp_path: Path) -> None:
    for odd, told in (
        (torch.zeros(2, device="meta"), "holds no numbers"),
        (torch.zeros(2, 2).to_sparse(), "is sparse"),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "is nested"),
        (torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "is quantized"),
        (torch.zeros(2, dtype=torch.complex64), "of the kind complex64"),
        (torch.zeros(1).expand(10**6, 10**6), "claims 4,000,000,000,000 bytes"),
    ):
        torch.save({"head.weight": odd}, tmp_path / "a.pt")
        with pytest.raises(InputError, match=rf"a\.pt: the tensor head\.weight .*{told}"):
            open_model(f"wrn-10-1:{tmp_path / 'a.pt'}", classes=2)
        torch.save({"format": 2, "network": {"head.weight": odd}}, tmp_path / "state.pt")
        with pytest.raises(InputError, match=rf"state\.pt: the tensor network\.head\.weight .*{told}"):
            read_state(tmp_path / "state.pt")


def test_a_saved_run_runs_no_code(tmp_path: Path) -> None:
    torch.save({"format": 2, "experiment": Bomb(tmp_path / "mark")}, tmp_path / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt can't be read"):
        read_state(tmp_path / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt can't be read"):
        RunFolder(tmp_path, {}, resume=True)
    assert not (tmp_path / "mark").exists()


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    for text in (
        f"!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']",
        f"data: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']",
    ):
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(InputError, match=r"a\.yaml"):
            read_settings(ExperimentConfig, tmp_path / "a.yaml")
    assert not (tmp_path / "made").exists()


def test_files_of_the_current_folder_are_not_run(tmp_path: Path) -> None:
    """Neither by ``-m ipmix`` of another process nor by a spawned one; tests/core/test_children.py has the latter."""
    for name in ("re", "pickle", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    for start, code in ((PYTHON, 0), ((sys.executable,), 7)):
        done = subprocess.run([*start, "-m", "ipmix", "--version"], cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode == code) == (not code or not sys.flags.safe_path), done.stderr
    source = Path(ipmix.__file__).parent
    starting = [path for path in source.rglob("*.py") if re.search(r'"-m", "ipmix"', path.read_text(encoding="utf-8"))]
    spawning = [path for path in source.rglob("*.py") if 'get_context("spawn")' in path.read_text(encoding="utf-8")]
    assert starting
    assert spawning
    assert all("*PYTHON" in path.read_text(encoding="utf-8") for path in starting)
    assert all("with safe_path():" in path.read_text(encoding="utf-8") for path in spawning)
