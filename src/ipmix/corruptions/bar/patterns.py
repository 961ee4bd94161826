"""C-bar: patterns laid over the image: waves, rings, plasma and Perlin noise."""

import math

import numpy as np

from ipmix.core.compiling import compiled, inlined
from ipmix.core.randomness import below, between, start, uniform
from ipmix.corruptions.task import VIEW, Task

OCTAVES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""The frequencies of the turbulence: a turbulence of 16 doubles its frequency up to 16."""


def single_frequency_greyscale(task: Task) -> None:
    """x + 19.6 level sin(f . p + phase): one plane wave."""
    (level,) = task.constants()
    wave_all(task.images, task.out, *task.key, 19.6 * level)


def cocentric_sine_waves(task: Task) -> None:
    """x + 12.8 level d: rings about a random point whose radius wobbles with the angle; d in [-0.5, 0.5)."""
    (level,) = task.constants()
    ring_all(task.images, task.out, *task.key, 12.8 * level)


def plasma_noise(task: Task) -> None:
    """(1 - i / 255) x + i n with i = 6.4 level: an iterated swirl of sines n, another in each channel."""
    (level,) = task.constants()
    plasma_all(task.images, task.out, *task.key, 6.4 * level)


def perlin_noise(task: Task) -> None:
    """(1 - a) x + 255 a n with a = 0.05 level and n = 0.5 turbulence + 0.5, cells of a seventh of the
    side."""
    (level,) = task.constants()
    perlin_all(task.images, task.out, *task.key, 0.05 * level, 7.0 / task.side)


@inlined
def cut(value):
    """A float level cut to 0 .. 255 and cut off to uint8."""
    return np.uint8(np.int32(min(max(value, 0.0), 255.0)))


@compiled
def wave_all(images, out, indices, seed, salt, intensity):
    """Plane waves over uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    state = np.empty(1, np.uint64)
    sine_x, cosine_x = np.empty(width), np.empty(width)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        first = between(state, -math.pi, math.pi)
        second = between(state, -abs(first), abs(first))
        if below(state, 2) == 1:
            first, second = second, first
        phase = between(state, 0.0, 2.0 * math.pi)
        for x in range(width):
            sine_x[x], cosine_x[x] = math.sin(x * first), math.cos(x * first)
        for y in range(height):
            sine, cosine = math.sin(y * second + phase), math.cos(y * second + phase)
            for x in range(width):
                added = intensity * (sine_x[x] * cosine + cosine_x[x] * sine)
                for c in range(channels):
                    out[i, y, x, c] = cut(images[i, y, x, c] + added)


@compiled
def ring_all(images, out, indices, seed, salt, intensity):
    """Rings over uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    side = min(height, width)
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        centre_x, centre_y = between(state, 0.0, width), between(state, 0.0, height)
        frequency = between(state, 0.0, 10.0)
        amplitude = between(state, 0.0, side / 10.0)
        ring = max(between(state, 0.0, side / 10.0), 1e-9)
        for y in range(height):
            for x in range(width):
                dx, dy = x - centre_x, y - centre_y
                angle = math.atan2(dx, dy) * frequency
                distance = ((math.sqrt(dx * dx + dy * dy) + math.sin(angle) * amplitude) % ring) / ring
                added = intensity * (distance - 0.5)
                for c in range(channels):
                    out[i, y, x, c] = cut(images[i, y, x, c] + added)


@compiled
def swirl(x, y, time, rounds, sharpness):
    """The three values of plasma at a point, each in [-1, 1]."""
    frequency, slowness, shrink = 1.0, 1.0, 1.0
    for _ in range(rounds):
        turn_x = math.cos(y * frequency + time / slowness) / shrink
        turn_y = math.sin(x * frequency + time / slowness) / shrink
        x += turn_x - 0.3 * turn_y
        y += turn_y + 0.3 * turn_x
        frequency *= 1.93
        slowness *= 1.15
        shrink *= 2.25 - sharpness
    return math.sin(x - time), math.sin((x + y + math.sin(time)) * 0.5), math.sin(y + time)


@compiled
def plasma_all(images, out, indices, seed, salt, intensity):
    """Plasma over uint8[n, H, W, C]; the fourth channel takes the first one's values again, and so on."""
    count, height, width, channels = images.shape
    state = np.empty(1, np.uint64)
    keep = 1.0 - intensity / 255.0
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        time = between(state, 0.0, 6.0 * math.pi)
        rounds = 4 + below(state, 3)
        sharpness = between(state, 0.5, 1.0)
        scale = between(state, 0.075, 0.2) * min(height, width)
        for y in range(height):
            for x in range(width):
                values = swirl(x / scale, y / scale, time, rounds, sharpness)
                for c in range(channels):
                    out[i, y, x, c] = cut(keep * images[i, y, x, c] + intensity * values[c % 3])


@compiled
def draw_lattice(state, order, gradients):
    """A shuffled 0 .. 255, twice over (int64[512]), and 256 random unit vectors (float64[256, 2])."""
    for k in range(256):
        order[k] = k
        a, b = 2.0 * uniform(state) - 1.0, 2.0 * uniform(state) - 1.0
        length = max(math.sqrt(a * a + b * b), 1e-12)
        gradients[k, 0], gradients[k, 1] = a / length, b / length
    for k in range(255, 0, -1):
        other = below(state, k + 1)
        order[k], order[other] = order[other], order[k]
    order[256:] = order[:256]


@inlined
def _smooth(t):
    return t * t * (3.0 - 2.0 * t)


@compiled
def gradient_noise(y, x, order, gradients):
    """Perlin's noise at a point with both coordinates >= 0, times 1.5."""
    row, column = int(y), int(x)
    down, right = y - row, x - column
    share_y, share_x = _smooth(down), _smooth(right)
    near, next_row = order[row & 255], order[(row + 1) & 255]
    first, second = gradients[order[near + (column & 255)]], gradients[order[next_row + (column & 255)]]
    third = gradients[order[near + ((column + 1) & 255)]]
    fourth = gradients[order[next_row + ((column + 1) & 255)]]
    left = (1.0 - share_y) * (down * first[0] + right * first[1])
    left += share_y * ((down - 1.0) * second[0] + right * second[1])
    beyond = (1.0 - share_y) * (down * third[0] + (right - 1.0) * third[1])
    beyond += share_y * ((down - 1.0) * fourth[0] + (right - 1.0) * fourth[1])
    return 1.5 * ((1.0 - share_x) * left + share_x * beyond)


@compiled
def perlin_all(images, out, indices, seed, salt, share, scale):
    """Perlin turbulence over uint8[n, H, W, C]."""
    count, height, width, channels = images.shape
    order, gradients = np.empty(512, np.int64), np.empty((256, 2))
    state = np.empty(1, np.uint64)
    for i in range(count):
        start(state, seed, salt, indices[i], VIEW)
        draw_lattice(state, order, gradients)
        for y in range(height):
            for x in range(width):
                total = 0.0
                for octave in OCTAVES:
                    value = gradient_noise(octave * y * scale, octave * x * scale, order, gradients)
                    total += abs(value) / octave
                added = 255.0 * share * min(max(0.5 * total + 0.5, 0.0), 1.0)
                for c in range(channels):
                    out[i, y, x, c] = cut((1.0 - share) * images[i, y, x, c] + added)
