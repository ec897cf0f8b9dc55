"""Guided Evolution's task: accuracy on CIFAR-10 and few parameters (arXiv 2403.11446).

There fitness was the test accuracy. Here a tenth of the training images is for validation, and no search
reads the test images: score what wins on them once, by measure(...) with test=True.
"""

import os
import runpy
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

DATA = Path(__file__).parent / "data/cifar10.npz"
EPOCHS, IMAGES = int(os.environ.get("EPOCHS", "5")), int(os.environ.get("IMAGES", "50000"))
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def evaluate(program_path: str) -> dict[str, float]:
    """Validation accuracy after EPOCHS epochs on the first IMAGES images, and the number of parameters."""
    return measure(program_path)


def measure(program_path: str, test: bool = False) -> dict[str, float]:
    if not DATA.is_file():
        raise FileNotFoundError("expected data/cifar10.npz, found none; run python get_data.py first")
    with np.load(DATA) as file:
        images, labels = file["images"][:IMAGES], file["labels"][:IMAGES]
        held = len(images) // 10
        seen = (file["test_images"], file["test_labels"]) if test else (images[:held], labels[:held])
    torch.manual_seed(0)
    network = runpy.run_path(program_path)["Network"]().to(DEVICE)
    train(network, as_tensor(images[held:]), torch.tensor(labels[held:]).to(DEVICE))
    return {
        "combined_score": accuracy(network, as_tensor(seen[0]), torch.tensor(seen[1]).to(DEVICE)),
        "param_count": float(sum(p.numel() for p in network.parameters())),
    }


def as_tensor(images: "np.ndarray") -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).to(DEVICE)


def train(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    steps = EPOCHS * -(-len(images) // 128)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(128):
            shown = images[batch].flip(3) if torch.rand(()) < 0.5 else images[batch]
            loss = cross_entropy(network(shown), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    network.eval()
    found = torch.cat([network(part) for part in images.split(500)])
    if found.shape != (len(images), 10) or not torch.isfinite(found).all():
        raise ValueError(
            f"expected finite logits ({len(images)}, 10), found {tuple(found.shape)} or not finite"
        )
    return float((found.argmax(1) == labels).float().mean())
