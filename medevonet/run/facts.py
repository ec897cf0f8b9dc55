"""The recipe in figures, as a prompt tells it (``prompt.facts``)."""

import zipfile
from pathlib import Path

import numpy as np

from medevonet.data.demo import COUNTS
from medevonet.data.sources import medmnist_info
from medevonet.task import DEMO_NAMES, DatasetConfig, TaskConfig
from openevolve.settings.models import Config


def with_facts(config: Config, task: TaskConfig) -> Config:
    """The config with the recipe in every prompt, unless it has facts of its own."""
    if config.prompt.facts:
        return config
    prompt = config.prompt.model_copy(update={"facts": recipe(task)})
    return config.model_copy(update={"prompt": prompt})


def recipe(task: TaskConfig) -> list[str]:
    """A line each: how programs are trained, on what, and how their score is formed."""
    return [
        f"Images of {task.size} x {task.size} pixels, {task.epochs} epochs of AdamW, one-cycle schedule, "
        f"batches of {task.batch_size}, learning rates to {task.max_lr:g}, decay {task.weight_decay:g}; "
        "no augmentation.",
        *(_dataset(entry, task) for entry in task.datasets),
        "The score is the mean over the data sets of the validation AUC at a training's best epoch; several "
        "trainings on one data set are averaged.",
        "± is a standard error: that of mean_val_auc is over validation images, that of a data set's AUC "
        "over its trainings. cost is the number of images trained on.",
        "params is log10 of the number of parameters, efficiency -log10 of the multiply-adds of one image.",
    ]


def _dataset(entry: str | DatasetConfig, task: TaskConfig) -> str:
    name = entry if isinstance(entry, str) else entry.name
    repeats = task.repeats(name)
    trainings = f", {repeats} trainings with seeds of their own" if repeats > 1 else ""
    if isinstance(entry, DatasetConfig):
        counts = _counts(entry.path)
    else:
        counts = COUNTS if name in DEMO_NAMES else medmnist_info().get(name, {}).get("n_samples")
    if counts is None:
        return f"{name}: a data set of the user's own{trainings}."
    batches, last = divmod(counts["train"], task.batch_size)
    steps = (batches + (last > 1 or not batches)) * task.epochs  # a last batch of one image is left out
    return (
        f"{name}: {counts['train']:,} training and {counts['val']:,} validation images, "
        f"{steps:,} steps{trainings}."
    )


def _counts(path: Path) -> dict[str, int] | None:
    """Images of each split of the user's own file; None where it is no such file, which is told elsewhere."""
    try:
        with np.load(path) as file:
            return {split: len(file[f"{split}_labels"]) for split in ("train", "val")}
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile):
        return None
