"""The most of each quantity that is taken; beyond them, memory ends or a machine is busy for years."""

SIDE_LEAST = 8
"""Pixels of the side that images are brought to: below it there is nothing left to see, and networks end."""

SIDE_MOST = 2**16
"""Pixels of an image's side."""

SHAPE_MOST = {"N": 2**24, "H": SIDE_MOST, "W": SIDE_MOST, "C": 2**12}
"""The most of each axis: beyond it, tables and images fill any memory, and places of pixels overflow."""

MIXING_MOST = 2**24
"""Images of a mixing set (13,000 are usual)."""

THREADS_MOST = 1024

PAD_MOST = 1024
"""Pixels around an image: beyond it most crops of any image would be empty, and memory runs out first."""

CROP_MOST = 16384
"""Side of a random part."""

CLASSES_MOST = 2**20

ATTACK_STEPS_MOST = 2**20
"""Gradient steps, and random starts, of an attack on each image (20 and 1 are usual)."""

REACH_MOST = 1000.0
"""Of an attack, in units of the pixel range: the largest images are hardly as far apart in the L2 norm."""

BATCH_MOST = 2**24
"""Images of a batch."""

EPOCHS_MOST = 2**20

VIEWS_MOST = 64
"""Augmented versions of an image in a batch (the Jensen-Shannon loss takes 2): each costs a batch's memory."""

BINS_MOST = 2**24
"""Bins of confidence: beyond it, there is no image a bin."""

BIAS_FACTOR_MOST = 1e6
"""Times that biases learn at the others' rate (64 are usual): beyond it, no rate is left that trains."""

SHARDS_MOST = 2**20
"""Parts of a work, each for a machine of its own."""

MAGNITUDES_MOST = 2**16
"""Magnitudes of a policy's operation (31 are usual): a table holds each of them."""

STEPS_MOST = 1024
"""Chains of a recipe, and steps of a chain (3 of 3 are usual): what each image's recipe takes in memory."""
