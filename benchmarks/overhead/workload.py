"""The same search for both engines: networks of the seed's size whose last line is their score.

Both engines load this file as their evaluator too, so it needs the standard library alone.
"""

import functools
import os
import random
import time
from pathlib import Path

SETTINGS: dict[str, object] = {  # these keys mean the same to both; all others keep their defaults
    "checkpoint_interval": 10,
    "diff_based_evolution": False,
    "database": {"population_size": 1_000_000, "feature_dimensions": ["a", "b"]},
}

WAIT_VARIABLE = "WORKLOAD_SECONDS"  # of an evaluation that waits, as for a GPU, and needs no core

_LAST_LINE = "POINT = "
_SEED = Path(__file__).resolve().parents[2] / "seed_program.py"


def initial_program() -> str:
    return _program(0.0, 0.0, 0.0)


def random_program(rng: random.Random) -> str:
    return _program(rng.random(), rng.random(), rng.random())


def reply(rng: random.Random) -> str:
    """What a language model would answer: a sentence, and the whole program in a fence."""
    return f"The next point to try is another one.\n\n```python\n{random_program(rng)}```\n"


def evaluate(program_path: str) -> dict[str, float]:
    """The evaluator of both engines; the program is read, not run."""
    time.sleep(float(os.environ.get(WAIT_VARIABLE, "0")))
    return score(Path(program_path).read_text(encoding="utf-8"))


def score(code: str) -> dict[str, float]:
    values = code.rpartition(_LAST_LINE)[2].split(",")
    return dict(zip(("combined_score", "a", "b"), map(float, values), strict=True))


def _program(value: float, a: float, b: float) -> str:
    return f"{_network()}\n\n{_LAST_LINE}{value}, {a}, {b}\n"


@functools.cache
def _network() -> str:
    """Read by the engines alone: an evaluation stands within walls that leave the seed outside."""
    return _SEED.read_text(encoding="utf-8")
