import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.attacks.pgd import pgd  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.corruptions import corrupt, perturb  # noqa: E402
from ipmix.data.datasets import ArrayDataset  # noqa: E402
from ipmix.data.sources import InMemory  # noqa: E402
from ipmix.evaluation import plan as plan_module  # noqa: E402
from ipmix.evaluation import predicting  # noqa: E402
from ipmix.evaluation.conditions import Condition  # noqa: E402
from ipmix.evaluation.plan import AttackConfig, AutoAttackConfig, EvaluationPlan  # noqa: E402
from ipmix.evaluation.predicting import predict  # noqa: E402
from ipmix.evaluation.predictions import PredictionFolder  # noqa: E402

PLAN = EvaluationPlan(
    corruptions=("brightness", "gaussian_noise"),
    severities=(1, 4),
    attack=AttackConfig(steps=2, images=7),
    seed=5,
)


class Linear(torch.nn.Module):
    """Mean colors to logits: small, smooth, and sensitive to any change."""

    name = "linear"

    def __init__(self, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3 * 8 * 8, classes)

    def forward(self, images):
        assert images.dtype == torch.float32
        assert images.min() >= -0.01  # an attack's random start may lie a little outside
        assert images.max() <= 1.01
        return self.layer(images.flatten(1)) * 10


@pytest.fixture
def source():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    return InMemory(ArrayDataset(images, random.integers(0, 4, 20), ("a", "b", "c", "d"), "noise"))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(predicting, "CHUNK", 6)


def run(source, folder, plan=PLAN, model=None, **options):
    return predict(model or Linear(), source, plan, folder, name="trial", quiet=True, device="cpu", **options)


def joined(kept):
    shards = list(kept.shards())
    names = sorted(set().union(*(shard.names() for shard in shards)))
    return {n: np.concatenate([s.array(n) for s in shards if n in s.names()]) for n in names}


def test_every_condition_is_what_the_model_says_of_it(source, tmp_path, small_chunks):
    model = Linear()
    found = joined(run(source, tmp_path / "run", model=model))
    images, labels = source.dataset.images, source.dataset.labels

    def answer(dataset):
        with torch.no_grad():
            return model(torch.from_numpy(dataset).permute(0, 3, 1, 2).float() / 255).numpy()

    assert np.array_equal(found["labels"], labels)
    assert found["clean"] == pytest.approx(answer(images), abs=1e-5)
    for name in PLAN.corruptions:
        for severity in PLAN.severities:
            corrupted = corrupt(images, name, severity, seed=5)
            assert found[f"corruption/{name}/{severity}"] == pytest.approx(answer(corrupted), abs=1e-5)
    spread = np.array([0, 3, 6, 10, 13, 16, 19])
    attacked = pgd(
        model,
        torch.from_numpy(images[spread]).permute(0, 3, 1, 2).float() / 255,
        torch.from_numpy(labels[spread]),
        epsilon=2 / 255,
        steps=2,
        step_size=0.5 / 255,
        seed=5,
        indices=spread,
    )
    assert found["attack"] == pytest.approx(model(attacked).detach().numpy(), abs=1e-4)
    assert len(found["attack"]) == 7
    of_the_attack = [
        shard.predictions(Condition("attack")).labels for shard in PredictionFolder.open(tmp_path / "run").shards()
    ]
    assert np.array_equal(np.concatenate(of_the_attack), labels[spread])


def test_images_made_beside_the_model_are_the_same(source):
    """As on a graphics processor, where the next are made while the model works."""
    plan = dataclasses.replace(PLAN, perturbations=("translate",))
    indices = np.arange(20)

    def made(pool):
        return list(predicting._ready(predicting._conditions(plan, source.dataset.images, indices, 1), pool))

    with ThreadPoolExecutor(1) as pool:
        beside = made(pool)
    alone = made(None)
    assert [name for name, _ in beside] == [name for name, _ in alone]
    assert [condition.key for condition, _ in alone][-1] == "frames/translate"
    assert len(alone) == 6
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(alone, beside))


def test_frames_are_predicted_and_compared(source, tmp_path, small_chunks, monkeypatch):
    monkeypatch.setattr(predicting, "FRAMES_AT_ONCE", 4 * 41 * 8 * 8 * 3)  # 4 sequences of a chunk's 6, then 2
    plan = EvaluationPlan(corruptions=(), attack=None, perturbations=("translate",), seed=5)
    model = Linear(6)
    six = InMemory(ArrayDataset(source.dataset.images, source.dataset.labels, tuple("abcdef"), "noise"))
    found = joined(run(six, tmp_path / "run", plan, model))
    frames = perturb(source.dataset.images, "translate", seed=5)
    count, length = frames.shape[:2]
    flat = torch.from_numpy(frames.reshape(-1, 8, 8, 3)).permute(0, 3, 1, 2).float() / 255
    expected = model(flat).argmax(dim=1).numpy().reshape(count, length)
    assert np.array_equal(found["frames/translate"], expected)
    assert found["top5/translate"].shape == (20,)


def test_neither_chunks_nor_batches_nor_threads_matter(source, tmp_path, monkeypatch):
    whole = joined(run(source, tmp_path / "whole", batch_size=64))
    monkeypatch.setattr(predicting, "CHUNK", 7)
    cut = joined(run(source, tmp_path / "cut", batch_size=3, threads=2))
    assert whole.keys() == cut.keys()
    for name in whole.keys() - {"attack", "places/attack"}:  # places are those in a shard
        assert whole[name] == pytest.approx(cut[name], abs=1e-5), name


def test_an_interrupted_run_goes_on_and_ends_the_same(source, tmp_path, small_chunks):
    class Stopping(Linear):
        calls = 0

        def forward(self, images):
            Stopping.calls += 1
            if Stopping.calls == 15:
                raise KeyboardInterrupt
            return super().forward(images)

    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "run", model=Stopping())
    done = len(list((tmp_path / "run").glob("part-*")))
    assert 0 < done < 4
    stopped_at = Stopping.calls
    class_name, Stopping.__name__ = Stopping.__name__, "Linear"
    resumed = joined(run(source, tmp_path / "run", model=Stopping()))
    Stopping.__name__ = class_name
    assert Stopping.calls - stopped_at < 28  # the shards that were done were not done again
    fresh = joined(run(source, tmp_path / "fresh"))
    for name, array in fresh.items():
        assert np.array_equal(array, resumed[name]), name
    assert not list((tmp_path / "run").glob(".*"))


def test_parts_that_an_interrupted_run_left_are_not_taken_for_another_s(source, tmp_path, small_chunks):
    folder = tmp_path / "run"
    old = run(source, folder)
    left = {path.name: path.read_bytes() for path in folder.glob("part-*")}

    class Haunted(Linear):
        """While the new run goes on, a process that was never quite dead writes the old one's shards."""

        def forward(self, images):
            for name, content in left.items():
                (folder / name).write_bytes(content)
            return super().forward(images)

    plan = dataclasses.replace(PLAN, seed=PLAN.seed + 1)
    found = joined(run(source, folder, plan, Haunted(), force=True))
    assert len(list(folder.glob("part-*"))) == 2 * len(left)
    fresh = joined(run(source, tmp_path / "fresh", plan))
    assert all(np.array_equal(array, found[name]) for name, array in fresh.items())
    assert any(not np.array_equal(array, found[name]) for name, array in joined(old).items())


def test_another_model_is_another_run(source, tmp_path):
    run(source, tmp_path / "run")
    other = Linear()
    with torch.no_grad():
        other.layer.bias += 1
    with pytest.raises(InputError, match=r"there differs the model \(model\)"):
        run(source, tmp_path / "run", model=other)


def test_a_model_whose_weights_can_t_be_seen_is_known_by_its_file():
    one, two = torch.nn.Identity(), torch.nn.Identity()
    plain = plan_module.weights_hash(one)
    one.sha256, two.sha256 = "a" * 64, "b" * 64
    assert len({plain, plan_module.weights_hash(one), plan_module.weights_hash(two)}) == 3


def test_a_model_with_more_classes_needs_to_know_which(source, tmp_path):
    with pytest.raises(InputError, match="6 classes and the data 4"):
        run(source, tmp_path / "run", model=Linear(6))
    found = joined(run(source, tmp_path / "subset", model=Linear(6), class_outputs=[5, 0, 1, 2]))
    full = Linear(6)(torch.from_numpy(source.dataset.images).permute(0, 3, 1, 2).float() / 255)
    assert found["clean"] == pytest.approx(full.detach().numpy()[:, [5, 0, 1, 2]], abs=1e-5)
    with pytest.raises(InputError, match="needs class 9"):
        run(source, tmp_path / "far", model=Linear(6), class_outputs=[9, 0, 1, 2])


def test_several_outputs_may_mean_the_same_class(source, tmp_path):
    plan = EvaluationPlan(corruptions=(), attack=AttackConfig(steps=2), seed=5)
    kept = run(source, tmp_path / "run", plan, Linear(6), class_outputs=[(0, 4), 1, (2, 5), 3])
    assert kept.run["columns"] == [[0, 4], 1, [2, 5], 3]
    found = joined(kept)
    full = Linear(6)(torch.from_numpy(source.dataset.images).permute(0, 3, 1, 2).float() / 255).detach().numpy()
    expected = np.stack([full[:, [0, 4]].max(1), full[:, 1], full[:, [2, 5]].max(1), full[:, 3]], axis=1)
    assert found["clean"] == pytest.approx(expected, abs=1e-5)
    assert found["attack"].shape == (20, 4)


def test_autoattack_is_kept_like_the_other_attack(source, tmp_path):
    pytest.importorskip("pyautoattack", reason="the autoattack extra is not installed")
    plan = EvaluationPlan(corruptions=(), attack=None, auto_attack=AutoAttackConfig(epsilon=0.05, images=5), seed=5)
    kept = run(source, tmp_path / "run", plan)
    found = joined(kept)
    assert found["auto_attack"].shape == (5, 4)
    assert kept.run["plan"]["auto_attack"] == {"epsilon": 0.05, "norm": "linf", "images": 5}
    spread = found["places/auto_attack"]
    assert spread.tolist() == [0, 5, 10, 14, 19]
    labels = source.dataset.labels[spread]
    clean, attacked = found["clean"][spread].argmax(1) != labels, found["auto_attack"].argmax(1) != labels
    assert (attacked >= clean).all()
    assert "auto_attack" not in predicting.describe(Linear(), source, PLAN, name="x")["plan"]
    two = InMemory(ArrayDataset(source.dataset.images, source.dataset.labels % 2, ("a", "b"), "two"))
    with pytest.raises(InputError, match="at least 4 classes"):
        run(two, tmp_path / "two", plan, Linear(2))
    assert not (tmp_path / "two").exists()


def test_a_full_disk_is_noticed_before_any_work(source, tmp_path, monkeypatch):
    needed = predicting.needed_bytes(PLAN, source, [0])

    class Usage:
        free = needed - 1

    monkeypatch.setattr("ipmix.evaluation.predictions.shutil.disk_usage", lambda path: Usage)
    with pytest.raises(InputError, match=r"predictions need .*[KM]iB and the disk .* has .* free"):
        run(source, tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    Usage.free = needed
    kept = run(source, tmp_path / "new" / "run")
    written = sum(path.stat().st_size for path in kept.path.glob("part-*"))
    assert written <= needed < 3 * written
    Usage.free = 0  # all is there: nothing more is needed
    run(source, tmp_path / "new" / "run")


def test_a_model_that_gives_probabilities_says_so_at_once(source, tmp_path):
    class Softmax(Linear):
        def forward(self, images):
            return super().forward(images).softmax(1)

    with pytest.raises(InputError, match="probabilities, not logits"):
        run(source, tmp_path / "run", model=Softmax())
    assert not list((tmp_path / "run").glob("part-*"))


def test_a_model_that_can_t_take_the_images_says_so(source, tmp_path):
    class Wide(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(10, 4)

        def forward(self, images):
            return self.layer(images.flatten(1))

    with pytest.raises(InputError, match="can't take an image of 8x8 with 3 channels"):
        run(source, tmp_path / "run", model=Wide())
    assert not list((tmp_path / "run").glob("part-*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruptions": ("blizzard",)}, "unknown corruption 'blizzard'"),
        ({"perturbations": ("shake",)}, "unknown perturbation 'shake'"),
        ({"severities": (0,)}, "severity is 1 to 5"),
        ({"severities": ()}, "severities is empty"),
    ],
)
def test_bad_plans_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        EvaluationPlan(**options)


def test_a_device_that_is_not_there(source, tmp_path):
    with pytest.raises(InputError, match="device 'cuda:77' can't be used"):
        predict(Linear(), source, PLAN, tmp_path / "run", name="x", device="cuda:77", quiet=True)
