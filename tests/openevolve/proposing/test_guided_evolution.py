"""Guided Evolution's operators: one block at a time, by role play, thought and mating."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from openevolve.llm.base import Message
from openevolve.proposing.edits.fences import fenced_blocks
from openevolve.proposing.edits.genome import genome
from openevolve.proposing.guided_evolution import ROLES, GuidedEvolutionProposer
from openevolve.records.program import Context, Elite, Program, Proposal
from openevolve.search.guided_evolution import CREATE, MATE, MATE_BACK, THOUGHT, GuidedEvolutionSettings
from openevolve.settings.files import load_config
from openevolve.testing.desks import TestDesk, TestModel
from openevolve.testing.proposers import ProposerContract
from tests.support.preset_runs import INITIAL, varied
from tests.support.replies import fence


def child(messages: Sequence[Message], rng: random.Random) -> str:
    """Another number in the last block that a request shows before its rules."""
    blocks = fenced_blocks(messages[1]["content"])
    if len(blocks) < 2:
        return "Please alter the block in this way."
    return f"Another number.\n\n{fence(varied(blocks[-2].text, rng))}"


class TestContract(ProposerContract):
    strategy = GuidedEvolutionProposer
    parent = INITIAL

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        return child(messages, rng) if rng.random() < 0.8 else "I can't."


def elite(name: str, code: str, score: float = 0.5) -> Elite:
    return Elite(Program(name, code, 1, 0), {"combined_score": score})


PARENT = elite("parent", INITIAL.replace("depth = 3", "depth = 4"), 0.6)
OTHER = elite("other", INITIAL.replace("0.5 /", "0.7 /").replace("depth = 3", "depth = 5"), 0.7)


def propose(context: Context, **settings: float) -> tuple[Proposal, str]:
    """What came of it, and the last request."""
    model = TestModel(child)
    config = load_config(None, [])
    proposer = GuidedEvolutionProposer(
        model, config, GuidedEvolutionSettings(paraphrase=0.0).model_copy(update=settings)
    )
    found = asyncio.run(proposer.propose(context, TestDesk()))
    return found, model.asked[-1][1]["content"]


def context(operator: str, seed: int = 0, inspirations: tuple[Elite, ...] = (OTHER,)) -> Context:
    initial = elite("initial", INITIAL)
    return Context(
        5, 0, PARENT, random.Random(seed), inspirations=inspirations, initial=initial, operator=operator
    )


def changed(code: str, base: Elite) -> list[str]:
    before, after = genome(base.program.code).blocks, genome(code).blocks
    return [key for key in before if before[key] != after[key]]


def test_there_are_24_roles() -> None:
    assert len(set(ROLES)) == 24
    requests = {propose(context(CREATE, seed))[1].split("# The block")[0] for seed in range(60)}
    assert len(requests) == 4  # three personas, and none


def test_a_child_differs_in_one_block() -> None:
    for seed in range(20):
        for operator in (CREATE, THOUGHT, MATE):
            found, _ = propose(context(operator, seed))
            assert found.code is not None
            assert len(changed(found.code, PARENT)) == 1


def test_mating_merges_the_first_block_that_differs() -> None:
    found, request = propose(context(MATE))
    first, second, _ = (block.text for block in fenced_blocks(request))
    assert "depth = 4" in first
    assert "depth = 5" in second
    assert "combined_score 0.6" in request
    assert found.proposer == "guided/mate/block"
    assert found.parent_ids == ("parent", "other")
    back = replace(context(MATE_BACK), parent=OTHER, inspirations=(PARENT,))
    assert propose(back)[0].parent_ids == ("other", "parent")


def test_a_thought_shows_what_an_elite_changed_of_the_initial_program() -> None:
    targets = set()
    for seed in range(30):
        found, request = propose(context(THOUGHT, seed))
        before, after, target, _ = (block.text for block in fenced_blocks(request))
        assert before != after
        assert before.strip() in INITIAL
        assert after.strip() in OTHER.program.code
        assert target.strip() in PARENT.program.code
        assert found.parent_ids == ("parent", "other")
        targets.add(target)
    assert len(targets) == 3


def test_what_cannot_be_done_becomes_role_play() -> None:
    same = elite("same", INITIAL)
    for operator, others in ((MATE, (PARENT,)), (THOUGHT, (same,)), (MATE, ())):
        found, _ = propose(context(operator, inspirations=others))
        assert found.proposer.startswith("guided/role-")
        assert found.parent_ids == ("parent",)


def test_a_task_is_put_in_other_words_now_and_then() -> None:
    _, request = propose(context(CREATE), paraphrase=1.0)
    assert "Please alter the block in this way." in request
