"""``openevolve-run`` on a small problem: program, evaluator and config of its own."""

import sys
from pathlib import Path

import pytest

from openevolve.commands.evolve import main
from openevolve.state.journal import Event, read_journal

COMMAND = Path(sys.executable).with_name("openevolve-run")


INITIAL = """
# EVOLVE-BLOCK-START
X = 10.0
# EVOLVE-BLOCK-END
"""


EVALUATOR = """
import runpy

def evaluate(program_path):
    x = runpy.run_path(program_path)["X"]
    print("evaluating", x)
    return {"combined_score": -abs(x - 40), "size": x / 100}
"""


CONFIG = """
checkpoint_interval: 2
random_seed: 3
database: {num_islands: 1, feature_dimensions: [size]}
"""


def exit_code(arguments: list[str]) -> int:
    """Run the command in this process."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def events(folder: str = "openevolve_output") -> list[Event]:
    return list(read_journal(Path(folder, "journal.jsonl")))


def evaluated(folder: str = "openevolve_output") -> list[int]:
    return [
        event["iteration"]
        for event in events(folder)
        if event["event"] == "measured" and event["outcome"]["failure"] is None
    ]


def summary(output: str) -> dict[str, str]:
    """The ``key: value`` lines at the end."""
    return dict(line.split(": ", 1) for line in output.partition("\n---\n")[2].splitlines())
