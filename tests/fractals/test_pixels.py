"""Pixels written as words against plain arithmetic; what lies behind the last pixel."""

import numpy as np

from ipmix.core.randomness import Key
from ipmix.fractals import background, color, escape_time, kinds, shading
from ipmix.fractals.ifs import compiled
from ipmix.fractals.pixels import light_up, put


@compiled
def light_all(colors, entries, lights, adds, pixels):
    for k in range(entries.size):
        light_up(colors, np.uint64(entries[k]), lights[k], adds[k], pixels, np.uint64(3 * k))


@compiled
def put_all(words, pixels):
    for k in range(words.size):
        put(pixels, np.uint64(3 * k), words[k])


def test_light_up_is_a_product_and_a_sum_cut_off_at_255():
    rng = np.random.default_rng(0)
    colors = rng.uniform(0, 1, 31).astype(np.float32)  # ten colors and the number behind them
    entries = rng.integers(0, 10, 200)
    lights = rng.uniform(0, 400, 200).astype(np.float32)
    adds = rng.uniform(0, 90, 200).astype(np.float32)
    pixels = np.zeros(601, np.uint8)
    light_all(colors, entries, lights, adds, pixels)
    exact = colors[:30].reshape(10, 3)[entries] * lights[:, None] + adds[:, None]
    assert (exact > 255).any()
    np.testing.assert_array_equal(pixels[:600].reshape(200, 3), np.minimum(exact, 255).astype(np.uint8))


def test_put_writes_the_low_bytes_in_order():
    words = np.array([0x030201, 0x060504, 0x090807], np.uint32)
    pixels = np.full(10, 77, np.uint8)
    put_all(words, pixels)
    assert pixels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def guarded(side):
    """An image in the middle of a larger array, whose borders must stay as they are."""
    memory = np.full(side * side * 3 + 64, 77, np.uint8)
    return memory, memory[32:-32].reshape(side, side, 3)


def test_nothing_is_written_behind_a_image():
    side = 16
    memory, image = guarded(side)
    background.paint_background(Key(3).stream(), image, np.empty(256, np.float32), np.empty(512, np.float32))
    assert (memory[:32] == 77).all()
    assert (memory[-32:] == 77).all()
    before = image[-1, -1].copy()
    image[-1, -1] = 0
    background.paint_background(Key(3).stream(), image, np.empty(256, np.float32), np.empty(512, np.float32))
    np.testing.assert_array_equal(image[-1, -1], before)

    memory, image = guarded(side)
    space = escape_time.make_workspace(side)
    salt = kinds.KINDS["julia"].salt
    escape_time.paint(0, salt, 0, True, image, np.zeros(escape_time.PARAMETERS), space)
    assert (memory[:32] == 77).all()
    assert (memory[-32:] == 77).all()
    np.testing.assert_array_equal(image, kinds.paint("julia", 0, 0, side).pixels)


def test_the_last_pixel_is_shaded_as_the_others():
    # All pixels alike: the last one, which is written by itself, must not differ.
    side = 12
    palette = color.new_palette()
    color.draw_palette(Key(1).stream(), palette)
    shades = np.zeros(shading.SHADES)
    shading.draw_shading(Key(2).stream(), shades)
    counts, norms, traps = (np.full(side * side, value, np.float32) for value in (7.0, 300.0, 0.2))
    image = np.zeros((side, side, 3), np.uint8)
    spare = np.empty((2, side * side), np.float32)
    shading.shade(2.0, shades, palette, counts, norms, traps, *spare, image)
    assert image[0, 0].any()
    assert (image == image[0, 0]).all()
