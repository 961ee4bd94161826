"""``ipmix.evaluate`` from Python: models of any kind, data of any kind, and the scorecard as an object."""

import html
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.data.sources import open_images  # noqa: E402
from ipmix.evaluation.plan import AttackConfig, EvaluationPlan  # noqa: E402
from ipmix.evaluation.python_data import batch_of  # noqa: E402

COUNT = 12
PLAN = EvaluationPlan(corruptions=("brightness",), severities=(3,), attack=None)
FAST: dict[str, Any] = {"plan": PLAN, "device": "cpu", "progress": False, "threads": 1}


def data() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    labels = np.arange(COUNT) % 3
    images = draws.integers(0, 120, (COUNT, 8, 8, 3), dtype=np.uint8)
    images[np.arange(COUNT), :, :, labels] += 60
    return images, labels


class Means(torch.nn.Module):
    """Logits: the mean of each channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32
        return 10.0 * images.mean(dim=(2, 3))


def by_hand(images: np.ndarray) -> np.ndarray:
    assert images.dtype == np.uint8
    return 10.0 * images.mean(axis=(1, 2)) / 255.0


@pytest.fixture(scope="module")
def reference() -> ipmix.Scorecard:
    images, labels = data()
    return ipmix.evaluate(Means(), images, labels, **FAST)


def same(card: ipmix.Scorecard, other: ipmix.Scorecard) -> bool:
    figures = [
        {name: None if value is None else round(value, 5) for name, value in one.measures.items()}
        for one in (card, other)
    ]
    return figures[0] == figures[1] and card.card["corruptions"] == other.card["corruptions"]


# --- models ------------------------------------------------------------------------------------------------


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


# --- data --------------------------------------------------------------------------------------------------


class Items(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.images, self.labels = data()

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.images[place]).permute(2, 0, 1).float() / 255.0, int(self.labels[place])


def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    images, labels = data()
    for start in range(0, COUNT, 5):
        yield images[start : start + 5], labels[start : start + 5]


def test_every_kind_of_data_gives_the_same(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    images, labels = data()
    pictures = [(Image.fromarray(image), int(label)) for image, label in zip(images, labels)]
    for image, label in pictures:
        (tmp_path / str(label)).mkdir(exist_ok=True)
        image.save(tmp_path / str(label) / f"{len(list((tmp_path / str(label)).iterdir()))}.png")
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    kinds: dict[str, Any] = {
        "tensor": (tensor, torch.from_numpy(labels)),
        "pillow": pictures,
        "dataset": Items(),
        "loader": torch.utils.data.DataLoader(Items(), batch_size=5),
        "generator": generator(),
        "function": generator,
        "dicts": [{"image": image, "label": label} for image, label in pictures],
    }
    for name, kind in kinds.items():
        assert same(ipmix.evaluate(Means(), kind, **FAST), reference), name
    folder = ipmix.evaluate(Means(), tmp_path, **FAST)
    assert folder.measures["clean_error"] == reference.measures["clean_error"]


def test_hugging_face_data(reference: ipmix.Scorecard) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
    images, labels = data()
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"img": [Image.fromarray(image) for image in images], "label": labels.tolist()}
    found = datasets.Dataset.from_dict(rows, features=features)
    card = ipmix.evaluate(Means(), found, **FAST)
    assert same(card, reference)
    assert card.card["run"]["data"]["classes"] == ["a", "b", "c"]
    assert same(ipmix.evaluate(Means(), found.to_iterable_dataset(), **FAST), reference)


def test_memory_does_not_grow_with_the_data() -> None:
    """A stream's images lie in a file; what is held of them is a map of it."""
    from ipmix.data.streams import Stream, spool

    images = (np.full((64, 64, 3), place % 251, np.uint8) for place in range(300))
    spooled = spool(Stream("many", lambda: ((image, 0) for image in images)), np.asarray, quiet=True)
    assert isinstance(spooled.dataset.images.base, np.memmap) or isinstance(spooled.dataset.images, np.memmap)
    assert spooled.read(299, 300)[0][0, 0, 0, 0] == 299 % 251


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.zeros((2, 8, 8, 3), np.uint8),), "come without labels"),
        ((np.zeros((2, 8, 8, 3), np.uint8), [0]), "one whole number for each of the 2 images"),
        (([(np.full((8, 8, 3), -1.5, np.float32), 0)],), "they look normalised"),
        (([(np.full((8, 8, 3), 200.0, np.float32), 0)],), "divide them by 255"),
        (([np.zeros((8, 8, 3), np.uint8)],), r"expected \(images, labels\)"),
        (([(np.zeros((8, 8, 3), np.uint8), 0), (np.zeros((9, 8, 3), np.uint8), 0)],), "images differ in size"),
        (([(np.zeros((8, 8, 3), np.uint8), "cat")],), "which is no number"),
        (([],), "holds no image"),
        ((7,), "data is a int; expected images"),
        (
            (np.zeros((5, 3, 9, 4), np.uint8), np.zeros(5, int)),
            r"uint8\[5, 3, 9, 4\] may be \[N, C, H, W\] with images 4 wide",
        ),
        ((np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, int)), r"images holds no image: .* got uint8\[0, 8, 8, 3\]"),
        ((np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1000])), r"^labels\[1\] is 1000, none of the model's outputs"),
        (([(np.zeros((8, 8, 3), np.uint8), 9)],), r"^labels\[0\] is 9, none of the model's outputs"),
        ((np.zeros((2, 8, 8, 3), np.uint8), np.array([0, -1])), r"^labels\[1\] is -1; labels are numbers"),
    ],
)
def test_data_that_cannot_be_used(given: tuple[Any, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        ipmix.evaluate(Means(), *given, out=tmp_path / "r", **FAST)
    assert not (tmp_path / "r").exists()


def test_labels_beyond_the_names_of_the_classes() -> None:
    with pytest.raises(InputError, match=r"^labels\[1\] is 2; there are 2 classes, 0 to 1"):
        ipmix.evaluate(Means(), np.zeros((2, 8, 8, 3), np.uint8), [0, 2], classes=["a", "b"], **FAST)


def test_a_file_of_images_with_channels_first_is_refused(tmp_path: Path) -> None:
    images, labels = data()
    np.savez(tmp_path / "first.npz", images=images.transpose(0, 3, 1, 2), labels=labels)
    with pytest.raises(InputError, match=r"looks like \[N, C, H, W\]: move the channels to the end"):
        ipmix.evaluate(Means(), str(tmp_path / "first.npz"), **FAST)
    np.save(tmp_path / "first.npy", images.transpose(0, 3, 1, 2))
    with pytest.raises(InputError, match=r"first\.npy must be"):
        open_images(tmp_path / "first.npy")


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    images, labels = data()
    with pytest.raises(InputError, match="plan is one of clean, quick, paper"):
        ipmix.evaluate(Means(), images, labels, **{**FAST, "plan": "fast"})
    with pytest.raises(InputError, match="a model is a torch"):
        ipmix.evaluate(7, images, labels, **FAST)
    with pytest.raises(InputError, match="scores"):
        ipmix.evaluate(lambda x: [1, 2], images, labels, out=tmp_path / "r", **FAST)
    assert not (tmp_path / "r").exists()


def test_channels_are_found_where_they_are() -> None:
    images, _ = data()
    assert np.array_equal(batch_of(images.transpose(0, 3, 1, 2), "x"), images)
    assert np.array_equal(batch_of(torch.from_numpy(images), "x"), images)
    assert batch_of(images[0, :, :, 0], "x").shape == (1, 8, 8, 1)


# --- the scorecard -----------------------------------------------------------------------------------------


def test_the_scorecard_as_an_object(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    assert json.loads(json.dumps(reference.to_dict()))["schema"].startswith("ipmix scorecard")
    assert reference["Clean error"] == reference["clean_error"] == reference["error"]
    with pytest.raises(InputError, match="did you mean clean_error"):
        reference["clean_eror"]
    assert "Clean error" in repr(reference)
    assert "Clean error" in str(reference)
    saved = reference.save(tmp_path / "saved")
    again = ipmix.Scorecard.of_folder(saved)
    assert same(again, reference)
    assert again.page == reference.page


def test_checks(reference: ipmix.Scorecard) -> None:
    error = 100.0 * (reference["clean_error"] or 0.0)
    passed = reference.check({"clean_error": f"<= {error + 0.1}"})
    assert passed
    failed = reference.check({"clean_error": f"< {error}", "brier": "<= 2"})
    assert not failed
    assert [row.name for row in failed.failed] == ["Clean error"]
    assert "FAILED: Clean error" in str(failed)
    assert not reference.check({"mFP": "<= 100"}), "what was not measured does not pass"
    with pytest.raises(InputError, match="did you mean"):
        reference.check({"cleanerror": "<= 3"})
    with pytest.raises(InputError, match="a bound is one of"):
        reference.check({"mCE": "under 40"})


@pytest.mark.parametrize("bounds", [None, {}, "mCE <= 3", ["mCE"], {"mCE": 40}, {"mCE": None}, {3: "<= 1"}])
def test_bounds_that_are_none(reference: ipmix.Scorecard, bounds: Any) -> None:
    with pytest.raises(InputError, match=r"bounds? (are|is)"):
        reference.check(bounds)


def test_what_no_scorecard_does(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for wrong in (None, 3, {}):
        with pytest.raises(InputError, match="another Scorecard"):
            reference.compare(wrong)  # type: ignore[arg-type]
    for place, message in (("", "a folder's name"), (3, "a folder's name"), (tmp_path / "file", "is a file")):
        with pytest.raises(InputError, match=message):
            reference.save(place)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a folder's name"):
        ipmix.Scorecard.of_folder("")
    with pytest.raises(InputError, match="named by a text"):
        reference[3]  # type: ignore[index]


def test_another_scorecard_is_not_replaced(reference: ipmix.Scorecard, tmp_path: Path) -> None:
    images, labels = data()
    other = ipmix.evaluate(lambda x: -by_hand(x), images, labels, **FAST)
    reference.save(tmp_path / "kept")
    reference.save(tmp_path / "kept")
    with pytest.raises(InputError, match="holds another scorecard"):
        other.save(tmp_path / "kept")
    assert same(ipmix.Scorecard.of_folder(tmp_path / "kept"), reference)
    assert same(ipmix.Scorecard.of_folder(other.save(tmp_path / "kept", force=True)), other)


def test_a_model_that_answers_for_fewer_images_leaves_nothing(tmp_path: Path) -> None:
    class Short(Means):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images)[: max(1, len(images) - 1)]

    images, labels = data()
    with pytest.raises(InputError, match="gave 11 rows of logits for a batch of 12 images"):
        ipmix.evaluate(Short(), images, labels, out=tmp_path / "out", **FAST)
    assert not list(tmp_path.rglob("*.npz"))
    ipmix.evaluate(Means(), images, labels, out=tmp_path / "out", **FAST)


def test_a_model_in_training_goes_on_as_it_was() -> None:
    images, labels = data()
    model = torch.nn.Sequential(Means(), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3))
    model.train()
    model[2].eval()  # frozen by its owner
    ipmix.evaluate(model, images, labels, **FAST)
    assert [module.training for module in model] == [True, True, False]
    assert model.training
    model.eval()
    ipmix.evaluate(model, images, labels, **FAST)
    assert not model.training


def test_a_comparison(reference: ipmix.Scorecard) -> None:
    images, labels = data()
    other = ipmix.evaluate(lambda x: -by_hand(x), images, labels, name="contrary", **FAST)
    compared = reference.compare(other)
    assert compared.second == "contrary"
    row = compared.row("clean_error")
    assert row is not None
    assert row.difference == pytest.approx((other["clean_error"] or 0) - (reference["clean_error"] or 0))
    assert compared.paired
    assert row.interval is not None


def test_pandas(reference: ipmix.Scorecard) -> None:
    pytest.importorskip("pandas", reason="the extra pandas is not installed")
    table = reference.to_pandas()
    assert table.loc["clean_error", "value"] == reference["clean_error"]
    assert table.loc["clean_error", "low"] <= reference["clean_error"] <= table.loc["clean_error", "high"]


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(reference: ipmix.Scorecard) -> None:
    shown = reference._repr_html_()
    before, _, rest = shown.partition('srcdoc="')
    page, _, after = rest.partition('"')
    assert html.unescape(page) == reference.page
    for outside in (before, after):
        assert "<style" not in outside
        assert "<table" not in outside
    assert shown.startswith("<iframe ")


def test_out_goes_on_and_is_held_to_its_run(tmp_path: Path) -> None:
    images, labels = data()
    first = ipmix.evaluate(by_hand, images, labels, out=tmp_path / "r", **FAST)
    assert same(ipmix.evaluate(by_hand, images, labels, out=tmp_path / "r", **FAST), first)
    with pytest.raises(InputError, match="another run"):
        ipmix.evaluate(lambda x: -by_hand(x), images, labels, name="by_hand", out=tmp_path / "r", **FAST)


def test_the_attack_of_a_plan() -> None:
    images, labels = data()
    plan = EvaluationPlan(corruptions=(), attack=AttackConfig(steps=2))
    assert ipmix.evaluate(Means(), images, labels, **{**FAST, "plan": plan})["attack_error"] is not None


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_images_without_a_valid_answer_are_told(missing: float) -> None:
    images, labels = data()

    def broken(batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 3), missing, np.float32)

    with pytest.warns(UserWarning, match="12 images have no valid answer") as told:
        card = ipmix.evaluate(broken, images, labels, **FAST)
    assert len(told) == 2, "clean and under one corruption"
    assert "12 images have no valid answer (NaN or infinite logits) under clean" in str(card)
    assert "Brier score is not given: 12 of 12 images" in str(card)
    if importlib.util.find_spec("pandas"):
        table = card.to_pandas()
        assert table.loc["clean_error", "value"] == 1.0
        assert "12 images have no valid answer" in table.loc["clean_error", "reason"]
        assert "under corruption/brightness/3" in table.loc["chosen_corruption_error", "reason"]


def test_a_scorecard_of_valid_answers_tells_none_missing(reference: ipmix.Scorecard) -> None:
    assert "valid answer" not in str(reference)
    assert "Calibration error (RMS) is not given: RMS calibration error needs at least 100 images" in str(reference)


def sigmoid(images: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-images.mean(axis=(1, 2)) / 255.0 * 4.0 + 1.0))


def percent(images: np.ndarray) -> np.ndarray:
    scores = np.exp(by_hand(images))
    return 100.0 * scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("model", "message"), [(sigmoid, "can't be told"), (percent, "in percent")])
def test_scores_that_may_be_probabilities_are_no_logits(model: Any, message: str, tmp_path: Path) -> None:
    images, labels = data()
    with pytest.raises(InputError, match=message) as refused:
        ipmix.evaluate(model, images, labels, out=tmp_path / "r", **FAST)
    assert "wrap(model, probabilities=True)" in str(refused.value)
    assert not (tmp_path / "r" / "predictions").exists()
    card = ipmix.evaluate(ipmix.models.wrap(model, probabilities=True), images, labels, **FAST)
    scores = model(images).astype(np.float64)
    shares = scores / scores.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(COUNT), labels]).mean()
    assert card.measures["negative_log_likelihood"] == pytest.approx(loss, rel=1e-4)
    np.savez(tmp_path / "p.npz", logits=scores.astype(np.float32), labels=labels)
    if model is sigmoid:
        from ipmix.evaluation.predictions import open_predictions
        from ipmix.evaluation.scorecard import score

        with pytest.raises(InputError, match="holds logits or probabilities can't be told"):
            score(open_predictions(tmp_path / "p.npz"), samples=0)


def test_a_function_s_own_fault_is_told_with_its_place() -> None:
    images, labels = data()
    with pytest.raises(InputError, match=r"ZeroDivisionError.*raised in test_from_python\.py, line \d+$") as refused:
        ipmix.evaluate(lambda batch: len(batch) / 0, images, labels, **FAST)
    assert "--size" not in str(refused.value)


def test_honest_logits_are_taken() -> None:
    images, labels = data()
    ipmix.evaluate(lambda x: by_hand(x) - 2.0, images, labels, **FAST)
    ipmix.evaluate(lambda x: by_hand(x) + 3.0, images, labels, **FAST)
    small = ipmix.models.wrap(lambda x: by_hand(x) / 10.0, probabilities=False)
    card = ipmix.evaluate(small, images, labels, **FAST)
    assert card["clean_error"] == ipmix.evaluate(by_hand, images, labels, **FAST)["clean_error"]
    built = ipmix.models.build("wrn-10-1", 3)  # hardly trained: its few logits may all lie in 0 to 1
    for parameter in list(built.parameters())[-2:]:
        torch.nn.init.constant_(parameter, 0.1 if parameter.ndim == 1 else 0.0)
    assert "clean_error" in ipmix.evaluate(built, images, labels, **FAST).measures


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": 0.5, "std": 0.5}, "^mean is one number a channel"),
        ({"mean": "abc", "std": "abc"}, "^mean is one number a channel"),
        ({"mean": (123.7, 116.3, 103.5), "std": (0.2, 0.2, 0.2)}, "divide by 255"),
        ({"mean": (0.5, 0.5, 0.5), "std": (58, 57, 57)}, "divide by 255"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "2 were given, and the images have 3 channels"),
        ({"mean": (0.5,), "std": (0.5,)}, "1 were given, and the images have 3 channels"),
        ({"out": 5}, "^out is a folder's name"),
        ({"out": ""}, "^out is a folder's name"),
        ({"out": "/proc/foo"}, "/proc/foo"),
        ({"threads": "x"}, "^threads must be a whole number"),
    ],
)
def test_settings_of_other_kinds(options: dict[str, Any], message: str) -> None:
    images, labels = data()
    before = set(Path().iterdir())
    with pytest.raises(InputError, match=message):
        ipmix.evaluate(by_hand, images, labels, **{**FAST, **options})
    assert set(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruptions": 5}, "^corruptions are a list of names"),
        ({"perturbations": 5}, "^perturbations are a list of names"),
        ({"severities": 3}, "^severities are a list of numbers"),
        ({"severities": None}, "^severities are a list of numbers"),
        ({"severities": (True,)}, "a severity is 1 to 5, got True"),
        ({"attack": True}, r"^attack is AttackConfig\(...\), or None"),
        ({"attack": "yes"}, r"^attack is AttackConfig\(...\), or None"),
        ({"auto_attack": True}, r"^auto_attack is AutoAttackConfig\(...\), or None"),
    ],
)
def test_plans_of_other_kinds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EvaluationPlan(**options)


def test_a_name_alone_and_none_are_lists_of_names() -> None:
    assert EvaluationPlan(corruptions="fog").corruptions == ("fog",)  # type: ignore[arg-type]
    assert EvaluationPlan(corruptions=None).corruptions == ()  # type: ignore[arg-type]
