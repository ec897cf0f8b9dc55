"""A network of ExquisiteNetV2's kind (Zhou and Su, 2021), written from its description.

Few parameters: a stem, then stages of depthwise and pointwise convolutions to which their input is added,
weighed by squeeze-and-excitation, made smaller by stride; a linear layer on global averages ends it.
"""

from itertools import pairwise

import torch
from torch import nn

# EVOLVE-BLOCK-START


# --OPTION--
class Excite(nn.Module):
    """Squeeze-and-excitation: channels are weighed by what the whole image holds."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            nn.SiLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weigh(x)


# --OPTION--
class Block(nn.Module):
    """Depthwise, then pointwise, with what came in added again."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, padding="same", groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.excite = Excite(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.silu(x + self.excite(self.body(x)))


# --OPTION--
class Shrink(nn.Module):
    """Half the size, other channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.Conv2d(after, after, 3, stride=2, padding=1, groups=after, bias=False),
            nn.BatchNorm2d(after),
            nn.SiLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.body(x)
        return found


# --OPTION--
class Network(nn.Module):
    def __init__(self, classes: int = 10, widths: tuple[int, ...] = (32, 64, 128, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.SiLU(),
        ]
        for before, after in pairwise(widths):
            layers += [Block(before), Shrink(before, after)]
        self.features = nn.Sequential(*layers, Block(widths[-1]))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.features(x).mean((2, 3)))
        return found


# EVOLVE-BLOCK-END
