"""This project's training code, called directly: no sandbox, no referee, no artifacts."""

import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.ways.work import BATCH, MAX_LR, WEIGHT_DECAY, Figures, Work, peak_mb
from medevonet.data.dataset import load_dataset
from medevonet.sandboxed.global_state import settle
from medevonet.sandboxed.program import Program
from medevonet.sandboxed.recipe import Recipe, Training
from medevonet.sandboxed.session import has_bf16
from medevonet.statistics.auc import auc

_STARTED = time.perf_counter()


def main() -> None:
    work, device = Work.from_command_line(), torch.device("cpu")
    settle(device, torch.get_num_threads())
    precision = "bf16" if has_bf16(device) else "fp32"
    dataset = load_dataset(work.dataset, work.size, cache=Path(work.folder) / "cache")
    program = Program(Path(work.program), work.size, device)
    program.inspect([2])
    images = {split: _mapped(path) for split, path in dataset.images.items()}
    labels = _mapped(dataset.labels["train"])
    recipe = Recipe(work.epochs, BATCH, 2 * BATCH, MAX_LR, WEIGHT_DECAY, precision)  # type: ignore[arg-type]
    training = Training(
        program.network(2, 0), images["train"], labels, "binary", 2, recipe, 0, program.memory_format
    )
    start_up = time.perf_counter() - _STARTED
    trained, predicted = [], []
    for _ in range(work.epochs):
        start = time.perf_counter()
        training.epoch()
        trained.append(time.perf_counter() - start)
        start = time.perf_counter()
        auc(training.predict(images["val"]).numpy(), dataset.load_labels("val"), "binary")
        predicted.append(time.perf_counter() - start)
    auc(training.predict(images["test"]).numpy(), dataset.load_labels("test"), "binary")
    counted = work.epochs - 1
    Figures(
        start_up=start_up,
        epoch=(sum(trained[1:]) + sum(predicted[1:])) / counted,
        training=counted * len(images["train"]) / sum(trained[1:]),
        predicting=counted * len(images["val"]) / sum(predicted[1:]),
        whole=time.perf_counter() - _STARTED - start_up,
        memory_mb=peak_mb(),
        precision=precision,
    ).report()


def _mapped(path: Path) -> torch.Tensor:
    """As a candidate maps it: copy-on-write."""
    return torch.from_numpy(np.load(path, mmap_mode="c"))


if __name__ == "__main__":
    main()
