"""ipmix: label-preserving augmentation and a safety scorecard for image classifiers.

The public names; each is imported when it is first used, so that ``import ipmix`` costs next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AugMax": "ipmix.methods",
    "AugMix": "ipmix.methods",
    "AutoAugment": "ipmix.methods",
    "Combined": "ipmix.methods",
    "CutMix": "ipmix.methods",
    "CutOut": "ipmix.methods",
    "IPMix": "ipmix.methods",
    "LayerMix": "ipmix.methods",
    "METHODS": "ipmix.methods",
    "MixUp": "ipmix.methods",
    "PRIME": "ipmix.methods",
    "PixMix": "ipmix.methods",
    "PixelMethod": "ipmix.methods",
    "RandAugment": "ipmix.methods",
    "TrivialAugmentWide": "ipmix.methods",
    "Vanilla": "ipmix.methods",
    "MixingSet": "ipmix.mixing_set",
    "Key": "ipmix.core.randomness",
    "Recipe": "ipmix.recipe",
    "RecipeSequence": "ipmix.recipe",
    "RecipeTable": "ipmix.recipe",
    "Augmenter": "ipmix.augmentation",
    "InputError": "ipmix.core.errors",
    "apply": "ipmix.augmentation",
    "augment": "ipmix.augmentation",
    "draw": "ipmix.augmentation",
    "key_of": "ipmix.core.item_keys",
    "Scorecard": "ipmix.evaluation.card",
    "AttackConfig": "ipmix.evaluation.plan",
    "EvaluationPlan": "ipmix.evaluation.plan",
    "corrupt": "ipmix.corruptions",
    "evaluate": "ipmix.evaluation.from_python",
    "perturb": "ipmix.corruptions",
}
_MODULES = {
    "ascent": "ipmix.ascent",
    "corruptions": "ipmix.corruptions",
    "datasets": "ipmix.data.datasets",
    "losses": "ipmix.training.losses",
    "measures": "ipmix.measures",
    "models": "ipmix.models",
    "operations": "ipmix.recipe.operations",
    "recipe": "ipmix.recipe",
    "transforms": "ipmix.transforms",
}

__all__ = [*_HOMES, *_MODULES]

if TYPE_CHECKING:  # what a type checker and an editor see
    from ipmix.augmentation.batches import apply as apply
    from ipmix.augmentation.batches import augment as augment
    from ipmix.augmentation.batches import draw as draw
    from ipmix.augmentation.single import Augmenter as Augmenter
    from ipmix.core.errors import InputError as InputError
    from ipmix.core.item_keys import key_of as key_of
    from ipmix.core.randomness import Key as Key
    from ipmix.corruptions import corrupt as corrupt
    from ipmix.corruptions import perturb as perturb
    from ipmix.evaluation.card import Scorecard as Scorecard
    from ipmix.evaluation.from_python import evaluate as evaluate
    from ipmix.evaluation.plan import AttackConfig as AttackConfig
    from ipmix.evaluation.plan import EvaluationPlan as EvaluationPlan
    from ipmix.methods import METHODS as METHODS
    from ipmix.methods import PRIME as PRIME
    from ipmix.methods import AugMax as AugMax
    from ipmix.methods import AugMix as AugMix
    from ipmix.methods import AutoAugment as AutoAugment
    from ipmix.methods import Combined as Combined
    from ipmix.methods import CutMix as CutMix
    from ipmix.methods import CutOut as CutOut
    from ipmix.methods import IPMix as IPMix
    from ipmix.methods import LayerMix as LayerMix
    from ipmix.methods import MixUp as MixUp
    from ipmix.methods import PixelMethod as PixelMethod
    from ipmix.methods import PixMix as PixMix
    from ipmix.methods import RandAugment as RandAugment
    from ipmix.methods import TrivialAugmentWide as TrivialAugmentWide
    from ipmix.methods import Vanilla as Vanilla
    from ipmix.mixing_set.mixing_set import MixingSet as MixingSet
    from ipmix.recipe.recipe import Recipe as Recipe
    from ipmix.recipe.table import RecipeSequence as RecipeSequence
    from ipmix.recipe.table import RecipeTable as RecipeTable


class _NamedModule(ModuleType):
    """A module that is sent and hashed by its name.

    Hugging Face's hash of a function holds the modules that it uses: of one outside of site-packages (an editable
    installation) it would take all that is in it, and end in an error at what can't be sent.
    """

    def __reduce__(self) -> Any:
        return import_module, (self.__name__,)

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) is ModuleType and value.__name__ == f"{self.__name__}.{name}":
            value.__class__ = _NamedModule  # the import of a module within this one ends by setting it here
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _NamedModule


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'ipmix' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
