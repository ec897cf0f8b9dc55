"""The contract of reflections: inherit it, set ``strategy`` and, if it asks a model, ``answer``."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from typing import Any, ClassVar

import pytest
from hypothesis import given

from openevolve.llm.base import Attempt, CompletionFailed, Message, ProviderRejected
from openevolve.llm.calls import ProviderFailed
from openevolve.records.program import Elite, Program
from openevolve.records.review import Review
from openevolve.reflection.reviewer import Reflection
from openevolve.settings.files import load_config
from openevolve.settings.registry import settings_of
from openevolve.testing.desks import TestModel, recorded_calls, unasked
from openevolve.testing.proposers import HANGS, SEEDS, inherited

PARENT = Elite(Program("p0", "x = 1\n", 0, island=0), {"combined_score": 0.25, "count": 3.0})
CHILD = Elite(
    Program("p1", "x = 2\n", 1, island=0, parent_ids=("p0",), generation=1, changes="x = 2"),
    {"combined_score": 0.5, "count": 2.0},
    {"log": "two lines\nof output"},
)


def fails(status: str) -> Callable[[Sequence[Message], random.Random], Exception]:
    """A model whose every request ends like this."""
    failure = CompletionFailed(f"no reply: {status}", (Attempt("scripted", 0.1, status),))
    return lambda messages, rng: failure


class ReflectionContract:
    """What every run relies on."""

    strategy: ClassVar[type[Any]]
    settings: ClassVar[tuple[str, ...]] = ()  # overrides, as of --set

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        """What a model says."""
        return unasked(messages, rng)

    def review(
        self,
        events: list[dict[str, Any]],
        model: TestModel,
        pair: tuple[Elite, Elite] = (CHILD, PARENT),
        seed: int = 0,
    ) -> Review | None:
        """By a new reflection; ``events`` hold what is on record, and get what comes."""
        config = load_config(None, list(self.settings))
        reflection: Reflection = self.strategy.build(
            config, settings_of(self.strategy, config), lambda _: model
        )
        reviewing = reflection.review(*pair, recorded_calls(events, "review", 1, seed))
        return asyncio.run(asyncio.wait_for(reviewing, HANGS))

    @inherited
    @given(SEEDS)
    def test_a_review_goes_to_the_journal_and_back(self, seed: int) -> None:
        found = self.review([], TestModel(self.answer), seed=seed)
        if found is not None:
            assert Review.from_json(json.loads(json.dumps(found.to_json()))) == found
            assert bool(found.text.strip()) != bool(found.problem.strip())

    @inherited
    @given(SEEDS, SEEDS)
    def test_equal_outcomes_give_equal_reviews_whatever_else_was_drawn(self, seed: int, other: int) -> None:
        first = self.review([], TestModel(self.answer), seed=seed)
        random.seed(other)
        state = random.getstate()
        assert self.review([], TestModel(self.answer), seed=seed) == first
        assert random.getstate() == state

    def test_the_programs_are_left_as_they_were(self) -> None:
        pair = deepcopy((CHILD, PARENT))
        self.review([], TestModel(self.answer), pair)
        assert [asdict(elite) for elite in pair] == [asdict(CHILD), asdict(PARENT)]

    @inherited
    @given(SEEDS)
    def test_every_answer_is_on_record_and_asked_for_once(self, seed: int) -> None:
        model, events = TestModel(self.answer), list[dict[str, Any]]()
        found = self.review(events, model, seed=seed)
        assert [event["messages"] for event in events] == model.asked
        assert {event["purpose"] for event in events} <= {"review"}
        assert self.review(events, TestModel(unasked), seed=seed) == found

    @pytest.mark.parametrize("status", ["refused", "prompt_too_long", "bad_request", "empty"])
    def test_a_model_that_will_not_answer_costs_the_text_alone(self, status: str) -> None:
        model = TestModel(fails(status))
        found = self.review([], model)
        assert found is None or not model.asked or (found.text == "" and found.problem.strip())

    @pytest.mark.parametrize("status", ["timeout", "rate_limited", "server_error", "connection_error"])
    def test_an_outage_ends_in_no_text(self, status: str) -> None:
        found, model = None, TestModel(fails(status))
        with suppress(ProviderFailed):
            found = self.review([], model)
        assert found is None or not model.asked or not found.text

    def test_what_no_call_can_mend_is_not_passed_over(self) -> None:
        model, rejecting = TestModel(self.answer), TestModel(lambda *asked: ProviderRejected("wrong key"))
        self.review([], model)
        if model.asked:
            with pytest.raises(ProviderRejected, match="wrong key"):
                self.review([], rejecting)
