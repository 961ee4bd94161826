"""The house: which room may import which, what ``import ipmix`` loads, and the names that others rely on."""

import ast
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import ipmix

SOURCE = Path(ipmix.__file__).parent

# Rooms that stand on their own, and that every room may use.
FOUNDATION = {"errors", "checking", "compiling", "parts", "writing", "progress", "randomness", "interrupting"}

# Beyond the foundation, a room may import these. The order is from the ground up. Methods and engines never
# import each other: a method draws and touches no pixel, an engine applies and draws no number.
MAY_IMPORT: dict[str, set[str]] = {
    "operations": set(),
    "recipe_form": set(),
    "recipe_checks": {"operations", "recipe_form"},
    "recipe": {"operations", "recipe_checks", "recipe_form"},
    "methods": {"operations", "recipe"},
    "engines": {"operations", "recipe"},
    "fractals": {"decoding"},
    "mixing_set": {"decoding", "fractals"},
    "augmentation": {"engines", "methods", "mixing_set", "recipe"},
    "explain": {"augmentation", "engines", "recipe"},
    "sheet": set(),
    "method_choice": {"methods"},
    # Pictures and batches.
    "decoding": set(),
    "datasets": {"decoding"},
    "sources": {"datasets", "decoding"},
    "cropping": {"datasets", "decoding"},
    "loader": {"augmentation", "cropping", "datasets"},
    # Models and training.
    "models": set(),
    "model_sources": {"models"},
    "losses": set(),
    "ascent": set(),
    "optimising": set(),
    "processes": set(),
    "versions": set(),
    "run_record": {"datasets", "optimising", "sources"},
    "checkpoint": {"models", "run_record"},
    "training_display": {"optimising"},
    "validation": {"datasets", "losses", "processes", "sources"},
    "objective": {"ascent", "loader", "losses", "methods", "models", "optimising", "validation"},
    "training": {
        *("checkpoint", "datasets", "loader", "models", "objective", "optimising", "processes", "run_record"),
        *("sources", "training_display", "validation"),
    },
    # Evaluation: it never sees an augmentation.
    "corruptions": {"decoding"},
    "measures": {"ascent"},
    "measure_names": set(),
    "predictions": set(),
    "auto_attack": set(),
    "baseline": set(),
    "class_maps": set(),
    "target": {"measures"},
    "evaluate": {"ascent", "auto_attack", "corruptions", "measures", "models", "predictions", "sources", "target"},
    "scorecard": {"baseline", "corruptions", "measures", "predictions"},
    "report": {"baseline", "measure_names", "measures", "predictions", "scorecard", "versions"},
    "evidence": {"corruptions", "evaluate", "report", "sources"},
    "assessment": {
        *("auto_attack", "class_maps", "corruptions", "datasets", "evaluate", "evidence", "measures", "model_sources"),
        *("models", "predictions", "report", "scorecard", "sources"),
    },
    # What joins both.
    "settings_file": set(),
    "experiment": {
        *("assessment", "checkpoint", "datasets", "method_choice", "mixing_set", "optimising", "run_record"),
        *("sources", "training", "versions"),
    },
    "quickstart_worker": {
        *("datasets", "evaluate", "methods", "mixing_set", "operations", "optimising", "scorecard", "sources"),
        "training",
    },
    "quickstart": {
        *("augmentation", "corruptions", "datasets", "explain", "mixing_set", "quickstart_worker", "recipe", "report"),
        "versions",
    },
    "signature": set(),
    "cli": {"commands", "signature"},
}
ON_TOP = {"commands", "__init__", "__main__"}
"""Rooms that may import any other but ``cli``."""

HEAVY = ("torch", "torchvision", "scipy", "sklearn", "matplotlib", "numba", "rich", "timm", "accelerate", "PIL")


# --- who imports whom -------------------------------------------------------------------------------------


def imported_rooms(text: str) -> set[str]:
    """The rooms that a source text imports, anywhere in it but under ``if TYPE_CHECKING``."""
    rooms: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            home, *rest = node.module.split(".")
            if home == "ipmix":
                rooms.update(rest[:1] or (alias.name for alias in node.names))
        elif isinstance(node, ast.Import):
            rooms.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ipmix."))
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"line {node.lineno} imports by dots; write from ipmix. ...")
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(text))
    return rooms


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def house() -> dict[str, set[str]]:
    """Every room with the rooms it imports."""
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        room = room_of(path)
        found.setdefault(room, set()).update(imported_rooms(path.read_text()) - {room})
    return found


def wrong_imports(found: dict[str, set[str]]) -> list[str]:
    """What the table above does not allow, in words."""
    problems = []
    for room, imports in found.items():
        if room in ON_TOP:
            allowed = set(found) - {"cli"}
        elif room in FOUNDATION:
            allowed = FOUNDATION
        elif room in MAY_IMPORT:
            allowed = MAY_IMPORT[room] | FOUNDATION
        else:
            problems.append(f"{room} is no room of the table in tests/test_package.py; add what it may import")
            continue
        problems += [f"{room} imports {other}, which it may not" for other in sorted(imports - allowed)]
    return problems


def circle(found: dict[str, set[str]]) -> list[str]:
    """Rooms that import each other in a circle; empty if there are none."""
    done: set[str] = set()

    def visit(room: str, way: list[str]) -> list[str]:
        if room in way:
            return way[way.index(room) :]
        if room in done:
            return []
        for other in sorted(found.get(room, ())):
            if around := visit(other, [*way, room]):
                return around
        done.add(room)
        return []

    return next((around for room in found if (around := visit(room, []))), [])


def test_rooms_import_only_what_they_may() -> None:
    assert wrong_imports(house()) == []


def test_there_is_no_circle_of_rooms() -> None:
    found = house()
    assert circle(found) == []
    allowed = {room: imports | FOUNDATION for room, imports in MAY_IMPORT.items()}
    assert circle(allowed) == [], "nor does the table allow one"


def test_no_file_imports_itself_in_a_circle() -> None:
    """Also within a room; what is imported inside of functions comes late enough not to count."""
    paths = sorted(SOURCE.rglob("*.py"))
    names = [".".join(("ipmix", *p.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__") for p in paths]
    files: dict[str, set[str]] = {}
    for name, path in zip(names, paths):
        files[name] = set()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                files[name] |= (parts & set(names)) or {node.module}
    assert circle(files) == []


def test_recipes_need_nothing_but_numpy() -> None:
    """The language itself can be read without an engine, a method or a picture library."""
    found = house()
    for room in ("recipe", "operations", "randomness"):
        assert found[room] <= {"compiling", "errors", "operations", "randomness", "recipe_checks", "recipe_form"}
    for room, other in (("methods", "engines"), ("engines", "methods"), ("evaluate", "augmentation")):
        assert other not in found[room]


@pytest.mark.parametrize(
    ("room", "text", "problem"),
    [
        ("methods", "from ipmix.engines.output import Output", "methods imports engines, which it may not"),
        ("engines", "def f():\n    import ipmix.methods.ipmix", "engines imports methods, which it may not"),
        ("evaluate", "from ipmix import augmentation", "evaluate imports augmentation, which it may not"),
        ("errors", "from ipmix.recipe import Recipe", "errors imports recipe, which it may not"),
        ("recipe", "try:\n    from ipmix.mixing_set import MixingSet\nexcept ImportError: pass", "imports mixing_set"),
        ("annexe", "", "annexe is no room of the table"),
    ],
)
def test_a_wrong_import_is_found(room: str, text: str, problem: str) -> None:
    found = house()
    before = wrong_imports(found)
    found[room] = found.get(room, set()) | imported_rooms(text)
    (message,) = set(wrong_imports(found)) - set(before)
    assert problem in message


def test_a_circle_is_found() -> None:
    found = house()
    found["fractals"] = {"corruptions"}
    found["corruptions"] = {"mixing_set"}
    assert sorted(circle(found)) == ["corruptions", "fractals", "mixing_set"]
    assert imported_rooms("if TYPE_CHECKING:\n    from ipmix.cli import main") == set()
    with pytest.raises(AssertionError, match="line 1 imports by dots"):
        imported_rooms("from .recipe import Recipe")


def test_random_numbers_come_from_keys_alone() -> None:
    """No room draws from a generator of the process: a picture would depend on what was drawn before it."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert "random" not in [alias.name for alias in node.names], path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
                assert node.attr in ("Generator", "Philox", "SeedSequence", "default_rng"), (path, node.lineno)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.random.default_rng":
                assert node.args, (path, node.lineno, "unseeded")


# --- what an import costs ---------------------------------------------------------------------------------


def in_a_fresh_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def loaded_after(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(' '.join(name for name in sys.modules if '.' not in name))"
    return set(in_a_fresh_process(program).split()) & set(HEAVY)


def test_the_import_loads_nothing_heavy() -> None:
    assert loaded_after("import ipmix") == set()
    assert loaded_after("import ipmix; ipmix.InputError, ipmix.__version__, dir(ipmix)") == set()


def test_the_core_loads_nothing_of_the_training_side() -> None:
    core = "import ipmix; ipmix.IPMix, ipmix.augment, ipmix.Recipe, ipmix.MixingSet"
    needed = loaded_after("import numba, PIL")  # Numba itself looks for SciPy
    assert loaded_after(core) == needed
    assert needed <= {"numba", "PIL", "scipy"}


def test_the_check_of_loaded_modules_can_fail() -> None:
    assert "numba" in loaded_after("import ipmix.randomness")


def test_the_import_takes_less_than_a_third_of_a_second() -> None:
    """The best of several runs, by the clock of the process itself: others may be using the machine."""
    program = "import time\nbegin = time.perf_counter()\nimport ipmix\nprint(time.perf_counter() - begin)"
    best, begin = 1.0, time.monotonic()
    while best >= 0.3 and time.monotonic() - begin < 20:
        best = min(best, float(in_a_fresh_process(program)))
    assert best < 0.3


# --- names ------------------------------------------------------------------------------------------------

RELIED_ON = {
    "ipmix": (
        *("IPMix", "METHODS", "MixingSet", "Key", "Recipe", "RecipeTable", "InputError"),
        *("augment", "draw", "apply", "corrupt", "perturb", "measures", "ascent", "models"),
    ),
    "ipmix.measures.calibration": ("rms_calibration_error",),
    "ipmix.measures.consistency": ("flip_rate",),
    "ipmix.measures.corruption": ("mean_corruption_error",),
    "ipmix.measures.anomaly": ("aupr",),
    "ipmix.ascent": ("pgd",),
    "ipmix.models": ("build",),
}


@pytest.mark.parametrize("module", RELIED_ON)
def test_names_that_others_rely_on(module: str) -> None:
    for name in RELIED_ON[module]:
        assert getattr(import_module(module), name) is not None


def test_every_public_name_resolves() -> None:
    for name in ipmix.__all__:
        assert getattr(ipmix, name) is not None
        assert name in dir(ipmix)
    assert set(RELIED_ON["ipmix"]) <= set(ipmix.__all__)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'ipmix' has no attribute 'augmented'"):
        ipmix.augmented  # noqa: B018
