"""ResNeXt-29 (4x32d) for small images (Xie et al., 2017), in the AugMix authors' sizes."""

import torch
from torch import nn
from torch.nn import functional

from ipmix.models.initialising import initialise

GROUPS = 4
GROUP_WIDTH = 32


class Bottleneck(nn.Module):
    """1x1 reduce, grouped 3x3, 1x1 expand (type C)."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        width = planes * GROUP_WIDTH // 64 * GROUPS
        outputs = 4 * planes
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=GROUPS, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        out = functional.relu(self.norm2(self.conv2(out)), inplace=True)
        identity = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.norm3(self.conv3(out)) + identity, inplace=True)


class ResNeXt29(nn.Module):
    """A 3x3 stem and three stages of three bottlenecks, 256, 512 and 1024 channels."""

    def __init__(self, classes: int, *, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64))
        self.stages = nn.Sequential()
        inputs = 64
        for stage, planes in enumerate((64, 128, 256)):
            first = Bottleneck(inputs, planes, 1 if stage == 0 else 2)
            inputs = 4 * planes
            self.stages.append(nn.Sequential(first, *(Bottleneck(inputs, planes, 1) for _ in range(2))))
        self.head = nn.Linear(inputs, classes)
        initialise(self, head="kaiming")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stages(functional.relu(self.stem(x), inplace=True))
        return self.head(x.mean((2, 3)))


RENAMES = (
    (r"^conv_1_3x3\.", "stem.0."),
    (r"^bn_1\.", "stem.1."),
    (r"^classifier\.", "head."),
    (r"^stage_([123])\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"\.conv_reduce\.", ".conv1."),
    (r"\.bn_reduce\.", ".norm1."),
    (r"\.conv_conv\.", ".conv2."),
    (r"\.bn\.", ".norm2."),
    (r"\.conv_expand\.", ".conv3."),
    (r"\.bn_expand\.", ".norm3."),
    (r"\.downsample\.", ".shortcut."),
)
"""The names of the AugMix, PixMix and IPMix authors' networks -> ours."""
