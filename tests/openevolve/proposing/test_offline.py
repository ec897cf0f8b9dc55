"""Offline mutation of any program: other numbers inside its evolve blocks, or an error; and the proposer."""

import ast
import asyncio
import re
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.population.fingerprints import normalized
from openevolve.proposing.desk import Proposer
from openevolve.proposing.offline import MutationError, OfflineMutation, Source, Variation, Vary, mutate
from openevolve.records.program import Context, Elite, Program, Proposal
from openevolve.settings.models import Config
from openevolve.testing.desks import TestDesk
from openevolve.testing.proposers import ProposerContract
from tests.support.plain_programs import SCHEDULE


class TestContract(ProposerContract):
    strategy = OfflineMutation
    parent = SCHEDULE


def numbers(code: str) -> list[int | float]:
    constants = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, int | float)]


def test_other_programs_get_other_numbers() -> None:
    changed = set()
    for seed in range(60):
        child = mutate(SCHEDULE, Random(seed)).code
        assert re.sub(r"[\d.e-]+", "", child) == re.sub(r"[\d.e-]+", "", SCHEDULE)
        for old, new in zip(numbers(SCHEDULE), numbers(child), strict=True):
            assert type(old) is type(new)
            assert (old > 0, old < 0) == (new > 0, new < 0)
            assert new < 1 or old >= 1
            assert isinstance(new, float) or new == old or new >= 2
            changed |= {old} if old != new else set()
    assert changed == {0.01, 1.0, 0.9, 2.5, 100, 1e-05, 7}  # no index, no module constant, no 0 and no 1


def test_nothing_outside_an_evolve_block_changes() -> None:
    line = "    decay = table[2] ** (1 / 100)\n"
    before, after = SCHEDULE.split(line)
    block = f"    # EVOLVE-BLOCK-START\n{line}    # EVOLVE-BLOCK-END\n"
    for seed in range(10):
        child = mutate(before + block + after, Random(seed))
        assert child.code.startswith(before)
        assert child.code.endswith(after)
        assert child.operators == ("perturb_constant",)
        assert child.summary.startswith("100 → ")


def test_what_a_child_became_is_said() -> None:
    child = mutate(SCHEDULE, Random(3))
    for note in child.summary.split("; "):
        old, new = note.split(" → ")
        assert old in SCHEDULE
        assert new in child.code


def test_lengths_and_counts_are_bounded() -> None:
    with pytest.raises(MutationError, match="at most"):
        mutate(SCHEDULE, Random(0), max_code_length=len(SCHEDULE) - 1)
    for seed in range(10):
        child = mutate(SCHEDULE, Random(seed), max_operators=1, max_code_length=len(SCHEDULE) + 2)
        assert len(child.operators) == 1
        assert len(child.code) <= len(SCHEDULE) + 2


def test_ways_are_tried_in_order_until_a_child_passes_the_checks() -> None:
    tried: list[str] = []

    def way(name: str, code: str | None) -> Vary:
        def vary(source: Source, rng: Random, count: int) -> Variation | None:
            tried.append(name)
            return None if code is None else Variation(code, (name,), (f"{name} once",))

        return vary

    def ways(source: Source, rng: Random) -> Sequence[Vary]:
        renamed = source.code.replace("decay", "fall")
        return [way("none", None), way("unparsable", "def"), way("same", source.code), way("new", renamed)]

    child = mutate(SCHEDULE, Random(0), ways)
    assert (child.operators, child.summary) == (("new",), "new once")
    assert list(dict.fromkeys(tried)) == ["none", "unparsable", "same", "new"]
    assert tried.count("none") == 1
    assert tried.count("unparsable") == tried.count("same") > 1


def proposal(code: str, seed: int = 0, max_code_length: int = 20_000) -> Proposal:
    proposer: Proposer = OfflineMutation(Config(max_code_length=max_code_length))
    parent = Elite(Program("parent", code, iteration=0, island=0), {"combined_score": 0.5})
    return asyncio.run(proposer.propose(Context(1, 0, parent, Random(seed)), TestDesk()))


def test_the_proposer_gives_the_child_of_the_contexts_random_numbers() -> None:
    for seed in range(5):
        found, child = proposal(SCHEDULE, seed), mutate(SCHEDULE, Random(seed))
        assert (found.code, found.changes) == (child.code, child.summary)
        assert found.proposer == f"offline/{'+'.join(child.operators)}"
        assert found.parent_ids == ("parent",)


@pytest.mark.parametrize(
    ("code", "problem"),
    [("x = 1\n", "no operator applies"), ("def", "expected a Python program"), ("", "no operator applies")],
)
def test_the_proposer_says_why_there_is_no_child(code: str, problem: str) -> None:
    found = proposal(code)
    assert found.code is None
    assert problem in (found.problem or "")


def test_the_proposer_keeps_to_the_runs_longest_program() -> None:
    assert "at most 40 characters" in (proposal(SCHEDULE, max_code_length=40).problem or "")


FRAGMENTS = (
    *("class A(nn.Module):", "def f(x):", "import torch.nn as nn", "    ", "\n", "self.a = ", "x = "),
    *("nn.Sequential(", ")", "nn.Conv2d(3, 8, 3)", "nn.Linear(8, n)", "0x1F", "1e999", "2.5", "7"),
    *("# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"),
)
CUTS = st.tuples(st.integers(0, len(SCHEDULE)), st.integers(0, len(SCHEDULE)))
TEXTS = (
    st.text()
    | st.lists(st.sampled_from(FRAGMENTS)).map("".join)
    | CUTS.map(lambda cut: SCHEDULE[: min(cut)] + SCHEDULE[max(cut) :])
)


@settings(max_examples=150)
@given(TEXTS)
def test_any_text_gives_a_child_or_a_mutation_error(text: str) -> None:
    try:
        child = mutate(text, Random(0))
    except MutationError:
        return
    assert normalized(child.code) != normalized(text)


HOSTILE = {
    "parentheses": "(" * 5000,
    "signs": "x = " + "-" * 900 + "1",
    "operands": "x = " + "1 and " * 1000 + "1",
    "surrogate": "\ud800",
    "null": "\0",
    "unpaired marker": "# EVOLVE-BLOCK-END\nx = 2.5\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(MutationError):
        mutate(text, Random(0))
