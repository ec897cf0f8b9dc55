"""The plain way of the field: PIL images through torchvision's transforms and a DataLoader, in float32."""

import runpy
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.ways.work import BATCH, MAX_LR, WEIGHT_DECAY, Figures, Work, peak_mb

_WORKERS = 2
_STARTED = time.perf_counter()


class Images(Dataset[tuple[torch.Tensor, int]]):
    """As in MedMNIST's own examples."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index]).convert("RGB")
        return self.transform(image), int(self.labels[index, 0])


def main() -> None:
    work = Work.from_command_line()
    with np.load(work.file) as file:
        splits = {s: Images(file[f"{s}_images"], file[f"{s}_labels"]) for s in ("train", "val", "test")}
    loaders: dict[str, Any] = {
        split: DataLoader(images, BATCH, shuffle=split == "train", num_workers=_WORKERS)
        for split, images in splits.items()
    }
    network: nn.Module = runpy.run_path(work.program)["create_model"](2)
    optimizer = torch.optim.AdamW(network.parameters(), MAX_LR, weight_decay=WEIGHT_DECAY)
    steps = work.epochs * len(loaders["train"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LR, total_steps=steps)
    start_up = time.perf_counter() - _STARTED
    training, predicting = [], []
    for _ in range(work.epochs):
        start = time.perf_counter()
        network.train()
        for images, labels in loaders["train"]:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
        training.append(time.perf_counter() - start)
        start = time.perf_counter()
        score(network, loaders["val"])
        predicting.append(time.perf_counter() - start)
    score(network, loaders["test"])
    counted = work.epochs - 1
    Figures(
        start_up=start_up,
        epoch=(sum(training[1:]) + sum(predicting[1:])) / counted,
        training=counted * len(splits["train"]) / sum(training[1:]),
        predicting=counted * len(splits["val"]) / sum(predicting[1:]),
        whole=time.perf_counter() - _STARTED - start_up,
        memory_mb=peak_mb(),
        precision="fp32",
    ).report()


@torch.no_grad()
def score(network: nn.Module, loader: Any) -> float:
    """AUC of a split."""
    network.eval()
    outputs, labels = zip(
        *[(network(images).softmax(1)[:, 1], labels) for images, labels in loader], strict=True
    )
    return float(roc_auc_score(torch.cat(labels), torch.cat(outputs)))


if __name__ == "__main__":
    main()
