"""Networks by name and anybody's model by its file, for images in [0, 1], with the normalisation inside.

They know neither data sets nor what they are trained or measured with.
"""

from ipmix.models.building import build, check_name, load, names
from ipmix.models.checkpoints import read_weights
from ipmix.models.classifier import Classifier
from ipmix.models.forms import InputForm, form_of
from ipmix.models.outputs import logits_of
from ipmix.models.weights import facts, save
from ipmix.models.wrapping import wrap, zero_shot

__all__ = [
    "Classifier", "InputForm", "build", "check_name", "facts", "form_of", "load", "logits_of", "names", "read_weights",
    "save", "wrap", "zero_shot",
]  # fmt: skip
