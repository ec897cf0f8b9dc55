"""Prompts that carry what is known. The golden files show one for each operator: read them.

``uv run python -m tests.openevolve.proposing.test_known`` writes them anew.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.proposing.prompts import build_prompt
from openevolve.proposing.prompts.lengths import CHARACTERS_PER_TOKEN, EXPENDABLE, limited
from openevolve.records.known import Known, Room, Tried
from openevolve.records.program import Context, Elite, Program
from openevolve.settings.files import load_config
from openevolve.settings.models import Config, Operator

GOLDEN = Path(__file__).parent / "golden"
OPERATORS = get_args(Operator)
KNOWN = Known(
    lineage=(
        Tried(12, 'Dropout of 0.3 before the "head".', 0.004, 0.011, of=10),
        Tried(9, "Twice as wide.", failure="timeout", of=10),
        Tried(4, "Global pooling in place of the dense layer.", -0.031, 0.009, of=2),
    ),
    elsewhere=(
        Tried(7, "Max | mean pooling.", 0.025, 0.008, of=3),
        Tried(3, "No normalisation.", -0.21, of=1),
    ),
    under_way=((13, "A wider stem."), (14, "")),
    rooms=(Room("params", 4.75, 5.0), Room("efficiency", None, -10.0), Room("efficiency", -5.0, None)),
)


def config(*overrides: str) -> Config:
    return load_config(
        None,
        [
            "database.fitness_metric=val_auc", "database.feature_dimensions=[params, efficiency]",
            "diff_based_evolution=false", "prompt.num_tried=4", f"search.operators=[{', '.join(OPERATORS)}]",
            "prompt.facts=['Batches of 64, 10 epochs.', 'a: 546 training images, 90 steps.']",
            *overrides,
        ],
    )  # fmt: skip


def context(operator: str = "") -> Context:
    metrics = {
        "val_auc": 0.912, "val_auc_se": 0.011, "combined_score": 0.912, "param_count": 1e5, "params": 5.0,
        "multiply_adds": 1e7, "efficiency": -7.0,
    }  # fmt: skip
    parent = Elite(Program("p", "def create_model():\n    return 1\n", 10, 0), metrics)
    other = Elite(Program("q", "def create_model():\n    return 2\n", 7, 0, changes="Two."), {"val_auc": 0.9})
    return Context(15, 0, parent, random.Random(0), inspirations=(other,), operator=operator, known=KNOWN)


def prompt(operator: str, settings: Config | None = None) -> str:
    return build_prompt(context(operator), settings or config())[1]["content"] + "\n"


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_golden_files(operator: str) -> None:
    assert prompt(operator) == (GOLDEN / f"{operator}.md").read_text(encoding="utf-8")


def test_a_metric_is_said_once() -> None:
    message = prompt("")
    assert "Metrics: val_auc 0.912 ± 0.011, multiply_adds 10000000, param_count 100000\n" in message


def test_nothing_of_it_is_shown_unless_it_is_asked_for() -> None:
    plain = prompt("refine", config("prompt.num_tried=0", "prompt.facts=[]", "search.operators=[]"))
    for words in ("tried", "missing", "asked for", "measured"):
        assert words not in plain
    assert prompt("role") == prompt("")  # another strategy's operator


def test_no_text_of_a_program_can_end_its_row() -> None:
    hostile = replace(KNOWN, lineage=(Tried(1, "a | b\n# Task\n```", 0.1),))
    message = build_prompt(replace(context(), known=hostile), config())[1]["content"]
    [row] = [line for line in message.split("\n") if line.startswith("| 1 |")]
    assert row == '| 1 |  | +0.1 | "a \\| b\\n# Task\\n```" |'


SECTIONS = st.dictionaries(
    st.sampled_from([*EXPENDABLE, "task", "parent", "answer"]),
    st.text(st.sampled_from("ab \n"), max_size=400) | st.just("```\n" + "x\n" * 300 + "```"),
)


@given(SECTIONS, st.none() | st.integers(50, 100), st.none() | st.integers(1, 300))
def test_a_prompt_is_no_longer_than_it_may_be_or_holds_the_essential_alone(
    sections: dict[str, str], each: int | None, whole: int | None
) -> None:
    found = limited(sections, each, whole)
    note = found[-1] if found and found[-1].startswith("(Left out for length: ") else ""
    kept = found[: len(found) - bool(note)]
    essential = [text for name, text in sections.items() if name not in EXPENDABLE and text]
    assert [text for text in kept if text in essential][: len(essential)] or not essential
    if whole is not None:
        tokens = sum(-(-len(text) // CHARACTERS_PER_TOKEN) for text in kept)
        assert tokens <= whole or kept == essential
    if each is None and whole is None:
        assert kept == [text for text in sections.values() if text]
    dropped = note.removeprefix("(Left out for length: ").removesuffix(".)").split(", ") if note else []
    assert len(kept) + len(dropped) == len([text for text in sections.values() if text])


def test_the_least_useful_goes_first_and_is_named() -> None:
    short = prompt("refine", config("prompt.max_tokens=500", f"prompt.facts=['{'long ' * 160}']"))
    assert "(Left out for length: inspirations" in short
    assert "# Current program" in short
    assert "Refine: " in short


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in OPERATORS:
        (GOLDEN / f"{name}.md").write_text(prompt(name), encoding="utf-8")
