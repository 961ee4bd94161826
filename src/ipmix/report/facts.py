"""What a run did, as pairs of name and value for the page's last section."""

from collections.abc import Mapping
from typing import Any

from ipmix.core.versions import versions
from ipmix.report.numbers import among


def facts_of(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Model, data, plan, seeds and versions of one scorecard; what isn't known is left out."""
    run = card["run"]
    facts: list[tuple[str, str]] = []
    if model := run.get("model"):
        counted = f", {model['parameters']:,} parameters" if model["parameters"] else ""
        facts.append(("model", f"{model['name']}{counted}"))
        facts.append(("weights", f"sha256 {model['sha256'][:16]}…"))
    if data := run.get("data"):
        facts.append(("data", f"{data['name']}, {data['pictures']} images, {len(data['classes'])} classes"))
    competing = card.get("among", {}).get("outputs")
    if answers := among(card) or (f"all {competing:,} outputs of the model compete" if competing else ""):
        facts.append(("classes", answers))
    if form := run.get("form"):
        facts.append(("form of the images", ", ".join(f"{key} {_plainly(value)}" for key, value in form.items())))
    if card.get("scores", "logits") != "logits":
        facts.append(("predictions", f"taken as {card['scores']}"))
    if plan := run.get("plan"):
        facts += _plan_facts(plan)
    if baseline := run.get("baseline"):
        facts.append(("baseline", str(baseline)))
    level, samples = card["bootstrap"]["level"], card["bootstrap"]["samples"]
    facts.append(("intervals", f"{100 * level:.0f}% bootstrap, {samples} resamples of the images"))
    return [*facts, *versions().items()]


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


def _plainly(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plainly, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _in_255(value: float) -> str:
    steps = 255.0 * value
    return f"{steps:.3g}/255" if abs(steps - round(steps, 2)) < 1e-6 else f"{value:.4g}"
