import json

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.corruptions.severities import PERTURBATIONS_CIFAR
from ipmix.evaluation.baseline import Baseline
from ipmix.evaluation.predictions import PredictionFile, PredictionFolder
from ipmix.evaluation.scorecard import score
from ipmix.measures import bootstrap, calibration, clean, corruption, proportions, table
from ipmix.measures.table import MEASURES
from ipmix.report import render_page

COUNT, CLASSES = 230, 6


def logits(seed, labels, strength=2.0):
    random = np.random.default_rng(seed)
    made = random.normal(size=(len(labels), CLASSES)).astype(np.float32)
    made[np.arange(len(labels)), labels] += strength
    return made


@pytest.fixture
def conditions():
    labels = np.random.default_rng(0).integers(0, CLASSES, COUNT)
    made = {"clean": logits(1, labels), "attack": logits(2, labels[:50], 0.0)}
    for seed, (name, severity) in enumerate([(n, s) for n in ("fog", "snow") for s in (1, 3)]):
        made[f"corruption/{name}/{severity}"] = logits(10 + seed, labels, 1.0)
    made["frames/tilt"] = np.random.default_rng(3).integers(0, 2, (COUNT, 4))
    made["frames/gaussian_noise"] = np.random.default_rng(4).integers(0, 2, (COUNT, 4))
    made["top5/tilt"] = np.random.default_rng(5).random(COUNT).astype(np.float32)
    return labels, made


def keep(folder, labels, made):
    kept = PredictionFolder.begin(folder, {"name": "trial"})
    for chunk, start in enumerate(range(0, COUNT, 100)):
        chosen = slice(start, start + 100)
        arrays = {name: array[chosen] for name, array in made.items() if len(array[chosen])}
        kept.write(chunk, {"labels": labels[chosen], "indices": np.arange(COUNT)[chosen], **arrays})
    return kept


def test_figures_are_the_measures_over_all_shards(tmp_path, conditions):
    labels, made = conditions
    card = score(keep(tmp_path / "run", labels, made), samples=50)
    value = {name: figure["value"] for name, figure in card["measures"].items()}
    assert set(value) <= set(MEASURES)
    assert value["clean_error"] == pytest.approx(clean.error(made["clean"], labels))
    assert value["clean_error_top5"] == pytest.approx(clean.error(made["clean"], labels, top=5))
    assert value["attack_error_published"] == pytest.approx(clean.error(made["attack"], labels[:50]))
    stood = clean.correct(made["attack"], labels[:50]) & clean.correct(made["clean"][:50], labels[:50])
    assert value["attack_error"] == pytest.approx(1 - stood.mean())
    assert value["attack_error"] > value["attack_error_published"]
    assert card["measures"]["attack_error"]["pictures"] == 50
    errors = {n: [clean.error(made[f"corruption/{n}/{s}"], labels) for s in (1, 3)] for n in ("fog", "snow")}
    assert value["chosen_corruption_error"] == pytest.approx(np.mean(list(errors.values())))
    assert card["corruptions"]["fog"] == pytest.approx({"1": errors["fog"][0], "3": errors["fog"][1]})
    for name in ("mean_corruption_error", "relative_mean_corruption_error", "normalised_mean_corruption_error"):
        assert name not in value, "two corruptions are not the fifteen"
    tilt, noise = made["frames/tilt"], made["frames/gaussian_noise"]
    flips = (np.mean(tilt[:, 1:] != tilt[:, :-1]) + np.mean(noise[:, 1:] != noise[:, :1])) / 2
    assert value["chosen_flip_probability"] == pytest.approx(flips)
    assert value["chosen_top5_distance"] == pytest.approx(made["top5/tilt"].mean())
    assert value["brier_score"] == pytest.approx(calibration.brier_score(made["clean"], labels))


def answers(wrong):
    """Logits of two classes for labels of 0."""
    made = np.zeros((len(wrong), 2), np.float32)
    made[np.arange(len(wrong)), np.asarray(wrong, int)] = 3
    return made


@pytest.mark.parametrize("attack", ["attack", "auto_attack"])
def test_an_image_is_wrong_before_or_after_the_attack(tmp_path, attack):
    """78 % wrong untouched, 82 % attacked, 88 % either: six are wrong until the attack repairs them."""
    order = np.random.default_rng(0).permutation(100)
    before, after = np.zeros(100, bool), np.zeros(100, bool)
    before[order[:78]] = True
    after[order[6:88]] = True
    labels = np.zeros(100, int)
    np.savez(tmp_path / "all.npz", logits=answers(before), labels=labels, **{attack: answers(after)})
    measures = score(PredictionFile(tmp_path / "all.npz"), samples=0)["measures"]
    assert measures["clean_error"]["value"] == pytest.approx(0.78)
    assert measures[f"{attack}_error"]["value"] == pytest.approx(0.88)
    if attack == "attack":
        assert measures["attack_error_published"]["value"] == pytest.approx(0.82)
    else:
        assert "auto_attack_error_published" not in measures


def test_the_answers_before_are_of_the_attacked_images(tmp_path):
    """Three shards, each with some images attacked: the places say which."""
    random = np.random.default_rng(1)
    kept = PredictionFolder.begin(tmp_path / "run", {"name": "trial"})
    expected, alone = [], []
    for part in range(3):
        before, places = random.random(50) < 0.4, np.sort(random.choice(50, 11, replace=False))
        after = random.random(11) < 0.4
        expected.append(before[places] | after)
        alone.append(after)
        arrays = {"clean": answers(before), "attack": answers(after), "places/attack": places}
        kept.write(part, {"labels": np.zeros(50, int), "indices": np.arange(50) + 50 * part, **arrays})
    measures = score(kept, samples=0)["measures"]
    assert measures["attack_error"]["value"] == pytest.approx(np.concatenate(expected).mean())
    assert measures["attack_error_published"]["value"] == pytest.approx(np.concatenate(alone).mean())
    assert measures["attack_error"]["pictures"] == 33


def test_intervals_hold_the_value_and_are_the_bootstrap_s(tmp_path, conditions):
    labels, made = conditions
    card = score(keep(tmp_path / "run", labels, made), samples=200, seed=3)
    wrong = ~clean.correct(made["clean"], labels)
    assert card["measures"]["clean_error"]["interval"] == pytest.approx(proportions.interval(wrong.sum(), COUNT))
    shares = np.mean([~clean.correct(made[f"corruption/{n}/{s}"], labels) for n in ("fog", "snow") for s in (1, 3)], 0)
    assert card["measures"]["chosen_corruption_error"]["interval"] == pytest.approx(
        bootstrap.mean_interval(shares, seed=3, samples=200)
    )
    for name in ("clean_error", "chosen_corruption_error", "attack_error", "chosen_flip_probability"):
        low, high = card["measures"][name]["interval"]
        assert low <= card["measures"][name]["value"] <= high
    bare = score(PredictionFolder.open(tmp_path / "run"), samples=0)
    assert bare["measures"]["clean_error"]["interval"] is None


def test_it_is_plain_json_and_the_same_twice(tmp_path, conditions):
    kept = keep(tmp_path / "run", *conditions)
    first, second = (json.dumps(score(kept, samples=50), allow_nan=False) for _ in range(2))
    assert first == second


def test_no_answer_is_counted_and_never_averaged_away(tmp_path, conditions):
    labels, made = conditions
    made["clean"][7] = np.nan
    made["corruption/fog/3"][:3] = np.nan
    card = score(keep(tmp_path / "run", labels, made), samples=20)
    assert card["without_answer"] == {"clean": 1, "corruption/fog/3": 3}
    assert card["measures"]["clean_error"]["value"] == pytest.approx(clean.error(made["clean"], labels))
    for name in ("rms_calibration_error", "brier_score", "negative_log_likelihood"):
        assert card["measures"][name]["value"] is None
        assert "1 of 230" in card["measures"][name]["reason"]
    assert "3 of 230" in card["measures"]["corruption_rms_calibration_error"]["reason"]
    assert card["reliability"] is None
    assert card["worst"][0]["index"] == 7
    assert card["worst"][0]["confidence"] is None
    json.dumps(card, allow_nan=False)


def test_too_few_images_for_rms_says_so(tmp_path):
    labels = np.arange(40) % CLASSES
    np.savez(tmp_path / "few.npz", logits=logits(0, labels), labels=labels)
    card = score(PredictionFile(tmp_path / "few.npz"), samples=20)
    assert "at least 100 images" in card["measures"]["rms_calibration_error"]["reason"]
    assert card["measures"]["clean_error"]["value"] is not None


def test_labels_outside_the_classes_are_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", logits=np.zeros((3, 2), np.float32), labels=np.array([0, 1, 2]))
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        score(PredictionFile(tmp_path / "bad.npz"))


def test_worst_are_the_most_confidently_wrong(tmp_path):
    labels = np.zeros(3, int)
    made = np.array([[0.0, 9.0], [0.0, 1.0], [5.0, 0.0]], np.float32)
    np.savez(tmp_path / "three.npz", logits=made, labels=labels)
    card = score(PredictionFile(tmp_path / "three.npz"), samples=0)
    assert [entry["index"] for entry in card["worst"]] == [0, 1]
    assert card["worst"][0]["predicted"] == 1


def test_nothing_yet(tmp_path):
    with pytest.raises(InputError, match="no predictions yet"):
        score(PredictionFolder.begin(tmp_path / "run", {}))


@pytest.mark.parametrize(("classes", "severities", "given"), [(1000, 5, True), (10, 5, False), (1000, 3, False)])
def test_alexnet_s_table_is_for_all_of_imagenet_c_only(tmp_path, classes, severities, given):
    labels = np.zeros(4, int)
    made = {
        f"corruption/{name}/{s}": np.random.default_rng([i, s]).normal(size=(4, classes)).astype(np.float32)
        for i, name in enumerate(corruption.ALEXNET)
        for s in range(1, severities + 1)
    }
    np.savez(tmp_path / "all.npz", logits=np.zeros((4, classes), np.float32), labels=labels, **made)
    card = score(PredictionFile(tmp_path / "all.npz"), samples=0)
    assert ("normalised_mean_corruption_error" in card["measures"]) == given
    if given:
        errors = {
            name: [clean.error(made[f"corruption/{name}/{s}"], labels) for s in range(1, 6)]
            for name in corruption.ALEXNET
        }
        expected = corruption.mean_corruption_error(errors, baseline="alexnet")
        assert card["measures"]["normalised_mean_corruption_error"]["value"] == pytest.approx(expected)


def test_what_is_wrong_with_a_third_party_s_file_is_said_with_its_name(tmp_path):
    labels = np.arange(200) % CLASSES
    file = tmp_path / "theirs.npz"
    np.savez(file, logits=logits(1, labels), labels=np.where(np.arange(200) == 199, 14, labels))
    with pytest.raises(InputError, match=r"theirs.npz, logits: 1 of 200 labels are outside 0..5, .* index 199 \(14\)"):
        score(PredictionFile(file))
    np.savez(file, logits=7.0 * np.eye(CLASSES)[labels], labels=labels)
    with pytest.raises(InputError, match=r"theirs.npz, logits: rows of probabilities sum to 1 .*, these to 7"):
        score(PredictionFile(file), scores="probabilities")
    np.savez(file, logits=labels, labels=labels)
    with pytest.raises(InputError, match=r"theirs.npz: logits has the shape \[200\]"):
        score(PredictionFile(file))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            "corruption/fogg/1",
            "theirs.npz: the array 'corruption/fogg/1' .* unknown corruption 'fogg'; did you mean 'fog'",
        ),
        ("corruption/fog/6", "'corruption/fog/6' .* a severity is 1 to 5, got 6"),
        ("frames/tlt", "unknown perturbation 'tlt'"),
        ("atack", "unknown condition 'atack'; did you mean 'attack'"),
    ],
)
def test_an_array_named_like_no_condition_is_refused(tmp_path, array, message):
    labels = np.arange(200) % CLASSES
    np.savez(tmp_path / "theirs.npz", labels=labels, logits=logits(1, labels), **{array: logits(2, labels)})
    with pytest.raises(InputError, match=message):
        score(PredictionFile(tmp_path / "theirs.npz"), samples=0)


@pytest.mark.parametrize(("count", "given"), [(150, False), (199, False), (200, True)])
def test_the_calibration_error_as_published_is_given_from_two_bins_on(tmp_path, count, given):
    labels = np.random.default_rng(0).integers(0, CLASSES, count)
    np.savez(tmp_path / "run.npz", labels=labels, logits=logits(1, labels))
    found = score(PredictionFile(tmp_path / "run.npz"), samples=20)
    figure = found["measures"]["rms_calibration_error_published"]
    assert (figure["value"] is not None) == given
    if given:
        assert figure["value"] > 0.0
    else:
        assert f"not given below 200 images, got {count}" in figure["reason"]
        assert figure["interval"] is None
        assert "not given below 200 images" in render_page([found], title="T")


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_given_where_the_table_says_that_it_can_be(tmp_path, name):
    """With exactly what it needs a measure is there; without any one of it, it is not."""
    labels = np.arange(200)  # fewer leave no bin to the calibration error as published
    arrays = {"clean": logits_of(1, labels), "attack": logits_of(2, labels), "auto_attack": logits_of(3, labels)}
    some = "corruption/spatter/1", "corruption/plasma_noise/1"
    severities = range(1, 3) if "chosen" in name else range(1, 6)
    names = [*some, *(f"corruption/{name}/{s}" for name in corruption.ALEXNET for s in severities)]
    arrays |= dict.fromkeys(names, arrays["clean"])
    for kind in PERTURBATIONS_CIFAR if "chosen" not in name else ("tilt",):
        arrays |= {f"frames/{kind}": np.arange(200 * 4).reshape(200, 4) % 3, f"top5/{kind}": np.ones(200)}
    needs = MEASURES[name].needs

    def given(needed):
        kinds = {"clean", *needed}
        folder = tmp_path / "-".join(sorted(kinds))
        folder.mkdir(exist_ok=True)
        np.savez(folder / "run.npz", labels=labels, **{k: a for k, a in arrays.items() if k.split("/")[0] in kinds})
        np.savez(folder / "unknown.npz", labels=labels[:50] * 0, clean=arrays["clean"][:50])
        card = score(
            PredictionFile(folder / "run.npz"),
            anomalies=PredictionFile(folder / "unknown.npz") if "anomalies" in kinds else None,
            baseline=Baseline("b", {n: dict.fromkeys("12345", 0.5) for n in corruption.ALEXNET},
                dict.fromkeys(PERTURBATIONS_CIFAR, 0.5), 0.2)
            if "baseline" in kinds else None,
            samples=0,
        )  # fmt: skip
        return name in card["measures"] and card["measures"][name]["value"] is not None

    assert given(needs)
    assert not any(given(set(needs) - {one}) for one in needs if one != "clean")


def logits_of(seed, labels):
    return np.random.default_rng(seed).normal(size=(len(labels), 1000)).astype(np.float32)


# --- what a figure stands on -------------------------------------------------------------------------------


def whole(classes=1000, count=4, run=None, made=None, folder=None):
    """A run on all of -C, kept as ipmix keeps it."""
    random = np.random.default_rng(0)
    arrays = {"labels": np.zeros(count, int), "indices": np.arange(count)}
    for name in ("clean", *(f"corruption/{n}/{s}" for n in corruption.ALEXNET for s in range(1, 6))):
        arrays[name] = random.normal(size=(count, classes)).astype(np.float32)
    kept = PredictionFolder.begin(folder, {"name": "trial", "plan": {}, **(run or {})})
    kept.write(0, arrays)
    if made:
        kept.note_made(made)
    return kept, arrays


@pytest.mark.parametrize(
    ("run", "made", "reason"),
    [
        ({"frost": "published", "form": {"size": 224}}, {}, None),
        ({"frost": "published"}, {"side": 224}, None),
        ({"frost": "procedural", "form": {"size": 224}}, {}, "frost was grown by a procedure"),
        ({"form": {"size": 224}}, {}, "which frost was used isn't known"),
        ({"frost": "published", "form": {"size": 256}}, {}, "of 224 pixels, these have 256"),
        ({"frost": "published"}, {"side": 64}, "of 224 pixels, these have 64"),
    ],
)
def test_only_published_frost_at_224_pixels_is_divided_by_alexnet(tmp_path, run, made, reason):
    kept, _ = whole(run=run, made=made, folder=tmp_path / "p")
    card = score(kept, samples=0)
    assert card["measures"]["mean_corruption_error"]["value"] is not None
    for name in ("normalised_mean_corruption_error", "normalised_relative_mean_corruption_error"):
        figure = card["measures"][name]
        assert (figure["value"] is None) == (reason is not None)
        assert reason is None or reason in figure["reason"]
    assert card["frost"] == run.get("frost", "not known")


def test_relative_errors_are_the_measures_own(tmp_path):
    kept, arrays = whole(run={"frost": "published", "form": {"size": 224}}, count=9, folder=tmp_path / "p")
    baseline = Baseline("b", {n: dict.fromkeys("12345", 0.9) for n in corruption.ALEXNET}, {}, 0.4)
    measures = score(kept, samples=0, baseline=baseline)["measures"]
    plain, labels = clean.error(arrays["clean"], arrays["labels"]), arrays["labels"]
    errors = {
        name: [clean.error(arrays[f"corruption/{name}/{s}"], labels) for s in range(1, 6)]
        for name in corruption.ALEXNET
    }
    relative = corruption.relative_mean_corruption_error
    assert measures["relative_mean_corruption_error"]["value"] == pytest.approx(relative(errors, plain))
    expected = relative(errors, plain, baseline=corruption.ALEXNET, baseline_clean=corruption.ALEXNET_CLEAN)
    assert measures["normalised_relative_mean_corruption_error"]["value"] == pytest.approx(expected)
    expected = relative(errors, plain, baseline=dict.fromkeys(corruption.ALEXNET, 0.9), baseline_clean=0.4)
    assert measures["baseline_relative_mean_corruption_error"]["value"] == pytest.approx(expected)
    unknown = score(kept, samples=0, baseline=Baseline("b", baseline.errors, {}))["measures"]
    assert "no clean error" in unknown["baseline_relative_mean_corruption_error"]["reason"]


def test_no_interval_is_a_point(tmp_path):
    """All right, all wrong, the same under every condition: certain of nothing."""
    for name, right in (("right", True), ("wrong", False)):
        labels = np.zeros(120, int)
        answer = np.tile(np.array([[4.0, 0, 0, 0, 0, 0]], np.float32), (120, 1)) * (1 if right else -1)
        made = dict.fromkeys(("logits", "attack", "corruption/fog/1", "corruption/snow/3"), answer)
        frames = np.zeros((120, 4), int)
        np.savez(tmp_path / f"{name}.npz", labels=labels, **made, **{"frames/tilt": frames, "top5/tilt": np.zeros(120)})
        card = score(PredictionFile(tmp_path / f"{name}.npz"), samples=40)
        for measure, figure in card["measures"].items():
            interval = figure["interval"]
            assert interval is None or interval[0] < interval[1], measure
        assert card["measures"]["attack_error"]["interval"] == pytest.approx(
            proportions.interval(0 if right else 120, 120)
        )
        assert card["measures"]["chosen_top5_distance"]["interval"][1] > 0.4
        assert card["severities"]["1"]["interval"] == pytest.approx(proportions.interval(0 if right else 120, 120))
        assert card["corruption_intervals"]["fog"]["1"] == pytest.approx(proportions.interval(0 if right else 120, 120))


def test_binned_errors_come_with_their_floor(tmp_path, conditions):
    labels, made = conditions
    card = score(keep(tmp_path / "run", labels, made), samples=0)
    for name in table.BINNED:
        figure = card["measures"][name]
        floor = figure["floor"]
        assert 0 < floor["mean"] < floor["high"] or name == "rms_calibration_error_published"
        assert floor["cleared"] == (figure["value"] > floor["high"])
    assert "floor" not in card["measures"]["clean_error"]
    ece = card["measures"]["expected_calibration_error"]
    assert card["measures"]["expected_calibration_error_debiased"]["value"] <= ece["value"]


def test_a_high_error_without_a_normalisation_is_hinted_at(tmp_path):
    kept, _ = whole(classes=10, made={"normalisation": None}, folder=tmp_path / "p")
    (hint,) = score(kept, samples=0)["hints"]
    assert "no normalisation is known" in hint
    assert "--mean and --std" in hint
    kept.path.joinpath("made.json").write_text('{"normalisation": {"mean": [0.5], "std": [0.5]}}')
    assert score(kept, samples=0)["hints"] == []


def test_bars_of_the_reliability_diagram_have_exact_intervals(tmp_path, conditions):
    labels, made = conditions
    table = score(keep(tmp_path / "run", labels, made), samples=0)["reliability"]
    for count, accuracy, low, high in zip(table["count"], table["accuracy"], table["low"], table["high"]):
        expected = proportions.interval(round(accuracy * count), count) if count else (0, 1)
        assert (low, high) == pytest.approx(expected)
