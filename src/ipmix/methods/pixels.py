"""A method of one's own that is a function of pixels: images and keys in, images out."""

import inspect
from dataclasses import dataclass

from ipmix.core.checking import shown
from ipmix.core.errors import InputError
from ipmix.core.randomness import Keys
from ipmix.recipe.pixels import PixelFunction, PixelRecipes
from ipmix.recipe.recipe import ImageSpec


@dataclass(frozen=True)
class PixelMethod:
    """A label-preserving method that a function carries out.

    Slower than a method of recipes (Python does the work, and nothing is prepared), and nobody can look at what was
    drawn; engines, threads and outputs are as for every method.

    >>> def darker(images, keys):
    ...     return (images * keys.uniform(0.5, 1.0)[:, None, None, None]).astype("uint8")
    >>> ipmix.augment(images, ipmix.PixelMethod(darker), seed=0)  # doctest: +SKIP
    """

    function: PixelFunction
    """(images uint8[N, H, W, C], keys) -> uint8[N, H, W, C]; it draws from ``keys.seeds()`` or ``keys.uniform()``, so
    that each image depends on its own key alone, and may be called from several threads."""
    moves_pixels: bool | None = None
    """Whether boxes and masks would have to follow; None asks the function (``darker.moves_pixels = False``), and is
    True where that doesn't say."""

    mixes_labels = False
    needs_mixing_images = False

    def __post_init__(self) -> None:
        if self.moves_pixels is None:
            object.__setattr__(self, "moves_pixels", bool(getattr(self.function, "moves_pixels", True)))
        if isinstance(self.function, type) or not callable(self.function):
            raise InputError(f"a method of pixels is a function (images, keys) -> images, got {shown(self.function)}")
        try:
            signature = inspect.signature(self.function)
        except ValueError:  # of compiled code that doesn't tell
            return
        try:
            signature.bind("images", "keys")
        except TypeError as error:
            raise InputError(
                f"a method of pixels is a function (images, keys) -> images; {self.name} can't be called so: {error}"
            ) from None

    @property
    def name(self) -> str:
        """The function's."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def draw(self, keys: Keys, scene: ImageSpec) -> PixelRecipes:
        """The keys, for the function."""
        return PixelRecipes(self.function, keys, scene.height, scene.width)
