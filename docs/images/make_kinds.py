"""Draws docs/images/mixing-set-kinds.jpg, a row of each generated kind: python docs/images/make_kinds.py"""

from pathlib import Path

from ipmix import MixingSet
from ipmix.cli.sheet import SheetRow, draw_sheet

KINDS, ACROSS, SEED = ("ifs", "fractaldb", "mandelbrot", "julia", "flame"), 8, 0

rows = []
for kind in KINDS:
    images = MixingSet.generate(ACROSS, 256, SEED, mix={kind: 1})
    rows.append(SheetRow(kind, [("", images[i]) for i in range(ACROSS)]))
draw_sheet(rows, cell=112, text=28).save(Path(__file__).with_name("mixing-set-kinds.jpg"), quality=85)
