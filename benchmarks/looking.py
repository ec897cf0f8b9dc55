"""What it takes to look at a run: every verb, the report, the served page, and memory while a run grows.

The journal is made, of programs of about 1.6 kB with five parts and a training's text each: one in twenty
fails, one in five is stopped on a lower rung. Verbs are processes of their own, from start to end. The first
one reads the journal and leaves what it worked out in the user's cache, which is a folder of its own here;
the others find that. The page is timed in headless Chromium: until all is drawn, and from a click to the next
frame. Memory is that of one reader that follows a journal while 1,000 events are appended to it.

    python benchmarks/looking.py [--programs 20000] [--report-programs 1000] [--repeats 20] [--verbs 3]
"""

import argparse
import os
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from openevolve.inspect.live import LiveRun
from openevolve.inspect.reading import read_run
from openevolve.inspect.report import report
from openevolve.records.program import Outcome, Program
from openevolve.state.journal import Journal
from tests.support import scripted
from tests.support.serving import served

SEED = (Path(__file__).resolve().parent.parent / "seed_program.py").read_text()
PARTS = ("path", "derma", "oct", "pneumonia", "breast")
VERBS = (
    "status", "leaderboard --top 20", "show 10", "diff 10", "lineage 10", "compare 10 0", "context 10",
    "pareto", "cells", "decisions", "failures", "operators", "cost", "ideas", "search kernel_size",
    "sql 'SELECT count(*) FROM programs'", "sql 'SELECT max(value) FROM measurements'", "tail",
)  # fmt: skip
CLICK = """() => new Promise(done => {
    const begun = performance.now();
    document.querySelector('.board tbody tr').click();
    const look = () => document.querySelector('#panel:not([hidden]) .view')?.textContent
        ? requestAnimationFrame(() => done(performance.now() - begun)) : setTimeout(look, 1);
    look();
})"""


class Made:
    """A journal that grows by whole programs."""

    def __init__(self, folder: Path) -> None:
        self.rng = random.Random(0)
        self.journal = Journal(folder / "journal.jsonl")
        self.now, self.scores = 0.0, dict[str, float]()
        settings = scripted.settings(
            "database.fitness_metric=mean_auc", "database.feature_bins=20", "database.population_size=1000000"
        )
        self._write("run_started", version=2, initial_code=SEED, settings=settings.model_dump(mode="json"))

    def _write(self, name: str, **content: object) -> None:
        self.now += 0.7
        self.journal.append({"event": name, "elapsed": round(self.now, 3), **content})

    def program(self, number: int) -> None:
        rng = self.rng
        parent = rng.choice(list(self.scores)[-50:]) if self.scores else None
        if parent is not None:
            choice = {"iteration": number, "island": 0, "parent": parent, "strategy": "explore-exploit",
                      "rule": "best", "draw": rng.random()}  # fmt: skip
            self._write("selected", choice=choice)
        code = SEED.replace("32", str(8 + number % 500)) + f"\n# {rng.random()}\n"
        parents = () if parent is None else (parent,)
        name = f"{rng.getrandbits(64):016x}-{number}"
        program = Program(name, code, number, 0, parents, 0, f"change {number}: a wider stage")
        self._write(
            "proposed", program=program.to_json(), proposer=f"offline/{number % 12}", model="", problem=""
        )
        self._write("measuring", iteration=number, program_id=program.id)
        self._write("measured", iteration=number, outcome=self._outcome(program, parent).to_json())
        self._write("committed", iteration=number, duplicate_of=None)

    def _outcome(self, program: Program, parent: str | None) -> Outcome:
        rng, number = self.rng, program.iteration
        if number and number % 20 == 7:
            failure = {"failure": "crashed", "message": "ValueError: expected 4 dimensions, found 2"}
            return Outcome.from_json(Outcome(program.id, seconds=3.0).to_json() | failure)
        mean = min(0.99, (self.scores[parent] if parent else 0.7) + rng.gauss(0.0, 0.01))
        values = {f"{part}_auc": min(1.0, mean + rng.gauss(0, 0.02)) for part in PARTS}
        size = {"size": rng.random()}
        if number and number % 5 == 3:
            return Outcome(program.id, {"mean_auc": mean, **dict(list(values.items())[:1]), **size}, rung=1)
        self.scores[program.id] = mean
        lines = (
            f"{part}: AUC by epoch {' '.join(f'{rng.random():.4f}' for _ in range(5))}" for part in PARTS
        )
        metrics = {"mean_auc": mean, **values, "mean_auc_se": 0.01, **size}
        return Outcome(program.id, metrics, {"training": "\n".join(lines)}, seconds=20.0)


def made(folder: Path, programs: int) -> Made:
    growing = Made(folder)
    for number in range(programs):
        growing.program(number)
    return growing


def timed(act: Callable[[], object], repeats: int) -> str:
    """By the clock, and of the processor, that of child processes included."""
    times, worked = list[float](), list[float]()
    for _ in range(repeats):
        start, before = time.perf_counter(), _worked()
        act()
        times.append(time.perf_counter() - start)
        worked.append(_worked() - before)
    return f"{spread(times, 's')}; CPU {statistics.median(worked):.3g} s"


def _worked() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def spread(times: list[float], unit: str) -> str:
    return (
        f"median {statistics.median(times):.3g} {unit}, {min(times):.3g} to {max(times):.3g}, n={len(times)}"
    )


def verbs(folder: Path, repeats: int) -> None:
    command = str(Path(sys.executable).with_name("openevolve"))
    first = partial(subprocess.run, [command, "status", str(folder)], check=True, stdout=subprocess.DEVNULL)
    print(f"  {'the first look of all':<40}{timed(first, 1)}", flush=True)
    for verb in VERBS:
        act = partial(
            subprocess.run, [command, *shlex.split(verb), str(folder)], check=True, stdout=subprocess.DEVNULL
        )
        print(f"  {verb:<40}{timed(act, repeats)}", flush=True)


def page(folder: Path, repeats: int) -> None:
    from playwright.sync_api import sync_playwright

    painted, drawn, clicked = list[float](), list[float](), list[float]()
    with served(folder.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for turn in range(repeats + 1):
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.goto(f"{address}view/{folder.name}")
            tab.wait_for_selector("body.ready", timeout=300_000)
            first = tab.evaluate("performance.now()")
            paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            click = tab.evaluate(CLICK)
            tab.close()
            if turn == 0:
                print(f"  first look of all, with the reading of the journal: {first:.0f} ms", flush=True)
            else:
                painted.append(paint)
                drawn.append(first)
                clicked.append(click)
        browser.close()
    for name, times in (("first paint", painted), ("all drawn", drawn), ("a click", clicked)):
        print(f"  {name}: {spread(times, 'ms')}", flush=True)


def memory(folder: Path, growing: Made, programs: int) -> None:
    live = LiveRun(folder / "journal.jsonl")
    sizes = list[float]()
    at = live.page(-1)["at"]
    for first in range(programs, programs + 200, 10):  # five events a program
        for number in range(first, first + 10):
            growing.program(number)
        at = live.page(at)["at"]
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(f"  peak after 50 events {sizes[0]:.0f} MB, 500: {sizes[9]:.0f} MB, 1,000: {sizes[-1]:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("programs", 20_000), ("report-programs", 1000), ("repeats", 20), ("verbs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    print(f"hardware: {machine.hardware()}; load {machine.load()}; python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        small, large = Path(scratch) / "runs/small", Path(scratch) / "runs/large"
        made(small, options.report_programs)
        growing = made(large, options.programs)
        for folder, count in ((small, options.report_programs), (large, options.programs)):
            size = (folder / "journal.jsonl").stat().st_size / 1e6
            print(f"\n{count:,} programs, a journal of {size:.0f} MB")
            print(f"  reading it: {timed(partial(read_run, str(folder)), options.verbs)}")
            if count <= 1000:
                run = read_run(str(folder))
                took = timed(partial(report, run), options.verbs)
                print(f"  report: {took}; {len(report(run)) / 1e6:.2f} MB")
            verbs(folder, options.verbs)
            page(folder, options.repeats)
        print("\nmemory of a reader that follows the larger run")
        memory(large, growing, options.programs)
    print(f"\nload {machine.load()}")


if __name__ == "__main__":
    main()
