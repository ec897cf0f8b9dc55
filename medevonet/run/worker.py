"""Train and score programs for a run with ``executor=workers``, on this machine, until the run ends.

python run_evolution.py worker runs/mnist/latest
python run_evolution.py worker runs/mnist/latest --devices 0,1

This machine needs the project, the run's folder and the data at the same paths as the driver's. Walls are
tried out first. A key is neither needed nor wanted.
"""

import os
from collections.abc import Sequence

from medevonet.data.dataset import load_datasets
from medevonet.run.device_trial import settle_device
from medevonet.run.environment import (
    artifacts_folder,
    isolation_for,
    isolation_from_environment,
    task_from_environment,
)
from medevonet.run.folder import PROJECT
from medevonet.task import TaskConfig
from openevolve.commands.worker import main as work
from openevolve.errors import UserError
from openevolve.evaluating.cores import available_cores
from openevolve.evaluating.remote.carrying import Machine
from openevolve.evaluating.remote.messages import Protocol

COMMAND = "python run_evolution.py worker"


def main(arguments: Sequence[str]) -> int:
    return work(arguments, COMMAND, prepare, __doc__)


def prepare(protocol: Protocol, machine: Machine) -> None:
    """Walls, data, threads and device, as the run has them. Raises UserError where they are not."""
    os.environ.update(protocol.environment)
    task, level = task_from_environment(), isolation_from_environment()
    if level != "strict" and not machine.allow_unsafe:
        raise UserError(
            f"evaluator.isolation: expected strict, found a run at {level}: its programs could do here "
            "whatever you can; if you want that, say --allow-unsafe"
        )
    print(f"isolation: {isolation_for(task, level).line}", flush=True)
    if not artifacts_folder().is_dir():
        raise UserError(
            f"{artifacts_folder()}: expected the run's folder of artifacts, found none; have the run's "
            "folder at the same path as on the driver's machine"
        )
    _check_threads(task, machine.slots)
    load_datasets(task.datasets, task.size, root=task.data_root, download=task.download)
    gpus = machine.devices[0] if machine.devices else None
    _, device = settle_device(task, PROJECT / "seed_program.py", level, gpus)
    print(f"device: {device}, {task.precision}", flush=True)


def _check_threads(task: TaskConfig, slots: int) -> None:
    """More threads than cores make every training slower by far, and equal numbers keep scores equal."""
    threads, cores = task.threads or 1, available_cores()
    if slots > 1 and slots * threads > cores:
        raise UserError(
            f"--slots: expected at most {max(1, cores // threads)} on {cores} cores, since a program of this "
            f"run trains with {threads} threads, found {slots}; or begin the run with fewer task.threads"
        )


def settle_elsewhere(task: TaskConfig) -> tuple[TaskConfig, str]:
    """The task where other machines train: its device is named, since this one cannot try theirs.

    Raises UserError.
    """
    kind = task.device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(
            f"task.device: expected cpu or cuda where workers train, so that all train on the same, found "
            f"{task.device}; add --set task.device=cuda"
        )
    precision = {"cpu": "fp32", "cuda": "bf16"}[kind] if task.precision == "auto" else task.precision
    return task.model_copy(update={"precision": precision}), f"{task.device} of the workers"
