"""Files of arrays as they should be, damaged, and made to do harm."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.data import npy
from ipmix.data.npy import checked_labels, read_array, read_npy, read_npz
from ipmix.data.sources import read_arrays

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


def with_header(header: str, content: bytes = b"\0" * 24, version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + content


def header(shape: str = "(2, 3)", descr: str = "'|u1'", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


HOSTILE = {
    "nothing": b"",
    "no array": b"no array at all",
    "only the magic": b"\x93NUMPY",
    "a deep header": with_header("(" * 5000 + ")" * 5000),
    "a deep shape": with_header(header("(" * 150 + "1" + ",)" * 150)),
    "unbalanced": with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3"),
    "triple quotes": with_header('"""'),
    "no dictionary": with_header("[1, 2]"),
    "a call": with_header(header("__import__('os').getcwd()")),
    "keys of other kinds": with_header("{'descr': '|u1', 3: False, 'shape': (2, 3)}"),
    "bytes beyond ASCII": with_header("{'descr': '|u1'\x80\xff"),
    "a type that is none": with_header(header(descr="'zz'")),
    "a type without size": with_header(header(descr="'V0'"), b""),
    "a number for a type": with_header(header(descr="7")),
    "a negative side": with_header(header("(-2, 3)")),
    "two negative sides": with_header(header("(-2, -3)")),
    "ten thousand million": with_header(header("(10000000000,)")),
    "279 TiB": with_header(header("(307210000000000,)")),
    "beyond 64 bits": with_header(header(f"({2**70}, 3)")),
    "a product beyond 64 bits": with_header(header(f"({2**40}, {2**40})")),
    "a word for a side": with_header(header("(2, 'three')")),
    "a header longer than the file": b"\x93NUMPY\x01\x00\xff\xff{'descr'",
    "a header of 4 GiB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'",
    "version 3": with_header(header(), version=3),
    "version 9": b"\x93NUMPY\x09\x00" + with_header(header())[8:],
    "pickled": pickle.dumps(IMAGES),
}


def saved(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


HOSTILE["objects"] = saved(np.array([{"a": 1}], dtype=object), allow_pickle=True)
HOSTILE["cut short"] = saved(IMAGES)[:-1]


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.npy").write_bytes(HOSTILE[what])
    for read in (lambda path: read_array(path, axes=4), read_npy):
        with pytest.raises(InputError, match=r"a\.npy") as refused:
            read(tmp_path / "a.npy")
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_members_are_refused_in_one_line(tmp_path: Path, what: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", HOSTILE[what])
        archive.writestr("labels.npy", saved(np.arange(5)))
    with pytest.raises(InputError, match=r"a\.npz") as refused:
        read_arrays(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_what_a_header_claims_is_not_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("mapped or read")

    monkeypatch.setattr(npy.np, "memmap", touched)
    monkeypatch.setattr(npy.np, "frombuffer", touched)
    (tmp_path / "a.npy").write_bytes(HOSTILE["279 TiB"])
    with pytest.raises(InputError, match=r"claims 307210000000000 bytes of uint8\[307210000000000\], 24 are there"):
        read_npy(tmp_path / "a.npy")


def test_an_archive_whose_list_lies_about_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    claimed = with_header(header(f"({2**31},)"), b"\0" * 10)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", claimed)
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    content[place : place + 4] = struct.pack("<I", 2**31 + 1000)
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="'images' can't be read as arrays"):
        read_npz(path)


def test_encrypted_and_oddly_compressed_members(tmp_path: Path) -> None:
    for name, place, value, words in (
        ("encrypted", 6, 1, "encrypted"),  # a flag of the member
        ("unknown", 8, 99, "compression"),  # its method
    ):
        path = tmp_path / f"{name}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", saved(IMAGES))
        content = bytearray(path.read_bytes())
        content[place] = value
        content[content.index(b"PK\x01\x02") + place + 2] = value
        path.write_bytes(bytes(content))
        with pytest.raises(InputError, match=words):
            read_npz(path)


def test_damaged_compression(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    middle = len(content) // 2
    for k in range(middle - 20, middle + 20):
        content[k] ^= 0x5A
    (tmp_path / "a.npz").write_bytes(bytes(content))
    with pytest.raises(InputError, match="'images' can't be read as arrays"):
        read_npz(tmp_path / "a.npz")


def test_an_archive_and_an_array_under_each_others_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy is an \.npz archive; expected a single array"):
        read_array(tmp_path / "a.npy", axes=4)
    (tmp_path / "b.npz").write_bytes(saved(IMAGES))
    with pytest.raises(InputError, match=r"b\.npz can't be read as arrays \(File is not a zip file\)"):
        read_npz(tmp_path / "b.npz")
    for read in (read_npy, read_npz):
        with pytest.raises(InputError, match="does not exist"):
            read(tmp_path / "none.npz")


@pytest.mark.parametrize("dtype", ["<i8", ">i8", ">u2", "<u4", "|i1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_order_of_bytes_and_axes(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.asarray(np.arange(24).reshape(2, 3, 4), dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", a=values)
    for found in (read_npy(tmp_path / "a.npy"), read_npz(tmp_path / "a.npz")["a"]):
        np.testing.assert_array_equal(found, values)
        assert found.dtype.isnative
    assert read_npz(tmp_path / "a.npz")["a"].flags.c_contiguous


def test_images_in_fortran_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(IMAGES))
    found = read_array(tmp_path / "a.npy", axes=4)
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, IMAGES)


def test_the_longer_header_and_empty_arrays(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(with_header(header("(2, 3)"), bytes(range(6)), version=2))
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), [[0, 1, 2], [3, 4, 5]])
    np.save(tmp_path / "b.npy", np.zeros((0, 3)))
    assert read_npy(tmp_path / "b.npy").shape == (0, 3)
    np.savez(tmp_path / "c.npz", a=np.zeros((0, 3)), b=np.float64(7))
    found = read_npz(tmp_path / "c.npz")
    assert (found["a"].shape, found["b"].shape, float(found["b"])) == ((0, 3), (), 7.0)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.int64(3), r"expected 3 labels .* got int64\[\]"),
        (np.zeros((3, 1), int), r"got int64\[3, 1\]"),
        (np.zeros(4, int), r"got int64\[4\]"),
        (np.zeros(3), r"got float64\[3\]"),
        (np.zeros(3, bool), r"got bool\[3\]"),
        (np.array([0, -1, 2]), "0 to 1048575, got -1 to 2"),
        (np.array([0, 1, 2**62]), f"got 0 to {2**62}"),
        (np.array([0, 1, 2**64 - 1], np.uint64), f"got 0 to {2**64 - 1}"),
        (np.array([0, 1, 2**20]), f"got 0 to {2**20}"),
    ],
)
def test_labels_that_will_not_do(tmp_path: Path, labels: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=f"here: .*{words}"):
        checked_labels(np.asarray(labels), 3, "here")
    np.savez(tmp_path / "a.npz", images=IMAGES[:3], labels=labels)
    with pytest.raises(InputError, match=r"a\.npz"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int16, np.uint64])
def test_labels_that_will(dtype: type) -> None:
    found = checked_labels(np.array([2, 0, 1], dtype), 3, "here")
    assert found.dtype == np.int64
    assert found.tolist() == [2, 0, 1]
    assert checked_labels(np.zeros(3, int) + 2**20 - 1, 3, "here").max() == 2**20 - 1


@pytest.mark.parametrize("shape", ["(1+2, 4)", "f(1)", "(" * 2000 + ")" * 2000, "[" * 150 + "]" * 150])
def test_a_header_that_is_none_is_told_in_a_few_words(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    with pytest.raises(InputError, match=r"a\.npy can't be read as an array") as caught:
        read_npy(tmp_path / "a.npy")
    assert " object at 0x" not in str(caught.value)
    assert "((((" not in str(caught.value)
    assert len(str(caught.value)) < 400
