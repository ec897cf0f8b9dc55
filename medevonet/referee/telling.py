"""How far an evaluation is, said epoch by epoch to whoever watches the run."""

from collections.abc import Sequence

from medevonet.data.dataset import Dataset
from medevonet.referee.scoring import EpochReport, OnEpoch, TrainingRun
from medevonet.task import TaskConfig
from openevolve.evaluating.progress import tell


def images_of(datasets: Sequence[Dataset], task: TaskConfig) -> int:
    """Of one epoch of every training of a full evaluation."""
    return sum(dataset.count("train") * task.repeats(dataset.name) for dataset in datasets)


def telling(
    dataset: Dataset, repeat: int, task: TaskConfig, done: Sequence[TrainingRun], images: int, then: OnEpoch
) -> OnEpoch:
    """For one training: tells each epoch and its AUC, then calls ``then``.

    ``done`` are the trainings before it, ``images`` those of one epoch of all that is to be trained: their
    share is what is told as done.
    """
    repeats = task.repeats(dataset.name)
    name = dataset.name + (f", training {repeat + 1} of {repeats}" if 1 < repeats > repeat else "")
    begun = sum(run.dataset.count("train") for run in done) / images
    tell(f"{name}: begins", begun)

    def told(dataset: Dataset, report: EpochReport) -> None:
        share = begun + report.epoch / task.epochs * dataset.count("train") / images
        tell(f"{name}: {report.epoch} of {task.epochs} epochs, validation AUC {report.val_auc:.4f}", share)
        then(dataset, report)

    return told
