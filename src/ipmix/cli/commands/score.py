"""``ipmix score``: the scorecard from saved predictions, without the model."""

from pathlib import Path


def score(
    predictions: Path,
    /,
    *,
    out: Path | None = None,
    anomalies: Path | None = None,
    baseline: Path | None = None,
    name: str | None = None,
    seed: int = 0,
    samples: int = 1000,
    force: bool = False,
) -> None:
    """Score predictions that are already there: somebody else's .npz, or a folder of ipmix evaluate.

    An .npz holds logits (float [images, classes]) and labels (int [images]). More arrays are scored where they
    are there: corruption/NAME/SEVERITY, attack and auto_attack (logits), frames/NAME (each frame's predicted class).

    Args:
        predictions: The .npz, or the folder.
        out: Write scorecard.json, report.html and scorecard.csv to this folder; only print the table if left out.
        anomalies: Predictions of the same model on images of nothing it knows.
        baseline: Another run (its folder, scorecard.json or predictions) to divide by: mCE and mFR against it.
        name: What the run is called; the file's name if left out.
        seed: Of the bootstrap intervals.
        samples: Resamples for an interval; 0 for no intervals.
        force: Replace what is in --out.
    """
    import json

    from ipmix.core.files import refuse_existing, write_text
    from ipmix.evaluation import scorecard
    from ipmix.evaluation.predictions import open_predictions
    from ipmix.evaluation.results import read_baseline
    from ipmix.report import print_comparison, write_page
    from ipmix.report.facts import facts_of
    from ipmix.report.tables import to_csv

    if out is not None:
        for file in ("scorecard.json", "report.html", "scorecard.csv"):
            refuse_existing(out / file, force=force)
    unknown = None if anomalies is None else open_predictions(anomalies)
    card = scorecard.score(
        open_predictions(predictions), anomalies=unknown, seed=seed, samples=samples,
        baseline=None if baseline is None else read_baseline(baseline),
    )  # fmt: skip
    if name is not None:
        card["run"]["name"] = name
    print_comparison([card])
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "scorecard.json", json.dumps(card, indent=1, allow_nan=False) + "\n")
    write_text(out / "scorecard.csv", to_csv([card]))
    write_page(
        out / "report.html", [card], title=f"How safe is {card['run']['name']}?", facts=facts_of(card),
        lead=f"Scored from {predictions.name}: {card['pictures']} images.",
    )  # fmt: skip
