"""Run directories, and what evaluations are told about a run: the task, and where artifacts go."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

from medevonet.data import cache as npz_cache
from medevonet.task import DatasetConfig, TaskConfig, data_folder
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Level
from openevolve.settings.files import apply_overrides, check, load_config
from openevolve.settings.models import Config
from openevolve.settings.secrets import without_secrets

PROJECT = Path(__file__).resolve().parents[2]
RUNS = Path("runs/mnist")
TASK_VARIABLE = "MEDEVONET_TASK"
ISOLATION_VARIABLE = "MEDEVONET_ISOLATION"
ARTIFACTS_VARIABLE = "MEDEVONET_ARTIFACTS_DIR"


def private_paths(task: TaskConfig) -> list[Path]:
    """What no program may read: keys, runs, and files and caches that hold held-out labels."""
    own = [entry.path for entry in task.datasets if isinstance(entry, DatasetConfig)]
    return [Path(".env"), PROJECT / ".env", RUNS, npz_cache.default_folder(), data_folder(task), *own]


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
        "MEDMNIST_ROOT": str(data_folder(task)),
        npz_cache.FOLDER_VARIABLE: str(npz_cache.default_folder().absolute()),
    }


def create_run(root: Path = RUNS) -> Path:
    """A fresh ``<timestamp>_<jobid>`` folder, which ``latest`` points to from now on. Raises UserError."""
    job = os.environ.get("SLURM_JOB_ID") or os.environ.get("PBS_JOBID") or "local"
    name = f"{time.strftime('%Y%m%d_%H%M%S')}_{job}"
    try:
        for attempt in range(1000):
            run = root / (f"{name}-{attempt + 1}" if attempt else name)
            try:
                (run / "artifacts").mkdir(parents=True)
                break
            except FileExistsError:  # another run of the same second
                continue
        point_latest(run)
    except OSError as error:
        raise UserError(
            f"{root}: expected a folder that can be written, found: {error.strerror}. "
            "Mend it and start again."
        ) from None
    return run


def point_latest(run: Path) -> None:
    """Let ``latest`` beside ``run`` point to it; a reader sees the old or the new, never neither."""
    draft = run.parent / f".latest-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.name)
    os.replace(draft, run.parent / "latest")


def find_run(name: str, root: Path = RUNS) -> Path:
    """The run directory that ``--resume`` means: a path, a name below ``root``, or ``latest``.

    Raises:
        UserError: there is none, or it is not a run directory.
    """
    given = Path(name)
    run = given if name and given.is_dir() else root / name
    if not (run / "run_info.json").is_file():
        known = sorted(path.parent.name for path in root.glob("*/run_info.json"))
        found = f"the runs in {root} are {', '.join(known[-5:])}" if known else f"there is no run in {root}"
        raise UserError(f"--resume {name}: expected a run directory with run_info.json; {found}")
    return run.resolve()


def write_run_info(
    run: Path, config: Mapping[str, Any], found: Mapping[str, Any], secrets: Iterable[str] = ()
) -> None:
    """``run_info.json``: settings, code version, host, and what was ``found`` (provider, device, ...).

    ``secrets`` are masked in the command line. Raises UserError.
    """
    replace_run_info(run, {"config": dict(config), **_session(found, secrets)})


def add_session(
    run: Path, config: Mapping[str, Any], found: Mapping[str, Any], secrets: Iterable[str] = ()
) -> None:
    """Add to ``run_info.json`` that the run was continued, and the settings in force. Raises UserError."""
    info = read_run_info(run)
    info["config"] = dict(config)
    info["resumed"] = [*info.get("resumed", []), _session(found, secrets)]
    replace_run_info(run, info)


def _session(found: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """With what, where and how one session runs."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": without_secrets(sys.argv[1:], secrets),
        "git_sha": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("torch", "numpy", "openai", "medmnist", "libcst")},
        **found,
    }


def replace_run_info(run: Path, info: Mapping[str, Any]) -> None:
    """A reader sees the old ``run_info.json`` or the new one. Raises UserError."""
    draft = run / ".run_info.json.draft"
    try:
        draft.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        os.replace(draft, run / "run_info.json")
    except OSError as error:
        raise UserError(
            f"{run}: expected room for run_info.json, found: {error.strerror}. Mend it and start again."
        ) from None


def read_run_info(run: Path) -> dict[str, Any]:
    """What ``write_run_info`` wrote. Raises UserError."""
    path = run / "run_info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        info["config"].keys()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: expected the settings of a run, found: {error!r}") from None
    assert isinstance(info, dict)
    return info


def load_settings(path: Path, overrides: Sequence[str]) -> Config:
    """Settings from a YAML file, or those of an earlier run from its ``run_info.json``. Raises UserError."""
    if path.name != "run_info.json":
        return load_config(path, overrides)
    settings = read_run_info(path.parent)["config"]
    task = settings.get("task")
    if isinstance(task, dict) and "rung_share" in task:  # of runs when there was a single rung
        settings["task"] = {key: value for key, value in task.items() if key != "rung_share"}
        settings["task"]["rung_shares"] = [task["rung_share"]]
    return check(Config, apply_overrides(settings, overrides), str(path))


def _git(*arguments: str) -> str | None:
    """What git says of the project's checkout; None where there is none."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
