"""``ipmix evaluate`` from the words to the files."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from tests.evaluation.words import QUICK, words  # noqa: E402

from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation import inputs  # noqa: E402
from ipmix.evaluation.request import MeasureRequest  # noqa: E402

torch = pytest.importorskip("torch", reason="the train extra is not installed")


def test_a_checkpoint_on_a_folder(folder, network, tmp_path, capsys):
    out = tmp_path / "result"
    assert main(words(network, folder, "--out", out, *QUICK)) == 0
    printed = capsys.readouterr().out
    assert "Clean error" in printed
    assert "Mean error over 2 corruptions, severities 1, 5" in printed
    card = json.loads((out / "scorecard.json").read_text())
    assert card["pictures"] == 24
    assert card["measures"]["attack_error"]["value"] is not None
    assert "at least 100 images" in card["measures"]["rms_calibration_error"]["reason"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Where it looks" in page
    assert ("The worst answers" in page) == (card["measures"]["clean_error"]["value"] > 0)
    before = (out / "scorecard.json").read_bytes()
    assert main(words(network, folder, "--out", out, *QUICK)) == 0  # all shards are there: only scored again
    assert (out / "scorecard.json").read_bytes() == before
    assert main(words(network, folder, "--out", out, "--seed", "1", *QUICK)) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_the_same(folder, network, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    on_processors = ("--device", "cpu", *QUICK)  # two processes on one GPU are refused
    assert main(words(network, folder, "--out", one, *on_processors)) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom ipmix.evaluation import plan, predicting\nplan.CHUNK = predicting.CHUNK = 7\n"
        "from ipmix.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [*command, str(script), *words(network, folder, "--out", two, *on_processors)],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((two / "predictions").glob("part-*.npz"))) == 4
    assert done.stdout.count("Clean error") == 1
    first, second = (json.loads((out / "scorecard.json").read_text()) for out in (one, two))
    assert first["measures"]["clean_error"] == second["measures"]["clean_error"]
    assert first["corruptions"] == second["corruptions"]


def test_broken_images(folder, network, tmp_path, capsys):
    (folder / "test" / "dark" / "99.png").write_bytes(b"")
    assert main(words(network, folder, "--out", tmp_path / "r", *QUICK)) == 2
    assert "99.png" in capsys.readouterr().err
    assert main(words(network, folder, "--out", tmp_path / "r", "--skip-broken", *QUICK)) == 0
    assert json.loads((tmp_path / "r" / "scorecard.json").read_text())["pictures"] == 24


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--limit", "-5"], "limit is at least 1, got -5"),
        (["--attack-images", "0"], "attack.images is at least 1, got 0"),
        (["--steps", "-1"], "attack.steps is at least 1, got -1"),
        (["--epsilon", "nan"], "ipmix: attack.epsilon is a number of at least 0 and at most 1000, got nan"),
        (["--epsilon", "8"], "attack.epsilon is at most 1 with norm linf, as images lie in 0 to 1, got 8; 8/255"),
        (["--autoattack", "--autoattack-epsilon", "2"], "autoattack.epsilon is at most 1 with norm linf"),
        (["--step-size", "inf"], "attack.step_size is a number above 0 and at most 1000, got inf"),
        (["--step-size", "0"], "attack.step_size is a number above 0 and at most 1000, got 0.0"),
        (["--autoattack-epsilon", "nan"], "autoattack.epsilon is a number of at least 0 and at most 1000, got nan"),
        (["--device", "cpu:9"], "device 'cpu:9' can't be used (a machine's processors are one device); say cpu"),
        (["--size", "1"], "size is at least 8, got 1"),
        (["--limit", "²"], "'²' is not a whole number"),
        (["--limit", "1_0"], "'1_0' is not a whole number"),
        (["--restarts", "0"], "attack.restarts is at least 1, got 0"),
        (["--seed", str(2**63)], "seed is at most 9223372036854775807"),
        (["--seed", "-1"], "seed is at least 0, got -1"),
        (["--threads", "0"], "threads must be a whole number from 1 to 1024, got 0"),
        (["--batch-size", "0"], "batch_size must be a whole number from 1 to 16777216, got 0"),
        (["--corruptions", ""], "--corruptions: '' is empty: give at least one"),
        (["--severities", "1,1"], "--severities gives 1 twice: leave one out"),
        (["--corruptions", "fog,fog"], "--corruptions gives fog twice: leave one out"),
        (["--severities", "9"], "each of the severities is at most 5, got 9"),
        (["--severities", ""], "--severities: '' is empty: give at least one"),
        (["--device", "foo"], "device 'foo' can't be used"),
        (["--anomalies", "missing"], "there is no missing"),
        (["--size", "-5"], "size is at least 8, got -5"),
        (["--crop", "2"], "crop is a share of the side"),
        (["--interpolation", "cubic"], "cubic"),
        (["--mean", "0.4,0.4,0.4", "--std", "0.2,0.2,0.2"], "normalises images itself"),
        (["--mean", "0.5,0.5,0.5", "--std", "0,0,0"], "std is a finite number above 0"),
        (["--mean", "0.5,0.5,0.5"], "given together"),
    ],
)
def test_options_are_refused_before_anything_is_written(folder, network, tmp_path, capsys, option, message):
    assert main(words(network, folder, "--out", tmp_path / "r", "--quiet", *option)) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_anomalies_that_can_not_be_read_leave_nothing_behind(folder, network, tmp_path, capsys):
    (tmp_path / "strange" / "empty").mkdir(parents=True)
    assert main(words(network, folder, "--out", tmp_path / "r", "--anomalies", tmp_path / "strange", *QUICK)) == 2
    assert "holds no image" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_network_of_nan_is_never_right(folder, tmp_path, monkeypatch):
    """Its answers are class 0 to argmax, and half of the images are of class 0."""
    network = models.build("wrn-10-1", ("bright", "dark"))
    with torch.no_grad():
        network.network.head.bias.fill_(torch.nan)
    monkeypatch.setattr(inputs, "open_model", lambda *_, **__: network.eval())  # files of such weights are refused
    more = ["--perturbations", "brightness", "--size", "16"]
    assert main(words("n.safetensors", folder, "--out", tmp_path / "r", *more, *QUICK)) == 0
    measures = json.loads((tmp_path / "r" / "scorecard.json").read_text())["measures"]
    for name in ("clean_error", "chosen_corruption_error", "attack_error", "chosen_flip_probability"):
        assert measures[name]["value"] == 1.0, name
    assert measures["brier_score"]["value"] is None


def test_a_grey_model_from_words_to_page(folder, tmp_path):
    torch.manual_seed(0)
    models.save(tmp_path / "g.safetensors", models.build("wrn-10-1", ("bright", "dark"), channels=1), {"size": 16})
    assert main(words(tmp_path / "g.safetensors", folder, "--out", tmp_path / "r", *QUICK)) == 0
    card = json.loads((tmp_path / "r" / "scorecard.json").read_text())
    assert card["run"]["form"]["channels"] == 1
    assert "Where it looks" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_anomalies(folder, network, tmp_path):
    strange = tmp_path / "strange" / "anything"
    strange.mkdir(parents=True)
    for i in range(5):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
            strange / f"{i}.png"
        )
    words_ = words(network, folder, "--out", tmp_path / "r", "--anomalies", tmp_path / "strange", *QUICK)
    assert main(words_) == 0
    measures = json.loads((tmp_path / "r" / "scorecard.json").read_text())["measures"]
    assert 0 < measures["anomaly_aupr"]["value"] <= 1
    assert measures["anomaly_fpr95_logit"]["value"] is not None


def test_groups_of_corruptions():
    plan = MeasureRequest(corruptions=("test", "bar"), severities=(1,), perturbations=("imagenet",), attack=None).plan(
        224
    )
    assert len(plan.corruptions) == 25
    assert "caustic_refraction" in plan.corruptions
    assert "snow" in plan.perturbations
    small = MeasureRequest(corruptions=("bar", "fog"), severities=(1,), perturbations=("cifar",), attack=None).plan(32)
    assert "ripple" in small.corruptions
    assert small.corruptions[-1] == "fog"
    with pytest.raises(InputError, match="unknown corruption"):
        MeasureRequest(corruptions=("barr",)).plan(32)


def test_bar_needs_no_size(folder, network, tmp_path):
    words_ = words(network, folder, "--out", tmp_path / "r", "--severities", "1", "--corruptions", "bar", "--no-attack")
    assert main([*words_, "--device", "cpu", "--quiet"]) == 0
    assert "ripple" in json.loads((tmp_path / "r" / "scorecard.json").read_text())["corruptions"]


def test_a_baseline_on_the_command_line(folder, network, tmp_path, capsys):
    assert main(words(network, folder, "--out", tmp_path / "a", *QUICK)) == 0
    other = json.loads((tmp_path / "a" / "scorecard.json").read_text())
    other["corruptions"] = {name: {"1": 0.5, "5": 0.7} for name in other["corruptions"]}
    (tmp_path / "other.json").write_text(json.dumps(other))
    baseline = ["--baseline", tmp_path / "other.json"]
    assert main(words(network, folder, "--out", tmp_path / "b", *baseline, *QUICK)) == 0
    card = json.loads((tmp_path / "b" / "scorecard.json").read_text())
    expected = card["measures"]["chosen_corruption_error"]["value"] / 0.6
    assert card["measures"]["baseline_chosen_corruption_error"]["value"] == pytest.approx(expected)
    assert "Chosen corruptions against the baseline" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")
    score = ["score", str(tmp_path / "b"), *map(str, baseline)]
    assert main(score) == 0
    assert main([*score[:3], str(tmp_path / "nowhere.json")]) == 2


def test_a_frame_is_trimmed_off(tmp_path):
    from ipmix.data import datasets
    from ipmix.data.sources import OnDisk

    target = tmp_path / "set" / "a"
    target.mkdir(parents=True)
    pixels = np.full((12, 16, 3), 200, np.uint8)
    pixels[:2] = pixels[-2:] = pixels[:, :2] = pixels[:, -2:] = (255, 0, 0)
    Image.fromarray(pixels).save(target / "0.png")
    files = datasets.scan(tmp_path / "set", "test")
    whole, bare = OnDisk(files, size=8), OnDisk(files, size=8, trim=2)
    assert whole.read(0, 1)[0].min() == 0
    assert (bare.read(0, 1)[0] == 200).all()
    assert whole.fingerprint() != bare.fingerprint()
    with pytest.raises(InputError, match="nothing is left"):
        OnDisk(files, size=8, trim=6).read(0, 1)


def test_a_model_that_refuses_the_images_leaves_nothing(network, tmp_path, capsys):
    data, out = tmp_path / "four.npz", tmp_path / "r"
    np.savez(data, images=np.zeros((6, 16, 16, 4), np.uint8), labels=np.arange(6) % 2)
    assert main(words(network, data, "--out", out, *QUICK)) == 2
    assert "channels" in capsys.readouterr().err
    assert not out.exists()
    assert main(words(network, data, "--out", out, "--device", "meta", "--corruptions", "none", "--no-attack")) == 2
    assert not out.exists()
    assert main(["evaluate", "sys:exit", str(data), "--out", str(out)]) == 2
    assert "sys:exit" in capsys.readouterr().err


def test_an_attack_that_cannot_reach_its_epsilon_is_told(folder, network, tmp_path, capsys):
    few = ["--limit", "4", "--corruptions", "none", "--device", "cpu", "--quiet", "--steps", "2", "--epsilon", "8/255"]
    assert main(words(network, folder, "--out", tmp_path / "r", *few)) == 0
    printed = capsys.readouterr()
    assert "2 steps of 0.001961 go 0.003922 together, less than its epsilon of 0.03137" in printed.err
    assert "Adversarial error (PGD, Linf 8/255)" in printed.out
    assert "Adversarial error (PGD, Linf 8/255)" in (tmp_path / "r" / "report.html").read_text()
    assert main(words(network, folder, "--out", tmp_path / "s", *few, "--step-size", "4/255")) == 0
    assert "together" not in capsys.readouterr().err


def test_other_norms_have_other_reaches():
    from ipmix.evaluation.plan import AttackConfig
    from ipmix.report.numbers import attack_in_short

    assert not AttackConfig(epsilon=2.0, norm="l2", step_size=0.5).falls_short
    assert attack_in_short("attack", {"norm": "l2", "epsilon": 0.5, "steps": 5}) == "PGD, L2 0.5"
    assert attack_in_short("auto_attack", {"norm": "linf", "epsilon": 8 / 255}) == "Linf 8/255"
