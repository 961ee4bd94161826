from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.data.built_in import BUILT_IN, SIZES
from ipmix.data.datasets import load


def test_digits_are_split_evenly_and_for_good() -> None:
    train, test = load("digits", "train"), load("digits", "test")
    assert (len(train), len(test)) == (1352, 445)
    assert SIZES["digits"] == (len(train), len(test), train.images.shape[1], len(train.classes))
    assert train.images.shape[1:] == (32, 32, 3)
    for dataset in (train, test):
        counts = np.bincount(dataset.labels, minlength=10)
        assert counts.max() - counts.min() <= 0.1 * counts.max()
    rows = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in rows for image in test.images)
    assert np.array_equal(load("digits", "test").images, test.images)


def test_the_size_of_each_is_known() -> None:
    assert set(SIZES) == set(BUILT_IN)


def test_cifar_is_not_downloaded_unasked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cifar10 is not in .*--download"):
        load("cifar10", "train", root=tmp_path)


@pytest.mark.parametrize(
    "error", [URLError(OSError(-3, "Temporary failure in name resolution")), TimeoutError("timed out")]
)
def test_a_download_without_a_network_is_one_line(
    tmp_path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("urllib.request.urlopen", fail)
    with pytest.raises(
        InputError,
        match=r"^cifar10 can't be fetched to .*(name resolution|timed out).*is there a network.*--root [^\n]*$",
    ):
        load("cifar10", "test", download=True, root=tmp_path)
