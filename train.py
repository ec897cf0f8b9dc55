"""Train and score one program, in a process of its own that never sees the labels it is scored by.

uv run python train.py seed_program.py 10
uv run python train.py seed_program.py --demo
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from dataloader import Dataset, load_datasets
from medevonet.candidate_process import Candidate, Network, candidate_argument
from medevonet.referee import DatasetRun, EpochReport, OnEpoch, train_dataset
from medevonet.sandbox import candidate_walls
from metrics_utils import SPLITS, bootstrap_statistics, write_artifact
from openevolve.cli import ALLOW_UNSAFE, guard
from openevolve.config_files import check
from openevolve.errors import UserError
from openevolve.evaluation_result import EvaluationFailed, EvaluationResult
from openevolve.isolation import ForkServer, Launcher, Level, Request, establish, scratch_folder
from openevolve.isolation.level import environment_of
from run_utils import (
    DEMO_OVERRIDES,
    PROJECT,
    TaskConfig,
    artifacts_folder,
    isolation_from_environment,
    load_settings,
    task_from_environment,
)

EXIT_EVALUATED, EXIT_FAILED = 0, 1


@dataclass(frozen=True)
class Limits:
    """What one evaluation may take; None is no limit."""

    seconds: float | None = None
    memory_mb: int | None = None  # resident memory of the candidate


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found out, test split included: for people and files, never for a search."""

    network: Network
    runs: tuple[DatasetRun, ...]
    statistics: dict[str, Any]  # of metrics_utils.bootstrap_statistics
    seconds: float
    artifact: Path

    def result(self) -> EvaluationResult:
        """What a search may know: validation metrics and the course of training."""
        mean_val_auc = self.statistics["mean"]["val"]["auc"]
        metrics = {
            "combined_score": mean_val_auc,
            "mean_val_auc": mean_val_auc,
            **{f"{run.dataset.name}_val_auc": run.best.val_auc for run in self.runs},
            "params": math.log10(self.network.params),
            "efficiency": -math.log10(self.network.multiply_adds),
            "param_count": self.network.params,
            "multiply_adds": self.network.multiply_adds,
        }
        return EvaluationResult(metrics, {"training": "\n".join(run.course() for run in self.runs)})


def train_and_evaluate(
    program_path: str | Path,
    epochs: int | None = None,
    *,
    task: TaskConfig | None = None,
    artifacts: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> EvaluationResult:
    """Train the program's network on every data set of the task and score it by mean validation AUC.

    ``task`` and ``artifacts`` default to those of the run that this process belongs to. The metrics are
    ``combined_score`` and ``mean_val_auc``, ``<dataset>_val_auc``, ``params`` (log10 of the number of
    parameters), ``efficiency`` (-log10 of the multiply-adds of one image), ``param_count`` and
    ``multiply_adds``. The artifact pair that metrics_utils.py describes is written too.

    Raises:
        EvaluationFailed: the program is at fault; its ``kind`` says how.
        UserError: the task, the data or the device is.
    """
    task = task or task_from_environment()
    if epochs is not None:
        task = check(TaskConfig, {**task.model_dump(), "epochs": epochs}, "task")
    return evaluate_program(
        Path(program_path),
        task,
        artifacts or artifacts_folder(),
        level=isolation_from_environment(),
        on_epoch=on_epoch,
    ).result()


def evaluate_program(
    program: Path,
    task: TaskConfig,
    artifacts: Path,
    *,
    limits: Limits | None = None,
    launcher: Launcher | None = None,
    level: Level = "strict",
    on_epoch: OnEpoch | None = None,
) -> Evaluation:
    """As ``train_and_evaluate``, but returns everything.

    ``launcher`` starts the candidate; by default that of the run, and outside a run one of its own.
    ``level`` strict puts it within walls.
    """
    start = time.monotonic()
    limits = limits or Limits()
    deadline = None if limits.seconds is None else start + limits.seconds
    source = _read(program)
    task = task.model_copy(update={"threads": task.threads or len(os.sched_getaffinity(0))})
    datasets = load_datasets(task.datasets, task.size, root=task.data_root, download=task.download)
    with (
        _starter(launcher, level) as (starter, parent),
        scratch_folder("candidate-", parent) as folder,
    ):
        copy = folder / "program.py"
        copy.write_bytes(source)
        request = Request(
            target="candidate:main",
            argument=candidate_argument(copy, task, datasets),
            directory=folder,
            environment={name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES",) if name in os.environ},
            memory_limit_mb=limits.memory_mb,
            walls=candidate_walls(copy, task, datasets) if level == "strict" else None,
        )
        with Candidate(starter, request, deadline) as candidate:
            network = candidate.load()
            runs = tuple(train_dataset(candidate, dataset, task, on_epoch or _ignore) for dataset in datasets)
    predictions = {run.dataset.name: run.predictions for run in runs}
    statistics = bootstrap_statistics(predictions, task.seed, task.bootstrap_replicates)
    seconds = time.monotonic() - start
    record = {
        "status": "ok",
        "program": source.decode(errors="replace"),
        **asdict(network),
        "datasets": {
            run.dataset.name: run.to_json() | statistics["datasets"][run.dataset.name] for run in runs
        },
        "mean": statistics["mean"],
        "task": task.model_dump(mode="json"),
        "isolation": level,
        "seconds": seconds,
    }
    path = write_artifact(artifacts, _uuid_of(program), record, predictions)
    return Evaluation(network, runs, statistics, seconds, path)


def _read(program: Path) -> bytes:
    try:
        return program.read_bytes()
    except OSError as error:
        raise UserError(
            f"{program}: expected a Python file that defines create_model(), found: {error.strerror}"
        ) from None


@contextmanager
def _starter(launcher: Launcher | None, level: Level) -> Iterator[tuple[Launcher, Path | None]]:
    """What starts the candidate, and where its folder goes so that it never outlives this process."""
    if launcher is not None:
        yield launcher, None
    elif inherited := Launcher.inherited():
        with inherited:
            yield inherited, Path.cwd()  # the run removes it with the evaluation
    else:
        with ForkServer(["candidate"], environment_of(level)) as server:
            yield server, server.scratch


def _uuid_of(program: Path) -> str:
    """The artifact's name: the program's, where a run has named it by a UUID."""
    try:
        return str(UUID(program.stem))
    except ValueError:
        return str(uuid4())


def _ignore(dataset: Dataset, report: EpochReport) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    return guard(lambda: _main(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path, metavar="PROGRAM", help="Python file with create_model()")
    parser.add_argument("epochs", type=int, nargs="?", metavar="EPOCHS", help="task.epochs")
    parser.add_argument("--config", type=Path, default=PROJECT / "config.yaml", help="YAML settings")
    parser.add_argument("--demo", action="store_true", help="synthetic data, small enough for a CPU")
    parser.add_argument("--seed", type=int, help="task.seed")
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser


def _main(options: argparse.Namespace) -> int:
    overrides = [*(DEMO_OVERRIDES if options.demo else ()), *options.overrides]
    if options.epochs is not None:
        overrides.append(f"task.epochs={options.epochs}")
    if options.seed is not None:
        overrides.append(f"task.seed={options.seed}")
    config = load_settings(options.config, overrides)
    task = check(TaskConfig, config.task, "task")
    limits = Limits(config.evaluator.timeout, config.evaluator.memory_limit_mb)
    isolation = establish(config.evaluator.isolation, allow_unsafe=options.allow_unsafe)
    if isolation.level != "strict":
        print(f"isolation: {isolation.line}", file=sys.stderr, flush=True)
    start = time.monotonic()
    try:
        evaluation = evaluate_program(
            options.program,
            task,
            artifacts_folder(),
            limits=limits,
            level=isolation.level,
            on_epoch=_print_epoch,
        )
    except EvaluationFailed as failure:
        print(f"{failure.output_tail}\n{failure}", file=sys.stderr)
        print(f"---\nstatus: {failure.kind}\nseconds: {time.monotonic() - start:.1f}")
        print(f"isolation: {isolation.line}")
        return EXIT_FAILED
    print(_summary(evaluation))
    print(f"isolation: {isolation.line}")
    return EXIT_EVALUATED


def _print_epoch(dataset: Dataset, report: EpochReport) -> None:
    if report.epoch == 1:
        sizes = ", ".join(f"{dataset.count(split)} {split}" for split in dataset.images)
        print(f"\n{dataset.name}: {dataset.outputs} outputs, {dataset.size} px, images: {sizes}")
        print("epoch  train loss  val AUC  seconds")
    mark = "  best so far" if report.best else ""
    print(
        f"{report.epoch:5}  {report.train_loss:10.4f}  {report.val_auc:7.4f}  {report.seconds:7.1f}{mark}",
        flush=True,
    )


def _summary(evaluation: Evaluation) -> str:
    """A table over data sets, then ``key: value`` lines."""
    statistics, network = evaluation.statistics, evaluation.network
    rows = {**statistics["datasets"], "mean": statistics["mean"]}
    epochs = {run.dataset.name: str(run.best.epoch) for run in evaluation.runs}
    width = max(map(len, rows))
    lines = ["", f"{'':{width}}  best epoch  val AUC  95% interval    test AUC  95% interval"]
    for name, row in rows.items():
        cells = [
            f"{row[split]['auc']:8.4f}  {'{:.4f}-{:.4f}'.format(*row[split]['ci95'])}" for split in SPLITS
        ]
        lines.append(f"{name:{width}}  {epochs.get(name, ''):>10}  {'  '.join(cells)}")
    block = {
        "status": "ok",
        "mean_val_auc": f"{statistics['mean']['val']['auc']:.4f}",
        "mean_test_auc": f"{statistics['mean']['test']['auc']:.4f}",
        "params": network.params,
        "multiply_adds": network.multiply_adds,
        "device": network.device,
        "seconds": f"{evaluation.seconds:.1f}",
        "artifact": evaluation.artifact,
        **{
            name: " ".join(f"{split}_auc={row[split]['auc']:.4f}" for split in SPLITS)
            for name, row in statistics["datasets"].items()
        },
    }
    return "\n".join([*lines, "---", *(f"{key}: {value}" for key, value in block.items())])


if __name__ == "__main__":
    sys.exit(main())
