"""Draws docs/images/ipmix.jpg, the image at the top of the README: python docs/images/make_ipmix.py

The flower is scikit-learn's sample image (photo: dany13, CC BY 2.0).
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from ipmix import IPMix, MixingSet, draw
from ipmix.augmentation.explain import explain
from ipmix.cli.sheet import SheetRow, draw_sheet
from ipmix.recipe.format import WHOLE

ACROSS = 3
SEED, INDEX = 0, 4561  # a recipe with a chain of each level: image, patch, pixel

flower = Image.fromarray(load_sample_image("flower.jpg")).crop((130, 40, 510, 420))
image = np.asarray(flower.resize((224, 224), Image.Resampling.LANCZOS))
mixing = MixingSet.generate(64, 256, 0)
method = IPMix(severity=3.0, beta=3.0, patch_sizes=(32, 64, 96, 224))
recipe = draw(method, (1, 224, 224, 3), len(mixing), seed=SEED, indices=[INDEX])[0]
first, *chains = explain(image, recipe, mixing)
clean, image, result = first.images
shares = [chain.share / WHOLE for chain in recipe.chains]
ends = [(f"{share:.0%}: {chain}", row.images[-1][1]) for share, chain, row in zip(shares, recipe.chains, chains)]
cells = [
    (f"{recipe.clean / WHOLE:.0%}: clean", clean[1]),
    *ends,
    ("their sum", result[1]),
    ("the mixing image", image[1]),
]
rows = [SheetRow("", cells[:ACROSS]), SheetRow("", cells[ACROSS:])]
draw_sheet(rows, cell=196, text=18).save(Path(__file__).with_name("ipmix.jpg"), quality=90)
