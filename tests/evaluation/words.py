"""Commands that the tests of evaluation share, and what of their results they look at."""

import json

import numpy as np

from ipmix.evaluation import class_maps
from ipmix.evaluation.request import EvaluationRequest

QUICK = ["--corruptions", "brightness,contrast", "--severities", "1,5", "--steps", "2", "--device", "cpu", "--quiet"]


BRIEF = ["--corruptions", "brightness", "--severities", "1", "--no-attack", "--device", "cpu", "--quiet"]


def words(*more):
    return ["evaluate", *map(str, more)]


def measures(out):
    return json.loads((out / "scorecard.json").read_text())["measures"]


def source_of(names, per_class=1):
    from ipmix.data.datasets import ArrayDataset
    from ipmix.data.sources import InMemory

    labels = np.repeat(np.arange(len(names)), per_class)
    return InMemory(ArrayDataset(np.zeros((len(labels), 4, 4, 3), np.uint8), labels, tuple(names), "sample"))


def matched(source, total, names=None, data="d", **options):
    request = EvaluationRequest(model="m", data=data, out=None, **options)
    return class_maps.match_classes(source, request, names, total)
