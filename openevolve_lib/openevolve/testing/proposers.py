"""The contract of proposers: inherit it, set ``strategy``, ``parent`` and, if it asks a model, ``answer``."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openevolve.llm.base import Message
from openevolve.population.fingerprints import normalized
from openevolve.proposing.desk import Desk, Proposer
from openevolve.records.program import Context, Elite, Program, Proposal
from openevolve.settings.files import load_config
from openevolve.settings.registry import settings_of
from openevolve.testing.desks import TestDesk, TestModel, unasked

SEEDS = st.integers(0, 2**32)
SHOWN_AT_MOST = 1000  # programs, by a proposer that will not take no for an answer
HANGS = 60.0  # seconds
inherited = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)  # as many classes run one inherited test


class ProposerContract:
    """What every run relies on."""

    strategy: ClassVar[type[Any]]
    settings: ClassVar[tuple[str, ...]] = ()  # overrides, as of --set
    parent: ClassVar[str]  # a program that the proposer can make children of
    mates: ClassVar[tuple[str, ...]] = ()  # others, which are shown with it

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        """What a model says: now and then a child of ``parent``."""
        return unasked(messages, rng)

    def propose(self, seed: int, *overrides: str, desk: Desk | None = None, model: Any = None) -> Proposal:
        """By a new proposer. Raises TimeoutError where it hangs."""
        config = load_config(None, [*self.settings, *overrides])
        models = model or TestModel(self.answer)
        build = self.strategy.build
        proposer: Proposer = build(config, settings_of(self.strategy, config), lambda _: models)
        proposing = proposer.propose(self.context(seed), desk or TestDesk(seed=seed))
        return asyncio.run(asyncio.wait_for(proposing, HANGS))

    def context(self, seed: int) -> Context:
        first, *others = (
            Elite(Program(f"p{i}", code, iteration=i, island=0), {"combined_score": i / 10})
            for i, code in enumerate((self.parent, *self.mates))
        )
        return Context(1, 0, first, random.Random(seed), inspirations=tuple(others))

    @inherited
    @given(SEEDS)
    def test_a_proposal_is_a_child_or_says_why_not(self, seed: int) -> None:
        found = self.propose(seed)
        assert found.proposer
        assert set(found.parent_ids) <= {f"p{i}" for i in range(len(self.mates) + 1)}
        assert len(found.changes.splitlines()) <= 1
        if found.code is None:
            assert found.problem.strip()
        else:
            assert not found.problem
            assert normalized(found.code) != normalized(self.parent)

    def test_other_contexts_have_other_children(self) -> None:
        found = [self.propose(seed).code for seed in range(20)]
        assert len({code for code in found if code is not None}) > 5

    @inherited
    @given(SEEDS, SEEDS)
    def test_equal_contexts_give_equal_proposals_whatever_else_was_drawn(self, seed: int, other: int) -> None:
        first = self.propose(seed)
        random.seed(other)
        state = random.getstate()
        assert self.propose(seed) == first
        assert random.getstate() == state

    @inherited
    @given(SEEDS, st.integers(-40, 20))
    def test_no_program_is_longer_than_the_runs_longest(self, seed: int, more: int) -> None:
        longest = len(self.parent) + more
        found = self.propose(seed, f"max_code_length={longest}")
        assert found.problem.strip() if found.code is None else len(found.code) <= longest

    @inherited
    @given(SEEDS)
    def test_what_gates_refuse_is_not_handed_in(self, seed: int) -> None:
        shown: list[str | None] = []

        def refuse(proposal: Proposal) -> str:
            shown.append(proposal.code)
            assert len(shown) < SHOWN_AT_MOST
            return "tried before"

        found = self.propose(seed, desk=TestDesk(seed=seed, refuse=refuse))
        assert None not in shown
        assert found.code is None
        assert found.problem.strip()

    @inherited
    @given(SEEDS)
    def test_what_is_handed_in_was_shown_and_let_through(self, seed: int) -> None:
        verdicts: dict[str | None, str | None] = {}

        def refuse_first(proposal: Proposal) -> str | None:
            return verdicts.setdefault(proposal.code, None if verdicts else "tried before")

        found = self.propose(seed, desk=TestDesk(seed=seed, refuse=refuse_first))
        assert found.code is None or verdicts[found.code] is None

    @inherited
    @given(SEEDS)
    def test_every_answer_is_on_record_and_asked_for_once(self, seed: int) -> None:
        model, desk = TestModel(self.answer), TestDesk(seed=seed)
        found = self.propose(seed, desk=desk, model=model)
        assert [event["messages"] for event in desk.events] == model.asked
        resumed = TestDesk(seed=seed, earlier=desk.events)
        assert self.propose(seed, desk=resumed, model=TestModel(unasked)) == found
