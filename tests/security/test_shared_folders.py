"""Folders that others may write to, and none that can be written to."""

import os
from pathlib import Path

import numpy as np
import pytest
from image_bytes import png

from ipmix.core import folders, kernel_cache
from ipmix.core.errors import InputError
from ipmix.mixing_set.mixing_set import MixingSet

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


@POSIX
def test_kernels_come_from_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    for mode, safe in ((0o755, True), (0o777, False), (0o757, False), (0o775, None), (0o1777, True)):
        (tmp_path / "open").chmod(mode)
        if safe is not None:
            assert (folders.why_unsafe(inner) == "") is safe, oct(mode)
    assert folders.why_unsafe(tmp_path / "open"), "the sticky bit keeps others from renaming, not from writing"
    (tmp_path / "open").chmod(0o755)
    real = os.getuid()
    with monkeypatch.context() as patch:
        patch.setattr(folders, "__file__", "/")  # nor is the source that somebody's
        if real == 0:
            os.chown(inner, 12345, -1)
        else:
            patch.setattr(os, "getuid", lambda: real + 1)
        assert "belongs to another user" in folders.why_unsafe(inner)
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr(kernel_cache.numba.core.config, "CACHE_DIR", str(tmp_path / "open"))
    kernel_cache._problem.cache_clear()
    kernel_cache._tell_once.cache_clear()

    def twice(number: int) -> int:
        return 2 * number

    with pytest.warns(UserWarning, match="others may write to .*open"):
        unkept = kernel_cache.kept(twice)
    assert unkept(4) == 8
    assert not list(tmp_path.rglob("*.nbi"))
    assert [path.name for path in (tmp_path / "open").iterdir()] == ["inner"], "nor is an empty folder left there"
    assert kernel_cache.where_kept()[0] is None
    (tmp_path / "open").chmod(0o755)
    kernel_cache._problem.cache_clear()
    kept = kernel_cache.kept(twice)
    assert kept(4) == 8
    assert list(tmp_path.rglob("*.nbi")), "in a folder of one's own they are kept"


def test_without_a_cache_everything_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IPMIX_CACHE_DIR", str(tmp_path / "named"))
    assert folders.cache_folder() == tmp_path / "named"
    monkeypatch.setenv("IPMIX_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "file" / "ipmix"))
    temporary = folders.cache_folder()
    assert temporary.parent == tmp_path
    assert "IPMIX_CACHE_DIR names a folder that stays" in capsys.readouterr().err
    assert folders.cache_folder() == temporary
    monkeypatch.setattr(kernel_cache.numba, "njit", without_a_locator(kernel_cache.numba.njit))
    kernel_cache._tell_once.cache_clear()
    with pytest.warns(UserWarning, match="no folder can be written to"):
        assert kernel_cache.kept(lambda number: number + 1)(2) == 3
    assert kernel_cache.where_kept() == (None, "no folder can be written to")


@pytest.mark.parametrize("named", ["/proc/x", "/etc/passwd", "/etc/passwd/below"])
def test_a_named_cache_that_can_be_no_folder_is_refused_by_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs Linux's /proc")
    from ipmix.cli.main import main

    monkeypatch.setenv("IPMIX_CACHE_DIR", named)
    image = tmp_path / "a.png"
    image.write_bytes(png(np.zeros((16, 16, 3), np.uint8)))
    assert main(["augment", str(image), "--out", str(tmp_path / "b.png"), "--mixing-count", "2"]) == 2
    said = capsys.readouterr().err
    (told,) = [line for line in said.splitlines() if line.startswith("ipmix: IPMIX")]
    assert f"IPMIX_CACHE_DIR names {named}, which can't be made a folder (" in told
    assert "kept" not in told, "there is nothing"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_a_named_cache_that_takes_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs Linux's /proc")
    monkeypatch.setenv("IPMIX_CACHE_DIR", "/proc")
    with pytest.raises(
        InputError, match=r"can't write the mixing set to /proc/.*IPMIX_CACHE_DIR names /proc"
    ) as caught:
        MixingSet.generate(2, 16, 0, mix={"ifs": 1})
    assert "kept and valid" not in str(caught.value)


def without_a_locator(real):  # type: ignore[no-untyped-def]
    """Numba's ``njit`` where no folder can be written to."""

    def njit(*functions, **options):  # type: ignore[no-untyped-def]
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function 'f': no locator available for file 'x'")
        return real(*functions, **options)

    return njit
