"""A convolutional network for MNIST-1D: series (B, 40) in, logits (B, 10) out."""

import torch
from torch import nn

# EVOLVE-BLOCK-START
WIDTH = 25
KERNEL = 5
POSITIONS = 5  # that the last layer sees


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, WIDTH, KERNEL, stride=2),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, KERNEL, padding="same"),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(POSITIONS),
        )
        self.head = nn.Linear(WIDTH * POSITIONS, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.features(x.unsqueeze(1)).flatten(1))
        return found


# EVOLVE-BLOCK-END
