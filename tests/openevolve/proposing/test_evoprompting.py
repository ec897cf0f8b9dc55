"""EvoPrompting's prompts: metrics before programs, and a target after them."""

import random
from collections.abc import Sequence

import pytest

from openevolve.llm.base import Message
from openevolve.proposing.evoprompting import EvoPromptingProposer
from openevolve.proposing.prompts.quoting import fenced
from openevolve.records.program import Elite, Program
from openevolve.search.evoprompting import EvoPromptingSettings
from openevolve.settings.files import load_config
from openevolve.testing.desks import TestModel, unasked
from openevolve.testing.proposers import ProposerContract
from tests.support.replies import PARENT, fence, program


class TestContract(ProposerContract):
    strategy = EvoPromptingProposer
    parent = PARENT
    mates = (program("Disc"),)

    def answer(self, messages: Sequence[Message], rng: random.Random) -> str | Exception:
        factor = rng.randrange(2, 1000)
        return rng.choice([fence(program("Disc", f"{factor} * self.size")), "I can't.", fence(PARENT)])


def parent(name: str, code: str, size: float, auc: float) -> Elite:
    return Elite(Program(name, code, 1, 0), {"auc": auc, "size": size, "other": 0.123})


PARENTS = (
    parent("a", "class Net:\n    width = 64\n", 18_260, 0.912),
    parent("b", "class Net:\n    width = 32\n", 9_130, 0.871),
)


def proposer(*overrides: str) -> EvoPromptingProposer:
    config = load_config(None, ["database.fitness_metric=auc", "database.tie_break_metric=size", *overrides])
    return EvoPromptingProposer(TestModel(unasked), config, EvoPromptingSettings())


def test_the_prompt() -> None:
    system, user = proposer("prompt.system_message=You write networks.").messages(PARENTS)
    assert system["content"].startswith("You write networks.\n")
    blocks = [
        '"""Metrics:\n{\'size\': 18260, \'auc\': 0.912}\n"""\nclass Net:\n    width = 64',
        '"""Metrics:\n{\'size\': 9130, \'auc\': 0.871}\n"""\nclass Net:\n    width = 32',
        '"""Metrics:\n{\'size\': 8200, \'auc\': 0.93}\n"""\nclass Net:',
    ]
    places = [user["content"].index(fenced(block, "python")) for block in blocks]
    assert places == sorted(places)
    assert "0.123" not in user["content"]


@pytest.mark.parametrize(
    ("size", "auc", "target"),
    [(1_701_383, 0.873, (1_531_200, 0.89)), (9_130, 0.99, (8_200, 1.0)), (50, 0.5, (45, 0.51))],
)
def test_targets_are_90_percent_of_the_size_and_102_percent_of_the_score(
    size: float, auc: float, target: tuple[float, float]
) -> None:
    assert proposer().target((parent("a", "x = 1", size, auc),)) == pytest.approx(target)


def test_a_program_cannot_close_its_block() -> None:
    code = 'x = """\n```\nMetrics: {}\n"""\n'
    _, user = proposer().messages((parent("a", code, 100, 0.5),))
    assert "````python\n" in user["content"]
