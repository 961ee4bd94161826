"""Kernels kept on disk: used again as they are, made anew after an edit of any file that they are made from."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ipmix
from ipmix.core import kernel_cache

SOURCE = Path(ipmix.__file__).parent


def run(source: Path, cache: Path) -> str:
    """A kernel's result, and how many kernels were taken from disk, in a fresh process."""
    code = (
        "from ipmix.core.randomness import Key, stream, between\n"
        "from ipmix.core import randomness\n"
        "state = Key(1, 2, 3, 4).stream()\n"
        "print(state[0], sum(stream.stats.cache_hits.values()))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "src"
    shutil.copytree(SOURCE, target / "ipmix", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_an_edit_in_another_file_makes_kernels_anew(copy: Path, tmp_path: Path) -> None:
    """Here a file that has nothing to do with the kernel; what it has to do with one is not looked into."""
    first, hits = run(copy, tmp_path / "cache").split()
    assert hits == "0"
    assert run(copy, tmp_path / "cache") == f"{first} 1"
    with (copy / "ipmix" / "recipe" / "format.py").open("a") as file:
        file.write("\n# edited\n")
    assert run(copy, tmp_path / "cache") == f"{first} 0"
    assert run(copy, tmp_path / "cache") == f"{first} 1"
    with (copy / "ipmix" / "cli" / "main.py").open("a") as file:
        file.write("\n# edited\n")
    assert run(copy, tmp_path / "cache") == f"{first} 1", "no kernel is made from the command line"


def test_the_stamp_counts_the_package_and_what_all_share(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "PACKAGE", copy / "ipmix")
    stamp = kernel_cache.sources_stamp.__wrapped__

    def changed(name: str) -> set[str]:
        before = {own: stamp(own) for own in ("engines", "fractals", "", "ascent")}
        path = copy / "ipmix" / name
        path.write_text(path.read_text() + "#\n")
        return {own for own, was in before.items() if stamp(own) != was}

    assert stamp("engines") == stamp("engines") != stamp("fractals")
    assert changed("engines/compiled/geometry.py") == {"engines"}
    assert changed("fractals/variations.py") == {"fractals"}
    assert changed("core/randomness.py") == {"engines", "fractals", "", "ascent"}
    assert changed("report/page.py") == set()


def test_numba_still_has_what_this_leans_on() -> None:
    from ipmix.core.randomness import stream

    own, others = stream._cache._cache_file._source_stamp
    assert others == kernel_cache.sources_stamp("core")
    assert own == stream._cache._impl.locator.get_source_stamp()


def test_what_can_not_be_kept_is_said_and_works(tmp_path: Path) -> None:
    """A full disk, or a folder that has gone: the machine code is there for this process."""

    def full(signature: object, code: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "kernel.nbc"))

    kernel_cache._tell_once.cache_clear()
    with pytest.warns(UserWarning, match=r"not kept: No space left on device \(.*kernel\.nbc\)"):
        kernel_cache._save(full, (), object())
    assert not kernel_cache.are_kept()
    kernel_cache._tell_once.cache_clear()
    with pytest.raises(ValueError, match="another"):
        kernel_cache._save(lambda *_: (_ for _ in ()).throw(ValueError("another")), (), object())


@pytest.mark.parametrize("kind", ["file", "below a file", "of the system"])
def test_a_named_folder_that_can_not_be_used_is_told(tmp_path: Path, kind: str) -> None:
    """Numba would take a folder beside the source code, and say nothing."""
    (tmp_path / "file").touch()
    folder = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "sub",
        "of the system": Path("/proc/ipmix"),
    }
    if kind == "of the system" and not Path("/proc/self").exists():
        pytest.skip("a system without /proc")
    problem = kernel_cache._problem_of_named(str(folder[kind]))
    assert problem.startswith(f"NUMBA_CACHE_DIR is {str(folder[kind])!r}, where no file can be written (")
    assert not kernel_cache._problem_of_named(str(tmp_path / "new" / "folder"))
    assert not kernel_cache._problem_of_named("")


def test_a_kernel_lies_on_disk_only_with_its_machine_code() -> None:
    """Numba writes an index first, which may be all that there is."""
    from ipmix.core.randomness import stream

    stream(1, 2, 3, 4)
    assert kernel_cache.lies_on_disk(stream, (1, 2, 3, 4))
    assert not kernel_cache.lies_on_disk(stream, (1.5, 2, 3, 4))
    files = stream._cache._cache_file
    found, files._data_path = files._data_path, lambda name: str(Path(found(name)).with_suffix(".gone"))
    try:
        assert not kernel_cache.lies_on_disk(stream, (1, 2, 3, 4))
    finally:
        del files._data_path


def test_a_numba_that_compiles_nothing_is_told_in_a_line(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "ipmix", "mixing-set", "make", str(tmp_path / "set"), "--count", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "NUMBA_DISABLE_JIT is set" in done.stderr
    assert list(tmp_path.iterdir()) == []


# --- what kernels are made from ---------------------------------------------------------------------------

DECORATORS = {"compiled", "compiled_disjoint", "inlined", "embedded", "helper", "separate"}


def names_from_elsewhere(text: str, own: str) -> list[str]:
    """Names that compiled functions of a module use and that come from packages whose files the stamp leaves out."""
    tree = ast.parse(text)
    outside = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ipmix")
        for alias in node.names
        if node.module.split(".")[1:2] not in ([own], *([name] for name in kernel_cache.SHARED))
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and DECORATORS & {ast.unparse(d) for d in node.decorator_list}:
            found += [outside[name.id] for name in ast.walk(node) if isinstance(name, ast.Name) and name.id in outside]
    return found


def test_kernels_are_made_from_files_that_the_stamp_counts() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        assert names_from_elsewhere(path.read_text(), path.relative_to(SOURCE).parts[0]) == [], path


def test_a_kernel_made_from_elsewhere_is_found() -> None:
    text = (
        "from ipmix.fractals.color import hue\nfrom ipmix.core.randomness import bits\n"
        "@compiled\ndef f(state):\n    return hue(bits(state))\n"
    )
    assert names_from_elsewhere(text, "engines") == ["ipmix.fractals.color.hue"]
    assert names_from_elsewhere(text, "fractals") == []
