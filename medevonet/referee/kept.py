"""Finished trainings of an evaluation that has not ended: a resumed run does not do them again.

Beside a program's artifacts, in ``<uuid>.unfinished``, is one ``.npz`` for each training: its probabilities,
and as JSON what else is known of it. The files go when the evaluation ends, however it ends.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from medevonet.data.dataset import Dataset
from medevonet.referee.candidate_process import Network
from medevonet.referee.scoring import EpochReport, TrainingRun
from medevonet.statistics.artifacts import SPLITS
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.evaluation_result import EvaluationFailed

SUFFIX = ".unfinished"


@dataclass(frozen=True)
class KeptTrainings:
    """Those of one program under one protocol; a file of another, or a damaged one, counts for nothing."""

    folder: Path
    key: str  # what their results depend on

    @classmethod
    def of(cls, artifacts: Path, uuid: str, source: bytes, task: TaskConfig) -> "KeptTrainings":
        settings = json.dumps([task.protocol(), task.threads], sort_keys=True).encode()
        return cls(artifacts / f"{uuid}{SUFFIX}", hashlib.sha256(source + b"\0" + settings).hexdigest())

    def keep(self, run: TrainingRun, repeat: int, network: Network) -> None:
        """Raises UserError where the folder cannot be written."""
        facts = {
            "key": self.key, "seed": run.seed, "micro_batch": run.micro_batch, "network": asdict(network),
            "history": [asdict(report) for report in run.history],
        }  # fmt: skip
        arrays: dict[str, Any] = {split: run.probabilities[split] for split in SPLITS}
        path = self._path(run.dataset, repeat)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".part").open("wb") as file:
                np.savez(file, facts=np.array(json.dumps(facts)), **arrays)
            os.replace(path.with_suffix(".part"), path)
        except OSError as error:  # not the program's failure
            raise UserError(
                f"{self.folder}: expected a folder that can be written, found: {error.strerror}. "
                "Free some space there, or make it writable, and go on."
            ) from None

    def take(self, dataset: Dataset, repeat: int, seed: int) -> tuple[TrainingRun, Network] | None:
        """A training that an earlier session finished."""
        try:
            with np.load(self._path(dataset, repeat), allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                probabilities = {split: file[split] for split in SPLITS}
            if (facts["key"], facts["seed"]) != (self.key, seed):
                return None
            history = tuple(EpochReport(**report) for report in facts["history"])
            run = TrainingRun(dataset, seed, history, facts["micro_batch"], probabilities)
            return run, Network(**facts["network"])
        except Exception:  # NumPy and zipfile raise many things for a damaged file: it is trained again
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove the files once the evaluation is over: scored, failed, or rejected on a rung."""
        if kind is None or issubclass(kind, EvaluationFailed | GeneratorExit):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, dataset: Dataset, repeat: int) -> Path:
        return self.folder / f"{dataset.name}-{repeat}.npz"
