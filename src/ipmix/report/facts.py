"""What a run did, as pairs of name and value for the page's last section."""

from collections.abc import Mapping, Sequence
from typing import Any

from ipmix.core.errors import plain_lines
from ipmix.core.versions import versions
from ipmix.report.numbers import among, plainly, run_names, unfinished

FROST = {
    "published": "the published photographs",
    "procedural": "grown by a procedure: figures with it don't compare with published ones",
    "not known": "of which kind is not known",
}

MAKING = ("device", "precision", "command")
"""Of how predictions were made, what stands in a line of its own."""


def facts_of(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Model, data, plan, seeds and versions of one scorecard; what isn't known is left out."""
    run = card["run"]
    facts: list[tuple[str, str]] = []
    if model := run.get("model"):
        counted = f", {model['parameters']:,} parameters" if model["parameters"] else ""
        facts.append(("model", f"{model['name']}{counted}"))
        facts.append(("weights", f"sha256 {model['sha256'][:16]}…"))
    if data := run.get("data"):
        part = f" ({card['partial']['images']} of them scored: not finished)" if unfinished(card) else ""
        counted = f"{data['pictures']} images{part}, {len(data['classes'])} classes"
        facts.append(("data", f"{data['name']}, {counted}"))
        if digest := data.get("sha256"):
            facts.append(("data's hash", f"sha256 {digest[:16]}…{digest[64:]}"))
    competing = card.get("among", {}).get("outputs")
    if answers := among(card) or (f"all {competing:,} outputs of the model compete" if competing else ""):
        facts.append(("classes", answers))
    if form := run.get("form"):
        facts.append(("form of the images", ", ".join(f"{key} {plainly(value)}" for key, value in form.items())))
    made = card.get("made") or {}
    if side := made.get("side") if not form else None:
        facts.append(("size", f"{side} pixels"))
    if made and not (form or {}).get("mean"):
        known = made.get("normalisation")
        told = ", ".join(f"{key} {plainly(value)}" for key, value in known.items()) if known else ""
        facts.append(("normalisation", told or "none known: pixels in [0, 1] went to the model as they are"))
    if card.get("scores", "logits") != "logits":
        facts.append(("predictions", f"taken as {card['scores']}"))
    if plan := run.get("plan"):
        facts += _plan_facts(plan)
    if card.get("frost"):
        facts.append(("frost", FROST.get(card["frost"], card["frost"])))
    if baseline := run.get("baseline"):
        facts.append(("baseline", str(baseline)))
    level, samples = card["bootstrap"]["level"], card["bootstrap"]["samples"]
    facts.append(
        (
            "intervals",
            f"{100 * level:.0f}%, exact (Clopper-Pearson) for single errors, else bootstrap, {samples} resamples of "
            "the images",
        )
    )
    facts += [(key, made[key]) for key in MAKING if made.get(key)]
    if made.get("then"):
        facts.append(("gone on with", "; ".join(f"{one['device']}, {one['precision']}" for one in made["then"])))
    facts += (made.get("versions") or versions()).items()
    return [(plain_lines(key), plain_lines(value)) for key, value in facts]


def facts_of_runs(cards: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The facts of several runs: what they share once, and where they differ, a line for each run in one value."""
    names, each = run_names(cards), [dict(facts_of(card)) for card in cards]
    found = []
    for key in dict.fromkeys(key for facts in each for key in facts):
        values = [facts.get(key, "–") for facts in each]
        same = len(set(values)) == 1
        found.append((key, values[0] if same else "\n".join(f"{n}: {v}" for n, v in zip(names, values))))
    return found


def facts_of_making(cards: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """By which command several runs were measured, on which device, at which precision; what isn't known is left out.

    No date is among them: scorecards hold none.
    """
    return [(key, value) for key, value in facts_of_runs(cards) if key in MAKING]


def _plan_facts(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if plan["corruptions"]:
        levels = ", ".join(map(str, plan["severities"]))
        facts.append(("corruptions", f"{len(plan['corruptions'])}, severities {levels}, {plan['form']} form"))
    if plan["perturbations"]:
        facts.append(("perturbations", f"{len(plan['perturbations'])}, difficulty {plan['difficulty']}"))
    if attack := plan["attack"]:
        first = "" if _images_of(attack) is None else f", {_images_of(attack)} of the images"
        facts.append(
            (
                "attack",
                f"PGD, {attack['norm']}, epsilon {_in_255(attack['epsilon'])}, {attack['steps']} steps of "
                f"{_in_255(attack['step_size'])}, {attack['restarts']} start, {attack['centre']} centre{first}",
            )
        )
    if ensemble := plan.get("auto_attack"):
        first = "" if _images_of(ensemble) is None else f", {_images_of(ensemble)} of the images"
        facts.append(("AutoAttack", f"standard, {ensemble['norm']}, epsilon {_in_255(ensemble['epsilon'])}{first}"))
    facts.append(("seed", str(plan["seed"])))
    return facts


def _images_of(attack: Mapping[str, Any]) -> int | None:
    """How many images an attack was limited to; earlier scorecards call them pictures."""
    limit: int | None = attack["images"] if "images" in attack else attack["pictures"]
    return limit


def _in_255(value: float) -> str:
    steps = 255.0 * value
    return f"{steps:.3g}/255" if abs(steps - round(steps, 2)) < 1e-6 else f"{value:.4g}"
