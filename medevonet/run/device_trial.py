"""A candidate process tried out before a run: on what it trains, in which precision, and how fast."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medevonet.data.dataset import Dataset
from medevonet.referee.starting import CandidateStarter
from medevonet.sandboxed.hardware import NVIDIA, cpu_has_bf16, gpu_drivers
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.evaluating.isolation import ForkServer, Level
from openevolve.evaluation_result import EvaluationFailed

_TRIAL_BATCHES = 3
_TRIAL_SECONDS = 300.0


@dataclass(frozen=True)
class Rates:
    """Images a second of one candidate on this machine, and its device."""

    training: float
    predicting: float
    device: str
    precision: str


def settle_device(
    task: TaskConfig, program: Path, level: Level, gpus: str | None = None
) -> tuple[TaskConfig, str]:
    """The task with device and precision settled for the whole run, and what programs are trained on.

    Where a driver knows of a GPU, a candidate has to find it within its walls. ``gpus`` are those of the
    first slot, where slots are bound to some. Raises UserError as ``tried`` does.
    """
    if _has_only_the_cpu(task):
        found, precision, device = "cpu", "bf16" if cpu_has_bf16() else "fp32", "cpu"
    else:
        try:
            rates = tried(task, program, level, gpus)
        except EvaluationFailed:  # the run will tell how
            return task, f"{task.device} (the trial of the seed program failed)"
        found, precision = rates.device, rates.precision
        device = "cuda" if task.device == "auto" else task.device
    chosen = precision if task.precision == "auto" else task.precision
    settled = task.model_copy(update={"device": device, "precision": chosen})
    return settled, described(task, found)


def described(task: TaskConfig, found: str) -> str:
    """The device that candidates found, aloud where it is a fallback."""
    if task.device == "auto" and found == "cpu":
        return f"NO GPU FOUND: the CPU, {task.threads} threads for a program"
    return found


def _has_only_the_cpu(task: TaskConfig) -> bool:
    return task.device == "cpu" or (task.device == "auto" and not gpu_drivers())


def tried(task: TaskConfig, program: Path, level: Level, gpus: str | None = None) -> Rates:
    """As ``measure``; where that fails beside a GPU, it is tried without walls too, to name the cause.

    Raises:
        EvaluationFailed: the program is at fault, with and without walls.
        UserError: the device is, the walls keep programs from it, or the machine has no room.
    """
    if _has_only_the_cpu(task) or level != "strict":
        return measure(task, program, level, gpus)
    drivers = gpu_drivers()
    if drivers and NVIDIA not in drivers:
        raise UserError(
            "evaluator.isolation: expected a GPU behind NVIDIA's driver for Linux, found one behind "
            f"{drivers[0]}, which walls cannot let programs use. Train on the CPU (--set task.device=cpu) or "
            "without walls (--set evaluator.isolation=process)."
        )
    try:
        return measure(task, program, level, gpus)
    except (EvaluationFailed, UserError) as within:
        try:
            rates = measure(task, program, "process", gpus)
        except (EvaluationFailed, UserError):
            raise within from None
        raise UserError(
            f"evaluator.isolation: expected the seed program to train within walls as it does without them "
            f"({rates.device}), found: {within}. Train on the CPU with --set task.device=cpu, or without "
            "walls with --set evaluator.isolation=process; and please report it."
        ) from None


def measure(task: TaskConfig, program: Path, level: Level, gpus: str | None = None) -> Rates:
    """Train ``program`` on a few batches of random images in a candidate process, as a run would.

    Raises:
        EvaluationFailed: the program is at fault.
        UserError: the device is, or the machine has no room.
    """
    try:
        return _measure(task, program, level, gpus)
    except ConnectionError as error:
        raise UserError(
            f"expected a trial of the seed program to end, found: {error}. "
            "Was it killed for want of memory? See dmesg, make room, and try again."
        ) from None


def _measure(task: TaskConfig, program: Path, level: Level, gpus: str | None) -> Rates:
    with ForkServer(["medevonet.sandboxed.session"]) as server, tempfile.TemporaryDirectory() as folder:
        deadline = time.monotonic() + _TRIAL_SECONDS
        dataset = _random_dataset(Path(folder), task)
        starter = CandidateStarter(program.read_bytes(), task, None, deadline, level, server, None)
        if gpus is not None:
            starter = replace(starter, gpus=gpus)
        with starter.start(dataset) as candidate:
            network = candidate.load([dataset.outputs], task.precision)
            candidate.start(seed=0)
            candidate.epoch()  # the first one also allocates and chooses algorithms
            start = time.perf_counter()
            candidate.epoch()
            both = time.perf_counter() - start
            start = time.perf_counter()
            candidate.predict("val")
            predicting = time.perf_counter() - start
    images = _TRIAL_BATCHES * task.batch_size
    return Rates(
        images / max(both - predicting, 1e-6), images / predicting, network.device, network.precision
    )


def _random_dataset(folder: Path, task: TaskConfig) -> Dataset:
    images = _TRIAL_BATCHES * task.batch_size
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.integers(0, 256, (images, task.size, task.size), dtype=np.uint8))
    np.save(folder / "labels.npy", rng.integers(0, 2, (images, 1)))
    splits = ("train", "val", "test")
    return Dataset(
        "random", "binary", 2, 1, task.size,
        images=dict.fromkeys(splits, folder / "images.npy"),
        labels=dict.fromkeys(splits, folder / "labels.npy"),
    )  # fmt: skip
