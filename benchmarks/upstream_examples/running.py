"""One example of OpenEvolve: load its config, run it, and say what came of it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.upstream_examples.discovery import Example
from benchmarks.upstream_examples.model import EditingModel
from openevolve.errors import UserError
from openevolve.settings.files import load_config
from openevolve.state.journal import Event, read_journal
from tests.support.llm_server import ReplyServer

_WIDTH = 260  # characters of a reason

# What an example's own script sets before it runs: the name of its task.
_VARIABLES = {
    "llm_prompt_optimization": {"OPENEVOLVE_PROMPT": "emotion_prompt.txt"},
}


@dataclass(frozen=True)
class Verdict:
    word: str
    why: str

    @property
    def loads(self) -> bool:
        return self.word != "refused"


def load(example: Example) -> Verdict:
    os.environ.setdefault("ANTHROPIC_API_KEY", "not-needed")
    try:
        load_config(example.config)
    except UserError as error:
        return Verdict("refused", _short(str(error).replace(f"{example.config}: ", "")))
    return Verdict("loads", "")


def run(example: Example, folder: Path, seconds: float) -> Verdict:
    """Run a copy of the example in ``folder`` for one iteration."""
    if example.program is None or example.evaluator is None:
        return Verdict("no run", "no single file is the initial program")
    place = folder / example.root.name / example.folder.name
    shutil.copytree(example.folder, place, symlinks=True)
    program, evaluator, config = (
        folder / example.root.name / path.relative_to(example.root)
        for path in (example.program, example.evaluator, example.config)
    )
    output = folder / "output"
    with ReplyServer([EditingModel(program.read_text(encoding="utf-8"), program.suffix)]) as server:
        command = [
            str(Path(sys.executable).with_name("openevolve-run")), str(program), str(evaluator),
            "--config", str(config), "--api-base", server.api_base, "-i", "1", "-o", str(output),
            *([] if load_config(example.config).llm.ensemble() else ["--primary-model", "scripted"]),
        ]  # fmt: skip
        environment = dict(os.environ) | {"no_proxy": "127.0.0.1", "EVAL_TASK_NAME": example.config.stem}
        environment |= _VARIABLES.get(example.folder.name, {})
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Verdict("failed", f"not done after {seconds:g} s")
    return _judged(output, done)


def _judged(output: Path, done: "subprocess.CompletedProcess[str]") -> Verdict:
    journal = output / "journal.jsonl"
    events = list(read_journal(journal)) if journal.is_file() else []
    first, child = _outcome(events, 0), _outcome(events, 1)
    if first is None or not first["metrics"]:
        return Verdict("failed", _short(done.stderr.partition("error: ")[2] or done.stderr or done.stdout))
    score = _described(first)
    if child is None or not child["metrics"]:
        return Verdict("scores", f"{score}; child: {_short(_reason(child, done.stderr))}")
    return Verdict("runs", score)


def _outcome(events: list[Event], iteration: int) -> dict[str, Any] | None:
    for event in events:
        if event["event"] == "measured" and event["iteration"] == iteration:
            outcome: dict[str, Any] = event["outcome"]
            return outcome
    return None


def _described(outcome: dict[str, Any]) -> str:
    metrics = outcome["metrics"]
    name = "combined_score" if "combined_score" in metrics else min(metrics)
    text = f"{name} {metrics[name]:.4g}"
    artifacts = outcome["artifacts"]
    problems = [
        artifacts[key] for key in artifacts if re.search("error|stderr|refus", key) and artifacts[key]
    ]
    said = [f"the evaluator says: {_short(problems[0])}"] if problems else []
    said += [artifacts["walls"]] if "walls" in artifacts else []
    return f"{text} ({'; '.join(said)})" if said else text


def _reason(outcome: dict[str, Any] | None, stderr: str) -> str:
    return stderr if outcome is None else str(outcome["message"])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."
