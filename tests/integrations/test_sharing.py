"""A missing library in one line; arrays of bytes and floats; masks beside moved pixels."""

import subprocess
import sys

import numpy as np
import pytest

import ipmix
from ipmix.core.errors import InputError
from ipmix.integrations.sharing import augment_array, needed, refuse_following, settled

LIBRARIES = {
    "timm": "timm", "albumentations": "albumentations", "kornia": "kornia", "lightning": "lightning",
    "keras": "keras", "grain": "grain", "webdataset": "webdataset",
}  # fmt: skip


@pytest.mark.parametrize(("module", "library"), LIBRARIES.items())
def test_a_missing_library_is_named_with_its_extra(module: str, library: str) -> None:
    with (
        pytest.raises(ModuleNotFoundError, match=rf"^ipmix\.integrations\.{module} needs {library}, which is not"),
        needed(library, module),
    ):
        raise ModuleNotFoundError(f"No module named '{library}.data'", name=f"{library}.data")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'other'$"), needed(library, module):
        raise ModuleNotFoundError("No module named 'other'", name="other")


def test_one_line_and_its_extra_in_a_real_import() -> None:
    program = "import sys\nsys.modules['grain'] = None\nimport ipmix.integrations.grain"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith('needs grain, which is not installed: pip install "ipmix[grain]"')


def test_the_package_alone_loads_nothing() -> None:
    program = "import sys, ipmix.integrations\nprint(sorted({'torch', 'timm', 'numba', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def inverted(image: np.ndarray) -> np.ndarray:
    assert image.dtype == np.uint8
    assert image.ndim == 3
    return 255 - image


def test_arrays_keep_their_shape_and_dtype(images: np.ndarray) -> None:
    assert np.array_equal(augment_array(images[0], inverted), 255 - images[0])
    grey = images[0, :, :, 0]
    assert np.array_equal(augment_array(grey, inverted), 255 - grey)
    for dtype in (np.float32, np.float64):
        floats = (images[0] / 255).astype(dtype)
        made = augment_array(floats, inverted)
        assert made.dtype == dtype
        assert np.allclose(made, 1 - floats, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2, 3), np.int32), "images are of uint8 or of floats from 0 to 1, got int32"),
        (np.zeros((2, 2, 3), np.uint16), r"got uint16: for 16-bit images, \(image >> 8\)"),
        (np.full((2, 2, 3), 200.0, np.float32), r"got 200 to 200: divide them by 255, or give bytes \(image\.round"),
        (np.zeros((1, 9, 9, 3), np.uint8), r"got uint8\[1, 9, 9, 3\]: for a batch, ipmix\.augment"),
        (np.full((2, 2, 3), 2.0), "numbers from 0 to 1, got 2 to 2: augment before normalising"),
        (np.full((2, 2, 3), np.nan), "numbers from 0 to 1, got nan"),
        (np.zeros((1, 2, 2, 3), np.uint8), r"an image is an array \[H, W, C\] or \[H, W\]"),
        ([[1]], r"an image is an array \[H, W, C\] or \[H, W\]"),
    ],
)
def test_what_is_no_image_is_refused(image: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        augment_array(image, inverted)


def test_methods_are_settled_once() -> None:
    method, mixing = settled("ipmix-k2")
    assert (method.name, len(mixing)) == ("ipmix", 480)  # type: ignore[arg-type]
    assert settled(ipmix.AugMix())[1] is None
    with pytest.raises(InputError, match="cutmix mixes labels, and this gives images alone"):
        settled("cutmix")
    with pytest.raises(InputError, match="boxes is one of refuse, photometric, got 'no'"):
        settled("augmix", boxes="no")
    refuse_following(settled("augmix", boxes="photometric")[0], "mask")
    refuse_following(method, None)
    with pytest.raises(InputError, match=r'ipmix moves pixels, and the sample\'s mask would stay.*boxes="photometric"'):
        refuse_following(method, "mask")
