"""A language model that changes one line of a program, and grades one where it is asked for JSON."""

import itertools
import json
from dataclasses import dataclass, field

from tests.support.llm_server import Exchange, Reply

_GRADES = {"clarity": 0.8, "correctness": 0.9, "reasoning": "It says what it does."}


@dataclass(frozen=True)
class EditingModel:
    """Answers with the whole initial program and a new line in it."""

    program: str
    suffix: str
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def serve(self, exchange: Exchange) -> None:
        asked = str(exchange.asked.json["messages"][-1]["content"])
        if "JSON object" in asked and "EVOLVE-BLOCK" not in asked:
            text = json.dumps(_GRADES)
        else:
            text = f"A constant that nothing reads yet.\n\n```\n{self._changed()}\n```\n"
        Reply(text).serve(exchange)

    def _changed(self) -> str:
        number = next(self._numbers)
        forms = {".py": "SCRIPTED_{0} = {0}", ".rs": "// Change {0}.", ".r": "# Change {0}."}
        line = forms.get(self.suffix, "Change {0}.").format(number)
        lines = self.program.rstrip("\n").split("\n")
        start = next((i + 1 for i, text in enumerate(lines) if "EVOLVE-BLOCK-START" in text), None)
        at = _end_of_block(lines, start) if start is not None else len(lines)
        return "\n".join([*lines[:at], line, *lines[at:]])


def _end_of_block(lines: list[str], start: int) -> int:
    """The last line of the first block: a statement at the margin is whole there, whatever stands above."""
    return next(i for i in range(start, len(lines)) if "EVOLVE-BLOCK-END" in lines[i])
