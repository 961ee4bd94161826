"""The fast engine: Numba kernels, one small function per operation, threads inside one process.

Agrees with ``engines.reference`` byte for byte, except ``rotate`` and the shears (at most one level, where
Pillow's exact value lies close to a whole number) and ``multiply`` (likewise).
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from ipmix.engines.compiled.kernel import apply_range
from ipmix.engines.output import Output
from ipmix.recipe import RecipeTable


def apply(
    table: RecipeTable, images: np.ndarray, planes: np.ndarray, output: Output, threads: int, out: np.ndarray
) -> None:
    """Carry out ``table[i]`` on ``images[i]`` and write the results to ``out``, with ``threads`` threads.

    images uint8[N, H, W, C]; planes uint8[M, C, h, w], the mixing pictures, h >= H and w >= W, M >= 1; all
    C-contiguous. The result does not depend on the number of threads.
    """
    count = len(table)
    as_bytes = output.kind == "uint8"
    flat = out.reshape(count, -1)
    arguments = (
        *(table.heads, table.chains, table.steps, images),
        *(planes.reshape(planes.shape[0], planes.shape[1], -1), planes.shape[3]),
        *(as_bytes, output.layout == "nchw", output.scale, output.bias),
        *((flat, _NO_FLOATS) if as_bytes else (_NO_BYTES, flat)),
    )
    parts = min(threads, count)
    if parts <= 1:
        apply_range(0, count, *arguments)
        return
    edges = [count * i // parts for i in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(apply_range, a, b, *arguments) for a, b in pairwise(edges)]:
            done.result()


_NO_BYTES = np.empty((1, 1), np.uint8)
_NO_FLOATS = np.empty((1, 1), np.float32)
