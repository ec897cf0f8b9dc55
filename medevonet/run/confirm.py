"""Is what a run found better than its seed? A confirmation on fresh seeds, and one look at the test split.

    run_evolution.py confirm [RUN] --top 3 --seeds 10
    run_evolution.py confirm [RUN] --plan

The best programs by estimate are listed and the list is hashed (``confirmation/list.json``) before anything
is trained again. They and the seed program are trained on every data set from seeds that the search did not
use, the same for all. What a stopped confirmation had trained is not trained again. Programs whose gain does
not show on the validation split go no further; for those that are left the test split is opened, once, and
the look is counted in ``run_info.json``. medevonet/statistics/variance.py says how the difference is judged.
"""

import argparse
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medevonet.referee.evaluation import Limits, evaluate_program
from medevonet.referee.starting import launcher_for
from medevonet.run.confirm_plan import plan_text
from medevonet.run.confirm_report import conclude, written
from medevonet.run.environment import isolation_for
from medevonet.run.folder import find_run
from medevonet.run.looks import refuse_during_a_run
from medevonet.run.settings import load_settings, task_of
from medevonet.task import TaskConfig, settled
from openevolve.commands.evolve import ALLOW_UNSAFE, guard
from openevolve.commands.exits import EXIT_COMPLETED
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Launcher, Level
from openevolve.evaluation_result import EvaluationFailed
from openevolve.search.final import standing
from openevolve.state.replay import replay


@dataclass(frozen=True)
class Listed:
    """A program to be confirmed; the seed program is the first of a list."""

    id: str
    iteration: int
    claimed: float  # mean validation AUC in the search
    estimate: float  # the same, with luck taken back as far as the run knows its noise
    params: int
    code: str


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    return guard(lambda: _main(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_evolution.py confirm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="a run directory (latest)")
    parser.add_argument("--top", type=_positive, default=3, metavar="K", help="programs to confirm")
    parser.add_argument("--seeds", type=_several, default=10, metavar="S", help="trainings of each program")
    parser.add_argument("--at-once", type=_positive, metavar="N", help="evaluator.parallel_evaluations")
    parser.add_argument("--plan", action="store_true", help="print what could be shown; train nothing")
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    return parser


def _positive(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected an integer of at least {least}; found {text!r}")
    return int(text)


def _several(text: str) -> int:
    return _positive(text, least=2)  # of one training no spread can be had


def _main(options: argparse.Namespace) -> int:
    run = find_run(options.run)
    if options.plan:
        print(plan_text(run))
        return EXIT_COMPLETED
    confirmed(run, options.top, options.seeds, options.at_once, allow_unsafe=options.allow_unsafe)
    print(written(run))
    return EXIT_COMPLETED


def confirmed(run: Path, top: int, seeds: int, at_once: int | None, *, allow_unsafe: bool) -> None:
    """Train what has not been trained, and write what it shows beside the run. Raises UserError."""
    refuse_during_a_run(run)
    config = load_settings(run / "run_info.json", [])
    task = settled(task_of(config))
    isolation = isolation_for(task, config.evaluator.isolation, allow_unsafe=allow_unsafe)
    listed = freeze(run, lambda: ranked(run, top), seeds)
    print(f"run: {run}\nprograms: {len(listed) - 1} and the seed, {seeds} trainings each", flush=True)
    if not (run / "confirmation.json").exists():
        limits = Limits(config.evaluator.timeout, config.evaluator.memory_limit_mb)
        at_once = at_once or config.evaluator.parallel_evaluations
        train_all(run, listed, seeds, task, limits, isolation.level, at_once)
        conclude(run, [asdict(program) for program in listed], seeds)


def ranked(run: Path, top: int) -> list[Listed]:
    """The seed program, and the ``top`` others as the run ranks them, from its journal. Raises UserError."""
    state = replay(run / "openevolve" / "journal.jsonl")
    found = standing(state)
    seed = [elite for elite in found if elite.program.iteration == 0]
    others = [elite for elite in found if elite.program.iteration]
    if not seed or not others:
        raise UserError(f"{run}: expected a seed program and others with a score, found {len(found)} scores")
    return [
        Listed(
            elite.id,
            elite.program.iteration,
            elite.metrics["mean_val_auc"],
            state.population.value(elite),
            int(elite.metrics["param_count"]),
            elite.program.code,
        )
        for elite in (*seed, *others[:top])
    ]


def freeze(run: Path, choose: Callable[[], list[Listed]], seeds: int) -> list[Listed]:
    """The list of this run's confirmation: the one that was written first, and no other afterwards.

    Raises UserError where the file was changed since, or was made for another number of trainings.
    """
    path = run / "confirmation" / "list.json"
    if not path.exists():
        content = {"seeds": seeds, "programs": [asdict(program) for program in choose()]}
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content | {"sha256": _hash(content)}, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    listed, begun_with = frozen(run)
    if begun_with != seeds:
        raise UserError(
            f"{path}: expected --seeds {begun_with}, with which this confirmation began, found {seeds}"
        )
    return listed


def frozen(run: Path) -> tuple[list[Listed], int]:
    """The list of a run's confirmation and its number of trainings. Raises UserError where it was changed."""
    path = run / "confirmation" / "list.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = content.pop("sha256", None)
    except (OSError, ValueError, AttributeError, TypeError):
        content, stated = {}, None
    if stated != _hash(content):
        raise UserError(f"{path}: expected the list as it was written, found one that its hash does not fit")
    return [Listed(**program) for program in content["programs"]], content["seeds"]


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def train_all(
    run: Path,
    listed: Sequence[Listed],
    seeds: int,
    task: TaskConfig,
    limits: Limits,
    level: Level,
    at_once: int,
) -> None:
    """What has not been trained yet, ``at_once`` programs at a time; a program that fails is noted."""

    def train(launcher: Launcher, program: Listed, repeat: int) -> None:
        folder = run / "confirmation" / f"seed_{repeat}"
        if (folder / f"{program.id}.json").exists() or (folder / f"{program.id}.failed").exists():
            return
        folder.mkdir(exist_ok=True)
        source = folder / f"{program.id}.py"
        source.write_text(program.code, encoding="utf-8")
        fresh = task.model_copy(update={"seed": fresh_seed(task.seed, repeat), "seeds": {}})
        try:
            evaluate_program(source, fresh, folder, limits=limits, level=level, launcher=launcher)
        except EvaluationFailed as failure:
            (folder / f"{program.id}.failed").write_text(f"{failure.kind}: {failure}\n", encoding="utf-8")
        print(f"trained: iteration {program.iteration}, seed {repeat + 1} of {seeds}", flush=True)

    # The launcher imports PyTorch once for all of them.
    with launcher_for(None, level) as (launcher, _), ThreadPoolExecutor(at_once) as pool:
        waiting = [
            pool.submit(train, launcher, program, repeat) for repeat in range(seeds) for program in listed
        ]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def fresh_seed(seed: int, repeat: int) -> int:
    """A task seed that the search did not use, the same for all programs."""
    return zlib.crc32(f"confirm/{seed}/{repeat}".encode())
