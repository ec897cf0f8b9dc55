"""Is one program better than another? From the artifacts of their trainings.

    metrics_utils.py compare A.npz B.npz
    metrics_utils.py compare A1.npz A2.npz --against B1.npz B2.npz [--split val] [--pool RUN] [--json]

A program of a run may stand by its iteration, 14 (of the latest run) or RUN@14, in place of its file.
Several artifacts a side are further trainings of one program, from other seeds. Printed is the difference
B - A on each data set and on their mean, with an answer to each of two questions: would A and B trained again
differ on these images, and would they differ for new patients (medevonet/statistics/variance.py)? Of single
trainings, where no --pool tells how much training varies, the answer is for these weights only. A look at
the test split is counted (medevonet/run/looks.py).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from medevonet.run.looks import count_look, refuse_during_a_run, run_of
from medevonet.run.programs import artifact
from medevonet.statistics.artifacts import SPLITS, load_predictions
from medevonet.statistics.comparison import Artifact, compare, report, table
from openevolve.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        print(_compared(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Statistics of evaluated programs.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "compare",
        help="the difference of two programs, on these images and for new patients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("a", type=Path, nargs="+", metavar="A.npz", help="artifacts of A (then of B)")
    command.add_argument("--against", type=Path, nargs="+", metavar="B.npz", help="artifacts of B")
    command.add_argument("--split", choices=SPLITS, default="test")
    command.add_argument(
        "--pool", type=Path, metavar="RUN", help="a run whose programs tell how training varies"
    )
    command.add_argument("--json", action="store_true", help="print JSON, unrounded, in place of the table")
    return parser


def _compared(options: argparse.Namespace) -> str:
    paths_a, paths_b = ([*map(artifact, side)] for side in _sides(options))
    if options.split == "test":
        for place in (*paths_a, *paths_b):
            if run := run_of(place):
                refuse_during_a_run(run)
    a, b = ([load_predictions(path) for path in paths] for paths in (paths_a, paths_b))
    pool = _pool(options.pool)
    if options.split == "test":
        _count([*paths_a, *paths_b])
    numbers = report(compare(a, b, options.split, pool))
    if options.json:
        sides = {"a": [*map(str, paths_a)], "b": [*map(str, paths_b)], "split": options.split}
        return json.dumps(sides | numbers, allow_nan=False, indent=2)
    lines = [f"# A {' '.join(map(str, paths_a))}", f"# B {' '.join(map(str, paths_b))}"]
    return "\n".join([*lines, f"# {options.split} split", table(numbers)])


def _sides(options: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    if options.against:
        return options.a, options.against
    if len(options.a) != 2:
        raise UserError(
            f"expected two artifacts, or those of B after --against; found {len(options.a)}: "
            "compare A1.npz A2.npz --against B1.npz B2.npz"
        )
    return options.a[:1], options.a[1:]


def _pool(run: Path | None) -> list[Artifact]:
    if run is None:
        return []
    folder = run / "artifacts" if (run / "artifacts").is_dir() else run
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise UserError(f"--pool {run}: expected a run directory with artifacts, found none")
    return [load_predictions(path) for path in paths]


def _count(paths: Sequence[Path]) -> None:
    """One look, in every run and folder that the artifacts come from."""
    places: dict[Path, list[str]] = {}
    for path in paths:
        places.setdefault(run_of(path) or path.resolve().parent, []).append(path.stem)
    for place, programs in places.items():
        count_look(place, "metrics_utils.py compare", programs)
