"""What a candidate may touch: the images, its training labels, and the folder it runs in."""

from pathlib import Path

from medevonet.data.dataset import Dataset
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import Walls, gpu


def walls_with_gpu(task: TaskConfig) -> bool:
    """Whether the walls around candidates let CUDA start."""
    return task.device != "cpu" and gpu.present()


def candidate_walls(program: Path, task: TaskConfig, dataset: Dataset) -> Walls:
    """Walls of a candidate process. No label of the validation and test splits lies within them."""
    readable = [program, *dataset.images.values(), dataset.labels["train"]]
    rows = (task.epochs + 2) * (dataset.count("val") + dataset.count("test"))
    answers = 4 * dataset.outputs * rows  # bytes of probabilities that it sends, at most
    return Walls(
        readable=tuple(path.resolve() for path in readable),
        gpu=walls_with_gpu(task),
        written_mb=Walls.written_mb + (answers >> 20),
    )
