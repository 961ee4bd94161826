import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import small_runs, turns
from ipmix.data.datasets import ArrayDataset
from ipmix.training.loader import Loader


def test_a_ratio_is_the_median_of_the_turns_and_knows_how_sure_it_is() -> None:
    slow, quick = [3.0, 6.0, 2.0, 4.0, 100.0], [1.0, 2.0, 1.0, 2.0, 1.0]
    value, low, high = turns.ratio(slow, quick)
    assert value == 3.0
    assert low < 3.0 < high
    assert turns.ratio(quick, quick) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"longer|shorter"):
        turns.ratio(slow, quick[:4])


def test_the_stopwatch_keeps_the_turns_that_count() -> None:
    watch = turns.Stopwatch()
    watch.stop()
    for name, count in (("a", False), ("a", True), ("b", True)):
        watch.start(name)
        watch.stop(count=count)
    assert {name: len(times) for name, times in watch.clock.items()} == {"a": 1, "b": 1}
    assert watch.clock.keys() == watch.processor.keys()


def test_a_loader_calls_before_each_epoch_and_no_longer_than_wished() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    loader = Loader(ArrayDataset(images, np.zeros(4, np.int64), ("a",), "zeros"), batch_size=2, seed=0)
    seen = []
    with turns.before_each_epoch(lambda one, epoch: seen.append((one, epoch))):
        assert len(list(loader.epoch(3))) == 2
    list(loader.epoch(4))
    assert seen == [(loader, 3)]


def kept(out: Path, run: small_runs.Run, error: float) -> None:
    """What a finished run leaves."""
    folder = out / run.label
    folder.mkdir()
    (folder / "small-run.json").write_text(json.dumps({"commit": "abc", "command": "ipmix experiment"}))
    measure = {"value": error / 100, "interval": [0.1, 0.9], "pictures": 10}
    row = {"epoch": 3, "loss": 1.0, "train_error": error, "test_error": error}
    measured = {"last": {"measures": dict.fromkeys(small_runs.MEASURES, measure)}}
    (folder / "results.json").write_text(json.dumps({"last": row, "best": row, "measured": measured}))
    (folder / "speed.jsonl").write_text(json.dumps({"seconds": 2.0, "waiting_share": 0.1}) + "\n")


def test_small_runs_are_gathered_as_far_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = list(small_runs.planned([0, 1]))
    assert len(runs) == len({run.label for run in runs}) == 20
    first = small_runs.Run("cifar10", "ipmix", True, 0)
    kept(tmp_path, first, 30.0)
    kept(tmp_path, small_runs.Run("cifar10", "ipmix", True, 1), 34.0)
    results = tmp_path / "results.json"
    words = [str(tmp_path), "--out", str(tmp_path), "--seeds", "0,1", "--gather", "--results", str(results)]
    assert small_runs.main(words) == 0
    record = json.loads(results.read_text())
    (line,) = record["summary"]
    assert line["seeds"] == [0, 1]
    assert line["mean_corruption_error"] == {"mean": 32.0, "least": 30.0, "most": 34.0}
    assert "cifar10 ipmix + JSD" in capsys.readouterr().out
    assert "--set=training.jsd=true" in first.words("IMAGES", "OUT", 3)
