"""Offline mutation of networks as a proposer: mutation mostly, now and then a crossing of two programs."""

import asyncio
from random import Random

from medevonet.mutation import LayerMutation, mutate
from openevolve.proposing.desk import Proposer
from openevolve.records.program import Context, Elite, Program, Proposal
from openevolve.settings.models import Config
from openevolve.testing.desks import TestDesk
from openevolve.testing.proposers import ProposerContract
from tests.support.offline_programs import BRANCHED, SEED, lineage
from tests.support.plain_programs import SCHEDULE


class TestContract(ProposerContract):
    strategy = LayerMutation
    parent = SEED
    mates = (BRANCHED, lineage(SEED, seed=2, generations=3)[-1].code)


class TestContractForOtherPrograms(ProposerContract):
    strategy = LayerMutation
    parent = SCHEDULE


def scored(name: str, code: str) -> Elite:
    return Elite(Program(name, code, iteration=0, island=0), {"combined_score": 0.5})


def proposal(parent: str, mates: tuple[Elite, ...], seed: int, longest: int = 20_000) -> Proposal:
    proposer: Proposer = LayerMutation(Config(max_code_length=longest))
    context = Context(1, 0, scored("parent", parent), Random(seed), inspirations=mates)
    return asyncio.run(proposer.propose(context, TestDesk()))


def test_a_parent_alone_is_mutated() -> None:
    for seed in range(4):
        found, child = proposal(SEED, (), seed), mutate(SEED, Random(seed))
        assert (found.code, found.changes, found.parent_ids) == (child.code, child.summary, ("parent",))
        assert found.proposer == f"offline/{'+'.join(child.operators)}"


def test_some_children_have_two_parents() -> None:
    mates = (scored("parent", SEED), scored("mate", lineage(SEED, seed=2, generations=6)[-1].code))
    found = [proposal(SEED, mates, seed) for seed in range(40)]
    mated = [each for each in found if each.proposer == "offline/crossover"]
    assert 0 < len(mated) < 20
    for each in found:
        assert each.parent_ids == (("parent", "mate") if each in mated else ("parent",))
    assert found == [proposal(SEED, mates, seed) for seed in range(40)]


def test_a_program_that_cannot_be_crossed_is_mutated() -> None:
    found = [proposal(SCHEDULE, (scored("mate", SEED),), seed) for seed in range(20)]
    assert all(each.code and each.parent_ids == ("parent",) for each in found)


def test_what_cannot_be_varied_is_said() -> None:
    assert "at most 40 characters" in (proposal(SEED, (), seed=0, longest=40).problem or "")
