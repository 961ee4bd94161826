import dataclasses

import pytest

import ipmix
from ipmix.explore.knobs import LEFT_OUT, base, in_python, knobs, made, presets


@pytest.mark.parametrize("name", ipmix.METHODS)
def test_every_setting_has_a_knob_that_the_method_takes(name):
    for preset in (None, *presets(name)):
        method, found = base(name, preset), knobs(name, preset)
        fields = {field.name for field in dataclasses.fields(method)} - {left for of, left in LEFT_OUT if of == name}
        assert [knob.name for knob in found] == [f.name for f in dataclasses.fields(method) if f.name in fields]
        for knob in found:
            assert knob.explained, "its docstring says what it does"
            if knob.kind in ("whole", "number"):
                assert knob.low < knob.high
                assert knob.default is None or knob.low <= knob.default <= knob.high, knob
                ends = (knob.low, knob.high)
            else:
                ends = tuple([one] if knob.kind == "subset" else one for one in knob.choices)
            for value in ends:
                made(name, preset, {knob.name: value})
            assert knob.optional or knob.default is not None


def test_ipmix_s_knobs_are_those_of_its_config():
    found = {knob.name: knob for knob in knobs("ipmix")}
    assert (found["k"].kind, found["k"].low, found["k"].default) == ("whole", 1, 3)
    assert found["severity"].optional
    assert found["severity"].default is None
    assert found["min_ops"].high == 3, "no more than t"
    assert found["patch_shape"].choices == ("both", "square", "scar")
    assert found["mixers"].choices == ("add", "multiply", "random_pixels", "random_elements")
    assert found["operations"].choices == ("core", "all", "photometric")
    assert {knob.name: knob for knob in knobs("ipmix", "k4-t2")}["t"].default == 2
    assert {knob.name: knob for knob in knobs("randaugment")}["magnitude"].high == 30
    assert {knob.name: knob for knob in knobs("autoaugment")}["policy"].choices == ("cifar10", "imagenet", "svhn")


def test_what_is_made_has_the_settings_and_what_is_wrong_is_refused():
    method = made("ipmix", None, {"k": 4, "patch_sizes": "[4, 8]", "levels": ["image"], "severity": None})
    assert (method.k, method.patch_sizes, method.levels, method.severity) == (4, (4, 8), ("image",), None)
    assert made("cutout", None, {"fill": "[1, 2, 3]"}).fill == (1, 2, 3)
    assert made("ipmix", None, {"patch_sizes": " "}).patch_sizes is None
    for values, message in (
        ({"min_ops": 5}, "min_ops must be at most t = 3"),
        ({"levels": []}, "levels"),
        ({"patch_sizes": "wide"}, "patch_sizes"),
        ({"patch_sizes": "[" * 100_000}, "patch_sizes"),
    ):
        with pytest.raises(ipmix.InputError, match=message):
            made("ipmix", None, values)


@pytest.mark.parametrize(
    ("preset", "values", "expected"),
    [
        (None, {}, "ipmix.IPMix()"),
        (None, {"k": 4, "mix_with": "original"}, "ipmix.IPMix(k=4, mix_with='original')"),
        ("code-cifar", {}, 'ipmix.IPMix.preset("code-cifar")'),
        ("code-cifar", {"k": 4}, 'dataclasses.replace(ipmix.IPMix.preset("code-cifar"), k=4)'),
    ],
)
def test_the_line_of_python_makes_the_same(preset, values, expected):
    method = made("ipmix", preset, values)
    line = in_python(method, "ipmix", preset)
    assert line == expected
    assert eval(line, {"ipmix": ipmix, "dataclasses": dataclasses}) == method
