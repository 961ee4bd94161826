"""Networks by name, for images in [0, 1], with the normalisation inside."""

from ipmix.models.building import build, load, names
from ipmix.models.classifier import Classifier
from ipmix.models.weights import facts, read_weights, save

__all__ = ["Classifier", "build", "facts", "load", "names", "read_weights", "save"]
