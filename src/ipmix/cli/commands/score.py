"""``ipmix score``: the scorecard from saved predictions, without the model."""

from pathlib import Path
from typing import Literal

from ipmix.core.terminal import say


def score(
    predictions: Path,
    /,
    *,
    out: Path | None = None,
    anomalies: Path | None = None,
    baseline: Path | None = None,
    own_measures: tuple[str, ...] = (),
    name: str | None = None,
    seed: int = 0,
    samples: int = 1000,
    scores: Literal["auto", "logits", "probabilities"] = "auto",
    partial: bool = False,
    force: bool = False,
) -> None:
    """Score predictions that are already there: somebody else's .npz, or a folder of ipmix evaluate.

    An .npz holds logits (float [images, classes]) and labels (int [images]). More arrays are scored where they
    are there: corruption/NAME/SEVERITY, attack and auto_attack (logits), frames/NAME (each frame's predicted class).

    Args:
        predictions: The .npz, or the folder.
        out: Write scorecard.json, outcomes.npz, report.html and scorecard.csv to this folder; only print the table if
            left out.
        anomalies: Predictions of the same model on images of nothing it knows.
        baseline: Another run (its folder, scorecard.json or predictions) to divide by: mCE and mFR against it.
        own_measures: Measures of one's own, module:Name (docs/extending.md).
        name: What the run is called; the file's name if left out.
        seed: Of the bootstrap intervals.
        samples: Resamples for an interval; 0 for no intervals.
        scores: What the .npz holds: logits or probabilities (also in percent); auto tells from all rows, or asks.
        partial: Score the predictions of an evaluation that was interrupted; the results say so.
        force: Replace what is in --out.
    """

    from ipmix.core.checking import check_run_name
    from ipmix.core.errors import InputError, refuse_idle
    from ipmix.core.files import refuse_existing, write_text
    from ipmix.core.json_text import json_text
    from ipmix.evaluation import scorecard
    from ipmix.evaluation.per_image import FILE, write_per_image
    from ipmix.evaluation.predictions import PredictionFolder, open_predictions
    from ipmix.evaluation.results import read_baseline
    from ipmix.report import print_comparison, write_page
    from ipmix.report.facts import facts_of
    from ipmix.report.tables import to_csv

    if name is not None:
        check_run_name(name)
    if out is not None:
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file; expected a folder to write to")
        for file in ("scorecard.json", "report.html", "scorecard.csv", FILE):
            refuse_existing(out / file, force=force)
    unknown = None if anomalies is None else open_predictions(anomalies, partial=partial)
    kept = open_predictions(predictions, partial=partial)
    if not isinstance(kept, PredictionFolder):
        refuse_idle({"--partial": partial}, f"{predictions} is a file, which is whole")
    else:
        refuse_idle({"--scores": scores != "auto"}, f"{predictions} is of ipmix evaluate and holds logits")
    found = scorecard.scored(
        kept, anomalies=unknown, seed=seed, samples=samples,
        baseline=None if baseline is None else read_baseline(baseline), scores=scores, own=own_measures,
    )  # fmt: skip
    card = dict(found.card)
    if name is not None:
        card["run"]["name"] = name
    lead = f"Scored from {predictions.name}: {card['pictures']} images."
    if isinstance(kept, PredictionFolder):
        done, count = kept.progress()
        card["broken"] = max(0, done - card["pictures"]) if count else 0
        if done < count:
            card["partial"] = {"images": done, "of": count}
    print_comparison([card])
    if predictions.is_file():
        say(f"Taken as {card['scores']}{'' if scores != 'auto' else ', told from all rows'}.\n")
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    if found.per_image is not None:
        write_per_image(out / FILE, found.per_image)
    write_text(out / "scorecard.json", json_text(card, indent=1) + "\n")
    write_text(out / "scorecard.csv", to_csv([card]))
    write_page(
        out / "report.html", [card], title=f"How safe is {card['run']['name']}?", facts=facts_of(card),
        lead=lead,
    )  # fmt: skip
    say(f"All measures: {out / 'scorecard.json'}; open {out / 'report.html'}\n")
