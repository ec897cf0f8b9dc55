"""Runs to look at: one with a model's conversation, and one whose every text is hostile."""

from pathlib import Path
from typing import Any

from openevolve.records.program import Outcome, Program, Usage
from openevolve.state.journal import Journal
from tests.support import scripted

XSS = "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31mred\u202eevil\ud800"


class Writer:
    """Writes a journal event by event, as a run would."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.journal = Journal(folder / "journal.jsonl")
        self.now = 0.0
        self.settings = scripted.settings(*overrides).model_dump(mode="json")

    def __call__(self, name: str, **content: Any) -> None:
        self.now += 1.0
        self.journal.append({"event": name, "elapsed": self.now, **content})

    def begin(self, code: str) -> None:
        self("run_started", version=2, initial_code=code, settings=self.settings)

    def proposed(self, program: Program, proposer: str, model: str = "", problem: str = "") -> None:
        self("proposed", program=program.to_json(), proposer=proposer, model=model, problem=problem)

    def selected(self, iteration: int, parent: str) -> None:
        choice = {"iteration": iteration, "island": 0, "parent": parent, "strategy": "s", "rule": "best"}
        self("selected", choice=choice)

    def scored(self, program: Program, metrics: dict[str, float], artifacts: dict[str, str]) -> None:
        outcome = Outcome(program.id, metrics, artifacts)
        self("measured", iteration=program.iteration, outcome=outcome.to_json())
        self("committed", iteration=program.iteration, duplicate_of=None)

    def stopped(self, program: Program, rung: int, metrics: dict[str, float]) -> None:
        outcome = Outcome(program.id, metrics, rung=rung)
        self("measured", iteration=program.iteration, outcome=outcome.to_json())
        self("committed", iteration=program.iteration, duplicate_of=None)

    def failed(self, program: Program, kind: str, message: str, output: str) -> None:
        outcome = Outcome(program.id).to_json() | {"failure": kind, "message": message, "output_tail": output}
        self("measured", iteration=program.iteration, outcome=outcome)
        self("committed", iteration=program.iteration, duplicate_of=None)


def hostile_run(folder: Path, programs: int = 6) -> Path:
    """A run in which everything that others wrote tries to break out: of a page, and of a terminal."""
    write = Writer(folder)
    bad = XSS + ESCAPES
    write.begin(f"X = 1.0  # {bad}\n")
    parent = Program("00000000-seed", f"X = 1.0  # {bad}\n", 0, 0, changes=bad)
    write.proposed(parent, "initial")
    write.scored(parent, _metrics(0), {f"note {bad}": bad})
    for number in range(1, programs):
        write.selected(number, parent.id)
        write("replied", iteration=number, purpose="proposal", text=f"reply {bad}", model=bad, problem="",
              messages=[{"role": "user", "content": f"prompt {bad}"}], attempts=[],
              usage=Usage(100, 10, 0.25).__dict__)  # fmt: skip
        write("refused", iteration=number, gate=bad, reason=bad)
        child = Program(
            f"{number:08d}-child", f"X = {number}.0\n'''{bad}'''\n", number, 0, (parent.id,), 1, bad
        )
        write.proposed(child, f"llm/{bad}", bad)
        if number % 3 == 2:
            write.failed(child, "crashed", bad, bad)
        else:
            write.scored(child, _metrics(number), {"training": bad, "test_auc": "0.999"})
            write("reviewed", iteration=number, text=bad, model=bad, problem="")
    write.journal.close()
    return folder


def _metrics(number: int) -> dict[str, float]:
    return {
        "combined_score": 0.5 + number / 100,
        "combined_score_se": 0.01,
        "size": 0.1 * (number % 10),
        "mean_test_auc": 0.987654,
        f"<b>{XSS}": 0.25,
    }
