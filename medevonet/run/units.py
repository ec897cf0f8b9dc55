"""What of an evaluation can be measured again: a training on one data set, from a seed of its own."""

from pathlib import Path
from typing import Any

from medevonet.data.dataset import load_datasets
from medevonet.referee.evaluation import measure_training
from medevonet.run.environment import artifacts_folder, isolation_from_environment, task_from_environment
from medevonet.task import DatasetConfig
from openevolve.evaluation_result import EvaluationResult


def training_units() -> list[dict[str, Any]]:
    """A unit for each data set of the run, each a group of its own; costs are images trained on."""
    task = task_from_environment()
    datasets = load_datasets(task.datasets, task.size, root=task.data_root, download=False)
    return [
        {
            "name": dataset.name,
            "group": dataset.name,
            "cost": float(dataset.count("train") * task.epochs),
            "repeats": task.repeats(dataset.name),
            "metric": f"{dataset.name}_val_auc",
            "scale": "logit",
        }
        for dataset in datasets
    ]


def train_once_more(program_path: str, unit: str, repeat: int) -> EvaluationResult:
    """Train on one data set from the seed of that repeat; ``combined_score`` is its validation AUC."""
    task = task_from_environment()
    entries = [
        entry
        for entry in task.datasets
        if unit == (entry.name if isinstance(entry, DatasetConfig) else entry)
    ]
    if not entries:
        raise ValueError(f"expected a data set of this task, found {unit!r}")
    return measure_training(
        Path(program_path),
        task.model_copy(update={"datasets": entries, "seeds": {}}),
        repeat,
        artifacts_folder() / "looks",
        level=isolation_from_environment(),
    )
