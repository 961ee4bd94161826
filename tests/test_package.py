"""The packages: which may import which, what ``import ipmix`` loads, and the names that others rely on."""

import ast
import pickle
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import ipmix

SOURCE = Path(ipmix.__file__).parent

# The packages by level, from the ground up: each may import what stands below its own level and is named here.
# Methods and engines never import each other: a method draws and touches no pixel, an engine applies and draws no
# number. Evaluation never sees an augmentation.
MAY_IMPORT: dict[str, set[str]] = {
    # 1
    "core": set(),
    # 2
    "recipe": {"core"},
    "measures": {"core"},
    "attacks": {"core"},
    "data": {"core"},
    "models": {"core"},
    "fractals": {"core"},
    # 3
    "methods": {"core", "recipe"},
    "engines": {"core", "recipe"},
    "mixing_set": {"core", "data", "fractals"},
    "corruptions": {"core", "data"},
    "report": {"core", "measures"},
    "ascent": {"attacks"},
    # 4
    "augmentation": {"core", "engines", "methods", "mixing_set", "recipe"},
    "evaluation": {"attacks", "core", "corruptions", "data", "measures", "models", "report"},
    "transforms": {"augmentation", "core", "methods", "mixing_set", "recipe"},
    # 5
    "integrations": {"augmentation", "core", "methods", "mixing_set", "recipe", "transforms"},
    "training": {"attacks", "augmentation", "core", "data", "methods", "models", "recipe"},
    # Written on the public names besides (``import ipmix``), as a program of anybody's would be.
    "explore": {"core", "augmentation", "data", "evaluation", "report"},
    # 6
    "experiment": {
        *("augmentation", "core", "corruptions", "data", "evaluation", "methods", "mixing_set", "recipe", "report"),
        *("measures", "models", "training"),
    },
}
LEVELS = 7
"""From ``core`` to the command line, which is on top."""

ON_TOP = {"cli", "__init__", "__main__"}
"""May import every package; nothing imports them."""

HEAVY = ("torch", "torchvision", "scipy", "sklearn", "matplotlib", "numba", "rich", "timm", "accelerate", "PIL")


# --- who imports whom -------------------------------------------------------------------------------------


def imported_packages(text: str) -> set[str]:
    """The packages that a source text imports, anywhere in it but under ``if TYPE_CHECKING``."""
    packages: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            top, *rest = node.module.split(".")
            if top == "ipmix":
                packages.update(rest[:1] or (alias.name for alias in node.names))
        elif isinstance(node, ast.Import):
            packages.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ipmix."))
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"line {node.lineno} imports by dots; write from ipmix. ...")
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(text))
    return packages


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def all_packages() -> dict[str, set[str]]:
    """Every package with the packages it imports."""
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        package = package_of(path)
        found.setdefault(package, set()).update(imported_packages(path.read_text()) - {package})
    return found


def wrong_imports(found: dict[str, set[str]]) -> list[str]:
    """What the table above does not allow, in words."""
    problems = []
    for package, imports in found.items():
        if package in ON_TOP:
            allowed = set(found) - ({"__init__", "__main__"} if package == "__main__" else ON_TOP)
        elif package in MAY_IMPORT:
            allowed = MAY_IMPORT[package]
        else:
            problems.append(f"{package} is no package of the table in tests/test_package.py; add what it may import")
            continue
        problems += [f"{package} imports {other}, which it may not" for other in sorted(imports - allowed)]
    return problems


def level(package: str) -> int:
    """How many packages stand on each other below and including this one, at most."""
    return 1 + max(map(level, MAY_IMPORT[package]), default=0)


def circle(found: dict[str, set[str]]) -> list[str]:
    """Packages that import each other in a circle; empty if there are none."""
    done: set[str] = set()

    def visit(package: str, way: list[str]) -> list[str]:
        if package in way:
            return way[way.index(package) :]
        if package in done:
            return []
        for other in sorted(found.get(package, ())):
            if around := visit(other, [*way, package]):
                return around
        done.add(package)
        return []

    return next((around for package in found if (around := visit(package, []))), [])


def test_packages_import_only_what_they_may() -> None:
    assert wrong_imports(all_packages()) == []


def test_there_is_no_circle_of_packages() -> None:
    found = all_packages()
    assert circle(found) == []
    assert circle(MAY_IMPORT) == [], "nor does the table allow one"


def test_there_are_seven_levels() -> None:
    assert 1 + max(map(level, MAY_IMPORT)) == LEVELS
    assert sum(map(len, all_packages().values())) <= 75, "imports between packages"


def test_no_file_imports_itself_in_a_circle() -> None:
    """Also within a package; what is imported inside of functions comes late enough not to count."""
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


def test_the_language_loads_no_numba_and_nothing_above_it() -> None:
    """It can be read without an engine, a method or an image library."""
    assert loaded_after("import ipmix.recipe, ipmix.recipe.operations") == set()
    assert loaded_after("import ipmix; ipmix.RecipeTable, ipmix.operations") == set()


def test_every_package_says_what_it_is_for() -> None:
    for path in sorted(SOURCE.rglob("__init__.py")):
        assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize(
    ("package", "text", "problem"),
    [
        ("methods", "from ipmix.engines.output import Output", "methods imports engines, which it may not"),
        ("engines", "def f():\n    import ipmix.methods.ipmix", "engines imports methods, which it may not"),
        ("evaluation", "from ipmix import augmentation", "evaluation imports augmentation, which it may not"),
        ("core", "from ipmix.recipe import Recipe", "core imports recipe, which it may not"),
        (
            "recipe",
            "try:\n    from ipmix.mixing_set.mixing_set import MixingSet\nexcept ImportError: pass",
            "imports mixing_set",
        ),
        ("annexe", "", "annexe is no package of the table"),
    ],
)
def test_a_wrong_import_is_found(package: str, text: str, problem: str) -> None:
    found = all_packages()
    before = wrong_imports(found)
    found[package] = found.get(package, set()) | imported_packages(text)
    (message,) = set(wrong_imports(found)) - set(before)
    assert problem in message


def test_a_circle_is_found() -> None:
    found = all_packages()
    found["fractals"] = {"corruptions"}
    found["corruptions"] = {"mixing_set"}
    found["mixing_set"] = {"fractals"}
    assert sorted(circle(found)) == ["corruptions", "fractals", "mixing_set"]
    assert imported_packages("if TYPE_CHECKING:\n    from ipmix.cli.main import main") == set()
    with pytest.raises(AssertionError, match="line 1 imports by dots"):
        imported_packages("from .recipe import Recipe")


def test_random_numbers_come_from_keys_alone() -> None:
    """No package draws from a generator of the process: an image would depend on what was drawn before it."""
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


def test_transforms_load_torch_with_the_first_of_them() -> None:
    assert loaded_after("import ipmix; ipmix.transforms, dir(ipmix.transforms)") == set()
    assert "torchvision" in loaded_after("import ipmix; ipmix.transforms.IPMix")


def test_the_check_of_loaded_modules_can_fail() -> None:
    assert "numba" in loaded_after("import ipmix.core.compiling")


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


def test_modules_are_sent_by_name() -> None:
    """What hashes a function by what it uses meets the module; editable installations are taken apart otherwise."""
    for module in (ipmix, ipmix.transforms, ipmix.measures):
        assert pickle.loads(pickle.dumps(module)) is module
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(ast)
