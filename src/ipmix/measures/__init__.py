"""The measures of the safety scorecard: pure functions over a classifier's predictions, one file each, and their table.

Everything here takes NumPy arrays and gives plain numbers, needs no model and no image, and counts in
fractions (an error of 0.25, not 25%). A measure never averages NaN away: it refuses it, by name.
"""

from ipmix.measures import (
    anomaly,
    bootstrap,
    calibration,
    clean,
    comparing,
    conformal,
    consistency,
    corruption,
    noise_floor,
    outputs,
    proportions,
    selective,
    subsets,
    temperature,
)

__all__ = [
    "anomaly",
    "bootstrap",
    "calibration",
    "clean",
    "comparing",
    "conformal",
    "consistency",
    "corruption",
    "noise_floor",
    "outputs",
    "proportions",
    "selective",
    "subsets",
    "temperature",
]
