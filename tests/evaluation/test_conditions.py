import re

import pytest

from ipmix.core.errors import InputError
from ipmix.evaluation.conditions import CLEAN, Condition

KEYS = {
    "clean": Condition("clean"),
    "attack": Condition("attack"),
    "auto_attack": Condition("auto_attack"),
    "corruption/fog/3": Condition("corruption", "fog", 3),
    "corruption/caustic_refraction/5": Condition("corruption", "caustic_refraction", 5),
    "frames/tilt": Condition("frames", "tilt"),
    "top5/gaussian_noise": Condition("top5", "gaussian_noise"),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_name_is_read_and_written_back(key: str) -> None:
    assert Condition.parse(key) == KEYS[key]
    assert KEYS[key].key == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corruption/fogg/1", "'corruption/fogg/1' names no condition: unknown corruption 'fogg'; did you mean 'fog'?"),
        ("corruption/tilt/1", "unknown corruption 'tilt'; known are gaussian_noise, "),
        ("corruption/fog/0", "a severity is 1 to 5, got 0"),
        ("corruption/fog/6", "a severity is 1 to 5, got 6"),
        ("corruption/fog/-1", "a severity is 1 to 5, got -1"),
        ("corruption/fog/03", "a severity is 1 to 5, got 03"),
        ("corruption/fog/high", "a severity is 1 to 5, got high"),
        ("corruption/fog", "expected corruption/NAME/SEVERITY"),
        ("corruption/fog/1/2", "expected corruption/NAME/SEVERITY"),
        ("frames/fog", "unknown perturbation 'fog'"),
        ("frames/tlt", "did you mean 'tilt'?"),
        ("top5/tilt/1", "expected top5/NAME"),
        ("clean/1", "expected clean"),
        ("atack", "unknown condition 'atack'; did you mean 'attack'?"),
        ("scores", "unknown condition 'scores'; known are clean, corruption, attack, auto_attack, frames, top5"),
        ("", "unknown condition ''"),
    ],
)
def test_what_names_no_condition_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(
        InputError, match=f"^{re.escape(repr(text))} names no condition: .*{re.escape(message)}|^{re.escape(message)}"
    ):
        Condition.parse(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("fog",), "unknown condition 'fog'"),
        (("corruption", "fog"), "severity is 1 to 5, got None"),
        (("clean", "fog"), "'clean' has no name of its own, got 'fog'"),
        (("frames", "tilt", 2), "only a corruption has a severity, got 2 for 'frames'"),
    ],
)
def test_a_condition_that_can_t_be(values: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Condition(*values)


def test_what_is_kept_under_it() -> None:
    assert {key for key, condition in KEYS.items() if not condition.holds_logits} == {
        "frames/tilt",
        "top5/gaussian_noise",
    }
    assert {key for key, condition in KEYS.items() if condition.is_attack} == {"attack", "auto_attack"}
    assert CLEAN == KEYS["clean"]
