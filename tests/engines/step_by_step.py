"""Any recipe, and its steps one by one: an engine against the reference, which is the definition.

What is claimed, for every recipe that the language can express, and how it is checked. A recipe is taken apart
into its steps: the compiled engine carries out every chain up to every step (:func:`prefixes`), and each result
is compared with the *reference's* step on the *compiled* result before it. Rotations, shears and multiplications
may be one level beside the reference, every other step must be equal. So the bound holds for each step of any
chain: an error is not hidden by the steps behind it, nor does one that a later step magnifies (an inversion at a
threshold turns one level into 255) count against it. The recipe's result must then be the exact sum of its chains.
"""

import numpy as np

from ipmix.augmentation.batches import apply
from ipmix.core.randomness import Key
from ipmix.engines import reference
from ipmix.methods.drawing import draw_level
from ipmix.recipe.format import MIXERS, NO_OPERATION, OPERATION, ORIGINAL, OVERFLOWS, SOURCES, WHOLE
from ipmix.recipe.operations import CODES, GROUPS
from ipmix.recipe.recipe import Chain, Recipe, Step
from ipmix.recipe.table import RecipeTable

BESIDE = {"rotate", "shear_x", "shear_y", "multiply"}
"""What may be one level beside the reference."""

IMAGES = 4


# --- any recipe -------------------------------------------------------------------------------------------


def random_step(draws: np.random.Generator, height: int, width: int, names: list[str]) -> Step:
    """A step as wild as the language allows, levels up to severity 10."""
    mixer = str(draws.choice(MIXERS, p=[0.3, 0.15, 0.15, 0.15, 0.15, 0.05, 0.05]))
    source = str(draws.choice(SOURCES, p=[0.45, 0.45, 0.1])) if mixer != "fill" else "mixing_image"
    name = str(draws.choice(names))
    if mixer == "fill" or (mixer and (source != "original" or draws.random() < 0.2)):
        name = ""
    level = 0.0
    if name:
        severity = draws.choice([0.2, 1.0, 3.0, 10.0])
        state = Key(int(draws.integers(2**40))).stream()
        level = float(np.float32(draw_level(state, CODES[name], severity, height, width)))
    if not mixer:
        return Step(operation=name, level=level)
    left, right = sorted(draws.integers(0, width + 1, 2).tolist())
    top, bottom = sorted(draws.integers(0, height + 1, 2).tolist())
    if draws.random() < 0.3:
        left, top, right, bottom = 0, 0, width, height
    if mixer == "fill":
        a, b, level = draws.integers(0, 256, 3).tolist()
        return Step(mixer, left=left, top=top, right=right, bottom=bottom, a=a, b=b, level=level)
    a, b = draws.random(2)
    if mixer in ("add", "multiply"):
        a, b = (1 + a, -b) if draws.random() < 0.5 else (a, b)
    elif draws.random() < 0.1:
        a = draws.choice([0.0, 1.0])
    seed = int(draws.integers(2**32))
    return Step(mixer, source, name, level, left, top, right, bottom, float(np.float32(a)), float(np.float32(b)), seed)


def random_recipe(draws: np.random.Generator, height: int, width: int, names: list[str], batch: int) -> Recipe:
    """Up to six chains of up to four steps; shares of nothing and of everything among them."""
    count = int(draws.choice([0, 1, 2, 3, 4, 6], p=[0.02, 0.18, 0.2, 0.3, 0.2, 0.1]))
    shares = draws.multinomial(WHOLE, draws.dirichlet(np.full(count + 1, draws.choice([0.01, 0.3, 1.0]))))
    chains = tuple(
        Chain(share, tuple(random_step(draws, height, width, names) for _ in range(draws.integers(0, 5))))
        for share in shares[1:].tolist()
    )
    crops = draws.integers(0, 2**32, 2).tolist()
    image = int(draws.integers(IMAGES))
    overflow = str(draws.choice(OVERFLOWS))
    partner, label = int(draws.integers(batch)), int(draws.integers(WHOLE + 1))
    return Recipe(height, width, int(shares[0]), chains, image, *crops, overflow, partner, label)


def random_table(
    seed: int, count: int, height: int, width: int, names: list[str] | tuple[str, ...] = GROUPS["all"]
) -> RecipeTable:
    draws = np.random.default_rng(seed)
    return RecipeTable.pack([random_recipe(draws, height, width, list(names), count) for _ in range(count)])


# --- step by step -----------------------------------------------------------------------------------------


def prefixes(table: RecipeTable) -> tuple[np.ndarray, RecipeTable]:
    """Every chain cut off after each of its steps, alone and with all of the share.

    The first result, int[R, 3], says for each row of the table which recipe, chain and step it ends with.
    """
    lengths = table.chains["length"]
    places = np.array(
        [(i, j, s) for i, j in np.ndindex(lengths.shape) for s in range(lengths[i, j])], np.int64
    ).reshape(-1, 3)
    recipe, chain, step = places.T
    heads = table.heads[recipe]
    heads["clean"] = 0
    chains = np.zeros((len(places), 1), table.chains.dtype)
    chains["share"][:, 0] = WHOLE
    chains["length"][:, 0] = step + 1
    return places, RecipeTable(table.height, table.width, heads, chains, table.steps[recipe, chain][:, None])


def with_partners(places: np.ndarray, cut: RecipeTable, images: np.ndarray) -> tuple[RecipeTable, np.ndarray]:
    """The table that :func:`prefixes` made and its images, with every image behind them as a partner to find."""
    heads = np.concatenate([cut.heads, RecipeTable.empty(len(images), 1, 1, 1, 1).heads])
    heads["partner"][: len(places)] += len(places)
    chains, steps = (
        np.concatenate([part, np.zeros((len(images), *part.shape[1:]), part.dtype)]) for part in (cut.chains, cut.steps)
    )
    table = RecipeTable(cut.height, cut.width, heads, chains, steps)
    return table, np.concatenate([images[places[:, 0]], images])


def operated_originals(places: np.ndarray, table: RecipeTable, images: np.ndarray) -> dict[int, np.ndarray]:
    """What the compiled engine makes of the clean image, for the rows that mix with that."""
    steps = table.steps[tuple(places.T)]
    rows = np.flatnonzero(
        (steps["mixer"] != OPERATION) & (steps["source"] == ORIGINAL) & (steps["operation"] != NO_OPERATION)
    )
    steps = steps[rows][:, None, None].copy()
    steps["mixer"] = OPERATION
    single = RecipeTable.empty(len(rows), 1, 1, table.height, table.width)
    single.heads["clean"] = 0
    single.chains["share"] = WHOLE
    single.chains["length"] = 1
    single = RecipeTable(table.height, table.width, single.heads, single.chains, steps)
    return dict(zip(rows.tolist(), apply(single, images[places[rows, 0]])))


def difference(got: np.ndarray, expected: np.ndarray, *, around: bool = False) -> np.ndarray:
    """Levels between two images; ``around``: 255 and 0 are neighbours, as they are where values wrap."""
    levels = np.abs(got.astype(np.int16) - expected)
    return np.minimum(levels, 256 - levels) if around else levels


def check(table: RecipeTable, images: np.ndarray, mixing: np.ndarray) -> dict[str, float]:
    """Check a table as this file's beginning says; how many of the bytes were one level beside, by step."""
    planes = mixing.transpose(0, 3, 1, 2)
    recipes = list(table)
    crops = [reference.crop(recipe, planes) for recipe in recipes]
    places, cut = prefixes(table)
    results = apply(*with_partners(places, cut, images), mixing, threads=2)[: len(places)]
    originals = operated_originals(places, table, images)
    beside: dict[str, list[float]] = {}
    totals = table.heads["clean"][:, None, None, None] * images.astype(np.int64)
    for i, j in np.argwhere(table.chains["length"] == 0):
        totals[i] += int(table.chains[i, j]["share"]) * images[i].astype(np.int64)

    def compare(name: str, got: np.ndarray, expected: np.ndarray, row: int, *, around: bool = False) -> None:
        levels = difference(got, expected, around=around)
        i, j, s = places[row]
        most = levels.max(initial=0)
        assert most <= (name in BESIDE), f"{name} is {most} levels off in chain {j}, step {s} of\n{recipes[i]}"
        beside.setdefault(name, []).append(float(levels.mean()) if levels.size else 0.0)

    for row, (i, j, s) in enumerate(places.tolist()):
        recipe, clean = recipes[i], images[i]
        step = recipe.chains[j].steps[s]
        before = clean if s == 0 else results[row - 1]
        if not step.mixer:
            compare(step.operation, results[row], reference.operate(step.operation, before, step.level), row)
        else:
            other = crops[i]
            if step.mixer == "fill" or step.source == "partner":
                other = reference.other_of(step, clean, None, images[recipe.partner])
            elif step.source == "original":
                other = originals.get(row, clean)
                if step.operation:
                    compare(step.operation, other, reference.operate(step.operation, clean, step.level), row)
            box = (slice(step.top, step.bottom), slice(step.left, step.right))
            mixed = reference.mix(step, before[box], other[box], recipe.overflow)
            compare(step.mixer, results[row][box], mixed, row, around=recipe.overflow == "wrap")
            outside = before.copy()
            outside[box] = results[row][box]
            assert np.array_equal(results[row], outside), f"{step} has changed pixels outside its box"
        if s == len(recipe.chains[j].steps) - 1:
            totals[i] += recipe.chains[j].share * results[row].astype(np.int64)

    assert np.array_equal(apply(table, images, mixing), (totals + WHOLE // 2) // WHOLE)
    return {name: float(np.mean(shares)) for name, shares in beside.items()}
