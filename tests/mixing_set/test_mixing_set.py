"""Mixing sets: generated, folders, arrays, shards; planes; memory; bad input."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.mixing_set.small_sets import MIX, made, write_images

from ipmix.core.errors import InputError
from ipmix.core.randomness import Key
from ipmix.mixing_set import manifest
from ipmix.mixing_set.making import make
from ipmix.mixing_set.manifest import MixingSetPlan
from ipmix.mixing_set.mixing_set import MixingSet, margin


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_generate(cache):
    mixing = MixingSet.generate(20, 32, 0, mix=MIX, cache=cache)
    assert len(mixing) == 20
    assert mixing[0].shape == (32, 32, 3)
    assert mixing[0].dtype == np.uint8
    np.testing.assert_array_equal(mixing[-1], mixing[19])
    again = MixingSet.generate(20, 32, 0, mix=MIX, cache=cache, threads=1)
    for i in range(20):
        np.testing.assert_array_equal(mixing[i], again[i])
    with pytest.raises(IndexError):
        mixing[20]


def test_generated_anew_it_is_the_same(cache, tmp_path):
    mixing = MixingSet.generate(20, 32, 0, mix=MIX, cache=cache)
    elsewhere = MixingSet.generate(20, 32, 0, mix=MIX, cache=tmp_path, threads=3)
    assert [e.sha256 for e in mixing.entries] == [e.sha256 for e in elsewhere.entries]
    other = MixingSet.generate(20, 32, 1, mix=MIX, cache=tmp_path)
    assert not {e.sha256 for e in mixing.entries} & {e.sha256 for e in other.entries}


def test_what_is_read_is_a_copy(cache):
    mixing = MixingSet.generate(20, 32, 0, mix=MIX, cache=cache)
    image = mixing[3]
    kept = image.copy()
    image[:] = 0
    np.testing.assert_array_equal(mixing[3], kept)


@pytest.mark.parametrize(
    ("height", "width", "side"), [(32, 32, 36), (224, 224, 256), (64, 64, 73), (33, 47, 53), (1, 1, 1)]
)
def test_margin_is_the_authors(height, width, side):
    assert margin(height, width) == side


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_a_margin_is_never_smaller_than_the_image(height, width):
    assert margin(height, width) >= max(height, width)


def test_planes(cache):
    mixing = MixingSet.generate(20, 72, 0, mix=MIX, cache=cache)
    planes = mixing.planes(32, 32)
    assert planes.shape == (20, 3, 36, 36)
    assert planes.dtype == np.uint8
    assert planes.flags.c_contiguous
    assert mixing.planes(32, 20) is planes
    expected = Image.fromarray(mixing[7]).resize((36, 36), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(planes[7], np.asarray(expected).transpose(2, 0, 1))


def test_planes_of_the_sets_own_size_are_the_shard_itself(cache):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=cache)
    planes = mixing.planes(32, 32)
    assert isinstance(planes, np.memmap)
    assert not planes.flags.writeable
    np.testing.assert_array_equal(planes[4], mixing[4].transpose(2, 0, 1))


def test_one_channel_is_the_luma(cache):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=cache)
    planes = mixing.planes(32, 32, 1)
    assert planes.shape == (20, 1, 36, 36)
    weights = np.array([299, 587, 114]) / 1000
    for i in range(20):
        np.testing.assert_allclose(planes[i, 0], mixing[i] @ weights, atol=1)


def test_images_that_are_not_square_are_cropped_in_the_middle(tmp_path):
    (image,) = write_images(tmp_path, [(36, 100)])
    planes = MixingSet.folder(tmp_path).planes(32, 32)
    np.testing.assert_array_equal(planes[0].transpose(1, 2, 0), image[:, 32:68])


def test_arrays():
    images = np.random.default_rng(0).integers(0, 256, (5, 36, 36, 8)).astype(np.uint8)
    mixing = MixingSet.array(images)
    assert len(mixing) == 5
    assert mixing.channels == 8
    np.testing.assert_array_equal(mixing[2], images[2])
    np.testing.assert_array_equal(mixing.planes(32, 32, 8), images.transpose(0, 3, 1, 2))
    assert mixing.planes(64, 64, 8).shape == (5, 8, 73, 73)
    for channels in (1, 3, 4):
        with pytest.raises(InputError, match=f"images of {channels} channels need a mixing set of {channels}"):
            mixing.planes(32, 32, channels)


@pytest.mark.parametrize(
    "images",
    [np.zeros((3, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8), [1],
     np.zeros((3, 8, 8, 3), np.uint16)],
)  # fmt: skip
def test_arrays_that_are_no_set(images):
    with pytest.raises(InputError, match="mixing set"):
        MixingSet.array(images)


def test_folders(tmp_path):
    arrays = write_images(tmp_path, [(10, 12), (9, 9), (20, 8)])
    mixing = MixingSet.folder(tmp_path)
    assert len(mixing) == 3
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(mixing[i], array)
    with pytest.raises(InputError, match="need a mixing set of 4"):
        mixing.planes(8, 8, 4)


def test_a_folder_with_a_broken_image(tmp_path):
    write_images(tmp_path, [(10, 12), (9, 9), (20, 8)])
    whole = (tmp_path / "class" / "1.png").read_bytes()
    for name, content in (("1.png", whole[: len(whole) // 2]), ("3.jpg", b""), ("4.webp", b"no image")):
        (tmp_path / "class" / name).write_bytes(content)
    mixing = MixingSet.folder(tmp_path)
    for index, words in ((1, "1.png can't be decoded"), (3, "3.jpg is empty"), (4, "4.webp is not an image")):
        with pytest.raises(InputError, match=words):
            mixing[index]
    with pytest.raises(InputError, match=r"1.png can't be decoded"):
        mixing.planes(8, 8)
    kept = MixingSet.folder(tmp_path, skip_broken=True)
    assert len(kept) == 2
    assert [path.name for path in kept.skipped] == ["1.png", "3.jpg", "4.webp"]
    assert len(MixingSet.open(tmp_path, skip_broken=True)) == 2


def test_a_set_is_known_by_its_images(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arrays = write_images(tmp_path / "one", [(10, 12), (9, 9)])
    first = MixingSet.folder(tmp_path / "one").identity
    (tmp_path / "one").rename(tmp_path / "two")
    assert MixingSet.open(tmp_path / "two").identity == first
    path = tmp_path / "two" / "class" / "1.png"
    before = path.stat()
    Image.fromarray(255 - arrays[1]).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert MixingSet.folder(tmp_path / "two").identity != first
    shards = MixingSet.generate(4, 16, 0, mix=MIX, cache=tmp_path / "here").identity
    assert MixingSet.generate(4, 16, 0, mix=MIX, cache=tmp_path / "there").identity == shards
    assert MixingSet.generate(4, 16, 1, mix=MIX, cache=tmp_path / "there").identity != shards


def test_folders_that_are_none(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        MixingSet.folder(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no images here")
    with pytest.raises(InputError, match="holds no images"):
        MixingSet.folder(tmp_path)


def test_open_finds_out_what_is_there(tmp_path):
    made(tmp_path / "made")
    assert len(MixingSet.open(tmp_path / "made")) == 18
    write_images(tmp_path / "plain", [(9, 9)])
    assert len(MixingSet.open(tmp_path / "plain")) == 1


def test_an_unfinished_set_is_not_taken_for_whole(tmp_path):
    plan = MixingSetPlan(seed=0, size=16, mix={"ifs": 9}, files="png")
    steps = make(plan, tmp_path, 1)
    next(steps), next(steps)  # nothing yet; all images, but no manifest
    steps.close()
    with pytest.raises(InputError, match="unfinished mixing set"):
        MixingSet.open(tmp_path)


def test_shards_missing_and_mixed(tmp_path):
    made(tmp_path, shard=1, shards=3)
    with pytest.raises(InputError, match="lacks shard 2, 3 of 3"):
        MixingSet.open(tmp_path)
    plan = MixingSetPlan(seed=1, size=16, mix={"ifs": 9}, files="png", shard=2, shards=3)
    for _ in make(plan, tmp_path, 1):
        pass
    with pytest.raises(InputError, match="shards of different mixing sets"):
        MixingSet.open(tmp_path)


def test_a_image_gone_from_a_made_set(tmp_path):
    made(tmp_path)
    (tmp_path / "ifs" / "ifs-00004.png").unlink()
    with pytest.raises(InputError, match=r"ifs-00004.png is listed in the manifest but missing"):
        MixingSet.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_shard_that_is_none(tmp_path, content):
    made(tmp_path, "shard")
    shard = tmp_path / "pictures.npy"
    if content is None:
        np.save(shard, np.zeros((3, 3, 8, 8), np.uint8))
    else:
        shard.write_bytes(content)
    with pytest.raises(InputError, match=r"pictures.npy"):
        MixingSet.open(tmp_path)


def test_gather_reads_rows(cache):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=cache)
    numbers = np.array([3, 19, 3, 0])
    np.testing.assert_array_equal(mixing.gather(numbers, 32, 32), mixing.planes(32, 32)[numbers])
    np.testing.assert_array_equal(mixing.gather(numbers, 8, 8, 1), mixing.planes(8, 8, 1)[numbers])


def test_crops_are_a_function_of_the_key(cache):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=cache)
    crops = [mixing.crop(4, 32, 30, Key(1, index=i)) for i in range(40)]
    np.testing.assert_array_equal(crops[7], mixing.crop(4, 32, 30, Key(1, index=7)))
    assert crops[0].shape == (32, 30, 3)
    assert len({crop.tobytes() for crop in crops}) > 15
    whole = mixing[4]
    places = {(y, x) for y in range(5) for x in range(7) if np.array_equal(whole[y : y + 32, x : x + 30], crops[7])}
    assert len(places) == 1


def test_a_set_goes_to_another_process_by_name(cache):
    mixing = MixingSet.generate(20, 36, 0, mix=MIX, cache=cache)
    mixing.planes(32, 32)
    sent = pickle.dumps(mixing)
    assert len(sent) < 20_000  # the images are 78 kB
    np.testing.assert_array_equal(pickle.loads(sent).planes(32, 32), mixing.planes(32, 32))


def test_a_shard_cut_short_meanwhile(tmp_path):
    made(tmp_path, "shard")
    mixing = MixingSet.open(tmp_path)
    with open(tmp_path / "pictures.npy", "r+b") as file:
        file.truncate(5000)
    with pytest.raises(InputError, match="ends before image 17"):
        mixing[17]


RESIDENT = """
import sys
import numpy as np
from ipmix.mixing_set import planes
from ipmix.mixing_set.sources import ArrayFile, ShardSource
from ipmix.mixing_set.mixing_set import MixingSet

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

mixing = MixingSet(ShardSource([ArrayFile(sys.argv[1])]), cache=sys.argv[3])
rng = np.random.default_rng(0)
mixing.gather(rng.integers(0, 16, 128), 56, 56).sum()
if sys.argv[2].startswith("augmenter"):
    from ipmix.augmentation import single
    from ipmix.methods import IPMix
    single.MAPPED_MOST = 0 if sys.argv[2] == "augmenter" else 2**30
    image = np.zeros((56, 56, 3), np.uint8)
    augmenter = single.Augmenter(IPMix(), mixing, shape=image.shape, seed=0, output="uint8")
    for index in range(40):
        augmenter(image, index=index, epoch=0)
before = most = resident()
for step in range(60):
    numbers = rng.integers(0, len(mixing), 128)
    if sys.argv[2] == "making planes":
        # As if 32 MiB were too many: these are resized once, into a file, and read from it.
        planes.MEMORY_MOST = 0
        mixing.gather(numbers, 40, 40).sum()
    elif sys.argv[2] == "gather":
        mixing.gather(numbers, 56, 56).sum()
        mixing[int(numbers[0])]
    elif sys.argv[2].startswith("augmenter"):
        for index in numbers:
            augmenter(image, index=int(index), epoch=0)
    else:
        mixing.planes(56, 56)[numbers].sum()
    most = max(most, resident())
print(most - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_reading_a_large_set_keeps_little_resident(tmp_path):
    # 64 MiB of images, 60 batches of 1.5 MiB: a batch stays, not everything.
    rows = np.random.default_rng(0).integers(0, 256, (5461, 3, 64, 64), np.uint8)
    np.save(tmp_path / "large.npy", rows)
    grown = {}
    for way in ("gather", "making planes", "map", "augmenter", "augmenter, mapped"):
        command = [sys.executable, "-c", RESIDENT, str(tmp_path / "large.npy"), way, str(tmp_path)]
        grown[way] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown["gather"] < 8
    assert grown["making planes"] < 16
    assert grown["augmenter"] < 16
    assert grown["map"] > 40  # what the same reading takes through the map
    assert grown["augmenter, mapped"] > 20


# --- sharing ----------------------------------------------------------------------------------------------


def test_a_large_array_goes_to_another_process_as_a_mapped_file(tmp_path, monkeypatch):
    monkeypatch.setattr("ipmix.mixing_set.mixing_set.cache_folder", lambda cache=None: tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (40, 100, 100, 3), np.uint8)
    mixing = MixingSet.array(images)
    sent = pickle.dumps(mixing)
    assert len(sent) < 5_000
    got = pickle.loads(sent)
    assert isinstance(got._source.images, np.memmap)
    np.testing.assert_array_equal(got[39], images[39])
    np.testing.assert_array_equal(got.planes(32, 32), mixing.planes(32, 32))
    assert got.planes(32, 32).base is not None, "mapped"
    assert mixing.identity == got.identity == MixingSet.array(images).identity
    assert len(pickle.dumps(got)) < 5_000
    assert len(list((tmp_path / "arrays").iterdir())) == 1
    assert len(pickle.dumps(MixingSet.array(images[:3]))) > 90_000, "not worth a file"


def test_an_intact_manifest_is_taken_apart_only_for_its_entries(tmp_path, monkeypatch):
    made(tmp_path, "shard")
    calls = []
    original = manifest.read
    monkeypatch.setattr(manifest, "read", lambda path: calls.append(path) or original(path))
    mixing = MixingSet.open(tmp_path)
    pickle.dumps(mixing)
    assert calls == []
    assert [entry.number for entry in mixing.entries] == list(range(len(mixing)))
    assert len(calls) == 1
    path = tmp_path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"attempts": 1', b'"attempts": 2', 1))
    with pytest.raises(InputError, match="changed after it was written"):
        MixingSet.open(tmp_path)


def test_a_set_says_what_it_is(tmp_path):
    made(tmp_path)
    assert re.fullmatch(r"<MixingSet of \d+ images of 16x16 from seed \d: \d+ ifs.*>", repr(MixingSet.open(tmp_path)))
    (tmp_path / "manifest.json").unlink()
    assert repr(MixingSet.open(tmp_path)).endswith(f"images, from {tmp_path}>")
    assert repr(MixingSet.array(np.zeros((2, 4, 4, 3), np.uint8))) == (
        "<MixingSet of 2 images in an array uint8[2, 4, 4, 3]>"
    )


@pytest.mark.parametrize("files", ["png", "shard"])
def test_images_that_were_changed_after_making_are_refused(tmp_path, files):
    """Where their pixels are kept without loss, and are read to be resized."""
    plan = MixingSetPlan(seed=0, size=16, mix={"ifs": 4}, files=files)
    for _ in make(plan, tmp_path / "set", threads=1):
        pass
    before = MixingSet.open(tmp_path / "set", cache=tmp_path / "cache").planes(24, 24)
    assert before.shape[0] == 4
    if files == "png":
        changed = sorted((tmp_path / "set").rglob("*.png"))[2]
        Image.fromarray(255 - np.asarray(Image.open(changed))).save(changed)
    else:
        changed = next((tmp_path / "set").glob("*.npy"))
        array = np.load(changed)
        array[2] = 255 - array[2]
        np.save(changed, array)
    with pytest.raises(InputError, match="holds other pixels than its manifest says: it was changed after"):
        MixingSet.open(tmp_path / "set", cache=tmp_path / "cache").planes(24, 24)


@pytest.mark.parametrize(
    "source", [np.zeros((3, 16, 16, 3), np.float32), np.zeros((3, 8, 8, 3), np.uint8), "a/folder", None]
)
def test_a_set_is_not_made_of_what_it_was_not_checked_for(source):
    with pytest.raises(InputError, match=r"by MixingSet.array\(images\) or MixingSet.folder\(path\), got"):
        MixingSet(source)
