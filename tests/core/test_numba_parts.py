"""Functions that are embedded in others: the same results, compiled once, optimised where they are used."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import overload

from ipmix.core import compiling, numba_parts
from ipmix.core.compiling import embedded, helper, separate
from ipmix.core.randomness import Key


def plain_third(values, index):
    return values[index] * 3 + 1


def plain_total(values, least):
    total = np.int64(0)
    for i in range(values.size):
        if values[i] >= least:
            total += third(values, i) + third(values, 0)
    return total


third = helper(plain_third)
total = separate(plain_total)


@embedded
def at_least_five(values):
    return total(values, np.int64(5))


@embedded
def doubled(value, really):
    if really is not None:
        return value * 2.5
    return value


def caller() -> Any:
    """A fresh compiled function around the embedded functions, not kept on disk."""

    @numba.njit
    def call(values):
        return at_least_five(values) + third(values, 1) + third(values, np.int64(2))

    return call


VALUES = np.array([1, 2, 9, 9, 4], np.int64)
EXPECTED = 2 * (9 * 3 + 1) + 2 * (1 * 3 + 1) + (2 * 3 + 1) + (9 * 3 + 1)


def llvm(function: Any) -> str:
    (text,) = function.inspect_llvm().values()
    return str(text)


def defined(text: str, name: str) -> bool:
    """Whether the module defines a function of this name."""
    return any(line.startswith("define") and name in line for line in text.splitlines())


def test_this_numba_has_what_embedded_functions_need() -> None:
    assert numba_parts.AVAILABLE


def test_embedded_functions_give_the_same_in_compiled_code_by_themselves_and_in_python() -> None:
    assert caller()(VALUES) == EXPECTED
    assert at_least_five(VALUES) == 2 * (9 * 3 + 1) + 2 * (1 * 3 + 1)
    assert third(VALUES, 1) == third.py_func(VALUES, 1) == 7
    assert third.__name__ == "plain_third"


def test_literal_numbers_have_no_form_of_their_own() -> None:
    caller()(VALUES)
    forms = len(third._forms)
    caller()(VALUES)
    assert len(third._forms) == forms == 1, "third(values, 1) and third(values, i) are one form"


def test_helpers_vanish_in_their_callers_and_separate_functions_do_not() -> None:
    call = caller()
    call(VALUES)
    text = llvm(call)
    assert not defined(text, "plain_third")
    assert defined(text, "plain_total")


def test_what_none_stands_for_is_left_out() -> None:
    @numba.njit
    def call(value):
        return doubled(value, None), doubled(value, ())

    one, two = call(np.int64(3))
    assert (one, two) == (3, 7.5)
    assert isinstance(one, int)


def test_keywords_are_refused() -> None:
    @numba.njit
    def call(values):
        return third(values, index=0)

    with pytest.raises(TypingError, match="by position only"):
        call(VALUES)


@pytest.mark.parametrize(("collecting", "aside"), [(True, False), (False, False), (True, True)])
def test_the_collection_of_garbage_is_left_as_it_was(collecting: bool, aside: bool) -> None:
    """Aside: in a thread beside the main one, whose garbage is collected meanwhile."""
    seen = []

    def asked() -> int:
        return 1

    @overload(asked)
    def answer():
        seen.append(gc.isenabled())
        return lambda: 1

    @compiling.compiled_disjoint
    def call(value):
        return asked() + value.nothing_like_this

    before = gc.isenabled()
    try:
        gc.enable() if collecting else gc.disable()
        with ThreadPoolExecutor(1) as threads, pytest.raises(TypingError):
            threads.submit(call, 3).result() if aside else call(3)
        assert gc.isenabled() == collecting
    finally:
        gc.enable() if before else gc.disable()
    assert seen
    assert any(seen) == aside, "while kernels are compiled, nothing is collected"


def test_without_what_embedded_functions_need_they_are_ordinary_compiled_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba_parts, "AVAILABLE", False)
    assert not isinstance(embedded(plain_third), numba_parts.EmbeddedFunction)
    monkeypatch.setitem(globals(), "third", helper(plain_third))
    ordinary = separate(plain_total)

    @compiling.compiled
    def call(values):
        return ordinary(values, np.int64(5))

    assert not isinstance(ordinary, numba_parts.EmbeddedFunction)
    assert call(VALUES) == 2 * (9 * 3 + 1) + 2 * (1 * 3 + 1)


def test_a_compiled_function_around_embedded_ones_is_kept_on_disk(tmp_path: Path) -> None:
    code = (
        "from ipmix.core.randomness import Key, start, stream\n"
        "state = Key(1, 2, 3, 4).stream()\n"
        "print(state[0], sum(stream.stats.cache_hits.values()), len(start._forms))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    printed = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    expected = Key(1, 2, 3, 4).stream()[0]
    assert printed == [f"{expected} 0 1\n", f"{expected} 1 0\n"], "the second time, nothing is compiled"


def test_numba_is_left_as_it_was_also_after_an_error() -> None:
    """What types were worked out is kept for one compilation only."""

    def asked() -> bool:
        return "resolve_function_type" in vars(cpu_target.typing_context)

    seen: list[bool] = []

    @overload(plain_third)
    def watched(values, index):
        seen.append(asked())
        return plain_third

    fresh = numba.njit(pipeline_class=compiling._Disjoint)  # not kept on disk

    @fresh
    def good(values):
        return plain_third(values, 0) + plain_third(values, 1)

    @fresh
    def bad(values):
        return values.no_such_thing + plain_third(values, 0)

    assert good(VALUES) == plain_third(VALUES, 0) + plain_third(VALUES, 1)
    assert seen
    assert all(seen)
    assert not asked()
    with pytest.raises(TypingError):
        bad(VALUES)
    assert not asked()
