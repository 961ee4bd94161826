import numpy as np
import pytest

import ipmix
from ipmix.augmentation.stages import levels_of
from ipmix.explore import corrupted, uploads, versions
from ipmix.explore.knobs import base


@pytest.fixture(scope="module")
def image():
    return uploads.sample_image(32)


@pytest.fixture(scope="module")
def mixing():
    return versions.mixing_images()


@pytest.mark.parametrize("name", ipmix.METHODS)
def test_a_version_is_what_augment_makes(name, image, mixing):
    method = base(name)
    seed = versions.first_seed(method, image, mixing)
    found = versions.version(method, image, mixing, seed=seed)
    last = found.rows[0].images[-1]
    assert found.rows[0].images[0][0] == "clean"
    assert np.array_equal(found.rows[0].images[0][1], image)
    assert last[0] == "result"
    assert all(words.startswith("32x32 image") for words in found.words)
    assert [ipmix.Recipe.from_json(text).to_json() for text in found.json] == found.json
    needed = mixing if method.needs_mixing_images else None
    if not method.mixes_labels:
        assert np.array_equal(found.result, ipmix.augment(image[None], method, needed, seed=seed, epoch=0)[0])
        assert len(found.rows) > 1 or name == "vanilla"
    else:
        assert np.array_equal(last[1], found.result)
        assert not np.array_equal(found.result, image)
        share = int(found.rows[0].label.split("%")[0].split()[-1])
        assert 20 <= share <= 60


def test_the_first_seed_shows_every_level_and_another_seed_another_version(image, mixing):
    method = ipmix.IPMix()
    seed = versions.first_seed(method, image, mixing)
    first, second = (versions.version(method, image, mixing, seed=each) for each in (seed, seed + 1))
    assert levels_of(ipmix.Recipe.from_json(first.json[0]), image.shape) == {"image", "patch", "pixel"}
    assert not np.array_equal(first.result, second.result)
    later = versions.version(method, image, mixing, seed=seed, epoch=1)
    assert not np.array_equal(first.result, later.result)


def test_boxes_are_those_of_the_steps_that_mix(image, mixing):
    found = versions.version(ipmix.IPMix(), image, mixing, seed=versions.first_seed(ipmix.IPMix(), image, mixing))
    recipe = ipmix.Recipe.from_json(found.json[0])
    for row, chain in zip(found.rows[1:], recipe.chains, strict=True):
        assert row.boxes[0] is None
        assert [box is not None for box in row.boxes[1:]] == [bool(step.mixer) for step in chain.steps]


def test_mixing_images_of_a_folder_of_one_s_own(tmp_path):
    with pytest.raises(ipmix.InputError, match="nowhere"):
        versions.mixing_images(tmp_path / "nowhere")


def test_corruptions_by_severity_and_by_family(image):
    found = corrupted.by_severity(image, "gaussian_noise", seed=0)
    assert [label for label, _ in found] == [f"severity {severity}" for severity in range(1, 6)]
    for severity, (_, shown) in enumerate(found, 1):
        assert np.array_equal(shown, ipmix.corrupt(image[None], "gaussian_noise", severity, seed=0)[0])
    family = corrupted.whole_family(image, "-C, the 4 for validation", 3, seed=0)
    assert [label for label, _ in family] == ["speckle noise", "gaussian blur", "spatter", "saturate"]
    assert {name for names in corrupted.families().values() for name in names} == set(ipmix.corruptions.ALL_CORRUPTIONS)
