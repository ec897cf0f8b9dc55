"""Programs as rows of blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.proposing.edits import EditError, apply_block
from openevolve.proposing.edits.genome import genome
from tests import PROJECT
from tests.support.preset_runs import INITIAL
from tests.support.replies import fence

KINDS = ["import math", "# --OPTION--", "class A:", "    x = 1", "def f(): return 2", "", "y = 3", "("]
LINES = st.lists(st.sampled_from(KINDS))
SEED = (PROJECT / "seed_program.py").read_text()


@given(LINES.map("\n".join))
def test_the_pieces_are_the_program(code: str) -> None:
    found = genome(code)
    assert found.code == code
    assert found.blocks
    assert len(found.keys) == len(found.pieces)
    for key, text in found.blocks.items():
        assert found.with_block(key, text).code == code or "--OPTION--" in text


def test_marks_are_borders_and_what_is_before_the_first_is_no_block() -> None:
    blocks = genome(INITIAL).blocks
    assert [text.strip().split("\n")[0] for text in blocks.values()] == [
        "WIDTH = 32", "class Body:", "def rate(step):",
    ]  # fmt: skip


def test_without_marks_definitions_are_blocks_by_their_names() -> None:
    code = "import a\nX = 1\n\n\n@a.b\nclass Net:\n    pass\n\n\ndef build():\n    return Net()\n"
    blocks = genome(code).blocks
    assert list(blocks) == ["Net", "build"]
    assert blocks["Net"].startswith("@a.b\n")
    assert list(genome(SEED).blocks)[-1] == "create_model"


def test_another_language_is_one_block() -> None:
    assert list(genome("fn main() {}\nfn other() {}\n", "rust").blocks) == ["main"]


def edit(reply: str, key: str = "Net") -> str:
    code = "import a\n\n\nclass Net:\n    width = 1\n\n\ndef build():\n    return Net()\n"
    return apply_block(reply, genome(code), key, max_code_length=500, language="python").code


def test_a_block_takes_the_place_of_a_block() -> None:
    found = edit("Wider.\n\n" + fence("class Net:\n    width = 2"))
    assert found == "import a\n\n\nclass Net:\n    width = 2\n\n\ndef build():\n    return Net()\n"


def test_a_reply_with_the_whole_program_is_the_program() -> None:
    code = "import a\n\n\nclass Net:\n    width = 3\n\n\ndef build():\n    return Net()\n"
    assert edit(fence(code)) == code


def test_marks_in_a_reply_do_not_cut_the_program_anew() -> None:
    parent = genome(INITIAL)
    key = next(iter(parent.blocks))
    reply = fence("# --OPTION--\nWIDTH = 40\n# --OPTION--")
    child = apply_block(reply, parent, key, max_code_length=500, language="python").code
    assert list(genome(child).blocks) == list(parent.blocks)
    assert "WIDTH = 40" in child


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("I can't.", "expected the new block in a fenced code block"),
        (fence("class Net:\n    width = 1"), "found the parent again"),
        (fence("class Net(:"), "expected a program that parses"),
        (fence("class Net:\n    " + "x = 1; " * 100), "at most 500 characters"),
    ],
)
def test_what_is_no_block_is_said(reply: str, problem: str) -> None:
    with pytest.raises(EditError, match=problem):
        edit(reply)
