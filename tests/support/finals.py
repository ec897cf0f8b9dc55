"""Runs of the tiny problem with noise, and a final at their end."""

import subprocess
import sys
from pathlib import Path

from openevolve.commands.display import PlainDisplay
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.settings.models import Config
from tests import PROJECT
from tests.support.scripted import INITIAL, RandomWalk, settings

# X says how good a program is; a score is that and luck, which every repeat has of its own.
EVALUATOR = """
import os, random, time

UNITS = {"noisy": (0.2, 2), "calm": (0.02, 1)}  # luck, and repeats of an evaluation

def one(program_path, unit, repeat):
    space = {}
    with open(program_path) as file:
        code = file.read()
    exec(code, space)
    return space["X"] / 100 + random.Random(f"{code} {unit} {repeat}").gauss(0, UNITS[unit][0])

def evaluate(program_path):
    values = {unit: [one(program_path, unit, r) for r in range(n)] for unit, (_, n) in UNITS.items()}
    means = {unit: sum(found) / len(found) for unit, found in values.items()}
    first, second = values["noisy"]
    facts = {"noisy_se": abs(first - second) / 2, "size": abs(means["calm"] - 0.5) * 2}
    return {**means, **facts, "combined_score": sum(means.values()) / 2}

def units():
    costs = {"noisy": 1, "calm": 4}
    return [
        {"name": unit, "group": unit, "cost": costs[unit], "repeats": n, "metric": unit}
        for unit, (_, n) in UNITS.items()
    ]

def measure(program_path, unit, repeat):
    time.sleep(float(os.environ.get("SLOW", 0)))
    if os.environ.get("FAILS") in ("all", os.path.basename(program_path)):
        raise ArithmeticError("half")
    return {"combined_score": one(program_path, unit, repeat)}
"""

OVERRIDES = ("final_share=0.6", "database.num_islands=1", "evaluator.preload=[random]")


def plan_of(
    folder: Path, config: Config, evaluator: str = EVALUATOR, delay: float = 0.0, **environment: str
) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "initial.py").write_text(INITIAL)
    (folder / "evaluator.py").write_text(evaluator)
    return Plan(
        config, folder / "initial.py", folder / "evaluator.py", folder / "out",
        proposer=RandomWalk(delay), environment=environment,
    )  # fmt: skip


def run(
    folder: Path, *overrides: str, evaluator: str = EVALUATOR, delay: float = 0.0, **environment: str
) -> Result:
    plan = plan_of(folder, settings(*OVERRIDES, *overrides), evaluator, delay, **environment)
    return execute(plan, PlainDisplay())


def start(folder: Path, delay: float = 0.0) -> "subprocess.Popen[str]":
    """In a process of its own: beside a browser no other loop can run, and it can be killed."""
    script = "import sys; from pathlib import Path; from tests.support.finals import run; "
    script += f"print(run(Path(sys.argv[1]), delay={delay}, SLOW='0.05').reason)"
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
