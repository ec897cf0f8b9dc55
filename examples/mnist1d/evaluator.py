"""EvoPrompting's task: AdamW, learning rate .01, batches of 128 (arXiv 2302.14838, section 4.1).

A tenth of the training series is for validation, and the score. STEPS and SEEDS are 8,000 and 4 in the paper.
The test error is measured too; config.yaml keeps it out of prompts and of all that is chosen.
"""

import os
import runpy
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

DATA = Path(__file__).parent / "data/mnist1d.npz"
STEPS, SEEDS = int(os.environ.get("STEPS", "600")), int(os.environ.get("SEEDS", "2"))


def evaluate(program_path: str) -> dict[str, float]:
    """Mean accuracies and errors over the seeds, and the number of parameters."""
    if not DATA.is_file():
        raise FileNotFoundError(f"expected {DATA.name} in data/, found none; run python make_data.py first")
    with np.load(DATA) as file:
        x, x_test = (torch.tensor(file[name], dtype=torch.float32) for name in ("x", "x_test"))
        y, y_test = (torch.tensor(file[name]).long() for name in ("y", "y_test"))
    held = len(x) // 10
    torch.set_num_threads(1)
    accuracies, errors = [], []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        network = runpy.run_path(program_path)["Model"]()
        train(network, x[held:], y[held:])
        accuracies.append(accuracy(network, x[:held], y[:held]))
        errors.append(1 - accuracy(network, x_test, y_test))
    found = {
        "combined_score": float(np.mean(accuracies)),
        "num_params": float(sum(p.numel() for p in network.parameters())),
        "test_error": float(np.mean(errors)),
    }
    if SEEDS > 1:
        found["combined_score_se"] = float(np.std(accuracies, ddof=1)) / SEEDS**0.5
    return found


def train(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(STEPS):
        batch = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        loss = cross_entropy(network(x[batch]), y[batch])
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    found = network(x)
    if found.shape != (len(x), 10) or not torch.isfinite(found).all():
        raise ValueError(f"expected finite logits ({len(x)}, 10), found {tuple(found.shape)} or not finite")
    return float((found.argmax(1) == y).float().mean())
