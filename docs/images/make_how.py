"""Draws the figures of docs/how-ipmix-works.md: python docs/images/make_how.py

Each cell is the telling version by the rule of telling.py beside this file, of the settings that its label names.
"""

from pathlib import Path
from typing import Any

import numpy as np
from telling import DECILE, SEED, SIDE, TEXT, cat_and_cup, change, one_mixing_image, telling

from ipmix import IPMix, apply, draw
from ipmix.augmentation.explain import explain
from ipmix.cli.sheet import SheetRow, draw_sheet
from ipmix.recipe import Recipe, RecipeTable
from ipmix.recipe.format import WHOLE

HERE = Path(__file__).parent
pair, mixing = cat_and_cup(), one_mixing_image()
PATCHES: dict[str, Any] = {"patch_sizes": (64,), "mix_with": "mixing_image"}
MIXERS = ("add", "multiply", "random_pixels", "random_elements")


def cell(label: str, **options: Any) -> tuple[str, np.ndarray]:
    return label, telling(IPMix(**options), pair, mixing)[1]


def save(rows: list[SheetRow], name: str) -> None:
    draw_sheet(rows, cell=150, text=TEXT).save(HERE / name, quality=88)


def shows_every_level(recipe: Recipe) -> bool:
    """A chain on the whole image, one with a patch, one with the mixing image over all of it; none too faint to see."""
    if not 0.1 <= recipe.clean / WHOLE <= 0.4 or any(chain.share / WHOLE < 0.15 for chain in recipe.chains):
        return False
    steps = [step for chain in recipe.chains for step in chain.steps]
    mixed = [step for step in steps if step.mixer]
    whole = [step for step in mixed if step.source == "mixing_image" and step.right - step.left == SIDE]
    return (
        any(not step.mixer for step in steps) and bool(whole) and any(step.right - step.left < SIDE for step in mixed)
    )


def steps() -> None:
    """One recipe taken apart, chain by chain: the ninth decile of those that have every level."""
    recipes = [
        draw(IPMix(), (1, *pair.shape[1:]), len(mixing), seed=SEED, view=view, indices=[0])[0] for view in range(1000)
    ]
    every = [recipe for recipe in recipes if shows_every_level(recipe)]
    results = [apply(RecipeTable.pack([recipe]), pair[:1], mixing)[0] for recipe in every]
    order = sorted(range(len(every)), key=lambda place: change(pair[0], results[place]))
    recipe = every[order[DECILE * len(order) // 10]]
    first, *chains = explain(pair[0], recipe, mixing)
    names = {"clean": "original", "result": "their sum"}
    rows = [
        SheetRow(row.label, [(names.get(label, label), image) for label, image in row.images], row.boxes)
        for row in [*chains, first]
    ]
    save(rows, "how-steps.jpg")
    (HERE / "how-steps.txt").write_text(f"{recipe}\n", encoding="utf-8")


def levels() -> None:
    """Each level alone, a single chain of one step without the clean image's weight in the way."""
    alone = [cell(f"{level} alone", levels=(level,)) for level in ("image", "patch", "pixel")]
    save([SheetRow("", [("original", pair[0]), *alone])], "how-levels.jpg")


def knobs() -> None:
    """A figure for each setting, from little to much; the others are the defaults, or as the figure's name says."""
    rows = {
        "t": [cell(f"t = {t}", t=t) for t in (1, 2, 3, 6)],
        "k": [cell(f"k = {k}", k=k) for k in (1, 2, 3, 6)],
        "severity": [cell(f"{s}", severity=float(s), levels=("image",)) for s in (1, 3, 6, 10)],
        "mixers": [
            cell(mixer.replace("_", " "), mixers=(mixer,), levels=("pixel",), mix_with="mixing_image")
            for mixer in MIXERS
        ],
        "patches": [
            cell("square", patch_shape="square", levels=("patch",), **PATCHES),
            cell("scar", patch_shape="scar", levels=("patch",), **PATCHES),
            cell("16 pixels", patch_sizes=(16,), levels=("patch",), mix_with="mixing_image"),
            cell("128 pixels", patch_sizes=(128,), levels=("patch",), mix_with="mixing_image"),
        ],
        "partner": [
            cell("the mixing image", mix_with="mixing_image", levels=("patch", "pixel")),
            cell("the original", mix_with="original", levels=("patch", "pixel")),
        ],
        "overflow": [
            cell("clip", overflow="clip", mix_with="mixing_image", levels=("pixel",)),
            cell("wrap", overflow="wrap", mix_with="mixing_image", levels=("pixel",)),
        ],
    }
    for name, cells in rows.items():
        save([SheetRow("", cells)], f"how-{name}.jpg")


if __name__ == "__main__":
    steps()
    levels()
    knobs()
