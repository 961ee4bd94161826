"""The sample that comes with the package: what the seed gives, there without compiling, unpacked once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.fractals.kinds import paint
from ipmix.mixing_set import MixingSet, sample
from ipmix.mixing_set.image_files import digest
from ipmix.mixing_set.manifest import read


def test_the_sheet_holds_what_the_seed_gives() -> None:
    plan, entries = read(sample.MANIFEST)
    assert plan == sample.sample_plan()
    planes = sample.sample_planes()
    assert planes.shape == (sample.COUNT, 3, sample.SIZE, sample.SIZE)
    for number in (0, 150, 211, 310, 479):  # of every kind one
        kind, index = plan.image(number)
        pixels = planes[number].transpose(1, 2, 0)
        assert np.array_equal(pixels, paint(kind, sample.SEED, index, sample.SIZE).pixels), kind
        assert not np.array_equal(pixels, paint(kind, sample.SEED, index + 1, sample.SIZE).pixels)
    for entry in entries:
        assert digest(planes[entry.number].transpose(1, 2, 0)) == entry.sha256


def test_it_is_small() -> None:
    assert sample.SHEET.stat().st_size + sample.MANIFEST.stat().st_size < 4.2e6


def test_it_is_unpacked_once_and_mapped(tmp_path: Path) -> None:
    mixing = MixingSet.sample(cache=tmp_path)
    assert (len(mixing), mixing[7].shape) == (480, (64, 64, 3))
    (shard,) = tmp_path.rglob("pictures.npy")
    before = shard.stat().st_mtime_ns
    again = MixingSet.sample(cache=tmp_path)
    assert shard.stat().st_mtime_ns == before
    assert again.identity == mixing.identity
    assert np.array_equal(again[479], sample.sample_planes()[479].transpose(1, 2, 0))
    assert isinstance(mixing.planes(56, 56), np.memmap)


def test_another_size(tmp_path: Path) -> None:
    mixing = MixingSet.sample(36, cache=tmp_path)
    assert (len(mixing), mixing[3].shape) == (480, (36, 36, 3))
    assert np.array_equal(mixing.planes(32, 32), MixingSet.sample(cache=tmp_path).planes(32, 32))
    assert mixing.identity != MixingSet.sample(37, cache=tmp_path).identity
    with pytest.raises(InputError, match="size must be a whole number"):
        MixingSet.sample(0)


def test_without_a_place_to_write_to_it_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    mixing = MixingSet.sample(cache=tmp_path / "file")
    assert np.array_equal(mixing[5], MixingSet.sample(cache=tmp_path)[5])


def test_nothing_is_compiled_for_it(tmp_path: Path) -> None:
    program = f"""
import json, sys
import numba.core.dispatcher as dispatcher
import ipmix
def compile(self, sig):
    raise AssertionError(self.py_func)
dispatcher.Dispatcher.compile = compile
print(json.dumps([len(ipmix.MixingSet.sample(cache={str(tmp_path)!r})), "scipy" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0] == 480


def test_a_broken_sheet_is_named(tmp_path: Path) -> None:
    (tmp_path / "sample.webp").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"sample.webp can't be read.*install ipmix again"):
        sample.sample_planes(tmp_path / "sample.webp")
