"""The studies: the paper's figures as data, cells and scales put together, and what their files refuse."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.experiment.run import check
from ipmix.experiment.studies.results import jobs
from ipmix.experiment.studies.study import merged, open_study, study_names
from ipmix.methods import combined
from ipmix.methods.choosing import chosen_method
from ipmix.methods.ipmix import VARIANTS
from ipmix.models.dual_norm import has_dual_norms
from ipmix.training.objective import views_of

FIVE = ("clean_error", "mean_corruption_error", "mean_flip_probability", "attack_error", "rms_calibration_error")
STUDIES = study_names()
EVERY = [(name, scale) for name in STUDIES for scale in open_study(name).scales]


def test_there_is_a_study_for_every_table() -> None:
    assert {f"table{number}" for number in range(1, 13)} <= set(STUDIES)
    assert {"figure1", "figure4", "headline", "mixing-sets"} <= set(STUDIES)
    assert STUDIES.index("table2") < STUDIES.index("table10")
    for name in STUDIES:
        assert "paper" in open_study(name).scales


@pytest.mark.parametrize(("name", "scale"), EVERY, ids=lambda value: value)
def test_the_parts_of_every_cell_fit_each_other(name: str, scale: str, tmp_path: Path) -> None:
    study = open_study(name)
    todo = jobs(study, scale, [3])
    assert len({job.key for job in todo}) == len(todo), "two cells are the same run"
    for job in todo:
        experiment = job.experiment
        if experiment.data.source == "imagenet":  # what --data puts in its place
            experiment = replace(experiment, data=replace(experiment.data, source=str(tmp_path)))
        check(experiment)
        assert experiment.training.seed == 3
        about = experiment.method
        method = chosen_method(about.name, about.preset, about.options)
        views_of(experiment.training, method)
        with torch.device("meta"):
            network = models.build(experiment.training.model, 10)
        assert has_dual_norms(network) == (about.name == "augmax")
    for measure in study.config.measures:
        assert study.passes(scale)
        assert any(measure in row for row in study.paper.values()) or name in (
            *("headline", "headline-cifar100", "imagenet", "mixing-sets", "figure1", "table8"),
        )


def test_the_paper_scale_is_the_papers() -> None:
    """Appendix A.1 and A.2."""
    for name, cell, epochs in (("table10", "ipmix", 100), ("table3", "scar", 200), ("headline", "pixmix", 100)):
        training = open_study(name).experiment(cell, "paper", 0).training
        assert (training.epochs, training.batch_size, training.weight_decay, training.lr) == (epochs, 128, 1e-4, 0.1)
    imagenet = open_study("imagenet").experiment("augmax", "paper", 0)
    assert (imagenet.training.epochs, imagenet.training.batch_size, imagenet.training.lr) == (180, 256, 0.01)
    assert (imagenet.training.model, imagenet.training.pretrained) == ("torchvision:resnet50-dubin", True)
    assert open_study("table10").experiment("ipmix", "paper", 0).mixing.count == 13_000


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_every_scale_says_what_it_is(name: str, scale: str) -> None:
    assert len(open_study(name).scale(scale).text) > 20


@pytest.mark.parametrize("name", ["figure1", "table4"])
def test_networks_of_the_headline_are_not_trained_anew(name: str) -> None:
    there = {job.key for job in jobs(open_study("headline"), "laptop", [0])}
    shared = [job.key in there for job in jobs(open_study(name), "laptop", [0])]
    assert len(shared) >= 5
    assert all(shared)
    assert jobs(open_study(name), "laptop", [1])[0].key not in there


def test_the_laptop_scale_trains_the_fast_network_on_cifar10() -> None:
    for name in ("headline", "table1", "table2", "table3", "table6", "table10", "figure4"):
        study = open_study(name)
        for job in jobs(study, "laptop", [0]):
            assert (job.experiment.data.source, job.experiment.training.model) == ("cifar10", "fast-cifar")
            assert job.experiment.training.epochs == 10
            limits = {name: one.limit for name, one in job.passes.items()}
            assert limits.pop("clean", None) is None
            assert limits.pop("sequences", 500) == 500
            assert set(limits.values()) <= {2000}
    switched = open_study("table6").experiment("by-epoch", "laptop", 0).method
    assert switched.preset == "augmix-by-epoch"
    assert switched.options == {"switch": 5}


def test_every_method_and_variant_of_the_paper_is_in_a_study() -> None:
    used, presets = set(), set()
    for name in STUDIES:
        for job in jobs(open_study(name), "paper", [0]):
            used.add((job.experiment.data.source, job.experiment.method.name))
            presets.add(job.experiment.method.preset)
    for method in ("none", "mixup", "cutout", "cutmix", "augmix", "augmax", "pixmix", "ipmix"):
        for data in ("cifar10", "cifar100", "imagenet"):
            assert (data, method) in used
    assert presets >= set(combined.PRESETS), "Tables 6 and 7"
    assert presets >= set(VARIANTS), "Tables 1, 2, 3, 10 and Figure 4"


# --- the paper's figures ----------------------------------------------------------------------------------


def values(name: str, cell: str) -> dict[str, float | None]:
    return {measure: value.value for measure, value in open_study(name).paper[cell].items()}


def test_table_9_has_the_papers_figures() -> None:
    """In the order error, mCE, flip probability, PGD, RMS."""
    expected = {
        "wrn-40-4-cifar10": (4, 8.6, 1.3, 74.4, 2.3),
        "wrn-28-10-cifar10": (3.3, 7.5, 1.1, 76.4, 1.9),
        "resnext-29-cifar10": (3.8, 8.6, 1.4, 93.2, 2),
        "resnet-18-cifar-cifar10": (4.2, 8.4, 1.7, 80, 2.4),
        "wrn-40-4-cifar100": (19.4, 28.6, 4.3, 89.4, 2.8),
        "wrn-28-10-cifar100": (17.4, 26.6, 4.2, 91.3, 6.4),
        "resnext-29-cifar100": (18.3, 28.1, 5, 96.9, 3.8),
        "resnet-18-cifar-cifar100": (21.6, 29.9, 5.4, 95.6, 6.3),
    }
    for cell, figures in expected.items():
        assert values("table9", cell) == dict(zip(FIVE, figures, strict=True))
    means = [4.0, 3.3, 3.8, 4.2]  # the paper's mean is 3.8
    assert round(sum(means) / 4, 1) == 3.8
    rms = [value for cell in expected if "cifar100" in cell if (value := values("table9", cell)[FIVE[4]]) is not None]
    assert round(sum(rms) / 4, 3) == 4.825, "D22: printed as 4.9"


def test_table_10s_swapped_columns_are_put_right() -> None:
    expected = {
        "ipmix": (19.4, 28.6, 4.3, 89.4, 2.8),
        "without-patch": (19.7, 30, 4.7, 91.7, 4.6),
        "without-pixel": (19.6, 33, 5.2, 92.6, 8.2),
        "without-image": (20.1, 34, 5.5, 87.8, 8.6),
    }
    study = open_study("table10")
    for cell, figures in expected.items():
        assert values("table10", cell) == dict(zip(FIVE, figures, strict=True))
        for measure in ("mean_flip_probability", "attack_error"):
            assert study.paper[cell][measure].mark == "D18"
    assert study.paper["ipmix"]["mean_flip_probability"].printed == "89.4"
    assert study.paper["ipmix"]["attack_error"].printed == "4.3"
    assert study.paper["without-image"]["mean_corruption_error"].deviation == 0.65
    assert values("table10", "ipmix") == values("table9", "wrn-40-4-cifar100"), "the same network in both tables"


@pytest.mark.parametrize("name", ["table11", "table12"])
def test_the_transformers_columns_are_put_right(name: str) -> None:
    study = open_study(name)
    assert list(study.paper) == ["plain", "mixup", "cutmix", "pixmix", "augmix", "ipmix"]
    for row in study.paper.values():
        flips, attacked = row["mean_flip_probability"], row["attack_error"]
        assert flips.value is not None
        assert attacked.value is not None
        assert flips.value < 20 < attacked.value
        assert (flips.printed, attacked.printed) == (f"{attacked.value:g}", f"{flips.value:g}")
    assert min(study.paper, key=lambda cell: values(name, cell)["rms_calibration_error"] or 0) == "pixmix"


def test_misprints_are_no_figures() -> None:
    lost = open_study("table11").paper["mixup"]["clean_error"]
    assert (lost.value, lost.printed, lost.mark) == (None, "1", "D19")
    row = open_study("table5").paper["cutout"]
    assert (row["imagenet-e/accuracy"].value, row["imagenet-e/accuracy"].printed) == (None, "24.1")
    assert (row["sketch/accuracy"].value, row["sketch/accuracy"].printed) == (24.1, "58.4")
    assert values("table4", "cutout-imagenet") == {"c_bar_error": 58.4}
    assert open_study("table4").paper["ipmix-imagenet"]["c_bar_error"].mark == "D23"
    assert open_study("table8").paper["ipmix"]["epoch_seconds"].mark == "D24"


def test_the_other_tables_have_the_papers_figures() -> None:
    assert values("table1", "k2-t3") == {"clean_error": 19.7, "mean_corruption_error": 28.5}
    assert values("table2", "arithmetic") == {
        "clean_error": 19.2,
        "mean_corruption_error": 31.0,
        "rms_calibration_error": 4.1,
    }
    assert values("table3", "scar") == {
        "clean_error": 18.6,
        "mean_corruption_error": 28.0,
        "rms_calibration_error": 4.1,
    }
    assert values("table6", "by-epoch") == {
        "clean_error": 21.1,
        "mean_corruption_error": 37.6,
        "rms_calibration_error": 7.2,
    }
    assert values("table7", "mixup-0.5-cutmix-0.2-k5") == {
        "clean_error": 25.0,
        "mean_corruption_error": 49.1,
        "rms_calibration_error": 24.8,
    }
    assert values("main-figure1", "trivialaugment") == {"clean_error": 17.9, "mean_corruption_error": 35.5}
    methods = ("plain", "mixup", "cutout", "cutmix", "augmix", "pixmix", "ipmix")
    for data, figures in {
        "cifar10": (26.4, 22.4, 24.2, 25.1, 19.3, 13.6, 13.0),
        "cifar100": (52, 50, 50.1, 49.9, 41, 36.7, 36),
        "imagenet": (60.2, 54.1, 58.4, 57.8, 54.3, 47.1, 47.9),
    }.items():
        assert [values("table4", f"{method}-{data}")["c_bar_error"] for method in methods] == list(figures)
    seconds = [value["epoch_seconds"].value for value in open_study("table8").paper.values()]
    assert seconds == [3764, 3913, 3870, 4139, 4762, 4310, 7564, 4380]


# --- files ------------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "title": "mine",
    "measures": ["clean_error"],
    "base": {"data": {"source": "digits"}},
    "cells": {"plain": {"method": {"name": "none"}}, "ipmix": None},
    "scales": {"small": {"passes": {"clean": {"limit": 5}}}},
}


def written(tmp_path: Path, **changes: Any) -> str:
    import yaml

    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**OWN, **changes}, sort_keys=False), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("title", ["!!bool maybe", "!!map hello", "!!int x"])
def test_a_tag_that_does_not_fit_its_value_is_told(title: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: {title}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.yaml"):
        open_study(str(path))


def test_a_study_of_ones_own(tmp_path: Path) -> None:
    study = open_study(written(tmp_path))
    assert (study.name, study.reference, study.cells("small")) == ("mine", "plain", ("plain", "ipmix"))
    assert study.passes("small")["clean"].limit == 5
    assert study.experiment("ipmix", "small", 2).training.seed == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel'; did you mean 'title'"),
        ({"measures": ["clean_eror"]}, "no measure 'clean_eror' for a study; did you mean clean_error"),
        ({"cells": {}}, "needs cells and scales"),
        ({"scales": {"small": {}}}, r"scales\.small has no pass 'clean', which clean_error is measured in: add it"),
        (
            {"scales": {"small": {"like": "laptop"}}},
            r"base\.data\.source is 'digits', and scales\.small \(like: laptop\) has 'cifar10' in its place: say which",
        ),
        ({"scales": {"small": {"like": "lap-top"}}}, "no scale 'lap-top' in scales.yaml; did you mean laptop"),
        ({"scales": {"small": {"only": ["plian"]}}}, "scales.small: there is no cell 'plian'; did you mean plain"),
        ({"cells": {"plain": 5}}, r"cells\.plain: expected what differs, such as .*, got 5"),
        (
            {
                "cells": {"plain": {"method": {"options": {"severity": 9.0}}}},
                "scales": {"small": {"changes": {"method": {"name": "ipmix"}}, "passes": {"clean": {}}}},
            },
            r"cells\.plain\.method says options and no name, and scales\.small names 'ipmix', which replaces it whole",
        ),
        ({"cells": {1: None, "1": None}}, r"the key 'cells\.1' is there twice, once as a number"),
        ({"cells": {"a,b": None}}, "'a,b' is no name: .* without slashes and commas"),
        ({"cells": {"plain ": None}}, "'plain ' is no name"),
        (
            {"scales": {"small": {"changes": {"training": {"seed": 3}}, "passes": {"clean": {}}}}},
            r"scales\.small\.changes\.training\.seed: seeds come from --seeds",
        ),
        (
            {"scales": {"small": {"cells": {"plain": {"training": {"seed": 3}}}, "passes": {"clean": {}}}}},
            r"scales\.small\.cells\.plain\.training\.seed: seeds come from --seeds",
        ),
        (
            {"kind": "attention", "measures": [], "paper": {"where": "T", "measured_on": "C", "rows": {"plain": 5}}},
            r"paper\.rows\.plain: expected figures by measure",
        ),
        (
            {"scales": {"small": {"passes": {"clean": {}}, "cells": {"plain": [1]}}}},
            r"scales\.small\.cells\.plain: expected what differs",
        ),
        (
            {"paper": {"where": "T", "measured_on": "C", "rows": {"plain": 5}}},
            r"paper\.rows\.plain: expected figures by measure, such as {clean_error: 4\.0}, got 5",
        ),
        (
            {"base": {}, "cells": {"long": {"training": {"epochs": 50}}}, "scales": {"small": {"like": "laptop"}}},
            r"cells\.long\.training\.epochs is 50, and scales\.small \(like: laptop\) has 10 in its place: say which "
            r"under scales\.small\.cells\.long\.training\.epochs",
        ),
        (
            {"scales": {"small": {"passes": {"clean": {}}, "changes": {"method": {"name": "augmix"}}}}},
            r"cells\.plain\.method\.name is 'none', and scales\.small has 'augmix' in its place",
        ),
        (
            {"cells": {"plain": {"training": {"seed": 3}}}},
            r"cells\.plain\.training\.seed: seeds come from --seeds; leave it out",
        ),
        ({"cells": {"plain.work": None}}, r"cells: 'plain\.work' ends in \.work"),
        # Another layer would be laid over it without a word, and the base's settings were gone.
        (
            {"scales": {"small": {"passes": {"clean": {}}, "changes": {"training": 5}}}},
            r"scales\.small\.changes\.training should hold settings \(key: value\), got 5",
        ),
        (
            {"scales": {"small": {"passes": {"clean": {}}, "cells": {"plain": {"training": "hi"}}}}},
            r"scales\.small\.cells\.plain\.training should hold settings .*, got 'hi'",
        ),
        ({"base": {"data": 3}}, r"base\.data should hold settings .*, got 3"),
        ({"cells": {"plain": {"method": "none"}}}, r"cells\.plain\.method should hold settings .*, got 'none'"),
        (
            {"cells": {"plain": {"method": {"name": "ipmix", "options": 5}}}},
            r"cells\.plain\.method\.options should hold settings .*, got 5",
        ),
        ({"cells": {"plain": {"title": ["a"]}}}, r"cells\.plain\.title is text, got \['a'\]"),
        ({"cells": {"plain": {"title": " "}}}, r"cells\.plain\.title is text, got ' '"),
        ({"measures": []}, r"measures is empty; expected what the table shows, such as \[clean_error\]"),
        ({"measures": ["clean_error", "clean_error"]}, r"measures: 'clean_error' is there twice"),
        (
            {"scales": {"small": {"passes": {"clean": {}}, "only": ["plain", "plain"]}}},
            r"scales\.small\.only: 'plain' is there twice; leave one of them out",
        ),
        (
            {"scales": {"small": {"passes": {"clean": {}, "spare": {"limit": "many"}}}}},
            r"scales\.small\.passes\.spare\.limit",
        ),
        (
            {"paper": {"where": "T", "measured_on": "C", "rows": {"plain": {"clean_error": 1.7e308}}}},
            r"rows\.plain\.clean_error: expected a figure as tables print them",
        ),
        (
            {
                "paper": {
                    "where": "T",
                    "measured_on": "C",
                    "rows": {"plain": {"clean_error": {"value": 3, "deviation": -4}}},
                }
            },
            r"rows\.plain\.clean_error: expected .* deviation of at least 0; got 3(\.0)? ± -4",
        ),
        ({"reference": "ipmx"}, "reference: there is no cell 'ipmx'; did you mean ipmix"),
        (
            {"paper": {"where": "T", "measured_on": "C", "rows": {"plan": {}}}},
            "paper.rows: there is no cell 'plan'; did you mean plain",
        ),
        (
            {"paper": {"where": "T", "measured_on": "C", "rows": {"plain": {"clean": 3}}}},
            "paper.rows.plain: 'clean' is no measure of the study; did you mean clean_error",
        ),
        (
            {"paper": {"where": "T", "measured_on": "C", "rows": {"plain": {"clean_error": {"valeu": 3}}}}},
            "unknown key 'paper.rows.plain.clean_error.valeu'; did you mean 'value'",
        ),
    ],
)
def test_what_a_study_file_may_not_hold(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_study(written(tmp_path, **changes))


def test_a_file_that_is_no_text_or_has_no_name(tmp_path: Path) -> None:
    path = Path(written(tmp_path))
    path.write_bytes(path.read_bytes().replace(b"mine", b"m\xefne"))
    with pytest.raises(InputError, match=r"mine\.yaml is not text in UTF-8: byte \d+ is 0xef"):
        open_study(str(path))
    path.rename(tmp_path / "...yaml")
    with pytest.raises(InputError, match="the file's name, which results are kept under"):
        open_study(str(tmp_path / "...yaml"))


def test_what_a_scale_lays_over_a_cell_is_said_there(tmp_path: Path) -> None:
    cells = {"long": {"training": {"epochs": 50}}}
    scale = {"like": "laptop", "cells": copy.deepcopy(cells)}  # YAML would write the same one as an alias
    study = open_study(written(tmp_path, base={}, cells=cells, scales={"small": scale}))
    assert study.experiment("long", "small", 0).training.epochs == 50


def test_settings_of_a_cell_are_checked_with_its_name(tmp_path: Path) -> None:
    study = open_study(written(tmp_path, cells={"plain": {"training": {"epoch": 3}}}))
    with pytest.raises(
        InputError, match=r"cell plain, scale small: unknown key 'training.epoch'; did you mean 'epochs'"
    ):
        study.experiment("plain", "small", 0)


def test_names_that_are_none() -> None:
    with pytest.raises(InputError, match="no study 'tabel10'; did you mean table10"):
        open_study("tabel10")
    with pytest.raises(InputError, match=r"there is no file nowhere\.yaml"):
        open_study("nowhere.yaml")
    with pytest.raises(
        InputError, match="table10 has no cell 'without-patsch' at scale laptop; did you mean without-patch"
    ):
        open_study("table10").cells("laptop", ["without-patsch"])
    with pytest.raises(InputError, match="table5 has no scale 'laptop'; there is paper"):
        open_study("table5").scale("laptop")


def test_changes_are_laid_over_settings_key_by_key() -> None:
    base = {
        "method": {"name": "ipmix", "preset": "paper-cifar", "options": {"k": 2}},
        "training": {"lr": 1, "jsd": True},
    }
    assert merged(base, {"method": {"options": {"t": 1}}, "training": {"lr": 2}}) == {
        "method": {"name": "ipmix", "preset": "paper-cifar", "options": {"k": 2, "t": 1}},
        "training": {"lr": 2, "jsd": True},
    }
    assert merged(base, {"method": {"name": "none"}})["method"] == {"name": "none"}, "options of another method"
    assert base["training"] == {"lr": 1, "jsd": True}


def test_what_comes_last_of_a_shared_scale(tmp_path: Path) -> None:
    """A scale's own changes say what is meant, and then the shared scale's sentence says nothing of it any more."""
    changes = {"data": {"source": "digits"}, "training": {"model": "wrn-10-1"}}
    study = open_study(written(tmp_path, scales={"small": {"like": "laptop", "changes": changes}}))
    made = study.experiment("plain", "small", 0)
    assert (made.data.source, made.training.model, made.training.epochs) == ("digits", "wrn-10-1", 10)
    assert study.scale("small").text == ""
    same = open_study(written(tmp_path, base={}, scales={"small": {"like": "laptop"}}))
    assert same.experiment("plain", "small", 0).data.source == "cifar10"
    assert same.scale("small").text.startswith("fast-cifar on all 50,000 images")
