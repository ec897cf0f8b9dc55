"""Train and score one program, in a process of its own that never sees the labels it is scored by.

uv run python train.py seed_program.py 10
uv run python train.py seed_program.py --demo
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from medevonet.data.dataset import Dataset
from medevonet.referee.evaluation import Limits, evaluate_in_rungs, evaluate_program, ignore
from medevonet.referee.results import Evaluation
from medevonet.referee.scoring import EpochReport, OnEpoch
from medevonet.run.environment import (
    artifacts_folder,
    isolation_for,
    isolation_from_environment,
    task_from_environment,
)
from medevonet.run.looks import count_look, run_of
from medevonet.run.programs import program_file
from medevonet.run.settings import CONFIG, load_settings, task_of
from medevonet.statistics.artifacts import SPLITS
from medevonet.task import DEMO_OVERRIDES, TaskConfig, settled
from openevolve.commands.evolve import ALLOW_UNSAFE, guard
from openevolve.commands.hints import typed_here
from openevolve.evaluation_result import EvaluationFailed, EvaluationResult
from openevolve.settings.files import check
from openevolve.settings.layers import Override
from openevolve.settings.models import Config

__all__ = ["Evaluation", "Limits", "evaluate_program", "train_and_evaluate", "train_and_evaluate_in_rungs"]

EXIT_EVALUATED, EXIT_FAILED = 0, 1


def train_and_evaluate(
    program_path: str | Path,
    epochs: int | None = None,
    *,
    task: TaskConfig | None = None,
    artifacts: Path | None = None,
    on_epoch: OnEpoch = ignore,
) -> EvaluationResult:
    """Train the program's network on every data set of the task and score it by mean validation AUC.

    ``task`` and ``artifacts`` default to those of the run that this process belongs to. The metrics are
    ``combined_score`` and ``mean_val_auc``, its standard error ``mean_val_auc_se``, ``<dataset>_val_auc``,
    ``params`` (log10 of the number of parameters), ``efficiency`` (-log10 of the multiply-adds of one
    image), ``param_count``, ``multiply_adds`` and ``cost`` (images trained on). The artifact pair that
    medevonet/statistics/artifacts.py describes is written too.

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


def train_and_evaluate_in_rungs(program_path: str | Path) -> Iterator[EvaluationResult]:
    """As ``train_and_evaluate``, after the results of the rungs below (medevonet/referee/rungs.py).

    All have the same metrics, but those below have no standard error. Closing the iterator ends the
    evaluation; a training of the full evaluation that a rung has done is not done again.
    """
    rungs = evaluate_in_rungs(
        Path(program_path), task_from_environment(), artifacts_folder(), level=isolation_from_environment()
    )
    for rung in rungs:
        yield rung.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    return guard(lambda: _main(options))


def parser() -> argparse.ArgumentParser:
    """Of the command line; its defaults are those of ``medevonet.evaluate`` too."""
    parser = argparse.ArgumentParser(
        description=typed_here(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path, metavar="PROGRAM", help="a file, or an iteration: 14, RUN@14")
    parser.add_argument("epochs", type=int, nargs="?", metavar="EPOCHS", help="task.epochs")
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument("--config", type=Path, metavar="FILE", help="YAML settings over config.yaml")
    settings.add_argument("--config-only", type=Path, metavar="FILE", help="YAML settings over nothing")
    parser.add_argument("--demo", action="store_true", help="synthetic data, small enough for a CPU")
    parser.add_argument("--seed", type=int, help="task.seed")
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser


def _main(options: argparse.Namespace) -> int:
    named, options.program = options.program, program_file(options.program)
    if named != options.program and options.config is None and options.config_only is None:
        options.config = options.program.parent.parent / "run_info.json"  # of the run that it is of
    config, task = settings_of(options)
    limits = Limits(config.evaluator.timeout, config.evaluator.memory_limit_mb)
    isolation = isolation_for(task, config.evaluator.isolation, allow_unsafe=options.allow_unsafe)
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
            on_epoch=print_epoch,
        )
    except EvaluationFailed as failure:
        print(f"{failure.output_tail}\n{failure}", file=sys.stderr)
        print(f"---\nstatus: {failure.kind}\nseconds: {time.monotonic() - start:.1f}")
        print(f"isolation: {isolation.line}")
        return EXIT_FAILED
    given: Path | None = options.config or options.config_only
    of_run = given.parent if given and given.name == "run_info.json" else run_of(options.program)
    count_look(of_run or artifacts_folder(), "train.py", [str(options.program)])
    print(_summary(evaluation))
    print(f"isolation: {isolation.line}")
    return EXIT_EVALUATED


def settings_of(options: argparse.Namespace) -> tuple[Config, TaskConfig]:
    """The settings, and the task among them. Raises UserError."""
    demo = [Override(setting, "--demo") for setting in DEMO_OVERRIDES] if options.demo else []
    overrides = [*demo, *options.overrides]
    if options.epochs is not None:
        overrides.append(Override(f"task.epochs={options.epochs}", "EPOCHS"))
    if options.seed is not None:
        overrides.append(Override(f"task.seed={options.seed}", "--seed"))
    given: Path | None = options.config or options.config_only
    config = load_settings(given, overrides, below=None if options.config_only else CONFIG)
    return config, settled(task_of(config))


def print_epoch(dataset: Dataset, report: EpochReport) -> None:
    """A line, below a heading for each data set."""
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
    epochs = {
        run.dataset.name: ",".join(str(training.best.epoch) for training in run.trainings)
        for run in evaluation.runs
    }
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
        "mean_val_auc_se": f"{statistics['mean']['val']['standard_error']:.4f}",
        "mean_test_auc": f"{statistics['mean']['test']['auc']:.4f}",
        "params": network.params,
        "multiply_adds": network.multiply_adds,
        "device": network.device,
        "precision": network.precision,
        "seconds": f"{evaluation.seconds:.1f}",
        "artifact": evaluation.artifact,
        **{
            name: " ".join(f"{split}_auc={row[split]['auc']:.4f}" for split in SPLITS)
            for name, row in statistics["datasets"].items()
        },
    }
    return "\n".join([*lines, "---", *(f"{key}: {value}" for key, value in block.items())])
