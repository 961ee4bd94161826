"""Temperature scaling (Guo et al., ICML 2017): one number by which all logits are divided makes confidence honest.

It is fitted on images that are then left out of every figure. The predicted class stays; only the confidence moves.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmix.core.errors import InputError
from ipmix.measures.outputs import as_labels, as_logits, invalid

LOW, HIGH = 0.01, 100.0
"""Temperatures are looked for between these."""


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature with the least mean log loss: above 1 for a model that is too sure of itself.

    In 1 / temperature the loss is convex, so that its slope's only zero is found by halving.

    Args:
        logits: floating [N, K], at least 2 rows, all of them with an answer.
        labels: integers [N] in 0 .. K-1.

    Returns:
        A number in :data:`LOW` .. :data:`HIGH`; an end of it where the loss has no minimum between (all answers are
        right: the surer, the better).

    Raises:
        InputError: too few images, or rows with NaN or infinity.
    """
    array = as_logits(logits).astype(np.float64)
    classes = as_labels(labels, *array.shape)
    if len(array) < 2:
        raise InputError(f"a temperature needs at least 2 images, got {len(array)}")
    if broken := int(invalid(array).sum()):
        raise InputError(f"{broken} of {len(array)} images have no answer (NaN or infinite logits)")
    array -= array.max(axis=1, keepdims=True)
    # A class that is ruled out (-infinity) stays so at every temperature, and adds nothing to the slope.
    finite = np.where(np.isfinite(array), array, 0.0)
    own = float(finite[np.arange(len(classes)), classes].mean())

    def slope(inverse: float) -> float:
        """The derivative of the mean log loss by 1 / temperature."""
        weights = np.exp(inverse * array)
        return float(((weights * finite).sum(axis=1) / weights.sum(axis=1)).mean()) - own

    low, high = math.log(1.0 / HIGH), math.log(1.0 / LOW)
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if slope(math.exp(middle)) < 0.0 else (low, middle)
    return math.exp(-(low + high) / 2.0)


def scaled(logits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """The logits divided by the temperature, float64[N, K]."""
    if not (math.isfinite(temperature) and temperature > 0.0):
        raise InputError(f"a temperature is a finite number above 0, got {temperature}")
    return as_logits(logits).astype(np.float64) / temperature
