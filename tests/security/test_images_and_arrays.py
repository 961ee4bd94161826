"""Images, arrays, class maps and manifests of strangers."""

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
from image_bytes import EPS, png
from tests.security.bomb import Bomb

from ipmix.core.errors import InputError
from ipmix.data.decoding import decode
from ipmix.data.npy import read_npy
from ipmix.evaluation import results
from ipmix.evaluation.class_maps import read_class_map
from ipmix.evaluation.predictions import open_predictions
from ipmix.evaluation.scorecard import score
from ipmix.mixing_set import manifest


def test_no_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    for name in ("a.png", "a.jpg", "a.eps", "a.tif"):
        (tmp_path / name).write_bytes(EPS)
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            decode(tmp_path / name)
    with pytest.raises(AssertionError, match="a program was started"):
        subprocess.run(["true"])


def test_large_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    assert decode(tmp_path / "a.png").shape == (8, 8, 3)
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "63")
    with pytest.raises(InputError, match=r"8x8: 64 pixels; the limit is 63"):
        decode(tmp_path / "a.png")


def test_arrays_hold_no_objects(tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "mark")], dtype=object)
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "a.npz", logits=bomb, labels=np.zeros(1, np.int64))
    with pytest.raises(InputError, match=r"a\.npy"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npz"):
        score(open_predictions(tmp_path / "a.npz"))
    assert not (tmp_path / "mark").exists()
    pickle.loads(pickle.dumps(bomb))
    assert (tmp_path / "mark").exists(), "it would have run"


def test_json_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in ('{"a": 1, "a": 2}', '{"a": NaN}', '{"a": -1}', "[" * 100_000, '{"a": true}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"a\.json"):
            read_class_map(str(file))
    for text in ("{}", '{"run": {}, "measures": {"evil": 1}}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"a\.json"):
            results.read_cards(file)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match=r"manifest\.json"):
        manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "ifs/../../a-1.png", "ifs\\a-1.png", "ifs/a-1.png\n"])
def test_a_manifest_stays_in_its_folder(name: str) -> None:
    entry = {
        "number": 0, "kind": "ifs", "index": 0, "file": "ifs/ifs-00000.png", "sha256": "0" * 64, "attempts": 1,
        "parameters": {},
    }  # fmt: skip
    assert manifest.read_entry("here", entry).file == entry["file"]
    with pytest.raises(InputError, match="file name"):
        manifest.read_entry("here", {**entry, "file": name})
