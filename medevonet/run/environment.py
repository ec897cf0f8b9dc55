"""What evaluations are told of their run through the environment, and what no program may read."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from medevonet.data import cache as npz_cache
from medevonet.referee.walls import walls_with_gpu
from medevonet.run.folder import PROJECT, RUNS
from medevonet.task import DATA_VARIABLE, DatasetConfig, TaskConfig, data_folder
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Isolation, Level, establish

TASK_VARIABLE = "MEDEVONET_TASK"
ISOLATION_VARIABLE = "MEDEVONET_ISOLATION"
ARTIFACTS_VARIABLE = "MEDEVONET_ARTIFACTS_DIR"

_NOTHING: Mapping[Path, str] = MappingProxyType({})


def task_from_environment() -> TaskConfig:
    """The task of the run that started this evaluation, or the defaults."""
    text = os.environ.get(TASK_VARIABLE)
    return TaskConfig.model_validate_json(text) if text else TaskConfig()


def isolation_from_environment() -> Level:
    """The level that the run which started this evaluation settled on; strict outside a run."""
    level = os.environ.get(ISOLATION_VARIABLE, "strict")
    if level not in get_args(Level):
        raise UserError(f"{ISOLATION_VARIABLE}: expected one of {get_args(Level)}, found {level!r}")
    return cast(Level, level)


def artifacts_folder() -> Path:
    """Where this evaluation's artifacts go: the run's folder, or ``runs/artifacts`` outside a run."""
    return Path(os.environ.get(ARTIFACTS_VARIABLE, "runs/artifacts")).resolve()


def evaluation_environment(task: TaskConfig, run: Path, level: Level = "strict") -> dict[str, str]:
    """The variables that tell the evaluations of a run what ``task_from_environment`` and so on return."""
    return {
        TASK_VARIABLE: task.model_dump_json(),
        ISOLATION_VARIABLE: level,
        ARTIFACTS_VARIABLE: str((run / "artifacts").resolve()),
        DATA_VARIABLE: str(data_folder(task.data_root)),
        npz_cache.FOLDER_VARIABLE: str(npz_cache.default_folder().absolute()),
    }


def isolation_for(
    task: TaskConfig, level: Level, *, allow_unsafe: bool = False, private: Mapping[Path, str] = _NOTHING
) -> Isolation:
    """What keeps a candidate of this task apart; ``private`` paths are added to those of every task.

    Raises UserError where this machine cannot give it and ``allow_unsafe`` was not said.
    """
    return establish(
        level,
        allow_unsafe=allow_unsafe,
        gpu=walls_with_gpu(task),
        private=private_paths(task) | dict(private),
    )


def private_paths(task: TaskConfig) -> dict[Path, str]:
    """What no program may read: keys, runs, and files and caches that hold held-out labels.

    Each comes with what the user changes to have it elsewhere.
    """
    here, project = "start from another folder", "move the project"
    return {
        Path(".env"): here,
        PROJECT / ".env": project,
        RUNS: here,
        npz_cache.default_folder(): f"set {npz_cache.FOLDER_VARIABLE}",
        data_folder(task.data_root): f"set task.data_root or {DATA_VARIABLE}",
        **{
            entry.path: f"move it and mend task.datasets, {entry.name}"
            for entry in task.datasets
            if isinstance(entry, DatasetConfig)
        },
    }
