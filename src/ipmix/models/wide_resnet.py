"""Wide residual networks for small images (Zagoruyko and Komodakis, 2016)."""

import torch
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError
from ipmix.models.initialising import initialise

DEEPEST = 1000
MOST_PARAMETERS = 2_000_000_000


class Block(nn.Module):
    """Two 3x3 convolutions, each after BatchNorm and ReLU; dropout between them."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = functional.relu(self.norm1(x), inplace=True)
        # Where the width changes, the shortcut too starts from the activated input.
        identity = x if self.shortcut is None else self.shortcut(active)
        out = functional.relu(self.norm2(self.conv1(active)), inplace=True)
        if self.dropout:
            out = functional.dropout(out, self.dropout, self.training)
        return self.conv2(out) + identity


class WideResNet(nn.Module):
    """WRN-``depth``-``width``: three stages of (depth - 4) / 6 blocks, 16, 32 and 64 times ``width`` wide."""

    def __init__(self, depth: int, width: int, classes: int, *, channels: int = 3, dropout: float = 0.3) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise InputError(f"a wide ResNet's depth is 6n + 4 (10, 16, 22, 28, 34, 40, ...), got {depth}")
        if width < 1:
            raise InputError(f"a wide ResNet's width is at least 1, got {width}")
        blocks = (depth - 4) // 6
        # Each stage's blocks have two convolutions of 3x3, as wide at both ends.
        parameters = sum(2 * blocks * 9 * (16 * width * 2**stage) ** 2 for stage in range(3))
        if depth > DEEPEST or parameters > MOST_PARAMETERS:
            raise InputError(
                f"a wide ResNet has at most depth {DEEPEST:,} and {MOST_PARAMETERS:,} parameters; depth {depth:,} and "
                f"width {width:,} would have about {parameters:,} ({4 * parameters / 1e9:,.1f} GB)"
            )
        self.stem = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.stages = nn.Sequential()
        inputs = 16
        for stage in range(3):
            outputs = 16 * width * 2**stage
            strides = [1 if stage == 0 else 2] + [1] * (blocks - 1)
            layers = [Block(inputs if i == 0 else outputs, outputs, s, dropout) for i, s in enumerate(strides)]
            self.stages.append(nn.Sequential(*layers))
            inputs = outputs
        self.norm = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stages(self.stem(x))), inplace=True)
        return self.head(x.mean((2, 3)))


RENAMES = (
    (r"^conv1\.", "stem."),
    (r"^bn1\.", "norm."),
    (r"^fc\.", "head."),
    (r"^block([123])\.layer\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"\.bn([12])\.", r".norm\1."),
    (r"\.(?:conv_shortcut|convShortcut)\.", ".shortcut."),
)
"""The names of the AugMix, PixMix and IPMix authors' networks -> ours."""
