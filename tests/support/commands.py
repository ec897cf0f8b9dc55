"""Running ``openevolve-run`` as a user does, and reading what it leaves."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from openevolve.state.journal import Event, read_journal


def run(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's line in a folder, without any API key of this machine."""
    program, *arguments = shlex.split(command, comments=True)
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def events(output: Path) -> list[Event]:
    """The journal of a run's folder."""
    return list(read_journal(output / "journal.jsonl"))


def scores(output: Path) -> dict[int, float]:
    """``combined_score`` by iteration, of the programs that have one."""
    return {
        event["iteration"]: event["outcome"]["metrics"]["combined_score"]
        for event in events(output)
        if event["event"] == "measured" and event["outcome"]["failure"] is None
    }
