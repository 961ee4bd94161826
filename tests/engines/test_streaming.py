"""Streaming copies what a plain assignment copies, and nothing beside it."""

import numpy as np

from ipmix.engines.compiled.streaming import stream


def test_every_length_and_alignment() -> None:
    source = np.arange(1, 401).astype(np.float32)
    for count in (0, 1, 15, 16, 17, 63, 64, 65, 200, 400):
        for to in range(0, 70, 3):
            target, expected = np.zeros(500, np.float32), np.zeros(500, np.float32)
            stream(source, count, target, to)
            expected[to : to + count] = source[:count]
            assert np.array_equal(target, expected), (count, to)


def test_one_more_would_be_noticed() -> None:
    target, expected = np.zeros(100, np.float32), np.zeros(100, np.float32)
    stream(np.ones(50, np.float32), 50, target, 20)
    expected[20:69] = 1
    assert not np.array_equal(target, expected)
