"""Where networks look: Grad-CAM maps of the same images under every cell of a study, on one page (Figure 1)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ipmix.core.errors import InputError
from ipmix.core.json_text import read_json_object
from ipmix.data import datasets
from ipmix.data.built_in import BUILT_IN
from ipmix.data.datasets import ArrayDataset, FileDataset
from ipmix.data.folders import image_files
from ipmix.evaluation.cam import grad_cam, last_spatial_layer, overlay
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.studies.carrying_out import Manner
from ipmix.experiment.studies.results import Job, Results
from ipmix.experiment.studies.study import Study
from ipmix.models.loading import open_model
from ipmix.report import Figure, Panel, write_page

FOLDER = "images"
"""What --folder calls the folder of images to look at."""

SHOWN = 10


def write_attention(study: Study, jobs: Sequence[Job], out: Path, manner: Manner) -> Path:
    """Write the page of a study's trained cells beside their results.

    The images are those of the folder that --folder images=DIR gives (ImageNet-A, or photographs of one's own), at the
    networks' size; without it some of the test images.

    Args:
        study: the study.
        jobs: its cells, of one scale; those without a kept network are left out, and named on the page.
        out: the folder of results.
        manner: where the images lie.

    Raises:
        InputError: no network was kept, or the images can't be read.
    """
    results = Results([out])
    found = [(job, result) for job in jobs if (result := results.of(job, weights=True)) is not None]
    if not found:
        raise InputError(f"there is no trained network of {study.name} in {out}: run the study first")
    first = manner.places.experiment(found[0][0].experiment, manner.sources)
    images = shown_images(first, manner.places.folders.get(FOLDER), manner.places.root)
    pixels = torch.from_numpy(images.images).permute(0, 3, 1, 2).float() / 255.0
    columns, cards, layers = [], [], set()
    for job, result in found:
        model = open_model(str(_weights(result)), classes=1000).eval()
        classes: Sequence[str] = model.classes  # type: ignore[assignment]
        layer = last_spatial_layer(model, pixels)
        layers.add(layer)
        maps, answers = grad_cam(model, pixels, layer=layer)
        columns.append((study.called(job.cell), maps, [classes[answer] for answer in answers.tolist()]))
        cards.append(read_json_object(_weights(result).with_suffix(".scorecard.json")))
    rows = []
    for place, image in enumerate(images.images):
        figures = [Figure(image, "the image")]
        figures += [Figure(overlay(image, maps[place]), f"{name}: {said[place]}") for name, maps, said in columns]
        rows.append((images.classes[images.labels[place]], figures))
    missing = [study.called(job.cell) for job in jobs if all(job is not other for other, _ in found)]
    text = (
        f"Grad-CAM at {', '.join(sorted(layers))}, for the class that each network names; bright parts speak for it."
        + (f" Not yet trained: {', '.join(missing)}." if missing else "")
    )
    side = images.images.shape[1]
    panel = Panel("The same images under each method", text, rows, max(96, min(side, 160)))
    path = out / study.name / found[0][0].scale / f"{study.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)  # where all networks are another study's, nothing was put there yet
    write_page(path, cards, title=study.config.title, lead=study.config.text, panels=[panel], facts=_facts(found))
    return path


def shown_images(experiment: ExperimentConfig, folder: Path | None, root: Path | None) -> ArrayDataset:
    """The images to look at, evenly spread over the folder's files or over the test images."""
    side = experiment.training.crop_size if experiment.data.crop == "resized" else experiment.data.size or 32
    if folder is not None:
        paths = image_files(folder).paths
        if not paths:
            raise InputError(f"there are no images in {folder} (--folder {FOLDER})")
        chosen = tuple(paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, SHOWN).round().astype(int)))
        names = tuple(dict.fromkeys(path.parent.name for path in chosen))
        labels = np.array([names.index(path.parent.name) for path in chosen], np.int64)
        return FileDataset(chosen, labels, names, folder.name, root=folder).read(size=side, quiet=True)
    source = experiment.data.source
    split = experiment.data.test_split or next(name for name in ("test", "val") if name in datasets.splits(source))
    if source in BUILT_IN:
        whole = datasets.load(source, split, size=experiment.data.size, root=root, quiet=True)
        places = np.linspace(0, len(whole) - 1, SHOWN).round().astype(int)
        return replace(whole, images=whole.images[places], labels=whole.labels[places])
    files = datasets.scan(source, split)
    places = np.linspace(0, len(files) - 1, SHOWN).round().astype(int)
    return replace(files, paths=tuple(files.paths[i] for i in places), labels=files.labels[places]).read(
        size=side, quiet=True
    )


def _weights(result: dict[str, Any]) -> Path:
    return Path(result["path"]).with_suffix(".safetensors")


def _facts(found: Sequence[tuple[Job, dict[str, Any]]]) -> list[tuple[str, str]]:
    facts = [("network", found[0][0].experiment.training.model), ("scale", found[0][0].scale)]
    facts += [("seed", str(found[0][0].seed)), ("commit", str(found[0][1].get("commit")))]
    return facts
