"""A small vision transformer for small images: the setting behind the paper's Tables 11 and 12.

The paper names no sizes. These are those of the public CIFAR code whose plain error matches the tables:
patches of 4, 512 wide, 6 layers, 8 heads of 64, 512 in the feed-forward part, dropout 0.1.
"""

import torch
from torch import nn
from torch.nn import functional

from ipmix.core.errors import InputError

LARGEST = 1024
"""Of an image's side in pixels: attention grows with its fourth power."""


class Layer(nn.Module):
    """Attention, then a feed-forward part; each after LayerNorm, each added to its input."""

    def __init__(self, width: int, heads: int, head_width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1 = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.merge = nn.Linear(heads * head_width, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.reduce = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, _ = x.shape
        rate = self.dropout if self.training else 0.0
        parts = self.queries_keys_values(self.norm1(x)).view(batch, tokens, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=rate)
        merged = self.merge(attended.transpose(1, 2).reshape(batch, tokens, -1))
        x = x + functional.dropout(merged, rate, self.training)
        hidden = functional.dropout(functional.gelu(self.expand(self.norm2(x))), rate, self.training)
        return x + functional.dropout(self.reduce(hidden), rate, self.training)


class VisionTransformer(nn.Module):
    """Square patches -> tokens and a class token with learned positions -> layers -> linear head."""

    def __init__(
        self,
        classes: int,
        *,
        channels: int = 3,
        size: int = 32,
        patch: int = 4,
        width: int = 512,
        depth: int = 6,
        heads: int = 8,
        head_width: int = 64,
        hidden: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if size % patch or not patch <= size <= LARGEST:
            raise InputError(f"an image's size is a multiple of the patch size {patch}, {LARGEST} at most, got {size}")
        self.size, self.patch, self.dropout = size, patch, dropout
        self.embed = nn.Linear(channels * patch * patch, width)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        layers = [Layer(width, heads, head_width, hidden, dropout) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        if height != self.size or width != self.size:
            raise InputError(
                f"this transformer takes {self.size}x{self.size} images, got {height}x{width}; pass --size {self.size}"
            )
        p = self.patch
        patches = x.reshape(batch, channels, height // p, p, width // p, p).permute(0, 2, 4, 3, 5, 1)
        tokens = self.embed(patches.reshape(batch, -1, p * p * channels))
        tokens = torch.cat([self.class_token.expand(batch, -1, -1), tokens], 1) + self.positions
        tokens = self.layers(functional.dropout(tokens, self.dropout, self.training))
        return self.head(self.norm(tokens[:, 0]))
