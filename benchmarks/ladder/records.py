"""Measures programs on every rung and twice in full, one JSON line a program, so that it can go on later."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medevonet.referee.evaluation import evaluate_in_rungs, evaluate_program
from medevonet.referee.results import Evaluation
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import ForkServer
from openevolve.evaluation_result import EvaluationFailed


@dataclass(frozen=True)
class Full:
    """One full evaluation."""

    score: float  # mean validation AUC
    standard_error: float
    test: float  # mean test AUC: for the comparison of protocols alone
    cost: int  # images trained on
    epochs: Mapping[str, list[list[float]]]  # validation AUC by data set, training and epoch


@dataclass(frozen=True)
class Record:
    """A program on every rung; ``failure`` where it has no score."""

    name: str
    failure: str = ""
    rungs: tuple[Mapping[str, float], ...] = ()  # metrics of those below the full evaluation
    full: tuple[Full, ...] = ()  # the first goes on from the rungs, the second has another seed

    @classmethod
    def from_json(cls, line: str) -> "Record":
        values = json.loads(line)
        full = tuple(Full(**full) for full in values["full"])
        return cls(**values | {"rungs": tuple(values["rungs"]), "full": full})


def read_records(path: Path) -> dict[str, Record]:
    """Records by the program's name; none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {record.name: record for record in map(Record.from_json, lines)}


def append(path: Path, record: Record) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def measure(programs: Mapping[str, str], task: TaskConfig, path: Path, workers: int) -> Iterator[Record]:
    """Measure programs that ``path`` has no record of, append their records and yield them."""
    known = read_records(path)
    todo = [name for name in programs if name not in known]
    with ForkServer(["medevonet.sandboxed.session"]) as server, ThreadPoolExecutor(workers) as threads:
        measured = threads.map(lambda name: _measure(name, programs[name], task, server), todo)
        for record in measured:
            append(path, record)
            yield record


def _measure(name: str, code: str, task: TaskConfig, server: ForkServer) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(code, encoding="utf-8")
        again = task.model_copy(update={"seed": task.seed + 1})
        try:
            *rungs, full = evaluate_in_rungs(program, task, Path(folder), launcher=server)
            repeat = evaluate_program(program, again, Path(folder), launcher=server)
        except EvaluationFailed as failure:
            return Record(name, f"{failure.kind}: {failure}")
        assert isinstance(full, Evaluation)
        metrics = tuple(dict(rung.result().metrics) for rung in rungs)
        return Record(name, "", metrics, (_full(full), _full(repeat)))


def _full(evaluation: Evaluation) -> Full:
    mean: dict[str, Any] = evaluation.statistics["mean"]
    return Full(
        score=mean["val"]["auc"],
        standard_error=mean["val"]["standard_error"],
        test=mean["test"]["auc"],
        cost=evaluation.cost,
        epochs={
            run.dataset.name: [[report.val_auc for report in training.history] for training in run.trainings]
            for run in evaluation.runs
        },
    )
