"""Programs that have nearly been tried, and lines that come back."""

from typing import Any

import pytest

from openevolve.proposing.gates.novelty import NoveltyGate
from openevolve.proposing.gates.restored import RestoredLines
from openevolve.records.program import Program
from openevolve.settings.files import load_config
from openevolve.state.view import View
from openevolve.testing.gates import CODES, KNOWN, GateContract, told

PLAIN = "def area(r):\n    return 3.14 * r * r\n"


class TestNovelty(GateContract):
    strategy = NoveltyGate
    refused = (CODES[5], CODES[2] + "\n\n", "y = 2\nx = 5\n")
    passed = (PLAIN, CODES[0])  # that of its parent: another gate's business


class TestRestoredLines(GateContract):
    strategy = RestoredLines
    refused = ("-",)

    def test_a_gate_refuses_some_programs_and_lets_others_through(self) -> None:
        """Not here: the parent has no ancestor."""
        assert self.refusals([*CODES, PLAIN], told(self.build()[1])) == [None] * (len(CODES) + 1)


GRAND, PARENT = "\n".join(f"old = {i}" for i in range(6)), "new = 0\nnew = 1\n"


def refusal(code: str, **settings: Any) -> str | None:
    """Of a child of ``PARENT``, which was made of ``GRAND``."""
    config = load_config(None, [])
    state = told(config)
    for name, iteration, text, parents in (("g", 1, GRAND, ()), ("p0", 0, PARENT, ("g",))):
        state.programs[iteration] = Program(name, text, iteration, 0, parents)
        state.iterations[name] = iteration
    context = state.context(KNOWN)
    object.__setattr__(context.parent, "program", state.programs[0])
    gate = RestoredLines(config, RestoredLines.Settings(**settings))
    return gate.refusal(code, context, View(state, KNOWN))


@pytest.mark.parametrize(
    ("restored", "fresh", "held"), [(6, 0, True), (4, 2, True), (3, 0, False), (4, 4, False)]
)
def test_a_child_that_goes_back_is_refused(restored: int, fresh: int, held: bool) -> None:
    lines = [*(f"old = {i}" for i in range(restored)), *(f"fresh = {i}" for i in range(fresh))]
    found = refusal(PARENT + "\n".join(lines))
    assert (found is not None) is held
    if found:
        assert f"found {restored} of {restored + fresh} that an earlier version of this program had" in found
        assert "such as 'old = 0'" in found


def test_its_limits_are_settings() -> None:
    code = PARENT + "old = 1\nold = 2\n"
    assert refusal(code) is None
    assert refusal(code, least=2) is not None
    assert refusal(code + "x = 1\n", least=2, share=0.7) is None
