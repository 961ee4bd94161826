"""Results of cells: whose they are, put together from folders, compared with the paper."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipmix.core.errors import InputError
from ipmix.experiment.studies.comparing import compare, disagreements
from ipmix.experiment.studies.places import Places
from ipmix.experiment.studies.rendering import COLUMNS, _grid, rendered
from ipmix.experiment.studies.result_files import SCHEMA, key_of
from ipmix.experiment.studies.results import Job, Results, jobs, refuse_other, settings_of
from ipmix.experiment.studies.study import Study, open_study


def job_of(name: str, cell: str, seed: int = 0) -> Job:
    (job,) = jobs(open_study(name), "laptop", [seed], [cell])
    return job


def write(job: Job, out: Path, **figures: float) -> Path:
    """A result with these figures (shares) in the pass that each belongs to."""
    from ipmix.experiment.studies.measuring import pass_of

    passes: dict[str, Any] = {name: {"settings": settings_of(one), "measures": {}} for name, one in job.passes.items()}
    for measure, value in figures.items():
        passes[pass_of(measure)]["measures"][measure] = {"value": value}
    path = job.path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": SCHEMA, "study": job.study, "cell": job.cell, "scale": job.scale, "seed": job.seed, "key": job.key,
        "settings": job.settings, "passes": passes, "hours": {"training": 0.1, "measuring": 0.1},
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_one_run_counts_for_every_table_that_has_it(tmp_path: Path) -> None:
    """IPMix with the consistency loss is a row of five tables, under five names."""
    whole = job_of("headline", "ipmix-jsd")
    write(whole, tmp_path)
    found = Results([tmp_path])
    for name, cell in (("table1", "k3-t3"), ("table2", "ipmix"), ("table3", "ipmix"), ("table10", "ipmix")):
        assert job_of(name, cell).key == whole.key
        assert found.of(job_of(name, cell)) is not None
    assert found.of(job_of("table1", "k2-t3")) is None
    assert found.of(job_of("table1", "k3-t3", seed=1)) is None
    assert found.of(job_of("figure1", "ipmix"), weights=True) is None, "its network was not kept"


def test_a_result_without_all_passes_does_not_count(tmp_path: Path) -> None:
    write(job_of("table1", "k3-t3"), tmp_path)
    assert Results([tmp_path]).of(job_of("headline", "ipmix-jsd")) is None
    wider = job_of("table1", "k3-t3")
    passes = dict(wider.passes)
    passes["corruptions"] = replace(passes["corruptions"], limit=100)
    assert Results([tmp_path]).of(replace(wider, passes=passes)) is None


def test_a_key_is_about_settings_not_about_names_or_defaults() -> None:
    job = job_of("table10", "ipmix")
    assert "mixing" not in job_of("headline", "plain").settings, "plain training mixes nothing in"
    assert job.settings["method"] == {"name": "ipmix", "patch_sizes": [4, 8, 16, 32], "severity": 3.0, "beta": 3.0}
    training = replace(job.experiment.training, lr=0.123)
    assert replace(job, experiment=replace(job.experiment, training=training)).key != job.key
    assert job_of("table8", "plain").key != job_of("headline", "plain").key, "a measured time is not reused"


def test_the_result_of_other_settings_is_not_replaced(tmp_path: Path) -> None:
    job = job_of("table10", "ipmix")
    refuse_other(job, tmp_path)
    path = write(job, tmp_path)
    refuse_other(job, tmp_path)
    content = json.loads(path.read_text())
    content["settings"]["training"]["epochs"] = 12
    content["key"] = key_of(content["settings"])  # without it the file would contradict itself
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"other settings \(settings.training.epochs: there 12, now 10\).*--force"):
        refuse_other(job, tmp_path)


def test_folders_of_several_machines_are_one(tmp_path: Path) -> None:
    for number, cell in enumerate(("ipmix", "without-patch")):
        write(job_of("table10", cell), tmp_path / str(number), clean_error=0.1 + number / 100)
    table = compare(open_study("table10"), "laptop", (), Results([tmp_path / "0", tmp_path / "1"]))
    assert table.figures["ipmix"]["clean_error"].mean == pytest.approx(10.0)
    assert table.figures["without-patch"]["clean_error"].mean == pytest.approx(11.0)
    assert [(job.cell, job.seed) for job in table.missing] == [("without-pixel", 0), ("without-image", 0)]
    (tmp_path / "0" / "broken-seed0.json").write_text("{")
    with pytest.raises(InputError, match=r"broken-seed0\.json is not readable JSON"):
        Results([tmp_path / "0"])


def test_copies_are_one_and_what_differs_is_refused(tmp_path: Path) -> None:
    job, study = job_of("table10", "ipmix"), open_study("table10")
    first = write(job, tmp_path / "a", clean_error=0.1)
    second = write(job, tmp_path / "b", clean_error=0.1)
    assert len(Results([tmp_path / "a", tmp_path, tmp_path / "a"])) == 2, "a file in two of the folders counts once"
    table = compare(study, "laptop", (), Results([tmp_path]))
    assert table.figures["ipmix"]["clean_error"].by_seed == {0: pytest.approx(10.0)}
    write(job, tmp_path / "b", clean_error=0.2)
    results = Results([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match="same settings and seed, with different figures") as refused:
        compare(study, "laptop", (), results)
    for part in (str(first), str(second), "passes.clean.measures.clean_error.value: 0.1 and 0.2"):
        assert part in str(refused.value)
    assert results.of(job) is not None, "what is done is done"


def test_differences_say_over_which_seeds_they_are(tmp_path: Path) -> None:
    study, figures = open_study("table10"), {"clean_error": 0.1, "mean_corruption_error": 0.2}

    def text() -> str:
        return rendered(compare(study, "laptop", (), Results([tmp_path])), "text")

    write(job_of("table10", "ipmix"), tmp_path, **figures)
    write(job_of("table10", "without-patch"), tmp_path, **figures)
    assert "Ours less IPMix, seed by seed:" in text(), "all over the table's one seed"
    write(job_of("table10", "without-patch", 1), tmp_path, **figures)
    assert "Ours less IPMix, seed by seed (seed 0 alone):" in text()
    write(job_of("table10", "ipmix", 1), tmp_path, **figures)
    assert "Ours less IPMix, seed by seed:" in text()
    write(job_of("table10", "without-pixel"), tmp_path, **figures)
    assert "without patch (seeds 0, 1)" in text()
    assert "without pixel (seed 0)" in text()
    write(job_of("table10", "without-patch", 1), tmp_path, clean_error=0.1)
    assert "without patch, mCE: seed 0 alone." in text()
    table = compare(study, "laptop", (), Results([tmp_path]))
    data = json.loads(rendered(table, "json"))
    assert data["rows"]["without-patch"]["mean_corruption_error"]["less_reference_seeds"] == [0]
    assert rendered(table, "csv").splitlines()[0].endswith(",seeds of that")


def test_a_figure_that_a_result_lacks_is_named(tmp_path: Path) -> None:
    study = open_study("table10")
    whole = dict.fromkeys(study.config.measures, 0.1)
    write(job_of("table10", "ipmix"), tmp_path, **whole)
    path = write(job_of("table10", "ipmix", 1), tmp_path, **whole)
    assert "No figure" not in rendered(compare(study, "laptop", (), Results([tmp_path])), "text")
    content = json.loads(path.read_text())
    content["passes"]["corruptions"]["measures"]["mean_corruption_error"] = {"value": None, "reason": "too few"}
    del content["passes"]["clean"]["measures"]["clean_error"]
    path.write_text(json.dumps(content))
    table = compare(study, "laptop", (), Results([tmp_path]))
    text = rendered(table, "text")
    assert "No figure of mCE: IPMix (seed 1)." in text
    assert "No figure of clean error: IPMix (seed 1)." in text
    found = {one["measure"]: one["reason"] for one in json.loads(rendered(table, "json"))["missing_figures"]}
    assert found == {"clean_error": None, "mean_corruption_error": "too few"}


@pytest.fixture
def table10(tmp_path: Path) -> tuple[Study, Path]:
    """Two seeds of three cells; by mCE the paper has ipmix ahead of without-patch, here it is the other way round."""
    for seed in (0, 1):
        for cell, error, corrupted in (
            ("ipmix", 0.10, 0.20), ("without-patch", 0.11, 0.19 + 0.002 * seed), ("without-pixel", 0.12, 0.201),
        ):  # fmt: skip
            shift = 0.05 * seed
            write(
                job_of("table10", cell, seed),
                tmp_path,
                clean_error=error + shift,
                mean_corruption_error=corrupted + shift,
            )
    return open_study("table10"), tmp_path


def test_means_deviations_and_pairs_over_seeds(table10: tuple[Study, Path]) -> None:
    study, out = table10
    table = compare(study, "laptop", (), Results([out]))
    assert table.seeds == (0, 1)
    ours = table.figures["without-patch"]["clean_error"]
    assert ours.mean == pytest.approx(13.5)
    assert ours.deviation == pytest.approx(5 / 2**0.5)
    gap = table.paired("without-patch", "clean_error")
    assert gap.mean == pytest.approx(1.0)
    assert gap.deviation == pytest.approx(0.0, abs=1e-9), "what the seeds share falls out"
    single = compare(study, "laptop", [1], Results([out])).figures["ipmix"]["clean_error"]
    assert (single.mean, single.deviation) == (pytest.approx(15.0), None)


def test_where_our_order_is_not_the_papers(table10: tuple[Study, Path]) -> None:
    study, out = table10
    found = disagreements(compare(study, "laptop", (), Results([out])))
    turned = [one for one in found if one.measure == "mean_corruption_error"]
    assert [(one.better, one.worse, one.sure) for one in turned] == [("ipmix", "without-patch", True)]
    assert turned[0].paper == pytest.approx(1.4)
    assert turned[0].ours == pytest.approx(0.9)
    # By the clean error the paper has without-pixel (19.6) ahead of without-patch (19.7), ours is the other way round.
    assert [(one.better, one.worse) for one in found if one.measure == "clean_error"] == [
        ("without-pixel", "without-patch")
    ]
    lone = disagreements(compare(study, "laptop", [0], Results([out])))
    assert {one.sure for one in lone} == {None}, "one seed can't tell"


def test_of_how_many_pairs_the_order_is_the_papers(tmp_path: Path) -> None:
    study = open_study("table10")
    for seed in (0, 1):
        write(job_of("table10", "ipmix", seed), tmp_path, clean_error=0.1 + seed / 1000)
        write(job_of("table10", "without-image", seed), tmp_path, clean_error=0.2)
    both = rendered(compare(study, "laptop", (), Results([tmp_path])), "text")
    assert "Where both have figures (1 pair of rows), our order is the paper's.\n" in both
    one = rendered(compare(study, "laptop", [0], Results([tmp_path])), "text")
    assert "(1 pair of rows), our order is the paper's. One seed, which can't tell." in one


def test_without_results_nothing_is_said_of_the_order(tmp_path: Path) -> None:
    study = open_study("table10")
    assert "our order" not in rendered(compare(study, "laptop", (), Results([tmp_path])), "text")


def test_the_table_in_words(table10: tuple[Study, Path]) -> None:
    study, out = table10
    text = rendered(compare(study, "laptop", (), Results([out])), "text")
    assert "12.5 ± 3.5" in text
    assert "4.3 ± 0.09 [D18]" in text
    assert (
        "the paper has IPMix ahead of without patch by 1.4, we have it behind by 0.9 (more than the deviation)" in text
    )
    assert "Missing, 2 of 8 runs: without image (seed 0, 1)." in text
    assert "Ours less IPMix, seed by seed:" in text
    assert "CIFAR-100, WRN-40-4" in text
    assert "fast-cifar" in text


def test_a_wide_table_is_cut_between_measures(table10: tuple[Study, Path]) -> None:
    study, out = table10
    text = rendered(compare(study, "laptop", (), Results([out])), "text")
    grid = text.split("\n\n")[2:5]
    assert [block.splitlines()[0].split("  ")[-1] for block in grid] == ["ours"] * 3, "ours stand beside the paper's"
    assert all(block.splitlines()[1].startswith("IPMix ") for block in grid)
    assert max(len(line) for block in grid for line in block.splitlines()) <= COLUMNS
    assert sum(block.splitlines()[0].count("paper") for block in grid) == len(study.config.measures)
    unasked = rendered(compare(study, "laptop", (), Results([out / "none"]), ["without-patch"]), "text")
    assert "IPMix  " not in unasked, "the reference, which was not asked for, is left out"
    table = compare(study, "laptop", (), Results([out]), ["without-patch"])
    assert table.cells == ("without-patch",)
    assert "Ours less IPMix, seed by seed" in rendered(table, "text"), "what it is compared with is there all the same"
    narrow = _grid([["", "a"], ["name", "x" * 100]], markdown=False)
    assert narrow.splitlines()[1] == "name  " + "x" * 100, "a column that is wider itself stays whole"


def test_the_table_without_the_paper(table10: tuple[Study, Path]) -> None:
    study, out = table10
    text = rendered(compare(study, "laptop", (), Results([out])), "text", paper=False)
    assert "12.5 ± 3.5" in text
    assert not {"paper", "D18", "4.3"} & set(text.replace(":", " ").split())
    assert "Missing, 2 of 8 runs" in text


def test_the_table_in_other_forms(table10: tuple[Study, Path]) -> None:
    study, out = table10
    table = compare(study, "laptop", (), Results([out]))
    markdown = rendered(table, "markdown").splitlines()
    grid = [line for line in markdown if line.startswith("|")]
    assert len({line.count("|") for line in grid[:6]}) == 1
    assert set(grid[1]) <= set("|-: ")
    rows = [line.split(",") for line in rendered(table, "csv").splitlines()]
    assert {len(row) for row in rows} == {11}
    by_name = {(row[0], row[1]): row for row in rows}
    assert by_name["ipmix", "attack_error"][2:5] == ["89.4", "0.18", "D18"]
    assert float(by_name["ipmix", "clean_error"][5]) == pytest.approx(12.5)
    data = json.loads(rendered(table, "json"))
    assert data["rows"]["ipmix"]["clean_error"]["by_seed"] == {"0": pytest.approx(10.0), "1": pytest.approx(15.0)}
    assert len(data["missing"]) == 2
    assert len(data["disagreements"]) == len(disagreements(table))


def test_where_images_lie(tmp_path: Path) -> None:
    for name, classes in (("cifar10", 10), ("cifar100", 100)):
        for split in ("train", "test"):
            for i in range(classes):
                (tmp_path / name / split / str(i)).mkdir(parents=True)
    with pytest.raises(InputError, match="cifar100 has 100 classes, and cifar10, which the study is of, has 10"):
        Places(tmp_path / "cifar100").source("cifar10", ["cifar10"])
    both = ("cifar10", "cifar100")
    assert Places(tmp_path).source("cifar100", both) == str(tmp_path / "cifar100")
    assert Places(tmp_path / "cifar10").source("cifar10", ["cifar10"]) == str(tmp_path / "cifar10")
    with pytest.raises(InputError, match="is one set of images, and the cells need cifar10, cifar100"):
        Places(tmp_path / "cifar10").source("cifar10", both)
    with pytest.raises(InputError, match="holds no folder imagenet"):
        Places(tmp_path).source("imagenet", ["imagenet"])
    with pytest.raises(InputError, match="this needs imagenet: pass --data"):
        Places().source("imagenet", ["imagenet"])
    assert Places().source("cifar10", ["cifar10"]) == "cifar10"
    photos = open_study("mixing-sets").experiment("photos", "laptop", 0)
    found = Places(tmp_path / "cifar10", {"photos": tmp_path}).experiment(photos, ["cifar10"])
    assert found.mixing.folder == str(tmp_path)
    with pytest.raises(InputError, match="pass --folder photos=DIR"):
        Places(tmp_path / "cifar10").experiment(photos, ["cifar10"])


def test_cifar_that_is_not_there_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    here = open_study("table10").experiment("ipmix", "laptop", 0)
    with pytest.raises(InputError, match=r"cifar10 is not here: pass --data DIR .*, or --download"):
        Places(tmp_path).check_there(here)
    Places(tmp_path, download=True).check_there(here)
    (tmp_path / "cifar-10-batches-py").mkdir()
    Places(tmp_path).check_there(here)


def test_what_lies_in_a_folder_called_like_work_counts(tmp_path: Path) -> None:
    job = job_of("table10", "ipmix")
    write(job, tmp_path / "of.work", **dict.fromkeys(("clean_error",), 0.1))
    assert len(Results([tmp_path / "of.work"])) == 1
    (tmp_path / "of.work" / "table10").rename(tmp_path / "of.work" / "table10.work")
    assert len(Results([tmp_path / "of.work"])) == 0


def test_a_pipe_called_like_a_result_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "table10" / "laptop" / "ipmix-seed0.json"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(InputError, match="is no file, and is named like a result"):
        Results([tmp_path])
    path.unlink()
    path.write_text("{")
    with pytest.raises(InputError, match=r"is not readable JSON .*was it edited"):
        Results([tmp_path])


def test_a_table_says_where_its_machines_and_its_frost_differ(tmp_path: Path) -> None:
    """A row of another machine or another frost beside the others is no fair comparison, and can't be seen."""
    study, figures = open_study("table1"), {"clean_error": 0.1, "mean_corruption_error": 0.2}
    for cell, machine, frost in (
        ("k3-t3", {"accelerator": "NVIDIA H200", "processor": "Xeon"}, "published"),
        ("k3-t2", {"accelerator": None, "processor": "AMD EPYC"}, "published"),
        ("k4-t2", {"accelerator": None, "processor": "AMD EPYC"}, None),
    ):
        path = write(job_of("table1", cell), tmp_path, **figures)
        content = json.loads(path.read_text())
        content["hardware"] = machine
        if frost:
            content["passes"]["corruptions"]["frost"] = frost
        path.write_text(json.dumps(content))
    text = rendered(compare(study, "laptop", [0], Results([tmp_path])), "text")
    assert "Made on AMD EPYC (2 runs), NVIDIA H200 (1 run).\n" in text
    assert "\n\n\n" not in text
    assert "Frost" not in text, "one kind, and one that isn't said"
    content["passes"]["corruptions"]["frost"] = "procedural"
    path.write_text(json.dumps(content))
    table = compare(study, "laptop", [0], Results([tmp_path]))
    text = rendered(table, "markdown")
    assert "Frost is of two kinds" in text
    assert "- grown by a procedure: k = 4, t = 2 (seed 0)\n" in text
    assert "- made of the published photographs: k = 3, t = 2 (seed 0); k = 3, t = 3 (seed 0)\n" in text
    assert {one["frost"] for one in json.loads(rendered(table, "json"))["results"]} == {"published", "procedural"}
    content["passes"]["corruptions"].pop("frost")
    content["passes"]["elsewhere"] = {"settings": {}, "measures": {}, "frost": "procedural"}
    path.write_text(json.dumps(content))
    text = rendered(compare(study, "laptop", [0], Results([tmp_path])), "text")
    assert "Frost" not in text, "in images that this table is not of"
    alone = rendered(compare(study, "laptop", [0], Results([tmp_path]), ["k4-t2"]), "text")
    assert "Made on" not in alone
    assert "Frost" not in alone


def test_a_results_frost_is_a_text(tmp_path: Path) -> None:
    path = write(job_of("table1", "k3-t3"), tmp_path, mean_corruption_error=0.2)
    content = json.loads(path.read_text())
    content["passes"]["corruptions"]["frost"] = ["published"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"passes\.corruptions\.frost must be a text"):
        Results([tmp_path])


def test_left_out_seeds_are_those_of_the_rows_that_are_compared(tmp_path: Path) -> None:
    """IPMix's row counts for five tables: its further seeds make no other row incomplete."""
    study, figures = open_study("table1"), {"clean_error": 0.1, "mean_corruption_error": 0.2}
    for cell, seed in (("k3-t3", 0), ("k3-t3", 1), ("k3-t3", 2), ("k4-t2", 0), ("k2-t2", 1)):
        write(job_of("table1", cell, seed), tmp_path, **figures)
    results = Results([tmp_path])
    assert compare(study, "laptop", [], results).seeds == (0, 1)
    assert compare(study, "laptop", [], results, ["k3-t3", "k4-t2"]).seeds == (0,)
    assert compare(study, "laptop", [], results, ["k3-t3"]).seeds == (0, 1, 2)
    assert compare(study, "laptop", [], results, ["k3-t3", "k4-t3"]).seeds == (0, 1, 2), "nothing to compare with yet"
    assert compare(study, "laptop", [2], results).seeds == (2,)
