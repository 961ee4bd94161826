"""Feature images: images that make one channel of a network's layer as active as possible.

Activation maximisation after C. Olah, A. Mordvintsev and L. Schubert, "Feature Visualization" (Distill, 2017):
the image is parametrised by its Fourier coefficients, scaled so that all frequencies move alike, its colors
are decorrelated, and at each step it is shifted, scaled and turned a little so that no fragile pattern pays.

Images are made in blocks of 8 that share a layer; a block is the same whichever of its images are asked
for. A block's pixels depend on the network, the torch version and the processor, not on ours alone.
"""

import copy
import hashlib
import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError
from ipmix.core.frozen import frozen
from ipmix.core.randomness import Key, below, between, bits
from ipmix.fractals.kinds import Painting
from ipmix.mixing_set.manifest import BLOCK

SALT = 1006
CONTRAST = 1.7
"""The deviation of the values before the sigmoid: held, or the ascent drives every pixel to black or white."""

STEPS = 64
WORK_SIZE = 128
LEARNING_RATE = 0.06
CHANNELS_LEAST = 8

# Columns: a brightness axis and two color axes, in the proportions in which photos' channels vary together
# (the square root of their covariance).
COLOR_AXES = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


class _Reached(Exception):
    """Stops a forward pass at the layer that is looked at: what lies behind it costs nothing."""


@dataclass(frozen=True)
class Channel:
    """What a block of images maximises: one channel of a layer each, and how strongly each color moves."""

    layer: str
    channels: tuple[int, ...]
    decay: float


class FeaturePainter:
    """Paints the kind ``feature`` for a network that takes images in [0, 1], float[B, 3, h, w].

    ``steps`` of gradient ascent each; ``work_size`` bounds the side on which the ascent runs (larger images
    are read off the same Fourier coefficients). ``device`` is where it runs.
    """

    def __init__(
        self, model: nn.Module, *, steps: int = STEPS, work_size: int = WORK_SIZE, device: str | None = None
    ) -> None:
        if steps < 1 or work_size < 8:
            raise InputError(f"feature images take at least 1 step on 8 pixels, got {steps} on {work_size}")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        place = next((weights.device for weights in model.parameters()), self.device)
        self.model = model if place == self.device else copy.deepcopy(model).to(self.device)  # theirs stays where it is
        self.steps = steps
        self.work_size = work_size
        self.layers = {
            name: module.out_channels
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and module.out_channels >= CHANNELS_LEAST
        }
        if not self.layers:
            raise InputError(f"the network has no convolution of {CHANNELS_LEAST} channels or more to visualise")
        self.identity = f"{getattr(model, 'name', type(model).__name__)} {_weights_hash(model)} {steps} steps"
        self._last: tuple[tuple[int, int, int], list[Painting]] | None = None

    def __call__(self, seed: int, indices: list[int], size: int) -> list[Painting]:
        """Feature images ``indices`` of ``seed``, uint8[size, size, 3] each."""
        return [self._block(seed, index // BLOCK, size)[index % BLOCK] for index in indices]

    def _block(self, seed: int, block: int, size: int) -> list[Painting]:
        if self._last is None or self._last[0] != (seed, block, size):
            with frozen(self.model):
                self._last = ((seed, block, size), self._paint_block(seed, block, size))
        return self._last[1]

    def draw(self, seed: int, block: int) -> Channel:
        """The layer and channels that a block visualises."""
        state = Key(seed, SALT, block, 0).stream()
        names = list(self.layers)
        # Middle and late layers hold the richer features; the first ones only edges.
        depth = int(len(names) * (0.15 + 0.85 * math.sqrt(between(state, 0.0, 1.0))))
        layer = names[min(depth, len(names) - 1)]
        channels = tuple(int(below(state, self.layers[layer])) for _ in range(BLOCK))
        return Channel(layer, channels, float(between(state, 1.0, 1.4)))

    def _paint_block(self, seed: int, block: int, size: int) -> list[Painting]:
        target = self.draw(seed, block)
        side = min(size, self.work_size)
        state = Key(seed, SALT, block, 1).stream()
        spectrum = self._start(int(bits(state)), side).requires_grad_(True)
        scale = _frequency_scale(side, target.decay).to(self.device)
        axes = torch.tensor(COLOR_AXES, device=self.device)
        axes = axes / axes.norm(dim=0).max()
        optimizer = torch.optim.Adam([spectrum], lr=LEARNING_RATE)
        layer = dict(self.model.named_modules())[target.layer]
        seen: list[torch.Tensor] = []

        def look(_: nn.Module, __: object, output: torch.Tensor) -> None:
            seen.append(output)
            raise _Reached

        handle = layer.register_forward_hook(look)
        try:
            for _ in range(self.steps):
                optimizer.zero_grad()
                moved = _move(_image_of(spectrum, scale, axes, side), state)
                seen.clear()
                with suppress(_Reached):
                    self.model(moved)
                if not seen:
                    raise InputError(f"the network never runs its layer {target.layer}; it can't be visualised")
                chosen = torch.arange(BLOCK, device=self.device), torch.tensor(target.channels, device=self.device)
                activity = seen[0][chosen]
                # A sum: each image's gradient is its own, and Adam gives all of them equal steps.
                loss = -activity.flatten(1).mean(1).sum()
                loss.backward()
                optimizer.step()
        finally:
            handle.remove()
        with torch.no_grad():
            final = _image_of(spectrum, scale, axes, side, size)
        return [self._finish(final[i], target, i) for i in range(BLOCK)]

    def _start(self, seed: int, side: int) -> torch.Tensor:
        draws = np.random.Generator(np.random.Philox(key=seed))
        values = draws.standard_normal((BLOCK, 3, side, side // 2 + 1, 2)).astype(np.float32)
        return torch.from_numpy(values * 0.05).to(self.device)

    def _finish(self, image: torch.Tensor, target: Channel, position: int) -> Painting:
        pixels = (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
        return Painting(pixels, 1, {"layer": target.layer, "channel": target.channels[position], "steps": self.steps})


def _frequency_scale(side: int, decay: float) -> torch.Tensor:
    # 1 / frequency: natural images' spectrum, so that every frequency starts and moves alike.
    fy = torch.fft.fftfreq(side)[:, None]
    fx = torch.fft.rfftfreq(side)[None, :]
    frequency = torch.sqrt(fx * fx + fy * fy).clamp(min=1.0 / side)
    return 0.25 / frequency**decay


def _image_of(
    spectrum: torch.Tensor, scale: torch.Tensor, axes: torch.Tensor, side: int, size: int | None = None
) -> torch.Tensor:
    # float[B, 3, h, w] in (0, 1); read off at another size by interpolation.
    coefficients = torch.view_as_complex(spectrum) * scale
    values = torch.fft.irfft2(coefficients, s=(side, side), norm="ortho")
    centred = values - values.mean((2, 3), keepdim=True)
    values = centred * (CONTRAST / centred.std((1, 2, 3), keepdim=True).clamp(min=1e-6))
    if size is not None and size != side:
        values = functional.interpolate(values, size=(size, size), mode="bicubic", align_corners=False)
    return torch.sigmoid(torch.einsum("rc,bchw->brhw", axes, values))


def _move(images: torch.Tensor, state: np.ndarray) -> torch.Tensor:
    # One random shift, scale and turn for the whole block; grey where the image ends.
    side = images.shape[-1]
    angle = between(state, -0.12, 0.12)
    scale = between(state, 0.9, 1.12)
    reach = 8.0 / side
    shift_x, shift_y = between(state, -reach, reach), between(state, -reach, reach)
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    matrix = torch.tensor([[cos, -sin, shift_x], [sin, cos, shift_y]], dtype=images.dtype, device=images.device)
    grid = functional.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _weights_hash(model: nn.Module) -> str:
    content = hashlib.sha256()
    for name, values in model.state_dict().items():
        content.update(name.encode())
        plain = values.detach().cpu()
        if plain.is_quantized:
            plain = plain.int_repr()
        content.update(plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:16]
