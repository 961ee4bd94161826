"""Whatever stands in a saved run, a resumed one refuses it in one line that names file and key, and changes nothing."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ipmix.core.errors import InputError
from ipmix.data.datasets import ArrayDataset
from ipmix.training.batch_statistics import least_images
from ipmix.training.checkpoint import RunFolder
from ipmix.training.config import TrainingConfig
from ipmix.training.loader import Loader
from ipmix.training.loop import Diverged, train

SMALL = TrainingConfig(model="wrn-10-1", epochs=2, batch_size=8, lr=0.05, log_steps=1)


def dataset(count: int = 16, size: int = 8) -> ArrayDataset:
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return ArrayDataset(images, np.arange(count) % 2, ("a", "b"), "data")


def run(out: Path | None, config: TrainingConfig = SMALL, data: ArrayDataset | None = None, **options: Any) -> Any:
    data = dataset() if data is None else data
    return train(config, data, dataset(6), out, device="cpu", quiet=True, **options)


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


def poisoned(state: dict[str, Any]) -> None:
    next(t for t in state["network"].values() if t.is_floating_point()).flatten()[0] = float("nan")


CHANGES = [
    *((without(key), rf"state\.pt: the key '{key}' is missing") for key in ("network", "optimizer", "position")),
    (put("network", value=3), "network should be the network's tensors, got 3"),
    (put("network", value={}), "network does not fit the network"),
    (poisoned, r"network\.\S+ holds values that are no numbers"),
    (put("optimizer", value={}), "optimizer should be an optimizer's state"),
    (put("optimizer", "param_groups", 0, "momentum", value="x"), r"optimizer\.param_groups\[0\] should be this run's"),
    (put("optimizer", "state", 0, "momentum_buffer", value=torch.zeros(2)), r"optimizer\.state\.0\.momentum_buffer"),
    (put("position", "zzz", value=1), r"position should be .*\(not zzz\)"),
    (without("position", "rows"), r"position should be .*\(not rows\)"),
    (put("position", "epoch", value=-1), r"position\.epoch should be a whole number from 0 to 2, got -1"),
    (put("position", "epoch", value=99), r"position\.epoch should be a whole number from 0 to 2, got 99"),
    (put("position", "batch", value=3), r"position\.batch should be a whole number from 0 to 2, got 3"),
    (put("position", "loss", value=float("nan")), r"position\.loss should be a finite number"),
    (put("position", "rows", value=[]), r"position\.rows should be a list of 2"),
    (put("position", "best", value={"epoch": 7}), r"position\.best should be one of"),
    (put("log_lengths", value="x"), "log_lengths should be the lengths of"),
    (put("log_lengths", "metrics.jsonl", value=-5), r"log_lengths\.metrics\.jsonl should be a number of bytes, got -5"),
    (put("experiment", value=3), "experiment should be the run's record as JSON, got 3"),
    (put("experiment", value="{x"), "experiment is not readable JSON"),
    (put("position", "wrong", value=-1), r"position\.wrong should be a finite number of at least 0, got -1"),
    (put("position", "wrong", value=1e9), r"position\.wrong should be at most position\.seen, 0, got 1000000000\.0"),
    (put("log_lengths", "metrics.jsonl", value=10**15), r"metrics\.jsonl is shorter than .*\(1000000000000000 bytes\)"),
    (put("ema", value={}), r"ema should be none, since this run keeps no moving average, got dict"),
    (put("scaler", value=3), "scaler should be the state of the loss scaling, or none, got 3"),
    (put("scaler", value={"scale": "x"}), r"scaler\.scale should be a finite number of at least 0, got 'x'"),
    (put("scaler", value={"scale": float("nan")}), r"scaler\.scale should be a finite number .*, got nan"),
    (put("scaler", value={"scale": 65536.0}), None),  # of a run that went over another device before
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(finished: dict[str, bytes], tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    for name, content in finished.items():
        (tmp_path / "run" / name).write_bytes(content)
    return tmp_path / "run"


def refused(folder: Path, message: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message) as caught:
        run(folder, resume=True)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_changed_state(folder: Path, change: Callable[[dict[str, Any]], None], message: str | None) -> None:
    state = torch.load(folder / "state.pt", weights_only=True)
    change(state)
    torch.save(state, folder / "state.pt")
    if message is None:
        run(folder, resume=True)
    else:
        refused(folder, message)


@pytest.mark.parametrize("content", [b"garbage\n", b"3\n", b"[" * 9999 + b"\n", b"\xff\n", b"{}"])
def test_a_log_of_garbage(folder: Path, content: bytes) -> None:
    path = folder / "metrics.jsonl"
    path.write_bytes((content * len(path.read_bytes()))[: len(path.read_bytes()) - 1] + b"\n")
    refused(folder, r"metrics\.jsonl: line 1 is no line of figures" if content != b"{}" else r"metrics\.jsonl")


@pytest.mark.parametrize("content", [b"3", b"{", b"[1]"])
def test_an_experiment_file_of_garbage(folder: Path, content: bytes) -> None:
    (folder / "experiment.json").write_bytes(content)
    refused(folder, r"experiment\.json")


def paths_in(value: Any, *before: str) -> list[tuple[str, ...]]:
    """The way to each entry of an object, at any depth."""
    found = [before] if before else []
    for key, inner in value.items() if isinstance(value, dict) else ():
        found += paths_in(inner, *before, key)
    return found


@pytest.mark.parametrize("change", ["without", "x", None, True, 1e999, "more"])
def test_an_experiment_file_that_was_changed(folder: Path, change: Any) -> None:
    """Each key of it in turn; but what a set of images is called may be anything."""
    file = folder / "experiment.json"
    whole = json.loads(file.read_bytes())
    ways = paths_in(whole) if change in ("without", "x") else paths_in(whole)[::7]
    for way in ways:
        changed = json.loads(json.dumps(whole))
        place = changed
        for key in way[:-1]:
            place = place[key]
        if change == "without":
            del place[way[-1]]
        elif change == "more":
            place[f"{way[-1]}2"] = 1
        else:
            place[way[-1]] = change
        text = json.dumps(changed)
        if text == json.dumps(whole):
            continue
        file.write_text(text)
        if way in (("data", "name"), ("test", "name")) and change != 1e999:
            continue
        with pytest.raises(InputError, match=r"experiment\.json (was changed since|is not readable)"):
            RunFolder(folder, whole, resume=True)
        assert file.read_text() == text
    file.unlink()
    with RunFolder(folder, whole, resume=True):
        assert json.loads(file.read_bytes()) == whole, "one that is missing is written again"


@pytest.mark.parametrize("name", ["metrics.jsonl", "speed.jsonl", "run.lock"])
def test_links_are_not_written_through(folder: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    other.write_bytes((folder / name).read_bytes() + b"precious")
    before = other.read_bytes()
    (folder / name).unlink()
    (folder / name).symlink_to(other)
    refused(folder, f"{name} is a link")
    run(folder, force=True)
    assert other.read_bytes() == before
    assert not (folder / name).is_symlink()


# --- numbers that are none ----------------------------------------------------------------------------------


def test_a_network_without_an_answer_is_never_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipmix.training import loop

    errors = iter([{"test_error": 10.0, "test_loss": float("nan")}, {"test_error": 60.0, "test_loss": 1.0}])
    monkeypatch.setattr(loop, "error_and_loss", lambda *_, **__: next(errors))
    outcome = run(tmp_path / "run")
    assert outcome.best["epoch"] == 2
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=lambda word: pytest.fail(word)) for line in lines]
    assert [row["test_loss"] for row in rows if "test_loss" in row] == [None, 1.0]


def test_divergence_before_the_first_save_says_so(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="holds no state yet"):
        run(tmp_path / "run", replace(SMALL, lr=1e30, epochs=1, batch_size=2))


# --- a last batch that is too small for BatchNorm ------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "settings", "lengths"),
    [
        (3, {"batch_size": 2}, [3]),
        (9, {"batch_size": 4}, [4, 5]),
        (33, {"batch_size": 33, "accumulate": 32}, [33]),
        (5, {"batch_size": 3, "accumulate": 3}, [3, 2]),
    ],
)
def test_a_rest_of_one_image_joins_the_batch_before(count: int, settings: dict[str, int], lengths: list[int]) -> None:
    """At 4 pixels the last norms see one value per channel and image."""
    data = dataset(count, 4)
    config = replace(SMALL, epochs=1, **settings)
    run(None, config, data)
    loader = Loader(data, batch_size=config.batch_size, seed=0, least=2)
    assert [len(batch) for batch in loader.epoch(0)] == lengths
    assert [loader.batch_length(number) for number in range(len(loader))] == lengths


def test_only_networks_with_batchnorm_need_two_images() -> None:
    norm, plain = torch.nn.Sequential(torch.nn.BatchNorm2d(3)), torch.nn.Sequential(torch.nn.LayerNorm(3))
    assert (least_images(norm, 8), least_images(plain, 8), least_images(norm, 1)) == (2, 1, 1)


def test_every_process_gets_two_images() -> None:
    shards = [Loader(dataset(11), batch_size=4, seed=0, least=2, shard=(rank, 2)) for rank in range(2)]
    assert [[len(batch) for batch in shard.epoch(0)] for shard in shards] == [[2, 3], [2, 4]]


# --- writing -------------------------------------------------------------------------------------------------


def test_a_full_disk_behind_pytorch_s_own_check_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object, file: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 482880 vs 482768")

    with RunFolder(tmp_path, {}) as folder:
        monkeypatch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="disk full") as caught:
            folder.save_state({})
    assert caught.value.filename == str(tmp_path / "state.pt")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_lost_terminal_saves_and_one_that_is_ignored_stays_so() -> None:
    from ipmix.training.signals import interruption

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored from the start
    try:
        with interruption() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.asked
            with pytest.raises(SystemExit) as caught:
                stop.obey(True, None)
            assert caught.value.code == 128 + signal.SIGHUP
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with interruption() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)
