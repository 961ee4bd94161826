import copy
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset
from ipmix.methods import METHODS
from ipmix.training.checkpoint import read_state
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Batch, Loader
from ipmix.training.loop import Diverged, train
from ipmix.training.losses import cross_entropy, jsd_loss
from ipmix.training.optimizer import learning_rate

pytestmark = pytest.mark.filterwarnings("ignore:.*lr_scheduler.*:UserWarning")

SMALL = TrainingConfig(model="wrn-10-1", epochs=3, batch_size=16, lr=0.05, log_steps=2, seed=3)


def dataset(count: int = 40, seed: int = 0, size: int = 8) -> ArrayDataset:
    """Three classes that can be told apart by their color."""
    draws = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    images = draws.integers(0, 120, (count, size, size, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 80
    return ArrayDataset(images, labels, ("red", "green", "blue"), f"colors {seed}")


MIXING = np.random.default_rng(9).integers(0, 256, (5, 10, 10, 3), dtype=np.uint8)


def run(config: TrainingConfig = SMALL, out: Path | None = None, **options: Any) -> Any:
    return train(config, dataset(), dataset(20, 1), out, device="cpu", quiet=True, **options)


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def assert_same_bits(first: Any, second: Any) -> None:
    """Tensors, numbers and containers, to the last bit."""
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_same_bits(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            assert_same_bits(a, b)
    else:
        assert first == second


def by_hand(config: TrainingConfig, mixing: Any = None, method: Any = None) -> torch.nn.Module:
    """The same training in the plainest form."""
    data = dataset()
    torch.manual_seed(config.seed)
    model = models.build(config.model, data.classes, dropout=config.dropout).train()
    optimizer = torch.optim.SGD(model.parameters(), 1.0, 0.9, nesterov=True, weight_decay=config.weight_decay)
    loader = Loader(
        data,
        batch_size=config.batch_size,
        seed=config.seed,
        method=method,
        mixing=mixing,
        views=2 if config.jsd else 1,
        clean=config.jsd,
    )
    step = 0
    for epoch in range(config.epochs):
        for batch in loader.epoch(epoch):
            optimizer.param_groups[0]["lr"] = learning_rate(config, step, len(loader))
            images = [torch.from_numpy(view).permute(0, 3, 1, 2).contiguous() for view in batch.images]
            logits = model(torch.cat(images))
            labels = torch.from_numpy(batch.labels)
            loss = jsd_loss(logits, labels) if config.jsd else cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return model


@pytest.mark.parametrize("jsd", [False, True])
def test_the_loop_is_the_plain_loop(jsd: bool) -> None:
    config = replace(SMALL, jsd=jsd, dropout=0.0, channels_last=False)
    method = METHODS["ipmix"]() if jsd else None
    mixing = MIXING if jsd else None
    got = run(config, method=method, mixing=mixing).model
    assert_same_bits(weights(got), weights(by_hand(config, mixing, method)))


def test_it_learns() -> None:
    outcome = run(replace(SMALL, epochs=8))
    assert outcome.last["test_error"] < 20
    assert outcome.epochs[-1]["loss"] < outcome.epochs[0]["loss"]
    assert outcome.best["test_error"] == min(row["test_error"] for row in outcome.epochs)


def test_the_test_figures_are_those_of_the_returned_network() -> None:
    outcome, test = run(), dataset(20, 1)
    with torch.no_grad():
        logits = outcome.model(torch.from_numpy(test.images).permute(0, 3, 1, 2))
    wrong = (logits.argmax(1).numpy() != test.labels).sum()
    assert outcome.last["test_error"] == 100 * wrong / 20
    loss = cross_entropy(logits, torch.from_numpy(test.labels)).item()
    assert outcome.last["test_loss"] == pytest.approx(loss, rel=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path) -> None:
    method = METHODS["ipmix"]()
    for name, seed, threads in (("a", 3, 1), ("b", 3, 3), ("c", 4, 1)):
        run(replace(SMALL, seed=seed), tmp_path / name, method=method, mixing=MIXING, threads=threads)
    for file in ("metrics.jsonl", "last.safetensors", "best.safetensors"):
        first, second, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second
        assert first != other


def test_torch_s_own_randomness_is_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    run(replace(SMALL, epochs=1))
    assert torch.equal(torch.rand(3), expected)


class Killed(BaseException):
    """Stands for a process that is gone."""


def killing(loader: type[Loader], after: int, act: Any) -> Any:
    """A loader's epoch that does something before its ``after``-th batch, counted over the whole run."""
    plain = loader.epoch
    given = [0]

    def epoch(self: Loader, epoch: int, start: int = 0) -> Iterator[Batch]:
        with closing(plain(self, epoch, start)) as batches:
            for batch in batches:
                if given[0] == after:
                    act()
                given[0] += 1
                yield batch

    return epoch


def die() -> None:
    raise Killed


VARIANTS = {
    "plain": SMALL,
    "jsd": replace(SMALL, jsd=True, epochs=2),
    "moving average, accumulation, clipping, warm-up": replace(
        SMALL, ema_decay=0.9, accumulate=3, clip_norm=0.5, warmup_epochs=1.0
    ),
    "adam": replace(SMALL, optimizer="adam", lr=1e-3, label_smoothing=0.1),
    "bfloat16": replace(SMALL, precision="bfloat16"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_killed_at_any_step_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config, method = VARIANTS[name], METHODS["ipmix"]()
    whole = run(config, tmp_path / "whole", method=method, mixing=MIXING)
    steps = config.epochs * 3
    # Kill it, again and again, at random steps, with states saved at other steps (and now and then at each).
    draws = np.random.default_rng(len(name))
    kills = 0
    while True:
        with monkeypatch.context() as patch:
            patch.setattr(Loader, "epoch", killing(Loader, int(draws.integers(1, steps)), die))
            try:
                outcome = run(
                    config,
                    tmp_path / "killed",
                    method=method,
                    mixing=MIXING,
                    resume=True,
                    threads=int(draws.integers(1, 4)),
                    checkpoint_seconds=0.0 if draws.random() < 0.7 else 1e9,
                )
                break
            except Killed:
                kills += 1
    assert kills > 0
    assert_same_bits(weights(whole.model), weights(outcome.model))
    first, second = (read_state(tmp_path / run / "state.pt") for run in ("whole", "killed"))
    for state in (first, second):
        del state["log_lengths"]["speed.jsonl"]
    assert_same_bits(first, second)
    for file in ("metrics.jsonl", "last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    logged = [row["step"] for row in rows if "recent_loss" in row]
    assert logged == list(range(2, steps + 1, 2))
    assert [row["epoch"] for row in rows if "loss" in row] == list(range(1, config.epochs + 1))
    assert outcome.epochs == whole.epochs
    assert outcome.best == whole.best


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_saves_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, error: type
) -> None:
    whole = run()
    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "epoch", killing(Loader, 4, lambda: os.kill(os.getpid(), number)))
        with pytest.raises(error):
            run(SMALL, tmp_path / "run")
    assert signal.getsignal(number) is handler
    assert "--resume goes on" in capsys.readouterr().err
    position = read_state(tmp_path / "run" / "state.pt")["position"]
    assert (position["epoch"], position["batch"]) == (1, 3)  # not the beginning of an epoch
    assert_same_bits(weights(run(SMALL, tmp_path / "run", resume=True).model), weights(whole.model))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipmix.training import objective

    steps = [0]
    plain = objective.cross_entropy

    def poisoned(logits: torch.Tensor, targets: torch.Tensor, **options: Any) -> torch.Tensor:
        steps[0] += logits.requires_grad
        loss = plain(logits, targets, **options)
        return loss * float("nan") if steps[0] == 5 and logits.requires_grad else loss

    monkeypatch.setattr(objective, "cross_entropy", poisoned)
    with pytest.raises(Diverged, match=r"loss became nan in epoch 2, batch 2 of 3 \(step 5\); the last good state"):
        run(SMALL, tmp_path / "run", checkpoint_seconds=0.0)
    state = read_state(tmp_path / "run" / "state.pt")
    assert all(torch.isfinite(value.float()).all() for value in state["network"].values())
    assert models.load(tmp_path / "run" / "last.safetensors").name == "wrn-10-1"


def test_a_huge_learning_rate_is_named() -> None:
    with pytest.raises(Diverged, match="Lower the learning rate"):
        run(replace(SMALL, lr=1e20, epochs=5))


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    first = run(SMALL, tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    again = run(SMALL, tmp_path / "run", resume=True)
    assert_same_bits(weights(first.model), weights(again.model))
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


def test_last_and_best_are_both_kept(tmp_path: Path) -> None:
    outcome = run(replace(SMALL, epochs=5), tmp_path / "run")
    for name, row in (("last", outcome.last), ("best", outcome.best)):
        facts = models.facts(tmp_path / "run" / f"{name}.safetensors")
        assert facts["figures"] == row
        assert facts["size"] == 8
    last = models.load(tmp_path / "run" / "last.safetensors")
    assert_same_bits(weights(last), weights(outcome.model))
    assert last.classes == ("red", "green", "blue")


def test_without_test_images_there_is_no_best(tmp_path: Path) -> None:
    outcome = train(replace(SMALL, epochs=1), dataset(), None, tmp_path / "run", device="cpu", quiet=True)
    assert "test_error" not in outcome.last
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_slices_give_the_whole_batch_s_gradient_without_batchnorm() -> None:
    config = replace(SMALL, model="vit-small-cifar", dropout=0.0, epochs=1, lr=0.01)
    whole, sliced = run(config).model, run(replace(config, accumulate=4)).model
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, sliced.state_dict()[key], atol=1e-6), key


def test_the_average_follows_the_weights() -> None:
    plain = run(replace(SMALL, epochs=1)).model
    barely = run(replace(SMALL, epochs=1, ema_decay=1e-9)).model
    slow = run(replace(SMALL, epochs=1, ema_decay=0.9)).model
    key = "network.stem.weight"
    assert torch.allclose(plain.state_dict()[key], barely.state_dict()[key], atol=1e-6)
    assert not torch.allclose(plain.state_dict()[key], slow.state_dict()[key], atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_network_trains_and_resumes_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With torch's tracing alone, without its generated code, which takes a C++ compiler and half a minute."""
    compiled = []
    plain = torch.compile

    def traced(module: torch.nn.Module) -> Any:
        compiled.append(module)
        return plain(module, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    config = replace(SMALL, compile=True, epochs=2)
    whole = run(replace(SMALL, epochs=2))
    outcome = run(config, tmp_path / "run")
    again = run(config, tmp_path / "run", resume=True)
    assert len(compiled) == 2
    assert outcome.epochs == whole.epochs
    for model in (outcome.model, again.model, models.load(tmp_path / "run" / "last.safetensors")):
        assert_same_bits(weights(model), weights(whole.model))


def test_fine_tuning_starts_from_a_file(tmp_path: Path) -> None:
    models.save(tmp_path / "a.safetensors", run(replace(SMALL, epochs=4)).model)
    config = replace(SMALL, epochs=1, lr=1e-8, weights=str(tmp_path / "a.safetensors"))
    tuned = run(config)
    first = models.load(tmp_path / "a.safetensors")
    for key, value in first.state_dict().items():
        if "running" not in key and "num_batches" not in key:
            assert torch.allclose(tuned.model.state_dict()[key], value, atol=1e-5)


def test_bad_combinations_are_refused(tmp_path: Path) -> None:
    other = ArrayDataset(dataset().images, dataset().labels, ("a", "b", "c"), "other")
    with pytest.raises(InputError, match="different classes"):
        train(SMALL, dataset(), other, device="cpu", quiet=True)
    with pytest.raises(InputError, match="auto or cpu"):
        train(SMALL, dataset(), device="tpu", quiet=True)
    with pytest.raises(InputError, match="unknown model"):
        train(replace(SMALL, model="lenet"), dataset(), None, tmp_path / "x", device="cpu", quiet=True)
    assert not (tmp_path / "x").exists()


def test_plain_lines_tell_how_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    train(SMALL, dataset(), dataset(20, 1), device="cpu")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("epoch 3/3  loss ")
    for word in ("train error", "test error", "images/s", "waiting"):
        assert word in lines[-1]


def test_trackers_get_every_figure(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(SMALL, tmp_path / "run", trackers=("tensorboard",))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {path.parent for path in (tmp_path / "run" / "trackers").rglob("events.*")}
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("test_error")] == [3, 6, 9]
    assert [event.step for event in events.Scalars("recent_loss")] == [2, 4, 6, 8]


def test_unknown_trackers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tracker 'paper'"):
        run(SMALL, tmp_path / "run", trackers=("paper",))
    with pytest.raises(InputError, match="give one"):
        run(SMALL, trackers=("tensorboard",))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ema_decay", [None, 0.5])
def test_the_returned_network_is_an_ordinary_one(tmp_path: Path, ema_decay: float | None) -> None:
    """Half precision is a matter of training: what comes back computes in float32, as the file does."""
    config = replace(SMALL, precision="bfloat16", ema_decay=ema_decay)
    model = run(config, tmp_path / "run").model
    images = torch.from_numpy(dataset().images).permute(0, 3, 1, 2)
    with torch.no_grad():
        assert torch.equal(model(images), models.load(tmp_path / "run" / "last.safetensors")(images))
    assert type(copy.deepcopy(model)) is models.Classifier


FAST = replace(SMALL, model="fast-cifar", epochs=2, schedule="triangle", norm_bias_factor=64.0)


def whitening_weight(model: Any) -> torch.Tensor:
    return model.network.whitening.weight.clone()


def test_weights_that_depend_on_the_training_images_are_made_of_them_before_the_first_step(tmp_path: Path) -> None:
    data = dataset(size=12)

    def trained(config: TrainingConfig, data: ArrayDataset = data, out: Path | None = None) -> Any:
        return train(config, data, dataset(20, 1, 12), out, device="cpu", quiet=True).model

    order = Loader(data, batch_size=16, seed=SMALL.seed).order(0)
    by_itself = models.build("fast-cifar", 3)
    by_itself.initialise_from(torch.from_numpy(data.images[order]).permute(0, 3, 1, 2))
    model = trained(FAST, out=tmp_path / "run")
    assert torch.equal(whitening_weight(model), whitening_weight(by_itself)), "made of all 40, and not trained on"
    assert not torch.equal(whitening_weight(models.build("fast-cifar", 3)), whitening_weight(by_itself))
    assert not torch.equal(whitening_weight(trained(FAST, dataset(seed=5, size=12))), whitening_weight(model))
    loaded = models.load(tmp_path / "run" / "last.safetensors")
    assert_same_bits(weights(loaded), weights(model))
    # A file's are kept: what comes after the first layer was learned with them.
    again = replace(FAST, weights=str(tmp_path / "run" / "last.safetensors"))
    assert torch.equal(whitening_weight(trained(again, dataset(seed=5, size=12))), whitening_weight(model))


def test_biases_of_norms_follow_their_own_rate_in_the_loop() -> None:
    """With one step, no momentum and no decay, each weight moves by its rate times the gradient."""
    data = dataset(16, size=12)
    config = replace(FAST, epochs=1, momentum=0.0, weight_decay=0.0, min_lr=0.01, channels_last=False)
    moved = {}
    for factor in (None, 4.0):
        model = train(replace(config, norm_bias_factor=factor), data, device="cpu", quiet=True).model
        torch.manual_seed(FAST.seed)
        before = dict(models.build("fast-cifar", data.classes, size=12).named_parameters())
        moved[factor] = {name: weight.detach() - before[name] for name, weight in model.named_parameters()}
    for name, plain in moved[None].items():
        if "whitening.weight" not in name:
            assert plain.abs().max() > 0 or name.endswith(("norm1.weight", "norm2.weight"))
            ratio = 4.0 if name.endswith(("norm1.bias", "norm2.bias")) else 1.0
            torch.testing.assert_close(moved[4.0][name], ratio * plain, rtol=1e-3, atol=1e-7)


def test_a_stopped_run_of_the_fast_network_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, test = dataset(size=12), dataset(20, 1, 12)
    whole = train(FAST, data, test, device="cpu", quiet=True).model
    plain = Loader.epoch
    monkeypatch.setattr(Loader, "epoch", lambda self, epoch, start=0: plain(self, epoch, start) if not epoch else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(FAST, data, test, tmp_path / "run", device="cpu", quiet=True)
    monkeypatch.setattr(Loader, "epoch", plain)
    resumed = train(FAST, data, test, tmp_path / "run", device="cpu", quiet=True, resume=True).model
    assert_same_bits(weights(resumed), weights(whole))


@pytest.mark.parametrize(("model", "told"), [("torchvision:alexnet", "--size"), ("fast-cifar", "at least 9x9")])
def test_images_that_the_network_can_not_take_leave_no_folder(tmp_path: Path, model: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        run(replace(SMALL, model=model), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
