"""Snow and fog."""

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import between, start, uniform
from ipmix.corruptions.common.zoom import add_zoomed, zoom_line
from ipmix.corruptions.kernels.filtering import level, motion_weights, motion_width, smear
from ipmix.corruptions.kernels.sampling import fill_normal, normal_table
from ipmix.corruptions.task import VIEW, Task


def snow(task: Task) -> None:
    """Flakes (normal noise, enlarged, what is below a threshold removed) that fall at an angle, over a
    paler image.

    The flakes are added twice, the second time turned by 180 degrees. Angle from U(-135, -45) degrees.
    """
    mean, deviation, zoom, threshold, radius, sigma, share = task.constants()
    snow_all(
        task.images,
        task.out,
        *task.key,
        (mean, deviation, threshold, share),
        normal_table(),
        zoom_line(max(zoom, 1.0), task.height, task.corrected),
        zoom_line(max(zoom, 1.0), task.width, task.corrected),
        motion_weights(radius, sigma),
        motion_width(radius),
    )


def fog(task: Task) -> None:
    """A cloud (diamond-square fractal in [0, 1]) times c is added; the brightest level stays where it was."""
    amount, decay = task.constants()
    size = 1
    while size < max(task.height, task.width):
        size *= 2
    fog_all(task.images, task.out, *task.key, amount, decay, np.int64(size))


@inlined
def grey(pixel, channels):
    """The luma of three channels; the mean of any other number."""
    if channels == 3:
        return np.float32(0.299) * pixel[0] + np.float32(0.587) * pixel[1] + np.float32(0.114) * pixel[2]
    total = np.float32(0.0)
    for c in range(channels):
        total += np.float32(pixel[c])
    return total / np.float32(channels)


@compiled
def snow_layer(state, layer, mean, deviation, threshold, table, down, across):
    """Flakes before they fall: whole levels 0 .. 255 into float32[H, W]; down, across from ``zoom_line``."""
    noise = np.empty(layer.shape, np.float32)
    fill_normal(state, noise.reshape(noise.size), mean, deviation, table)
    layer[:] = np.float32(0.0)
    add_zoomed(noise, layer, 1, down[0], down[1], down[2], across[0], across[1], across[2])
    flat = layer.reshape(layer.size)
    for p in range(flat.size):
        value = flat[p] if flat[p] >= threshold else np.float32(0.0)
        flat[p] = np.float32(level(value * np.float32(255.0)))


@compiled
def add_snow(image, out, fallen, share):
    """Lay flakes (levels, float32[H, W]) over one image, uint8[H, W, C]."""
    height, width, channels = image.shape
    mix = np.float32(share)
    rest = np.float32(1.0) - mix
    for y in range(height):
        for x in range(width):
            pixel = image[y, x]
            pale = grey(pixel, channels) * np.float32(1.5) + np.float32(127.5)
            # Each of the two layers has whole levels: the original takes them from ImageMagick, which rounds.
            flakes = np.floor(fallen[y, x] + np.float32(0.5))
            flakes += np.floor(fallen[height - 1 - y, width - 1 - x] + np.float32(0.5))
            for c in range(channels):
                value = np.float32(pixel[c])
                out[y, x, c] = level(mix * value + rest * max(value, pale) + flakes)


@compiled
def fall_all(images, out, layers, weights, degrees, steps, share):
    """Flakes (levels, float32[n, H, W]) falling at one angle over uint8[n, H, W, C]."""
    fallen = np.empty(layers.shape[1:], np.float32)
    for i in range(images.shape[0]):
        smear(layers[i], fallen, 1, weights, degrees, steps)
        add_snow(images[i], out[i], fallen, share)


@compiled
def snow_all(images, out, indices, seed, salt, numbers, table, down, across, weights, steps):
    """Snow over uint8[n, H, W, C]."""
    count, height, width, _ = images.shape
    mean, deviation, threshold, share = numbers
    layer = np.empty((height, width), np.float32)
    fallen = np.empty_like(layer)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        snow_layer(state, layer, mean, deviation, threshold, table, down, across)
        smear(layer, fallen, 1, weights, between(state, -135.0, -45.0), steps)
        add_snow(images[i], out[i], fallen, share)


@compiled
def cloud(state, field, decay):
    """Fill float64[n, n], n a power of two, with a diamond-square fractal that wraps around, scaled to [0,
    1].

    The roughness of a level is its amplitude squared, as in the public code: ``a * U(-a, a)``, with a = 100 at the
    first level and a / decay at each next.
    """
    size = field.shape[0]
    field[0, 0] = 0.0
    step, amplitude = size, 100.0
    while step >= 2:
        half = step // 2
        spread = amplitude * amplitude
        for y in range(0, size, step):
            down = (y + step) % size
            for x in range(0, size, step):
                right = (x + step) % size
                corners = field[y, x] + field[down, x] + field[y, right] + field[down, right]
                field[y + half, x + half] = corners / 4.0 + spread * (2.0 * uniform(state) - 1.0)
        for y in range(0, size, step):
            above, down = (y - half) % size, (y + step) % size
            for x in range(0, size, step):
                before, right = (x - half) % size, (x + step) % size
                centre = field[y + half, x + half]
                across = centre + field[above, x + half] + field[y, x] + field[y, right]
                field[y, x + half] = across / 4.0 + spread * (2.0 * uniform(state) - 1.0)
                along = centre + field[y + half, before] + field[y, x] + field[down, x]
                field[y + half, x] = along / 4.0 + spread * (2.0 * uniform(state) - 1.0)
        step = half
        amplitude /= decay
    flat = field.reshape(field.size)
    least, most = flat[0], flat[0]
    for p in range(flat.size):
        least, most = min(least, flat[p]), max(most, flat[p])
    scale = 1.0 / (most - least) if most > least else 0.0
    for p in range(flat.size):
        flat[p] = (flat[p] - least) * scale


@compiled
def fog_all(images, out, indices, seed, salt, amount, decay, size):
    """Fog over uint8[n, H, W, C]; ``size`` is the power of two that covers the image."""
    count, height, width, channels = images.shape
    field = np.zeros((size, size))
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        cloud(state, field, decay)
        flat = images[i].reshape(height * width * channels)
        most = np.uint8(0)
        for p in range(flat.size):
            most = max(most, flat[p])
        brightest = most / 255.0
        scale = np.float32(brightest / (brightest + amount))
        for y in range(height):
            for x in range(width):
                added = np.float32(255.0 * amount * field[y, x])
                for c in range(channels):
                    out[i, y, x, c] = level((np.float32(images[i, y, x, c]) + added) * scale)
