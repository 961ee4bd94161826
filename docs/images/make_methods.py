"""Draws docs/images/methods.jpg, every method on one image: python docs/images/make_methods.py

Each cell is the method's telling version by the rule of telling.py beside this file; of the methods that mix a mixing
image in, among those versions that do so over the whole image.
"""

from pathlib import Path

from telling import cat_and_cup, one_mixing_image, telling, telling_mixture

from ipmix.cli.method_figure import methods_named
from ipmix.cli.sheet import SheetRow, draw_sheet

COLUMNS = 4

pair, mixing = cat_and_cup(), one_mixing_image()
cells = [("original", pair[0]), ("partner, for methods that mix labels", pair[1]), ("mixing image", mixing[0])]
for name, method in methods_named(("all",)).items():
    if name == "vanilla":
        continue  # the original
    if method.needs_mixing_images:
        words, version = "", telling_mixture(method, pair[0], mixing)
    else:
        words, version = telling(method, pair, mixing)
    title = type(method).__name__ + (": one of its chains" if name == "augmax" else "")
    cells.append((f"{title}: {words}" if words else title, version))
rows = [SheetRow("", cells[first : first + COLUMNS]) for first in range(0, len(cells), COLUMNS)]
draw_sheet(rows, cell=168, text=18).save(Path(__file__).with_name("methods.jpg"), quality=88)
