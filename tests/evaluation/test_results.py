"""Reports of several evaluations, and somebody's predictions scored."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.words import QUICK, words

from ipmix.cli.main import main


def test_reports_of_several_runs(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "a", "--name", "first <b>", *QUICK)) == 0
    results = [tmp_path / "a", tmp_path / "a" / "scorecard.json"]
    for name, part in (
        ("page.html", "first &lt;b&gt;"),
        ("table.md", "| Clean error |"),
        ("table.csv", "clean_error"),
        ("all.json", '"schema"'),
    ):
        assert main(["report", *map(str, results), "--out", str(tmp_path / name)]) == 0
        assert part in (tmp_path / name).read_text(encoding="utf-8")
    card = ["report", str(results[0]), "--out", str(tmp_path / "README.md"), "--format", "model-card"]
    assert main(card) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    assert "<b>" not in text.split("---\n", 2)[2]
    assert main(card) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 2
    assert main(["report", str(results[0]), "--out", str(tmp_path / "x.gif")]) == 2


def test_scoring_somebody_s_predictions(tmp_path, capsys):
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 150)
    np.savez(tmp_path / "theirs.npz", logits=random.normal(size=(150, 4)).astype(np.float32), labels=labels)
    assert main(["score", str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "r")]) == 0
    assert "Calibration error" in capsys.readouterr().out
    assert (tmp_path / "r" / "report.html").is_file()
    assert main(["score", str(tmp_path / "theirs.npz"), "--out", str(tmp_path / "r")]) == 2
    np.savez(tmp_path / "bad.npz", logits=np.zeros((2, 4), np.float32), labels=np.array([0, 7]))
    assert main(["score", str(tmp_path / "bad.npz")]) == 2
    assert "outside 0..3" in capsys.readouterr().err


def test_two_networks_of_a_kind_are_told_apart_by_their_folders(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "plain", *QUICK)) == 0
    assert main(words(network, folder, "--out", tmp_path / "robust", *QUICK)) == 0
    capsys.readouterr()
    runs = [str(tmp_path / "plain"), str(tmp_path / "robust")]
    assert main(["report", *runs, "--out", str(tmp_path / "both.html")]) == 0
    printed = capsys.readouterr().out
    for name in ("in plain", "in robust"):
        assert name in printed
        assert name in (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "(2)" not in printed
    assert main(["report", runs[0], "--out", str(tmp_path / "one.html")]) == 0
    assert "in plain" not in (tmp_path / "one.html").read_text(encoding="utf-8"), "alone it needs no more than its name"
