"""``ipmix.evaluate`` from Python: models of any kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.python_run import COUNT, FAST, by_hand, data, same  # noqa: E402

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402


def test_a_module_and_a_callable_are_the_same_model(reference: ipmix.Scorecard) -> None:
    images, labels = data()
    assert reference.measures["clean_error"] is not None
    assert same(ipmix.evaluate(by_hand, images, labels, **FAST), reference)
    assert not same(ipmix.evaluate(lambda x: -by_hand(x), images, labels, **FAST), reference), "the comparison can fail"


def test_layout_and_normalisation(reference: ipmix.Scorecard) -> None:
    class Last(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert images.shape[-1] == 3
            return images.mean(dim=(1, 2))

    images, labels = data()
    found = ipmix.evaluate(Last(), images, labels, input="nhwc", mean=(0, 0, 0), std=(0.1, 0.1, 0.1), **FAST)
    assert same(found, reference)


def test_scikit_learn(reference: ipmix.Scorecard) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    images, labels = data()
    fitted = linear.LogisticRegression(max_iter=50).fit(images.reshape(COUNT, -1) / 255.0, labels)
    card = ipmix.evaluate(fitted, images, labels, **FAST)
    assert card.measures["clean_error"] == 1.0 - fitted.score(images.reshape(COUNT, -1) / 255.0, labels)
    loss = -np.log(fitted.predict_proba(images.reshape(COUNT, -1) / 255.0)[np.arange(COUNT), labels]).mean()
    assert card.measures["negative_log_likelihood"] == pytest.approx(loss, rel=1e-4)


def test_onnx(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    nodes = [
        onnx.helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),
        onnx.helper.make_node("Mul", ["means", "ten"], ["logits"]),
    ]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "means",
        [onnx.helper.make_tensor_value_info("images", kind, ["n", 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("logits", kind, ["n", 3])],
        [onnx.helper.make_tensor("ten", kind, [1], [10.0])],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, tmp_path / "means.onnx")
    images, labels = data()
    session = onnxruntime.InferenceSession(str(tmp_path / "means.onnx"), providers=["CPUExecutionProvider"])
    assert same(ipmix.evaluate(session, images, labels, **FAST), reference)
    assert same(ipmix.evaluate(str(tmp_path / "means.onnx"), images, labels, **FAST), reference)


@pytest.fixture(scope="module")
def vit() -> Any:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4,
        id2label={0: "red", 1: "green", 2: "blue"}, label2id={"red": 0, "green": 1, "blue": 2},
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.ViTForImageClassification(config).eval()


def test_transformers(vit: Any) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    images, labels = data()
    half = (0.5, 0.5, 0.5)
    card = ipmix.evaluate(vit, images, labels, mean=half, std=half, **FAST)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
    with torch.no_grad():
        expected = vit((pixels - 0.5) / 0.5).logits.argmax(1).numpy()
    assert card.measures["clean_error"] == pytest.approx(float((expected != labels).mean()))
    processor = transformers.ViTImageProcessorPil(size={"height": 8, "width": 8}, image_mean=half, image_std=half)
    pipeline = transformers.pipeline("image-classification", model=vit, image_processor=processor, device="cpu")
    names = ("red", "green", "blue")
    piped = ipmix.evaluate(pipeline, images, labels, classes=names, **FAST)
    loss = "negative_log_likelihood"
    assert piped.measures[loss] == pytest.approx(card.measures[loss], rel=1e-3)
    assert piped.card["run"]["data"]["classes"] == list(names)


def test_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="keras is not installed")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    logits = [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    plain = keras.Sequential([*logits, layers.Dense(3)])
    soft = keras.Sequential([*plain.layers, layers.Softmax()])
    images, labels = data()
    one, two = (ipmix.evaluate(model, images, labels, **FAST) for model in (plain, soft))
    expected = np.argmax(plain(images.astype(np.float32) / 255.0).detach().numpy(), axis=1)
    assert one.measures["clean_error"] == pytest.approx(float((expected != labels).mean()))
    assert one.measures["brier_score"] == pytest.approx(two.measures["brier_score"], rel=1e-4)


def test_zero_shot(reference: ipmix.Scorecard) -> None:
    class Encoder(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    images, labels = data()
    model = ipmix.models.zero_shot(Encoder(), np.eye(3), ("red", "green", "blue"))
    card = ipmix.evaluate(model, images, labels, **FAST)
    assert card.measures["clean_error"] == reference.measures["clean_error"]
    with pytest.raises(InputError, match=r"one row a class \[2, features\]"):
        ipmix.models.zero_shot(Encoder(), np.eye(3), ("red", "green"))
