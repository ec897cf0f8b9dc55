"""One evaluation three ways in turn: the plain way of the field, this project in a process, its full stack.

The same program is trained on the same images, one way after the other, so that a machine that
slows down slows down all three; what is quoted are ratios of the same round. Plain is PIL images through
torchvision's transforms, a DataLoader with two workers, float32. The first epoch of each is not counted.

    python benchmarks/evaluation.py [--sizes 28 64 224] [--programs FILE ...] [--rounds 3]

A FILE is a program, or a language model's reply (.md) that holds one.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
import torchvision

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import hardware, load
from benchmarks.replies import program_of
from benchmarks.ways.work import Figures, Work
from medevonet.run.folder import PROJECT
from openevolve.evaluating.isolation import clean_environment

_WAYS = ("plain", "in_process", "full_stack")
_IMAGES = {28: 2048, 64: 768, 128: 256, 224: 192}  # training images: some seconds an epoch


def run(way: str, work: Work) -> Figures:
    """One way in a process of its own; plain has the allocator as the system gives it."""
    environment = dict(os.environ) if way == "plain" else clean_environment()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.ways.{way}", json.dumps(asdict(work))],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def spread(values: list[float], form: str = "{:.2f}") -> str:
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({low} to {high})"


def report(rounds: list[dict[str, Figures]], work: Work) -> str:
    """Rows of medians with their range, and ratios of the same round."""

    def row(name: str, form: str, figure: Callable[[Figures], float | None]) -> str:
        cells = []
        for way in _WAYS:
            values = [value for each in rounds if (value := figure(each[way])) is not None]
            cells.append(spread(values, form) if values else "-")
        return f"  {name:34} " + "  ".join(f"{cell:>26}" for cell in cells)

    def ratio(name: str, figure: Callable[[dict[str, Figures]], float]) -> str:
        return f"  {name:62} {spread([figure(each) for each in rounds])}"

    images = work.images
    return "\n".join(
        [
            f"{Path(work.program).stem}, {work.size} px, {images} training images, "
            f"{work.epochs} epochs ({rounds[0]['full_stack'].precision})",
            f"  {'':34} " + "  ".join(f"{way:>26}" for way in _WAYS),
            row("training, images/s", "{:.0f}", lambda f: f.training),
            row("predicting, images/s", "{:.0f}", lambda f: f.predicting),
            row("epoch with validation, images/s", "{:.0f}", lambda f: images / f.epoch),
            row("start-up, s", "{:.2f}", lambda f: f.start_up),
            row("whole evaluation after it, s", "{:.1f}", lambda f: f.whole),
            row("peak memory, MB", "{:.0f}", lambda f: f.memory_mb),
            ratio(
                "training, in process / plain", lambda r: _training(r["in_process"]) / _training(r["plain"])
            ),
            ratio("epoch, plain / full stack", lambda r: r["plain"].epoch / r["full_stack"].epoch),
            ratio("epoch, full stack / in process", lambda r: r["full_stack"].epoch / r["in_process"].epoch),
        ]
    )


def _training(figures: Figures) -> float:
    assert figures.training is not None
    return figures.training


def _python(program: Path, folder: Path) -> Path:
    """The program itself, or the one in a recorded reply, as a file in the folder."""
    if program.suffix != ".md":
        return program.resolve()
    extracted = folder / f"{program.stem}.py"
    extracted.write_text(program_of(program), encoding="utf-8")
    return extracted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[28, 64, 224])
    parser.add_argument("--programs", type=Path, nargs="+", default=[PROJECT / "seed_program.py"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, help="training images; the default depends on the size")
    options = parser.parse_args()
    print(f"{hardware()}; Python {platform.python_version()}, PyTorch {torch.__version__}, ", end="")
    print(f"torchvision {torchvision.__version__}; n = {options.rounds} rounds, medians with their range")
    for size in options.sizes:
        for program in options.programs:
            with tempfile.TemporaryDirectory() as folder:
                images = options.images or _IMAGES.get(size, 512)
                work = Work(str(_python(program, Path(folder))), size, images, options.epochs, folder)
                work.write()
                rounds = [{way: run(way, work) for way in _WAYS} for _ in range(options.rounds)]
            print(f"\nload {load()}\n{report(rounds, work)}", flush=True)


if __name__ == "__main__":
    main()
