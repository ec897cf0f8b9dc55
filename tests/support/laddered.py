"""The tiny search problem of ``scripted``, with a cheap rung that says roughly what X is worth."""

from dataclasses import replace
from pathlib import Path

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import Result, execute
from openevolve.records.decision import Decision
from openevolve.settings.models import Config
from openevolve.state.journal import read_journal
from tests.support.scripted import RandomWalk, make_run, settings

# Beside what scripted's evaluator does to X < 0 (at once) and 50 < X < 51 (after rung 1): X > 95 never
# comes back from there. A file below ``log`` says how far each evaluation came.
EVALUATOR = """
import math, os, time
from pathlib import Path

LOG = Path(__file__).with_name("log")

def evaluate_rungs(program_path):
    space = {}
    with open(program_path) as file:
        exec(file.read(), space)
    x = space["X"]
    if x < 0:
        os._exit(3)
    size = {"size": abs(x - 50) / 50}
    LOG.mkdir(exist_ok=True)
    log = (LOG / Path(program_path).stem).open("a")
    try:
        print("rung", file=log, flush=True)
        yield {"combined_score": x / 200 + 0.05 * math.sin(37 * x), "cost": 1, **size}
        print("full", file=log, flush=True)
        if x > 95:
            time.sleep(1000)
        if 50 < x < 51:
            raise ArithmeticError("half")
        time.sleep(float(os.environ.get("SLOW", "0")))
        yield {"combined_score": x / 100, "cost": 10, **size}
    finally:
        print("freed", file=log, flush=True)

def evaluate(program_path):
    *_, last = evaluate_rungs(program_path)
    return last
"""

# As above, with a second rung that says more of X and costs more.
IN_THREE_RUNGS = EVALUATOR.replace(
    '        print("full", file=log, flush=True)\n',
    """        print("second", file=log, flush=True)
        yield {"combined_score": x / 200 + 0.01 * math.sin(37 * x), "cost": 3, **size}
        print("full", file=log, flush=True)
""",
)

LADDER = "fidelity={min_full: 5, top_share: 0.2, audit_share: 0.2, confidence: 0.8}"


# Without walls around the evaluator, which writes its log beside itself:
SETTINGS = ("max_iterations=60", LADDER, "evaluator.isolation=process")


def ladder_settings(*overrides: str) -> Config:
    return settings(*SETTINGS, *overrides)


def run_in_rungs(
    folder: Path,
    config: Config,
    proposer: RandomWalk | None = None,
    environment: dict[str, str] | None = None,
    evaluator: str = EVALUATOR,
) -> Result:
    run = make_run(folder, config, proposer)
    run.evaluator.write_text(evaluator)
    return execute(replace(run, environment=environment or {}), PlainDisplay())


def decisions(result: Result) -> dict[int, dict[int, Decision]]:
    """By iteration and rung."""
    return dict(sorted(result.state.decisions.items()))


def judged_events(folder: Path) -> list[tuple[int, int]]:
    """Iteration and rung of each decision in the journal, in its order."""
    events = read_journal(folder / "out/journal.jsonl")
    return [(e["iteration"], e["decision"]["rung"]) for e in events if e["event"] == "judged"]
