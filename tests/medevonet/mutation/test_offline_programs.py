"""The offline operators on programs as they come: blocks, branched networks, replies, no network at all."""

import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medevonet.mutation import mutate
from medevonet.mutation.expressions import REWRITERS, Rewriter, collect
from openevolve.population.fingerprints import normalized
from openevolve.proposing.offline import MutationError, Source
from tests.support.offline_programs import BRANCHED, SEED, assert_trains, lineage
from tests.support.plain_programs import SCHEDULE


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("class Network", "def create_model"),
        ("        self.features", "        self.classifier"),
        ("        self.classifier", "    def forward"),
    ],
    ids=["class", "features", "classifier"],
)
def test_nothing_outside_an_evolve_block_changes(first: str, last: str) -> None:
    start, end = SEED.index(first), SEED.index(last)
    indent = first[: -len(first.lstrip())]
    before = f"{SEED[:start]}{indent}# EVOLVE-BLOCK-START\n"
    after = f"{indent}# EVOLVE-BLOCK-END\n{SEED[end:]}"
    for child in lineage(before + SEED[start:end] + after, seed=1, generations=10):
        assert child.code.startswith(before)
        assert child.code.endswith(after)
        assert_trains(child.code)


def test_a_class_that_has_the_name_of_a_helper_is_left_alone() -> None:
    for child in lineage(BRANCHED, seed=5, generations=8):
        assert_trains(child.code)
        assert child.code.count("class Residual") == 1
        assert not {"add_residual", "make_bottleneck"} & set(child.operators)


@pytest.mark.parametrize(
    "rewriter", [rewriter for _, rewriter in REWRITERS], ids=[name for name, _ in REWRITERS]
)
def test_each_edit_keeps_a_branched_network_runnable(rewriter: Rewriter) -> None:
    source = Source.parse(BRANCHED, max_length=20_000)
    for seed in range(4):
        rewrite = rewriter(collect(source), Random(seed))
        child = source.replace(rewrite.nodes).code
        assert source.accepts(child)
        assert_trains(child)


def test_widths_that_other_numbers_may_follow_from_stay() -> None:
    code = BRANCHED.replace("2 * last", "96")
    assert not any("scale_widths" in mutate(code, Random(seed)).operators for seed in range(20))


def test_integers_of_a_program_that_uses_pytorch_are_its_shapes() -> None:
    code = f"from torch import nn\n\n\n{SCHEDULE}"
    changed = {note for seed in range(40) for note in mutate(code, Random(seed)).summary.split("; ")}
    assert {note.split(" → ")[0] for note in changed} == {"0.01", "0.9", "2.5", "1e-05", "1.0"}


def test_equal_seeds_give_equal_children_in_any_process() -> None:
    script = (
        "import sys; from random import Random; from medevonet.mutation import mutate\n"
        "for code in sys.stdin.read().split(chr(0)):\n"
        "    rng = Random(7)\n"
        "    for _ in range(5): code = mutate(code, rng).code\n"
        "    print(code)\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            input="\0".join([SEED, BRANCHED, SCHEDULE]),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        for hash_seed in ("1", "2")
    ]
    here = [lineage(code, seed=7, generations=5)[-1].code for code in (SEED, BRANCHED, SCHEDULE)]
    assert [run.stdout for run in runs] == ["".join(f"{code}\n" for code in here)] * 2


def test_lengths_and_counts_are_bounded() -> None:
    with pytest.raises(MutationError, match="at most"):
        mutate(SEED, Random(0), max_code_length=len(SEED) - 1)
    for seed in range(10):
        child = mutate(SEED, Random(seed), max_operators=1, max_code_length=len(SEED) + 40)
        assert len(child.operators) == 1
        assert len(child.code) <= len(SEED) + 40


def test_replies_of_a_language_model_stay_runnable(replies_dir: Path) -> None:
    failed, total = [], 0
    for path in sorted((replies_dir / "good").glob("*.md")):
        code = max(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL), key=len)
        for child in lineage(code, seed=0, generations=2):
            total += 1
            try:
                assert_trains(child.code, batches=(2,))
            except (AssertionError, RuntimeError, ValueError) as error:
                failed.append(f"{path.name}: {child.summary}: {error}")
    assert len(failed) <= 0.02 * total, failed


FRAGMENTS = (
    *("class A(nn.Module):", "def f(x):", "import torch.nn as nn", "    ", "\n", "self.a = ", "x = "),
    *("nn.Sequential(", ")", "nn.Conv2d(3, 8, 3)", "nn.Linear(8, n)", "0x1F", "1e999", "2.5", "7"),
    *("# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"),
)
CUTS = st.tuples(st.integers(0, len(SEED)), st.integers(0, len(SEED)))
TEXTS = (
    st.text()
    | st.lists(st.sampled_from(FRAGMENTS)).map("".join)
    | CUTS.map(lambda cut: SEED[: min(cut)] + SEED[max(cut) :])
)


@settings(max_examples=150)
@given(TEXTS)
def test_any_text_gives_a_child_or_a_mutation_error(text: str) -> None:
    try:
        child = mutate(text, Random(0))
    except MutationError:
        return
    assert normalized(child.code) != normalized(text)
