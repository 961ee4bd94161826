"""The language: steps, chains, recipes, the table that packs a batch of them, and the operations they name.

It knows neither who draws a recipe nor who applies it, and loads no Numba.
"""

from ipmix.recipe.recipe import Chain, ImageSpec, Recipe, Step
from ipmix.recipe.table import RecipeSequence, RecipeTable

__all__ = ["Chain", "ImageSpec", "Recipe", "RecipeSequence", "RecipeTable", "Step"]
