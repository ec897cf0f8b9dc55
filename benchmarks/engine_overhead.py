"""Milliseconds that an engine itself takes for an iteration: this one, and PyPI's ``openevolve`` 0.4.0.

The model answers at once and so does the evaluator, so what is left is the engine. Three engines are
run in turn, each in a new process, on the same random variants of the seed network:

    loop      this engine alone: controller, journal (every result forced to the disk), database,
              selection, checkpoints; a scripted proposer, an evaluator called in the process
    run       a whole run of this engine: a prompt built, a scripted reply parsed, a process forked
              for every evaluation, a line printed for every iteration
    upstream  a whole run of PyPI's openevolve: a prompt built, a scripted reply parsed, an evaluation
              in its one worker process; nothing is forced to the disk

A checkpoint is written every ten iterations (upstream's default is 100) and no program is dropped for
the size of the population; all other settings are each engine's defaults. Upstream's environment is
made by uv in the cache folder on first use. Runs write where temporary files go: TMPDIR chooses the
disk, and TMPDIR=/dev/shm leaves it out.

    python benchmarks/engine_overhead.py [--iterations 2020] [--repeats 3] [--skip-upstream]
"""

import argparse
import platform
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from benchmarks.overhead.environment import REQUIREMENT, Unavailable, upstream_python
from benchmarks.overhead.measurement import HALF_WINDOW, POPULATIONS, Engine, Figures


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=2020, help="of this engine; one program each")
    parser.add_argument("--upstream-programs", type=int, default=820, help="at which upstream is stopped")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip-upstream", action="store_true")
    return parser.parse_args()


def engines(options: argparse.Namespace) -> tuple[dict[str, Engine], str]:
    """The engines by name, and why upstream is not among them."""
    found = {
        mode: Engine([sys.executable, "-m", "benchmarks.overhead.ours", mode], options.iterations)
        for mode in ("loop", "run")
    }
    if options.skip_upstream:
        return found, "left out by --skip-upstream"
    try:
        command = [str(upstream_python()), "-m", "benchmarks.overhead.upstream"]
    except Unavailable as reason:
        return found, f"no environment for {REQUIREMENT}: {reason}"
    found["upstream"] = Engine(command, options.upstream_programs)
    return found, ""


def report(name: str, engine: Engine) -> None:
    disk = statistics.median(engine.disk_mb)
    print(f"\n{name}: n={len(engine.disk_mb)} runs, {disk:,.0f} MB on the disk after each")
    print("          ms an iteration, over tens of iterations            main process")
    print("programs  median     p10..p90          n   runs' medians    CPU ms  RSS MB")
    figures = engine.figures()
    for programs in POPULATIONS:
        if programs not in figures:
            print(f"{programs:8}  not reached")
            continue
        found = figures[programs]
        p10, p90 = (found.tens[len(found.tens) * tenths // 10] for tenths in (1, 9))
        print(
            f"{programs:8}{found.milliseconds:8.2f}  {f'{p10:.2f}..{p90:.2f}':>15}{len(found.tens):6}"
            f"{f'{min(found.runs):.2f}..{max(found.runs):.2f}':>16}{found.cpu:10.2f}{found.memory_mb:8.0f}"
        )


def summary(figures: Mapping[str, Mapping[int, Figures]]) -> list[str]:
    """Milliseconds by the clock and on a core, and ratios: one ``key: value`` a line."""
    lines = []
    for name, by_population in figures.items():
        for programs, found in by_population.items():
            lines.append(f"{name}_ms_at_{programs}: {found.milliseconds:.2f}")
            lines.append(f"{name}_cpu_ms_at_{programs}: {found.cpu:.2f}")
        if len(by_population) > 1:
            first, last = min(by_population), max(by_population)
            growth = by_population[last].milliseconds / by_population[first].milliseconds
            lines.append(f"{name}_growth_{first}_to_{last}: {growth:.2f}")
    for programs, upstream in figures.get("upstream", {}).items():
        for name in ("loop", "run"):
            if ours := figures[name].get(programs):
                ratio = upstream.milliseconds / ours.milliseconds
                lines.append(f"upstream_to_{name}_at_{programs}: {ratio:.1f}")
    return lines


def main() -> None:
    options = parsed_arguments()
    measured, why_no_upstream = engines(options)
    print(f"hardware: {machine.hardware()}; python: {platform.python_version()}")
    print(f"upstream: {why_no_upstream or REQUIREMENT}")
    print(f"window: {HALF_WINDOW} programs before and after each population")
    for _ in range(options.repeats):  # in turn, so that a change of the machine's load meets all
        for engine in measured.values():
            engine.run()
    print(f"machine's load: {machine.load()}")
    print(f"4 KiB forced to the disk: {machine.forced_append()}")
    for name, engine in measured.items():
        report(name, engine)
    print("", *summary({name: engine.figures() for name, engine in measured.items()}), sep="\n")


if __name__ == "__main__":
    main()
