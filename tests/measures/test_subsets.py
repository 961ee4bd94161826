import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import subsets


def test_each_has_200_sorted_classes_of_1000():
    for name in ("imagenet-a", "imagenet-o", "imagenet-r"):
        classes = subsets.subset(name)
        assert classes.shape == (200,)
        assert (np.diff(classes) > 0).all()
        assert classes[0] >= 0
        assert classes[-1] < 1000


def test_their_overlaps_are_the_known_ones():
    a, o, r = (set(subsets.subset(f"imagenet-{letter}").tolist()) for letter in "aor")
    assert (len(a & r), len(a & o), len(o & r)) == (86, 59, 36)


def test_a_subset_is_a_copy():
    subsets.subset("imagenet-a")[:] = 0
    assert subsets.subset("imagenet-a")[1] != 0


def test_an_unknown_one_is_refused():
    with pytest.raises(InputError, match="no subset 'imagenet-c'"):
        subsets.subset("imagenet-c")
