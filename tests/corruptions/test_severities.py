"""The tables, and the rule between and beyond them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmix.corruptions import severities as s


def test_counts_of_the_public_sets():
    assert len(s.CORRUPTIONS) == 15
    assert len(s.VALIDATION) == 4
    assert len(s.C_BAR_CIFAR) == len(s.C_BAR_IMAGENET) == 10
    assert len(s.C_BAR) == 15
    assert len(s.PERTURBATIONS_CIFAR) == len(s.PERTURBATIONS_IMAGENET) == 10
    assert len(set(s.ALL_CORRUPTIONS)) == 34


@pytest.mark.parametrize(
    ("name", "severity", "side", "expected"),
    [
        ("gaussian_noise", 5, 32, (0.1,)),
        ("gaussian_noise", 5, 224, (0.38,)),
        ("glass_blur", 3, 32, (0.4, 1, 1)),
        ("glass_blur", 5, 224, (1.5, 4, 2)),
        ("snow", 4, 224, (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65)),
        ("elastic_transform", 2, 224, (2, 0.08, 0.2)),
        ("spatter", 4, 32, (0.65, 0.1, 0.7, 0.69, 0.6, 1)),
        ("sparkles", 3, 32, (5.6,)),
        ("sparkles", 3, 224, (3,)),
        ("lines", 3, 224, (1.5,)),
    ],
)
def test_the_tables_at_32_and_224(name, severity, side, expected):
    assert s.constants(name, severity, side, side) == expected
    assert s.constants(name, severity, side, side + 100) == expected, "the shorter side decides"


def test_the_rule_by_hand():
    # Half-way between 32 and 224 on a logarithmic scale.
    side = (32 * 224) ** 0.5
    assert s.between("n", 0.04, 0.08, side) == pytest.approx(0.06)
    assert s.between("l", 1.0, 14.0, side) == pytest.approx(side * (0.5 * 1 / 32 + 0.5 * 14 / 224))
    assert s.between("k", 1, 2, side - 1) == 1
    assert s.between("k", 1, 2, side + 1) == 2
    # Beyond: numbers stay, lengths go on with the side.
    assert s.between("n", 0.04, 0.08, 448) == 0.08
    assert s.between("l", 1.0, 14.0, 448) == pytest.approx(28.0)
    assert s.between("l", 1.0, 14.0, 16) == pytest.approx(0.5)


@given(st.sampled_from(s.ALL_CORRUPTIONS), st.integers(1, 5), st.integers(1, 2000))
def test_every_constant_lies_between_its_two(name, severity, side):
    small, here, large = (s.constants(name, severity, n, n) for n in (32, side, 224))
    kinds = s._TABLES[name][0] if name in s._TABLES else "n"
    for kind, a, b, c in zip(kinds, small, here, large):
        if kind != "l":
            assert min(a, c) <= b <= max(a, c)
        else:
            assert min(a / 32, c / 224) * 0.999 <= b / side <= max(a / 32, c / 224) * 1.001


def test_every_perturbation_has_constants():
    for name in s.PERTURBATIONS:
        assert s.perturbation_constants(name, 32, 32)[0] >= 16
        assert s.perturbation_constants(name, 224, 224)[0] >= 31
