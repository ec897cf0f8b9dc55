"""Whole runs of a preset on a small problem: a scripted model on loopback, real processes, kills, replays."""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openevolve.commands.display import PlainDisplay
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.llm.replay import PromptKeyedReplies, RecordedCall
from openevolve.proposing.edits.fences import fenced_blocks
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.state.journal import Event, read_journal
from tests.support.keyed_model import Messages
from tests.support.llm_server import ReplyServer
from tests.support.walks import wait_for_lines

INITIAL = """# EVOLVE-BLOCK-START
import math
# --OPTION--
WIDTH = 32
# --OPTION--


class Body:
    depth = 3
    ratio = 0.25
# --OPTION--


def rate(step):
    return 0.5 / math.sqrt(1 + step)
# EVOLVE-BLOCK-END


def size():
    return WIDTH * Body.depth
"""

# Larger is better up to a point; widths above 90 fail.
EVALUATOR = """
import runpy

def evaluate(program_path):
    space = runpy.run_path(program_path)
    width, body = space["WIDTH"], space["Body"]
    if width > 90:
        raise ValueError(f"too wide: {width}")
    score = 1 - 1 / (1 + width * body.depth / 50) - abs(space["rate"](1) - 0.3) / 2
    return {"combined_score": round(score, 6), "param_count": float(space["size"]())}
"""

CONFIG = """
deterministic: true
lag: 0
proposals_ahead: 0
checkpoint_interval: 50
diff_based_evolution: false
database:
  num_islands: 1
  tie_break_metric: param_count
features:
  param_count: {low: 0, high: 300, count: 6}
llm: {primary_model: scripted, retry_delay: 0.01}
"""

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


def varied(code: str, rng: random.Random) -> str:
    """The program with another number in the place of one of its own."""
    numbers = list(_NUMBER.finditer(code))
    if not numbers:
        return code
    chosen = rng.choice(numbers)
    value = float(chosen.group()) * rng.uniform(0.6, 1.8)
    text = f"{value:.3f}" if "." in chosen.group() else str(round(value))
    return code[: chosen.start()] + text + code[chosen.end() :]


def child_of_the_first_block(messages: Messages, rng: random.Random) -> str:
    """A reply with a whole program, made of the first that the request shows; now and then none."""
    if rng.random() < 0.1:
        return "I would rather not."
    code = fenced_blocks(messages[1]["content"])[0].text
    code = code[code.index("# EVOLVE-BLOCK-START") :]  # whatever a prompt puts before it
    return f"Another number.\n\n```python\n{varied(code, rng)}```\n"


def write_problem(folder: Path, config: str = CONFIG) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "initial_program.py").write_text(INITIAL)
    (folder / "evaluator.py").write_text(EVALUATOR)
    (folder / "config.yaml").write_text(config)


def command(server: ReplyServer, overrides: Sequence[str]) -> list[str]:
    settings = [f"llm.api_base={server.api_base}", *overrides]
    return [
        str(Path(sys.executable).with_name("openevolve-run")), "initial_program.py", "evaluator.py",
        "-c", "config.yaml", "-o", "out", *(part for text in settings for part in ("--set", text)),
    ]  # fmt: skip


def environment() -> Mapping[str, str]:
    """Without any API key of this machine."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return clean | {"no_proxy": "127.0.0.1"}


def evolve(folder: Path, server: ReplyServer, overrides: Sequence[str]) -> Result:
    """To its end, in this process."""
    config = load_config(folder / "config.yaml", [f"llm.api_base={server.api_base}", *overrides])
    result = execute(_plan(folder, config), PlainDisplay())
    assert result.completed, result.reason
    return result


def kill_after(folder: Path, server: ReplyServer, overrides: Sequence[str], lines: int) -> None:
    """Start a run, and end it by SIGKILL as soon as its journal has so many lines."""
    process = subprocess.Popen(
        command(server, overrides), cwd=folder, env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_lines(folder / "out/journal.jsonl", lines)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def keep(folder: Path, elsewhere: Path) -> None:
    """Move what a run left to another place, so that another can begin in its folder."""
    elsewhere.mkdir()
    (folder / "out").rename(elsewhere / "out")


def replayed(folder: Path, origin: Path, overrides: Sequence[str]) -> Result:
    """The run of ``origin`` again, with its recorded replies in the place of a model."""
    calls = [RecordedCall.from_event(e) for e in events(origin) if e["event"] == "replied"]
    model = PromptKeyedReplies(calls)
    config = load_config(folder / "config.yaml", overrides)
    return execute(_plan(folder, config, models=lambda llm: model), PlainDisplay())


def _plan(folder: Path, config: Config, **more: Any) -> Plan:
    program, evaluator = folder / "initial_program.py", folder / "evaluator.py"
    return Plan(config, program, evaluator, folder / "out", **more)


def events(folder: Path) -> list[Event]:
    return list(read_journal(folder / "out/journal.jsonl"))


def timeless(found: Sequence[Event]) -> list[Any]:
    """A journal but for how long things took, and where the server and the files were."""
    return [_without(event) for event in found]


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        dropped = ("elapsed", "seconds", "api_base", "output_tail")
        return {key: _without(inner) for key, inner in value.items() if key not in dropped}
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def story(folder: Path) -> dict[int, tuple[Any, ...]]:
    """Choice, program and outcome by iteration."""
    found: dict[int, dict[str, Any]] = {}
    for event in events(folder):
        if event["event"] == "selected":
            found.setdefault(event["choice"]["iteration"], {})["choice"] = event["choice"]
        elif event["event"] == "proposed":
            found.setdefault(event["program"]["iteration"], {})["program"] = event["program"]
        elif event["event"] == "measured":
            found.setdefault(event["iteration"], {})["outcome"] = _without(event["outcome"])
    return {i: (row.get("choice"), row["program"], row["outcome"]) for i, row in sorted(found.items())}
