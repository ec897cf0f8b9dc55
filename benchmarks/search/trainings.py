"""A table of real trainings: programs x data sets x seeds, with the probabilities of every training.

Replaying a search on it costs no training, and its noise is that of real trainings. One JSON line a
training, appended as it ends, so that a call that was cut off goes on where it stopped.
"""

import base64
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medevonet.referee.evaluation import evaluate_program
from medevonet.referee.results import Evaluation
from medevonet.task import DatasetConfig, TaskConfig
from openevolve.evaluating.isolation import ForkServer
from openevolve.evaluation_result import EvaluationFailed


@dataclass(frozen=True)
class Training:
    """One training of one program; ``failure`` where it gave no network."""

    program: str
    dataset: str
    repeat: int  # its seed
    failure: str = ""
    params: int = 0
    multiply_adds: int = 0
    cost: int = 0  # images trained on
    seconds: float = 0.0
    val_auc: tuple[float, ...] = ()  # by epoch
    val: str = ""  # probability of the second class, float16, base64; the epoch of the highest AUC
    test: str = ""  # likewise

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.program, self.dataset, self.repeat)


def read(path: Path) -> dict[tuple[str, str, int], Training]:
    """Trainings by program, data set and repeat; a torn last line counts as none."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        training = Training(**values | {"val_auc": tuple(values["val_auc"])})
        found[training.key] = training
    return found


def pack(probabilities: NDArray[np.float32]) -> str:
    """Probabilities (N, 2) of two classes as base64 of N float16."""
    return base64.b64encode(probabilities[:, 1].astype("<f2").tobytes()).decode()


def unpack(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def fewer_images(source: Path, count: int, folder: Path) -> DatasetConfig:
    """A copy of a MedMNIST file with its first ``count`` training images; held-out splits stay whole."""
    name = f"{source.stem}{count}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.npz"
    if not target.is_file():
        with np.load(source) as arrays:
            cut = {key: array[:count] if key.startswith("train") else array for key, array in arrays.items()}
        np.savez_compressed(target, **cut)
    return DatasetConfig(name=name, path=target, label_kind="binary")


def order(programs: Sequence[str], datasets: Sequence[str], repeats: int) -> Iterator[tuple[str, str, int]]:
    """Repeats outermost, so that a table that is not finished has equally many of each program."""
    for repeat in range(repeats):
        for program in programs:
            for dataset in datasets:
                yield program, dataset, repeat


def measure(
    programs: Mapping[str, str],
    datasets: Mapping[str, DatasetConfig],
    repeats: int,
    path: Path,
    workers: int,
    settings: Mapping[str, Any],
    seconds: float = float("inf"),
) -> Iterator[Training]:
    """Train what ``path`` has no record of, append it and yield it. A program that failed is left out.

    ``settings`` of the task, beside those of ``_train``. After so many seconds no training is begun.
    """
    known, start = read(path), time.monotonic()
    failed = {training.program for training in known.values() if training.failure}

    def run(key: tuple[str, str, int]) -> Training | None:
        program, dataset, repeat = key
        if program in failed or time.monotonic() - start > seconds:
            return None
        task = TaskConfig(
            datasets=[datasets[dataset]], seeds={}, size=28, seed=repeat, device="cpu", threads=1,
            download=False, bootstrap_replicates=100, **settings,
        )  # fmt: skip
        training = _train(program, programs[program], dataset, task, server)
        if training.failure:
            failed.add(program)
        return training

    todo = [key for key in order(list(programs), list(datasets), repeats) if key not in known]
    with ForkServer(["medevonet.sandboxed.session"]) as server, ThreadPoolExecutor(workers) as threads:
        for training in threads.map(run, todo):
            if training is not None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(training)) + "\n")
                yield training


def _train(name: str, code: str, dataset: str, task: TaskConfig, server: ForkServer) -> Training:
    repeat = task.seed
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(code, encoding="utf-8")
        try:
            evaluation = evaluate_program(program, task, Path(folder), launcher=server)
        except EvaluationFailed as failure:
            return Training(name, dataset, repeat, f"{failure.kind}: {failure}")
    return _training(name, dataset, repeat, evaluation)


def _training(name: str, dataset: str, repeat: int, evaluation: Evaluation) -> Training:
    (run,) = evaluation.runs
    (training,) = run.trainings
    return Training(
        name, dataset, repeat,
        params=evaluation.network.params,
        multiply_adds=evaluation.network.multiply_adds,
        cost=evaluation.cost,
        seconds=round(evaluation.seconds, 2),
        val_auc=tuple(round(report.val_auc, 6) for report in training.history),
        val=pack(training.probabilities["val"]),
        test=pack(training.probabilities["test"]),
    )  # fmt: skip
