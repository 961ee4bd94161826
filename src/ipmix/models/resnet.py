"""ResNet-18 in its CIFAR form (He et al., 2016): a 3x3 stem without pooling."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        identity = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.norm2(self.conv2(out)) + identity, inplace=True)


class ResNet18(nn.Module):
    """Four stages of two blocks, 64 to 512 channels. Weights begin as PyTorch has them (so the authors)."""

    def __init__(self, classes: int, *, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64))
        self.stages = nn.Sequential()
        inputs = 64
        for stage in range(4):
            outputs = 64 * 2**stage
            first = Block(inputs, outputs, 1 if stage == 0 else 2)
            self.stages.append(nn.Sequential(first, Block(outputs, outputs, 1)))
            inputs = outputs
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stages(functional.relu(self.stem(x), inplace=True))
        return self.head(x.mean((2, 3)))


RENAMES = (
    # The IPMix authors' form.
    (r"^conv1\.([01])\.", r"stem.\1."),
    (r"^conv([2345])_x\.", lambda match: f"stages.{int(match[1]) - 2}."),
    (r"\.residual_function\.0\.", ".conv1."),
    (r"\.residual_function\.1\.", ".norm1."),
    (r"\.residual_function\.3\.", ".conv2."),
    (r"\.residual_function\.4\.", ".norm2."),
    (r"^fc\.", "head."),
    # The common form of other CIFAR code (torchvision's names).
    (r"^conv1\.weight$", "stem.0.weight"),
    (r"^bn1\.", "stem.1."),
    (r"^layer([1234])\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"\.bn([12])\.", r".norm\1."),
    (r"\.downsample\.", ".shortcut."),
    (r"^linear\.", "head."),
)
"""The names in other people's checkpoints -> ours."""
