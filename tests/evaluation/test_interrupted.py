"""``ipmix evaluate`` again in its folder: on other images, after an interruption, after a kill, beside itself."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.words import BRIEF, measures, words

from ipmix.cli.main import main
from ipmix.core import files
from ipmix.core.errors import InputError
from ipmix.core.files import replacing
from ipmix.evaluation import per_image, predictions
from ipmix.evaluation.card import Scorecard
from ipmix.report.exports import rendered


def test_changed_images_are_not_given_the_old_answers(folder, network, tmp_path, capsys, small_chunks):
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    old = measures(out)
    path = folder / "test" / "dark" / "03.png"
    before = path.stat()
    changed = 255 - np.asarray(Image.open(path))
    path.write_bytes(b"")
    Image.fromarray(changed).save(path)
    with path.open("r+b") as file:
        file.truncate(before.st_size)  # as long as it was, whatever the compression
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2
    assert "(data)" in capsys.readouterr().err
    assert measures(out) == old
    for name in ("03", "04"):
        (folder / "test" / "dark" / f"{name}.png").rename(folder / "test" / "bright" / f"dark-{name}.png")
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2


def test_a_renamed_folder_is_the_same_data(folder, network, tmp_path, small_chunks):
    assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF)) == 0
    old = (tmp_path / "out" / "scorecard.json").read_bytes()
    shards = {path: path.stat().st_ino for path in (tmp_path / "out" / "predictions").glob("part-*")}
    assert len(shards) == 4
    folder.rename(tmp_path / "moved")
    for path in (tmp_path / "moved").rglob("*.png"):
        path.touch()
    assert main(words(network, tmp_path / "moved", "--out", tmp_path / "out", *BRIEF)) == 0
    assert (tmp_path / "out" / "scorecard.json").read_bytes() == old
    assert {path: path.stat().st_ino for path in (tmp_path / "out" / "predictions").glob("part-*")} == shards


def test_an_interrupted_evaluation_is_scored_in_part_only_when_asked(folder, network, tmp_path, capsys, small_chunks):
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    whole = (out / "scorecard.json").read_bytes()
    sorted((out / "predictions").glob("part-*"))[3].unlink()
    (out / "scorecard.json").unlink()
    assert main(["score", str(out)]) == 2
    assert "holds 21 of 24 images: run the same ipmix evaluate again to finish it" in capsys.readouterr().err
    assert main(["score", str(out), "--partial", "--out", str(tmp_path / "scored")]) == 0
    assert capsys.readouterr().out.startswith("Not finished: only 21 of 24 images are scored.\n")
    card = json.loads((tmp_path / "scored" / "scorecard.json").read_text())
    assert card["partial"] == {"images": 21, "of": 24}
    for name in ("report.html", "scorecard.csv"):
        assert UNFINISHED in (tmp_path / "scored" / name).read_text(encoding="utf-8"), name
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    assert (out / "scorecard.json").read_bytes() == whole


UNFINISHED = "Not finished: only 21 of 24 images are scored"


def test_every_report_of_an_unfinished_evaluation_says_so(folder, network, tmp_path, capsys, small_chunks):
    """In each form, alone and beside a finished one; on the terminal, in Python, and where it is a bound's or another
    run's measure."""
    out, part = tmp_path / "out", tmp_path / "part"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    shutil.copytree(out, tmp_path / "whole")
    sorted((out / "predictions").glob("part-*"))[3].unlink()
    assert main(["score", str(out), "--partial", "--out", str(part)]) == 0
    for name, more in FORMS:
        capsys.readouterr()
        for runs in ([part],) if "model-card" in more else ([part], [part, tmp_path / "whole"]):
            file = tmp_path / f"{len(runs)}-{name}"
            assert main(["report", *map(str, runs), "--out", str(file), *more]) == 0
            assert file.read_text(encoding="utf-8").count(UNFINISHED) == 1 or name == "r.csv", (file, runs)
            assert UNFINISHED in capsys.readouterr().out, name
    whole = tmp_path / "w.md"
    assert main(["report", str(tmp_path / "whole"), "--out", str(whole)]) == 0
    assert "ot finished" not in whole.read_text() + capsys.readouterr().out, "what is whole is not called unfinished"
    assert "(21 of them scored: not finished)" in (tmp_path / "1-m.md").read_text(), "nor does it speak of 24 images"
    card = Scorecard.of_folder(part)
    told = [str(card), repr(card), str(card.check({"clean_error": "<= 100"}))]
    if find_spec("pandas") is not None:
        told.append(card.to_pandas()["reason"].iloc[0])
    assert all(UNFINISHED in text for text in told), told
    for option, other in (("--baseline", part), ("--anomalies", out)):
        assert main(["score", str(tmp_path / "whole"), "--partial", option, str(other)]) == 0
        text = capsys.readouterr().out
        assert f"he {option[2:]}" in text
        assert UNFINISHED in text
    with pytest.raises(InputError, match=r"a claim is about a whole evaluation. Not finished: only 21 of 24"):
        rendered([card.card], "robustbench")


FORMS = [("r.html", ()), ("r.md", ()), ("r.csv", ()), ("m.md", ("--format", "model-card"))]


@pytest.mark.parametrize("moment", range(8))
def test_a_folder_that_is_removed_is_not_made_anew(
    folder, network, tmp_path, capsys, small_chunks, monkeypatch, moment
):
    """Before any of the files that are written: its rest would look like a whole evaluation."""
    out, written = tmp_path / "out", []

    def removed(path, **options):
        written.append(path)
        if len(written) == moment + 1:
            shutil.rmtree(out)
        return replacing(path, **options)

    for module in (files, predictions, per_image):
        monkeypatch.setattr(module, "replacing", removed)
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2
    assert f"{out} was removed while it was written to" in capsys.readouterr().err
    assert not out.exists()


def test_broken_images_are_named_and_counted(folder, network, tmp_path, capsys, small_chunks):
    for name in ("bright/02.png", "dark/05.png"):
        (folder / "test" / name).write_bytes(b"no image")
    out = tmp_path / "out"
    assert main(words(network, folder, "--out", out, *BRIEF)) == 2
    assert "bright/02.png" in capsys.readouterr().err
    assert main(words(network, folder, "--out", out, *BRIEF, "--skip-broken")) == 0
    assert "passed over 2 broken images" in capsys.readouterr().err
    listed = (out / "broken.txt").read_text().splitlines()
    assert listed == [str(folder / "test" / name) for name in ("bright/02.png", "dark/05.png")]
    card = json.loads((out / "scorecard.json").read_text())
    assert (card["pictures"], card["broken"]) == (22, 2)
    assert main(["score", str(out), "--out", str(tmp_path / "scored")]) == 0, "what is broken is not missing"
    assert json.loads((tmp_path / "scored" / "scorecard.json").read_text())["broken"] == 2


def test_killed_in_its_first_write_it_goes_on(folder, network, tmp_path, small_chunks):
    """And at any other moment: what is whole is kept, the rest swept away."""
    fresh, out = tmp_path / "fresh", tmp_path / "out"
    assert main(words(network, folder, "--out", fresh, *BRIEF)) == 0
    script = (
        "import os, signal, sys\nfrom ipmix.core import files\nfrom ipmix.evaluation import plan, predicting\n"
        "plan.CHUNK = predicting.CHUNK = 7\nreal, left = os.fsync, [int(sys.argv[1])]\n"
        "def dies(descriptor):\n    left[0] -= 1\n    real(descriptor)\n"
        "    if left[0] < 0 and 'out' in os.readlink(f'/proc/self/fd/{descriptor}'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fsync = dies\nfrom ipmix.cli.main import main\nsys.exit(main(sys.argv[2:]))\n"
    )
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not tell what a descriptor is of")
    for writes in (0, 2):
        run = [sys.executable, "-c", script, str(writes), *words(network, folder, "--out", out, *BRIEF)]
        done = subprocess.run(run, capture_output=True, timeout=300, check=False)
        assert done.returncode == -9, done.stderr
        assert list((out / "predictions").glob(".*.part")), "it left something half written"
        assert (out / "predictions" / "run.json").exists() == (writes > 0)
    assert main(words(network, folder, "--out", out, *BRIEF)) == 0
    assert measures(out) == measures(fresh)
    assert sorted(p.name for p in out.rglob("*")) == sorted(p.name for p in fresh.rglob("*")), "nothing is left"


def test_two_evaluations_in_one_folder(folder, network, tmp_path, capsys, small_chunks):
    from ipmix.core.files import alone

    with alone(tmp_path / "out"):
        assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF, "--force")) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "another process is writing to" in line
    assert not (tmp_path / "out").exists()
    with alone(tmp_path / "out" / "predictions"):
        assert main(words(network, folder, "--out", tmp_path / "out", *BRIEF)) == 2
