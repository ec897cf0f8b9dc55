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
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, field_validator, model_validator

from dataloader import DEMO_NAMES, MEDMNIST_NAMES, DatasetConfig
from medevonet import npz_cache
from openevolve.config import Config, Positive, Section
from openevolve.config_files import apply_overrides, check, load_config
from openevolve.errors import UserError
from openevolve.isolation import Level
from openevolve.secrets import without_secrets

PROJECT = Path(__file__).resolve().parent
RUNS = Path("runs/mnist")
TASK_VARIABLE = "MEDEVONET_TASK"
ISOLATION_VARIABLE = "MEDEVONET_ISOLATION"
ARTIFACTS_VARIABLE = "MEDEVONET_ARTIFACTS_DIR"

# What --demo changes: synthetic data and settings that fit two CPU cores and two minutes.
DEMO_OVERRIDES = (
    f"task.datasets={json.dumps(DEMO_NAMES)}",
    "task.size=28",
    "task.epochs=3",
    "task.device=cpu",
    "task.threads=1",
    "task.bootstrap_replicates=200",
    "fidelity=full",  # a training of seconds has no cheap part that tells anything
)


_BESIDE_THE_PROTOCOL: dict[str, Any] = dict.fromkeys(
    ("data_root", "download", "device", "threads", "bootstrap_replicates"), True
)


class TaskConfig(Section):
    """The ``task`` section of config.yaml: what a program is trained on, and the fixed recipe."""

    datasets: list[str | DatasetConfig] = Field(default=[*MEDMNIST_NAMES], min_length=1)
    size: Annotated[int, Field(ge=16, le=512)] = 224  # pixels, height and width
    data_root: Path | None = None  # None: $MEDMNIST_ROOT, then ~/.medmnist
    download: bool = True
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=2)] = 64
    max_lr: Positive = 3e-3  # peak of the one-cycle schedule
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    seed: Annotated[int, Field(ge=0)] = 0
    # Trainings of a data set, each with a seed of its own; 1 where none is said. BreastMNIST's validation
    # split has 78 images: three trainings where one would be half a lottery.
    seeds: dict[str, Annotated[int, Field(ge=1)]] = Field(default={"breastmnist": 3})
    # Of a ladder (medevonet/rungs.py): what a program may have cost on each rung, of the full cost.
    rung_shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[0.1, 0.2, 0.3], min_length=1)
    rung_epochs: Annotated[int, Field(ge=1)] = 2  # at least, of the first rung's brief trainings
    rung_size: Annotated[int, Field(ge=8)] = 56  # pixels that their images may be downsampled to
    device: str = "auto"  # auto: the GPU of the slot where there is one, else the CPU
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the device has it natively
    cuda_graphs: bool = False  # on a GPU: the kernels of a batch launched at once
    threads: Annotated[int, Field(ge=1)] | None = None  # CPU threads of one candidate; None: cores / slots
    bootstrap_replicates: Annotated[int, Field(ge=100)] = 1000

    def repeats(self, dataset: str) -> int:
        """How many times a data set is trained on."""
        return self.seeds.get(dataset, 1)

    def protocol(self) -> dict[str, Any]:
        """The settings that a score, or a decision between rungs, depends on. Files may be moved."""
        return self.model_dump(
            mode="json", exclude=_BESIDE_THE_PROTOCOL | {"datasets": {"__all__": {"path"}}}
        )

    @field_validator("rung_shares")
    @classmethod
    def _rungs_lead_up(cls, shares: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(shares)):
            raise ValueError(f"expected shares that grow from rung to rung, found {shares}")
        return shares

    @model_validator(mode="after")
    def _seeds_are_of_datasets(self) -> "TaskConfig":
        own = (entry.name for entry in self.datasets if isinstance(entry, DatasetConfig))
        known = {*MEDMNIST_NAMES, *DEMO_NAMES, *own}
        if unknown := sorted(self.seeds.keys() - known):
            raise ValueError(f"expected seeds of data sets ({', '.join(sorted(known))}), found {unknown}")
        return self


def settled(task: TaskConfig, threads: int | None = None) -> TaskConfig:
    """The task with absolute paths, since evaluations run in other folders, and a number of threads."""
    datasets = [
        entry if isinstance(entry, str) else entry.model_copy(update={"path": _absolute(entry.path)})
        for entry in task.datasets
    ]
    root = task.data_root and _absolute(task.data_root)
    changes = {"datasets": datasets, "data_root": root, "threads": task.threads or threads}
    return task.model_copy(update=changes)


def check_protocol(recorded: TaskConfig, task: TaskConfig) -> None:
    """Refuse scores that those of the run so far cannot be compared with. Raises UserError."""
    before, now = recorded.protocol(), task.protocol()
    changed = {key: now[key] for key in now if now[key] != before[key]}
    if changed:
        raise UserError(
            "--resume: expected the protocol that the run's scores rest on, found changes: "
            + ", ".join(f"task.{key} is {before[key]}, not {value}" for key, value in changed.items())
            + ". Leave these settings as they are, or start a new run."
        )


def data_folder(task: TaskConfig) -> Path:
    """Where MedMNIST's files are: ``task.data_root``, else ``$MEDMNIST_ROOT``, else ``~/.medmnist``."""
    return _absolute(task.data_root or Path(os.environ.get("MEDMNIST_ROOT") or "~/.medmnist"))


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


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
    run = given if given.is_dir() else root / name
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
    info = {
        "config": dict(config),
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
