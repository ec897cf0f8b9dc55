"""The contract of gates: inherit it and set ``strategy``, ``refused`` and ``passed``."""

import pickle
import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from openevolve.proposing.gates.base import Gate
from openevolve.records.choice import Choice
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from openevolve.settings.registry import settings_of
from openevolve.state.state import JOURNAL_VERSION, State
from openevolve.state.view import View
from openevolve.testing.proposers import inherited

CODES = [f"x = {i}\ny = {i // 2}\n" for i in range(6)]
LATER = [CODES[2], CODES[3], "x = 8\n", "x = 9\n"]  # of iterations beyond the horizon
KNOWN = len(CODES)
FAILURES = {3: FailureKind.TIMEOUT, 4: FailureKind.CRASHED, 8: FailureKind.TIMEOUT}


def told(config: Config, order: Sequence[int] = range(KNOWN)) -> State:
    """A state by its events: programs measured in this order, some of which failed, and a choice."""
    state = State(config)

    def apply(name: str, **content: Any) -> None:
        state.apply({"event": name, "elapsed": 0.0, **content})

    apply("run_started", version=JOURNAL_VERSION, settings=config.model_dump(), initial_code=CODES[0])
    for i in order:
        failure = FAILURES.get(i)
        program = Program(f"p{i}", (CODES + LATER)[i], i, island=0, parent_ids=("p0",) if i else ())
        outcome = Outcome(program.id, {} if failure else {"combined_score": i / 100}, failure=failure)
        apply("proposed", program=asdict(program), problem="")
        apply("measured", iteration=i, outcome=asdict(outcome))
    for i in sorted(order):
        apply("committed", iteration=i, duplicate_of=state.member_like(state.programs[i].code))
    choice = Choice(KNOWN, 0, "p0", top=("p5",), inspirations=("p1", "p2"), failures=(4, 3))
    apply("selected", choice=choice.to_json())
    return state


class GateContract:
    """What every run relies on."""

    strategy: ClassVar[type[Any]]
    settings: ClassVar[tuple[str, ...]] = ()  # overrides, as of --set
    refused: ClassVar[tuple[str, ...]]  # programs that are refused where ``told`` is what happened
    passed: ClassVar[tuple[str, ...]] = ("def area(r):\n    return 3.14 * r * r\n",)  # and such that are not

    def build(self) -> tuple[Gate, Config]:
        config = load_config(None, list(self.settings))
        return self.strategy(config, settings_of(self.strategy, config)), config

    def refusals(self, codes: Sequence[str], state: State) -> list[str | None]:
        """Of a new gate, for the choice of ``told``."""
        gate, config = self.build()
        context = told(config).context(KNOWN)
        return [gate.refusal(code, context, View(state, KNOWN)) for code in codes]

    def test_a_gate_refuses_some_programs_and_lets_others_through(self) -> None:
        state = told(self.build()[1])
        assert self.refused
        assert None not in self.refusals(self.refused, state)
        assert self.refusals(self.passed, state) == [None] * len(self.passed)

    @inherited
    @given(st.text() | st.sampled_from(CODES) | st.lists(st.sampled_from("".join(CODES))).map("".join))
    def test_a_refusal_is_one_line_for_the_author_of_any_text(self, text: str) -> None:
        texts = (text, *self.refused, "", "def", "\0", "\ud800", "(" * 5000)
        for refusal in self.refusals(texts, told(self.build()[1])):
            assert refusal is None or [refusal] == refusal.strip().splitlines()

    @inherited
    @given(st.sampled_from(CODES) | st.text(), st.integers(0, 2**32))
    def test_nothing_changes_and_no_random_number_is_drawn(self, code: str, seed: int) -> None:
        gate, config = self.build()
        state = told(config)
        context = state.context(KNOWN)
        state.member_like(code)  # fingerprints are taken when they are first asked for
        before, drawn = pickle.dumps(state), context.rng.getstate()
        random.seed(seed)
        everywhere = random.getstate()
        texts = (code, *self.refused)
        first, again = ([gate.refusal(t, context, View(state, KNOWN)) for t in texts] for _ in range(2))
        assert first == again
        assert pickle.dumps(state) == before
        assert context.rng.getstate() == drawn
        assert random.getstate() == everywhere

    @inherited
    @given(st.permutations(range(1, KNOWN + len(LATER))), st.integers(0, len(LATER)))
    def test_what_is_beyond_the_horizon_makes_no_difference(self, order: list[int], later: int) -> None:
        """Else a deterministic run would depend on how fast its evaluations are."""
        _, config = self.build()
        asked = (*CODES, *LATER, *self.refused, *self.passed)
        more = told(config, [0, *(i for i in order if i < KNOWN + later)])
        assert self.refusals(asked, more) == self.refusals(asked, told(config))
