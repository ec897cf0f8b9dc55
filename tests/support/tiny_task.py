"""Data sets small enough to train on in a blink, and the evaluation of a program on them."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.data.dataset import DatasetConfig, LabelKind
from medevonet.run.train_command import Evaluation, Limits, evaluate_program
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import Launcher
from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs

SIZE = 16
COUNTS = {"train": 96, "val": 40, "test": 44}
KINDS: dict[str, tuple[LabelKind, int, int]] = {  # label kind, outputs, channels
    "two": ("binary", 2, 1),
    "four": ("multi-class", 4, 3),
    "labels": ("multi-label", 3, 1),
}


def write_datasets(folder: Path) -> list[DatasetConfig]:
    """A file of each label kind: a bright square whose place says the class, or one square for each label."""
    return [
        _write(folder / f"{name}.npz", name, kind, outputs, channels)
        for name, (kind, outputs, channels) in KINDS.items()
    ]


def _write(path: Path, name: str, kind: LabelKind, outputs: int, channels: int) -> DatasetConfig:
    rng = np.random.default_rng(outputs)
    arrays: dict[str, Any] = {}
    for split, count in COUNTS.items():
        present = rng.random((count, outputs)) < 0.5
        classes = np.arange(count) % outputs
        if kind != "multi-label":
            present = classes[:, None] == np.arange(outputs)
        images = rng.normal(90, 25, (count, SIZE, SIZE))
        for output in range(outputs):
            top, left = 8 * (output // 2), 8 * (output % 2)
            images[present[:, output], top : top + 6, left : left + 6] += 60
        grey = images.clip(0, 255).astype(np.uint8)
        arrays[f"{split}_images"] = grey if channels == 1 else np.repeat(grey[..., None], 3, axis=3)
        labels = present if kind == "multi-label" else classes[:, None]
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    np.savez(path, **arrays)
    return DatasetConfig(name=name, path=path, label_kind=kind)


class TinyTask:
    """Evaluates programs given as text, through one fork server."""

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.folder = folder
        self.launcher = launcher
        self.datasets = write_datasets(folder)

    def config(self, **changes: Any) -> TaskConfig:
        """The task: two epochs of three steps on each data set."""
        settings = {
            "datasets": [dataset.model_dump() for dataset in self.datasets],
            "size": SIZE, "epochs": 2, "batch_size": 32, "max_lr": 0.02, "device": "cpu", "threads": 1,
            "precision": "fp32", "bootstrap_replicates": 100,
        }  # fmt: skip
        return TaskConfig.model_validate(settings | changes)

    def write(self, code: str, name: str = "program") -> Path:
        path = self.folder / f"{name}.py"
        path.write_text(code, encoding="utf-8")
        return path

    def evaluate(
        self, code: str, *, seconds: float | None = 60, memory_mb: int | None = None, **changes: Any
    ) -> Evaluation:
        return evaluate_program(
            self.write(code),
            self.config(**changes),
            self.folder / "artifacts",
            limits=Limits(seconds, memory_mb),
            launcher=self.launcher,
        )

    @functools.cached_property
    def sound(self) -> Evaluation:
        """The evaluation of a sound program, which many tests compare with."""
        return self.evaluate(programs.SOUND)

    @functools.cached_property
    def one(self) -> list[dict[str, Any]]:
        """Only the smallest data set, for programs that fail whatever they are trained on."""
        return [self.datasets[0].model_dump()]

    def failure(self, code: str, **options: Any) -> EvaluationFailed:
        """How the program fails."""
        try:
            self.evaluate(code, **({"datasets": self.one} | options))
        except EvaluationFailed as failure:
            return failure
        raise AssertionError("expected the program to fail, found a score")
