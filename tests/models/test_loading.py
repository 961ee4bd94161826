import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix import models  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.models.loading import Normalising, open_for_robustbench, open_model  # noqa: E402


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def same(model, images):
    with torch.no_grad():
        return torch.allclose(model(images), network()(images), atol=1e-5)


def test_our_checkpoint_and_a_run_s_folder(tmp_path, images):
    built = models.build("wrn-10-1", 5).eval()
    models.save(tmp_path / "last.safetensors", built)
    for spec in (tmp_path / "last.safetensors", tmp_path):
        with torch.no_grad():
            assert torch.equal(open_model(str(spec), classes=5)(images), built(images))
    torch.save(built.network.state_dict(), tmp_path / "weights.pth")
    with torch.no_grad():
        named = open_model(f"wrn-10-1:{tmp_path / 'weights.pth'}", classes=5)
        assert torch.equal(named(images), built(images))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript(tmp_path, images):
    torch.jit.trace(network(), images).save(str(tmp_path / "model.pt"))
    assert same(open_model(str(tmp_path / "model.pt"), classes=5, trust=True), images)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_exported_program(tmp_path, images):
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network().eval(), (images,), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "model.pt2")
    model = open_model(str(tmp_path / "model.pt2"), classes=5, trust=True)
    assert same(model, images)
    assert len(model.sha256) == 64
    assert same(model.to("cpu").eval(), images)


def test_a_python_function(tmp_path, images, monkeypatch):
    (tmp_path / "my_trial_models.py").write_text(
        "import torch\n"
        "def good():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), "
        "torch.nn.Linear(144, 5))\n"
        "def bad():\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert same(open_model("my_trial_models:good", classes=5), images)
    for spec, message in (
        ("my_trial_models:bad", "returned a int"),
        ("my_trial_models:absent", "my_trial_models has no absent"),
        ("no_such_module_here:f", "no Python module"),
    ):
        with pytest.raises(InputError, match=message):
            open_model(spec, classes=5)


def test_a_pickle_is_refused_unless_trusted(tmp_path, images):
    torch.save(network(), tmp_path / "whole.pth")
    with pytest.raises(InputError, match="pass --trust"):
        open_model(str(tmp_path / "whole.pth"), classes=5)
    assert same(open_model(str(tmp_path / "whole.pth"), classes=5, trust=True), images)
    torch.save(network().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match="not a module"):
        open_model(str(tmp_path / "weights.pth"), classes=5, trust=True)


def test_a_pickle_that_would_run_code_runs_none(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pth")
    for spec in (tmp_path / "trap.pth", f"wrn-10-1:{tmp_path / 'trap.pth'}"):
        with pytest.raises(InputError):
            open_model(str(spec), classes=5)
    assert not (tmp_path / "sprung").exists()


def test_normalising(tmp_path, images):
    torch.save(network(), tmp_path / "whole.pth")
    model = open_model(str(tmp_path / "whole.pth"), classes=5, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), trust=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    assert isinstance(model, Normalising)
    with torch.no_grad():
        assert torch.allclose(model(images), network()((images - mean) / std), atol=1e-5)
    with pytest.raises(InputError, match="given together"):
        open_model(str(tmp_path / "whole.pth"), classes=5, mean=(0.5,), trust=True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere.safetensors", "there is no model"),
        ("timm:no_such_network:weights.pth", "timm can't build|no file of weights"),
        ("wrn-10-1:absent.pth", "no file of weights"),
    ],
)
def test_what_is_not_there_is_named(spec, message):
    with pytest.raises(InputError, match=message):
        open_model(spec, classes=10)


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "model.xyz", "model.safetensors"])
def test_damaged_files_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(np.arange(100, dtype=np.uint8).tobytes())
    with pytest.raises(InputError, match=r"model\."):
        open_model(str(tmp_path / name), classes=5, trust=True)


def test_an_empty_folder_is_no_run(tmp_path):
    with pytest.raises(InputError, match="holds no network"):
        open_model(str(tmp_path), classes=5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnx(tmp_path, images):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    linear = torch.nn.Linear(192, 5)
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    flatten = helper.make_node("Flatten", ["images"], ["flat"])
    product = helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1)
    graph = helper.make_graph(
        [flatten, product],
        "linear",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 5])],
        [
            numpy_helper.from_array(linear.weight.detach().numpy(), "w"),
            numpy_helper.from_array(linear.bias.detach().numpy(), "b"),
        ],
    )  # fmt: skip
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "model.onnx")
    model = open_model(str(tmp_path / "model.onnx"), classes=5)
    assert model.differentiable is False
    assert torch.allclose(model(images), linear(images.flatten(1)), atol=1e-5)


def test_as_robustbench_takes_it(tmp_path):
    models.save(tmp_path / "ten.safetensors", models.build("wrn-10-1", 10, mean=(0.2,) * 3, std=(0.3,) * 3))
    model = open_for_robustbench(str(tmp_path / "ten.safetensors"), "cifar10")
    assert not model.training
    sample_images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert model(sample_images).shape == (4, 10)
        inner = model.network((sample_images - 0.2) / 0.3)
        assert torch.allclose(model(sample_images), inner, atol=1e-5)
    with pytest.raises(InputError, match="cifar100 has 100 classes"):
        open_for_robustbench(str(tmp_path / "ten.safetensors"), "cifar100")
    with pytest.raises(InputError, match="no leaderboard of 'svhn'"):
        open_for_robustbench(str(tmp_path / "ten.safetensors"), "svhn")


def test_torchscript_is_no_file_of_weights(tmp_path, recwarn):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, 4, 4)), tmp_path / "whole.pt")
    with pytest.raises(InputError, match=r"whole.pt is TorchScript, a whole model and no weights"):
        open_model(f"wrn-10-1:{tmp_path / 'whole.pt'}", classes=2)
    assert not recwarn.list


def test_a_damaged_program_is_told_once(tmp_path, capfd):
    (tmp_path / "damaged.pt2").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match=r"damaged.pt2 can't be opened as a torch.export program"):
        open_model(str(tmp_path / "damaged.pt2"), classes=2, trust=True)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (torch.int64, r"does not fit wrn-10-1: .* is torch\.int64, expected torch\.float32"),
        (torch.complex64, r": the tensor network\.\S+ holds numbers of the kind complex64"),
    ],
)
def test_weights_of_another_kind_of_number_are_refused(tmp_path, kind, told):
    state = {name: tensor.to(kind) for name, tensor in models.build("wrn-10-1", 2).state_dict().items()}
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(InputError, match=rf"other\.pt ?{told}"):
        open_model(f"wrn-10-1:{tmp_path / 'other.pt'}", classes=2)
