"""A tiny search problem for tests of the loop: programs set X, and X is the score."""

import asyncio
from pathlib import Path
from typing import Any

from openevolve.commands.display import PlainDisplay
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal
from openevolve.settings.files import load_config
from openevolve.settings.models import Config

INITIAL = "X = 10.0\n"

# X < 0 leaves without a word, X > 95 never comes back, 50 < X < 51 raises.
EVALUATOR = """
import os, time

def evaluate(program_path):
    space = {}
    with open(program_path) as file:
        exec(file.read(), space)
    x = space["X"]
    if x < 0:
        os._exit(3)
    if x > 95:
        print("thinking", flush=True)
        time.sleep(1000)
    if 50 < x < 51:
        raise ArithmeticError("half")
    return {"combined_score": x / 100, "size": abs(x - 50) / 50}
"""


class RandomWalk:
    """Proposes the parent's X with a random step; every seventh proposal is unusable."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.calls: list[int] = []

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        self.calls.append(context.iteration)
        await asyncio.sleep(self.delay * context.rng.random())
        if context.iteration % 7 == 0:
            return Proposal(code=None, proposer="walk", problem="expected a program, found prose")
        space: dict[str, Any] = {}
        exec(context.parent.program.code, space)
        x = round(space["X"] + context.rng.uniform(-15, 20), 3)
        return Proposal(code=f"X = {x}\n", proposer="walk", changes=f"X = {x}")


def settings(*overrides: str) -> Config:
    return load_config(
        None,
        [
            "max_iterations=30", "deterministic=true", "random_seed=1", "checkpoint_interval=10",
            "features={size: {low: 0, high: 1, count: 5}}", "database.num_islands=2",
            "database.migration_interval=5", "evaluator.parallel_evaluations=2", "evaluator.timeout=1",
            *overrides,
        ],
    )  # fmt: skip


def make_run(folder: Path, config: Config, proposer: RandomWalk | None = None) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    initial, evaluator = folder / "initial.py", folder / "evaluator.py"
    initial.write_text(INITIAL)
    evaluator.write_text(EVALUATOR)
    return Plan(config, initial, evaluator, folder / "out", proposer=proposer or RandomWalk())


def run_walk(folder: Path, config: Config, proposer: RandomWalk | None = None) -> Result:
    return execute(make_run(folder, config, proposer), PlainDisplay())


def story(result: Result) -> list[tuple[object, ...]]:
    """What must be equal in equal runs: programs, parents, scores and failures, by iteration."""
    history = result.state
    return [
        (i, program.id, program.code, program.parent_ids, program.island, dict(history.outcomes[i].metrics),
         history.outcomes[i].failure, history.outcomes[i].message)
        for i, program in sorted(history.programs.items()) if i in history.outcomes
    ]  # fmt: skip


def archive(result: Result) -> list[tuple[object, ...]]:
    """The archives of all islands."""
    return [(sorted(island.cells.items()), island.ranked) for island in result.state.population.islands]
