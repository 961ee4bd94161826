from typing import get_args

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.measures import calibration
from ipmix.measures.table import HEADLINE, MEASURES, Needed, mean


def test_every_measure_has_a_title_of_its_own() -> None:
    titles = [measure.title for measure in MEASURES.values()]
    assert len(set(titles)) == len(titles)
    assert set(HEADLINE) <= set(MEASURES)
    for measure in MEASURES.values():
        assert measure.meaning
        assert set(measure.needs) <= set(get_args(Needed))


@pytest.mark.parametrize("name", MEASURES)
def test_every_function_takes_what_the_table_says(name: str) -> None:
    """One number an image; confidence and correct; or anomaly scores and which images are anomalous."""
    measure, random = MEASURES[name], np.random.default_rng(0)
    values, flags = random.random(300), random.random(300) < 0.5
    if measure.function is mean:
        assert measure.function(values) == pytest.approx(values.mean())
        assert measure.interval == "percentile"
    elif name == "corruption_rms_calibration_error":
        pair = np.stack([values, values[::-1]], axis=1), np.stack([flags, flags], axis=1)
        apart = [calibration.rms_calibration_error(values[::step], flags) for step in (1, -1)]
        assert measure.function(*pair) == pytest.approx(np.mean(apart))
    else:
        assert 0 <= measure.function(values, flags) <= 1
        # Being right whenever it is confident, or alarmed whenever an image is anomalous, is the better.
        good, bad = measure.function(flags * 1.0, flags), measure.function(1.0 - flags, flags)
        assert (good < bad) == (measure.better == "lower") or good == bad == 0


def test_a_mean_without_some_of_its_values_is_refused() -> None:
    with pytest.raises(InputError, match="2 of 4 images have no finite value"):
        mean(np.array([1.0, np.nan, np.inf, 0.0]))
