"""A search that starts in a blink and ends the same however often it is interrupted.

A program sets X, which is its score. Proposals come from a scripted proposer, or through the real client
from a server on loopback whose replies depend on the prompt alone.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, Proposal
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.state.journal import Event, read_journal
from tests import PROJECT

ITERATIONS = 24

INITIAL = "X = 10.0\n"

# 50 < X < 60 raises, X < 5 leaves without a word. While there is a file named hold, evaluations wait and tell
# their own number and the fork server's. A file named slow makes them last; each leaves a line in begun.
EVALUATOR = """
import os, time
from pathlib import Path

FOLDER = Path(__file__).parent

def evaluate(program_path):
    while (FOLDER / "hold").exists():
        (FOLDER / "pids.draft").write_text(f"{os.getpid()} {os.getppid()}")
        (FOLDER / "pids.draft").rename(FOLDER / "pids")
        time.sleep(0.01)
    code = Path(program_path).read_text()
    with open(FOLDER / "begun", "a") as begun:
        begun.write(Path(program_path).stem + "\\n")
    space = {}
    exec(code, space)
    x = space["X"]
    time.sleep(0.2 if (FOLDER / "slow").exists() else 0.02)
    if 50 < x < 60:
        raise ArithmeticError("half")
    if x < 5:
        os._exit(3)
    return {"combined_score": x / 100, "size": abs(x - 50) / 50}
"""


def settings(*overrides: str) -> Config:
    return load_config(
        None,
        [
            f"max_iterations={ITERATIONS}", "deterministic=true", "checkpoint_interval=5",
            "features={size: {low: 0, high: 1, count: 5}}", "database.num_islands=2",
            "database.migration_interval=5", "evaluator.parallel_evaluations=2", "evaluator.timeout=60",
            "evaluator.isolation=process", "llm.primary_model=scripted", "llm.retry_delay=0.01", *overrides,
        ],
    )  # fmt: skip


def write_problem(folder: Path) -> tuple[Path, Path]:
    """The initial program and the evaluator."""
    folder.mkdir(parents=True, exist_ok=True)
    initial, evaluator = folder / "initial.py", folder / "evaluator.py"
    for path, text in ((initial, INITIAL), (evaluator, EVALUATOR)):
        if not path.exists():  # whoever reads it meanwhile must find it whole
            path.write_text(text)
    return initial, evaluator


class Walk:
    """A proposer: the parent's X with a random step; every seventh proposal is unusable."""

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        await asyncio.sleep(0.01 * context.rng.random())
        if context.iteration % 7 == 0:
            return Proposal(code=None, proposer="walk", problem="expected a program, found prose")
        [x] = re.findall(r"X = (.*)", context.parent.program.code)
        return Proposal(code=_stepped(float(x), context.rng), proposer="walk")


def reply_to(messages: Sequence[Mapping[str, Any]]) -> str:
    """A model's reply to a prompt: always the same one; some are prose."""
    text = json.dumps(messages)
    rng = random.Random(hashlib.sha256(text.encode()).hexdigest())
    x = rng.choice(re.findall(r"X = ([0-9.]+)", text))
    return f"A step.\n\n```python\n{_stepped(float(x), rng)}```\n" if rng.random() < 0.8 else "No idea."


def _stepped(x: float, rng: random.Random) -> str:
    return f"X = {min(99.0, max(0.0, x + rng.uniform(-15, 20))):.3f}\n"


def start_runner(
    folder: Path,
    *overrides: str,
    variables: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    **options: Any,
) -> subprocess.Popen[str]:
    """A runner on ``folder``, in a process of its own; runner.py says which ``variables`` it knows.

    ``prefix`` is a command that starts commands. ``options`` are those of ``subprocess.Popen``; output and
    errors go to one pipe by default.
    """
    scratch = folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    always = {"TMPDIR": str(scratch), "PYTHONPATH": path, "no_proxy": "127.0.0.1"}
    environment = {**os.environ, **always, **(variables or {})}
    command = [*prefix, sys.executable, "-m", "tests.faults.runner", str(folder), *overrides]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, text=True, **streams)


def journal_of(folder: Path) -> Path:
    return folder / "out/journal.jsonl"


def complete_lines(folder: Path) -> bytes:
    """The journal without a torn end; empty where there is none yet."""
    path = journal_of(folder)
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def final_state(folder: Path) -> dict[str, object]:
    """All that must be equal in equal runs: programs, outcomes, and every exported file."""
    events = list(read_journal(journal_of(folder)))
    exported = [path for name in ("best", "checkpoints") for path in (folder / "out" / name).rglob("*.*")]
    return {
        "programs": {e["program"]["iteration"]: e["program"] for e in events if e["event"] == "proposed"},
        "outcomes": {e["iteration"]: _timeless(e["outcome"]) for e in endings(events)},
        "files": {str(path.relative_to(folder)): path.read_bytes() for path in exported if path.is_file()},
    }


def endings(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event["event"] == "measured"]


def _timeless(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in outcome.items() if name not in ("seconds", "output_tail", "device")
    }
