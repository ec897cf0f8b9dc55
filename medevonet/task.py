"""The ``task`` section of config.yaml: what programs are trained on, how, and in which protocol."""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from medevonet.label_kind import LabelKind
from openevolve.settings.models import Positive, Section

MEDMNIST_NAMES = ("breastmnist", "pneumoniamnist", "octmnist", "dermamnist", "chestmnist")
DATA_VARIABLE = "MEDMNIST_ROOT"
USUAL_FOLDER = "~/.medmnist"
DEMO_NAMES = tuple(f"demo-{name}" for name in MEDMNIST_NAMES)  # synthetic stand-ins

# What --demo changes: synthetic data and settings that fit two CPU cores and two minutes. What a program may
# cost is said in work and not in time: a busy machine must not change what is found.
DEMO_OVERRIDES = (
    f"task.datasets={json.dumps(DEMO_NAMES)}",
    "task.size=28",
    "task.epochs=2",
    "task.batch_size=32",
    "task.max_multiply_adds=20_000_000",
    "task.device=cpu",
    "task.threads=1",
    "task.bootstrap_replicates=200",
    "fidelity=full",  # a training of seconds has no cheap part that tells anything
)

# Of a task; all else is the protocol.
_BESIDE_THE_PROTOCOL: dict[str, Any] = dict.fromkeys(
    ("data_root", "download", "device", "threads", "bootstrap_replicates"),
    True,  # device: its kind alone
)


class DatasetConfig(BaseModel, extra="forbid"):
    """The user's own file in MedMNIST's format, as an entry of ``task.datasets``."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    path: Path
    label_kind: LabelKind


class TaskConfig(Section):
    """What a program is trained on, and the fixed recipe."""

    datasets: list[str | DatasetConfig] = Field(default=[*MEDMNIST_NAMES], min_length=1)
    size: Annotated[int, Field(ge=16, le=512)] = 224  # pixels, height and width
    data_root: Path | None = None  # None: $MEDMNIST_ROOT, then ~/.medmnist
    download: bool = True
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=2)] = 64
    max_multiply_adds: Annotated[int, Field(ge=1)] | None = None  # of one image; None: no limit
    max_lr: Positive = 3e-3  # peak of the one-cycle schedule
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    seed: Annotated[int, Field(ge=0)] = 0
    # Trainings of a data set, each with a seed of its own; 1 where none is said. BreastMNIST's validation
    # split has 78 images: three trainings where one would be half a lottery.
    seeds: dict[str, Annotated[int, Field(ge=1)]] = Field(default={"breastmnist": 3})
    # Of a ladder (medevonet/referee/rungs.py): what a program may have cost on each rung, of the full cost.
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
        settings = self.model_dump(
            mode="json", exclude=_BESIDE_THE_PROTOCOL | {"datasets": {"__all__": {"path"}}}
        )
        return settings | {"device": self.device.partition(":")[0]}

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


def data_folder(root: Path | None) -> Path:
    """Where MedMNIST's files are: ``root`` if set, else ``$MEDMNIST_ROOT``, else ``~/.medmnist``."""
    return _absolute(root or Path(os.environ.get(DATA_VARIABLE) or USUAL_FOLDER))


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
