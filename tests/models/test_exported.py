"""Exported models: fixed numbers of images, fixed sizes, other orders and types; what opening them may do."""

import contextlib
import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.models.exported import ExportedInput
from ipmix.models.loading import open_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Small(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(channels * 64, 5)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(images.flatten(1))}


def exported(path: Path, count: int, dynamic: bool = False, dtype: torch.dtype = torch.float32) -> Path:
    shapes = ({0: torch.export.Dim("batch", min=2, max=4)},) if dynamic else None
    sample = torch.rand(count, 3, 8, 8).to(dtype)
    torch.export.save(torch.export.export(Small().eval().to(dtype), (sample,), dynamic_shapes=shapes), path)
    return path


@pytest.mark.parametrize("count", [1, 3, 4, 10])
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_program_for_a_fixed_number_of_images(tmp_path: Path, count: int, dynamic: bool) -> None:
    model = open_model(str(exported(tmp_path / "m.pt2", 4, dynamic)), classes=5, trust=True)
    images = torch.rand(count, 3, 8, 8, requires_grad=True)
    found = model(images)
    assert torch.allclose(found, Small()(images)["logits"], atol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), images)
    assert torch.allclose(gradient, Small().layer.weight.sum(0).view(1, 3, 8, 8).expand_as(images), atol=1e-5)
    assert model.size == 8


def test_a_program_in_half_precision(tmp_path: Path) -> None:
    model = open_model(str(exported(tmp_path / "m.pt2", 4, dtype=torch.bfloat16)), classes=5, trust=True)
    images = torch.rand(4, 3, 8, 8)
    found = model(images)
    assert found.dtype == torch.float32
    assert torch.equal(found, Small().to(torch.bfloat16)(images.bfloat16())["logits"].float())


def test_another_size_or_number_of_channels_is_named(tmp_path: Path) -> None:
    model = open_model(str(exported(tmp_path / "m.pt2", 4)), classes=5, trust=True)
    with pytest.raises(InputError, match=r"m\.pt2 takes 8x8 images, got 6x6; pass --size 8"):
        model(torch.rand(4, 3, 6, 6))
    with pytest.raises(InputError, match="3 channels, got 1"):
        model(torch.rand(4, 1, 8, 8))


def test_a_program_with_more_inputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a + b

    torch.export.save(torch.export.export(Two(), (torch.rand(2), torch.rand(2))), tmp_path / "m.pt2")
    with pytest.raises(InputError, match="takes 2 inputs"):
        open_model(str(tmp_path / "m.pt2"), classes=5, trust=True)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.path),))


def test_a_program_can_run_code_and_needs_trust(tmp_path: Path) -> None:
    """Its sample inputs are a pickle: one with a trap in it, opened with trust and without."""
    import io

    good, bad, sprung = exported(tmp_path / "good.pt2", 4), tmp_path / "bad.pt2", tmp_path / "sprung"
    pickle = io.BytesIO()
    torch.save(((torch.rand(4, 3, 8, 8),), {"trap": Trap(sprung)}), pickle)
    replaced = 0
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if "sample_inputs" in entry.filename:
                content, replaced = pickle.getvalue(), replaced + 1
            new.writestr(entry.filename, content)
    assert replaced == 1
    for path in (good, bad):
        with pytest.raises(InputError, match=r"torch\.export program, which holds pickles.*--trust"):
            open_model(str(path), classes=5)
    assert not sprung.exists()
    with contextlib.suppress(InputError):
        open_model(str(bad), classes=5, trust=True)
    assert sprung.exists(), "the trap does work"


def test_torchscript_needs_trust(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.trace(Small().eval(), torch.rand(2, 3, 8, 8), strict=False).save(str(path))
    with pytest.raises(InputError, match=r"TorchScript, which can write files.*--trust"):
        open_model(str(path), classes=5)
    images = torch.rand(3, 3, 8, 8)
    assert torch.allclose(open_model(str(path), classes=5, trust=True)(images), Small()(images)["logits"], atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([None, 3, 8, 6], (3, 8, 6, False, 1, None)),
        (["batch", 3, "h", "w"], (3, None, None, False, 1, None)),
        ([4, 8, 6, 3], (3, 8, 6, True, 4, 4)),
        ([None, 3, 3, 3], (3, 3, 3, False, 1, None)),
        ([None, 1, 28, 28], (1, 28, 28, False, 1, None)),
        ([None, None, None, None], (None, None, None, False, 1, None)),
    ],
)
def test_shapes_of_inputs(shape: list, expected: tuple) -> None:
    found = ExportedInput.of("m", shape, torch.float32)
    assert (found.channels, found.height, found.width, found.channels_last, found.least, found.most) == expected
    with pytest.raises(InputError, match="input of 2 dimensions"):
        ExportedInput.of("m", [None, 784], torch.float32)


# --- ONNX -------------------------------------------------------------------------------------------------


def onnx_model(
    path: Path, shape: list, kind: str = "FLOAT", location: str | None = None, outputs: int = 1, rows: int = 1
) -> nn.Linear:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    helper, types = onnx.helper, onnx.TensorProto
    torch.manual_seed(0)
    linear = nn.Linear(192, 5)
    weight = onnx.numpy_helper.from_array(linear.weight.detach().numpy(), "w")
    if location is not None:
        weight.ClearField("raw_data")
        weight.data_location = types.EXTERNAL
        for key, value in (("location", location), ("length", str(192 * 5 * 4))):
            entry = weight.external_data.add()
            entry.key, entry.value = key, value
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=types.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["row"], transB=1),
        helper.make_node("Concat", ["row"] * rows, ["logits"], axis=0),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", getattr(types, kind), shape)],
        [helper.make_tensor_value_info("logits", types.FLOAT, [shape[0] if rows == 1 else None, 5])],
        [weight, onnx.numpy_helper.from_array(linear.bias.detach().numpy(), "b")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return linear


@pytest.mark.parametrize("count", [1, 4, 6])
@pytest.mark.parametrize("batch", [4, "batch"])
def test_onnx_for_a_fixed_number_of_images(tmp_path: Path, count: int, batch: object) -> None:
    linear = onnx_model(tmp_path / "m.onnx", [batch, 3, 8, 8])
    images = torch.rand(count, 3, 8, 8)
    model = open_model(str(tmp_path / "m.onnx"), classes=5)
    assert torch.allclose(model(images), linear(images.flatten(1)), atol=1e-4)
    assert model.size == 8
    with pytest.raises(InputError, match="takes 8x8 images, got 5x7; pass --size 8"):
        model(torch.rand(1, 3, 7, 5))


@pytest.mark.parametrize("batch", [4, "batch"])
def test_onnx_that_gives_two_rows_for_an_image(tmp_path: Path, batch: object) -> None:
    """Half of them were taken for the answers of other images."""
    onnx_model(tmp_path / "m.onnx", [batch, 3, 8, 8], rows=2)
    model = open_model(str(tmp_path / "m.onnx"), classes=5)
    count = 4 if batch == 4 else 3
    with pytest.raises(InputError, match=rf"m\.onnx gives float32\[{2 * count}, 5\] for {count} images; expected"):
        model(torch.rand(3, 3, 8, 8))


def test_onnx_that_fails_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """onnxruntime writes colored lines of its own, and raises the same."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("Reshape", ["flat", "shape"], ["logits"])],
        "wrong",
        [helper.make_tensor_value_info("images", kind, ["b", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", kind, ["b", 3])],
        [helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [5, 3])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(Exception, match="Reshape"):
        open_model(str(tmp_path / "m.onnx"), classes=3)(torch.rand(1, 3, 8, 8))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("rows", "told"), [(8, r"\[8, 5\] for 4 images"), (3, r"\[3, 5\] for 4 images")])
def test_an_exported_model_gives_a_row_for_each_image(rows: int, told: str) -> None:
    taken = ExportedInput.of("m", [4, 3, 8, 8], torch.float32)
    assert taken.ask(torch.rand(3, 3, 8, 8), lambda batch: torch.zeros(len(batch), 5)).shape == (3, 5)
    with pytest.raises(InputError, match=told):
        taken.ask(torch.rand(3, 3, 8, 8), lambda batch: torch.zeros(rows, 5))


def test_onnx_that_takes_bytes_with_the_channels_last(tmp_path: Path) -> None:
    linear = onnx_model(tmp_path / "m.onnx", [2, 8, 8, 3], "UINT8")
    raw = torch.randint(0, 256, (5, 3, 8, 8))
    model = open_model(str(tmp_path / "m.onnx"), classes=5)
    expected = linear(raw.permute(0, 2, 3, 1).flatten(1).float())
    assert torch.allclose(model(raw / 255.0), expected, atol=1e-2)
    with pytest.raises(InputError, match="leave out --mean and --std"):
        open_model(str(tmp_path / "m.onnx"), classes=5, mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_onnx_of_other_floats(tmp_path: Path, kind: str) -> None:
    linear = onnx_model(tmp_path / "m.onnx", ["b", 3, 8, 8], kind)
    images = torch.rand(3, 3, 8, 8)
    found = open_model(str(tmp_path / "m.onnx"), classes=5)(images)
    assert found.dtype == torch.float32
    assert torch.allclose(found, linear(images.flatten(1)), atol=1e-2)


def test_onnx_of_other_inputs(tmp_path: Path) -> None:
    onnx_model(tmp_path / "m.onnx", ["b", 3, 8, 8], "INT64")
    with pytest.raises(InputError, match=r"takes \(images: tensor\(int64\)\); expected one input"):
        open_model(str(tmp_path / "m.onnx"), classes=5)


def test_weights_beside_an_onnx_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    linear = onnx_model(home / "m.onnx", ["b", 3, 8, 8], location="w.bin")
    numbers = linear.weight.detach().numpy()
    numbers.tofile(home / "w.bin")
    images = torch.rand(3, 3, 8, 8)
    model = open_model(str(home / "m.onnx"), classes=5)
    assert torch.allclose(model(images), linear(images.flatten(1)), atol=1e-4)
    (numbers + 1).tofile(home / "w.bin")
    assert open_model(str(home / "m.onnx"), classes=5).sha256 != model.sha256, "other weights, another model"
    numbers.tofile(tmp_path / "secret.bin")
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin", "a/../../secret.bin", "C:\\secret.bin"):
        onnx_model(home / "m.onnx", ["b", 3, 8, 8], location=location)
        with pytest.raises(InputError, match=r"m\.onnx wants to read weights from .* outside its own folder"):
            open_model(str(home / "m.onnx"), classes=5)


def test_places_of_weights_are_found_in_inner_graphs_without_onnx(tmp_path: Path) -> None:
    """By hand, byte for byte: model.graph.node.attribute.g.node.attribute.t.external_data."""
    from ipmix.models.onnx_model import external_files

    def field(number: int, content: bytes) -> bytes:
        length = len(content)
        return bytes([number << 3 | 2]) + bytes([length & 0x7F | 0x80, length >> 7]) + content

    entry = field(1, b"location") + field(2, b"../../etc/passwd")
    tensor = b"\x10\x01" + field(13, field(1, b"offset") + field(2, b"0")) + field(13, entry)
    inner = field(1, field(5, field(5, tensor)))
    content = b"\x08\x08" + field(7, field(1, field(5, field(6, inner))))
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InputError, match="etc/passwd"):
        external_files(tmp_path / "m.onnx")
    for length in range(1, len(content)):
        (tmp_path / "m.onnx").write_bytes(content[:length])
        try:
            assert external_files(tmp_path / "m.onnx") == []
        except InputError as error:
            assert "damaged" in str(error)  # noqa: PT017
