"""A small network that learns small images in few epochs, for processors.

After Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024): a first layer of 2x2 convolutions that whitens
the training images' patches, then three blocks of two 3x3 convolutions with max-pooling, BatchNorm and GELU. Half as
wide as there (32-128-128).
"""

import torch
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError

WIDTHS = (32, 128, 128)
PATCH = 2
SMALLEST = 9
"""The least side of an image: 8 after the first layer, halved three times."""

LEAST_VARIANCE = 5e-4
"""Added to the variance of the patches in each direction: directions in which nothing varies are not blown up."""

NORM_MOMENTUM = 0.4
"""Of BatchNorm's running statistics: a training has few steps, and the last ones count."""

LOGIT_SCALE = 1.0 / 9.0


class Block(nn.Module):
    """Convolution, max-pooling, BatchNorm, GELU; convolution, BatchNorm, GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM)
        for norm in (self.norm1, self.norm2):
            norm.weight.requires_grad_(False)  # the convolution after it scales well enough
        for convolution in (self.conv1, self.conv2):
            same = min(convolution.in_channels, convolution.out_channels)
            nn.init.dirac_(convolution.weight[:same])  # these channels begin as those of the layer before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.gelu(self.norm1(functional.max_pool2d(self.conv1(x), 2)))
        return functional.gelu(self.norm2(self.conv2(x)))


class FastCifar(nn.Module):
    """The network; any image of at least 9x9 pixels, any number of channels.

    Its first layer's weights are no subject of training. :meth:`initialise_from` makes them of the training images;
    until then they whiten images whose pixels are independent of each other. They are kept with the others.

    Attributes:
        images_to_begin: how many images the first layer's weights should be made of.
    """

    images_to_begin = 5000

    def __init__(self, classes: int, *, channels: int = 3, size: int = 32) -> None:
        super().__init__()
        if size < SMALLEST:
            raise InputError(f"fast-cifar takes images of at least {SMALLEST}x{SMALLEST} pixels, got {size}x{size}")
        values = channels * PATCH * PATCH
        self.whitening = nn.Conv2d(channels, 2 * values, PATCH)
        self.whitening.weight.requires_grad_(False)
        with torch.no_grad():
            self.whitening.weight.copy_(_both_signs(torch.eye(values), self.whitening.weight.shape))
            nn.init.zeros_(self.whitening.bias)  # type: ignore[arg-type]
            self.blocks = nn.Sequential()
            inputs = 2 * values
            for outputs in WIDTHS:
                self.blocks.append(Block(inputs, outputs))
                inputs = outputs
        self.head = nn.Linear(inputs, classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if min(x.shape[2:]) < SMALLEST:
            height, width = x.shape[2:]
            raise InputError(f"fast-cifar takes images of at least {SMALLEST}x{SMALLEST} pixels, got {width}x{height}")
        x = self.blocks(functional.gelu(self.whitening(x)))
        return self.head(x.amax((2, 3))) * LOGIT_SCALE

    @torch.no_grad()
    def initialise_from(self, images: torch.Tensor) -> None:
        """Make the first layer whiten the 2x2 patches of these images, normalised float[N, C, H, W].

        Its filters are the eigenvectors of the patches' (uncentred) covariance divided by the square roots of their
        eigenvalues, and the same with the other sign.
        """
        self.whitening.weight.copy_(_both_signs(whitening(images), self.whitening.weight.shape))


def whitening(images: torch.Tensor) -> torch.Tensor:
    """The filters that whiten the 2x2 patches of float[N, C, H, W]: float32[4C, 4C], one in each row.

    Those of the largest variance come first; of each, the number of largest magnitude is positive.
    """
    values = images.shape[1] * PATCH * PATCH
    total = torch.zeros(values, values, dtype=torch.float64)
    count = 0
    for chunk in images.split(500):
        patches = functional.unfold(chunk.to("cpu", torch.float64), PATCH).transpose(1, 2).reshape(-1, values)
        total += patches.T @ patches
        count += len(patches)
    variances, directions = torch.linalg.eigh(total / count)
    rows = directions.T.flip(0)
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    scale = (variances.flip(0).clamp(min=0.0) + LEAST_VARIANCE).sqrt()
    return (rows * largest.sign() / scale[:, None]).to(torch.float32)


def _both_signs(filters: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    return torch.cat([filters, -filters]).reshape(shape)
