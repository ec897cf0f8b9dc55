"""SEARCH/REPLACE blocks, and evolve blocks that no edit reaches beyond."""

import itertools
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.proposing.edits import EditError, check_evolve_blocks
from openevolve.proposing.edits.evolve_blocks import layout
from tests.support.replies import PARENT, block, child, fence, program


class TestSearchReplace:
    def test_a_line_is_replaced(self) -> None:
        edit = child("Squares.\n\n" + block("        return math.pi * self.size", "        return 2"))
        assert edit.form == "diff"
        assert edit.code == PARENT.replace("math.pi * self.size", "2")

    def test_blocks_are_applied_to_the_result_of_those_before(self) -> None:
        reply = block("import math", "import math\nK = 1") + block("K = 1", "K = 2")
        assert child(reply).code == PARENT.replace("import math", "import math\nK = 2")

    @pytest.mark.parametrize(
        "search",
        [
            "        return math.pi * self.size   ",
            "\n        return math.pi * self.size\n\n",
            "    return math.pi * self.size",
            "return math.pi * self.size",
            "                return math.pi * self.size",
            "        return math.pi * self.size\r",
        ],
        ids=[
            "trailing space",
            "blank lines",
            "shifted left",
            "at the margin",
            "shifted right",
            "carriage return",
        ],
    )
    def test_white_space_may_differ(self, search: str) -> None:
        indent = search.strip("\n")[: len(search.strip("\n")) - len(search.lstrip().strip("\n"))]
        replacement = f"{indent}if self.size:\n{indent}    return 1\n{indent}return 2"
        code = child(block(search, replacement)).code
        area = "        if self.size:\n            return 1\n        return 2"
        assert code == PARENT.replace("        return math.pi * self.size", area)

    def test_line_ends_of_the_parent_do_not_matter(self) -> None:
        edit = child(block("import math", "import cmath"), PARENT.replace("\n", "\r\n"))
        assert edit.code == PARENT.replace("import math", "import cmath")

    def test_an_empty_replacement_deletes(self) -> None:
        edit = child("<<<<<<< SEARCH\n        self.size = size\n=======\n        pass\n>>>>>>> REPLACE")
        assert "self.size = size" not in edit.code
        parent = "x = 1\ny = 2\n"
        assert child("<<<<<<< SEARCH\ny = 2\n=======\n>>>>>>> REPLACE", parent).code == "x = 1\n"

    def test_the_most_exact_match_is_meant(self) -> None:
        parent = "if True:\n    x = 1\nx = 1\n"
        assert child(block("x = 1", "x = 2"), parent).code == "if True:\n    x = 1\nx = 2\n"

    @pytest.mark.parametrize(
        ("reply", "problem"),
        [
            (block("x = 1", "x = 2"), r"block 1 of 1: .* once, found it 2 times, from lines 1, 4"),
            (block("q = 1", "q = 2"), r"block 1 of 1: .*not found.*`q = 1`"),
            (
                block("y = 2", "y = 3") + block("while x:\n  y = 2", "z"),
                r"block 2 of 2.*lines 1-2:\nx = 1\ny = 2",
            ),
            (block("", "z = 1"), "expected the lines to replace"),
            ("<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n", "block 1: .*cut off.*max_tokens"),
            ("<<<<<<< SEARCH\ny = 2\n>>>>>>> REPLACE", "block 1: expected a ======= line"),
            ("<<<<<<< SEARCH\ny = 2\n<<<<<<< SEARCH\n", "block 1: .*found another SEARCH"),
            (block("y = 2", "y = ("), "found an error: line 2: '\\(' was never closed"),
            (block("y = 2", "y = 2  # two"), "the parent again"),
        ],
    )
    def test_what_does_not_fit_is_refused_as_a_whole(self, reply: str, problem: str) -> None:
        with pytest.raises(EditError, match=re.compile(problem, re.DOTALL)):
            child(reply, "x = 1\ny = 2\n\nx = 1\n")

    @given(st.data())
    def test_edits_of_unique_lines_give_the_edited_program(self, data: st.DataObject) -> None:
        lines = [f"v{i} = {i}" for i in range(data.draw(st.integers(1, 30)))]
        cuts = sorted(
            data.draw(st.sets(st.integers(0, len(lines)), min_size=2, max_size=8)) | {0, len(lines)}
        )
        spans = list(itertools.pairwise(cuts))
        edited = data.draw(st.sets(st.sampled_from(spans), min_size=1))
        line_end = data.draw(st.sampled_from(["\n", "\r\n"]))
        blocks, expected = [], []
        for start, stop in spans:
            new = lines[start:stop]
            if (start, stop) in edited:
                new = [f"w{start}_{i} = 1" for i in range(data.draw(st.integers(0, 3)))]
                blocks.append(block("\n".join(lines[start:stop]), "\n".join(new)).replace("\n\n", "\n"))
            expected += new
        random.Random(len(lines)).shuffle(blocks)
        reply = "".join(blocks).replace("\n", line_end)
        assert child(reply, "\n".join([*lines, "end = 0", ""])).code == "\n".join([*expected, "end = 0", ""])


FRAME = """import math
# EVOLVE-BLOCK-START
def f(x):
    return x
# EVOLVE-BLOCK-END


def run():
    return f(math.pi)
"""


class TestEvolveBlocks:
    @pytest.mark.parametrize(
        "reply",
        [
            block("    return x", "    return x + 1"),
            fence("def f(x):\n    return x + 1\n"),
            fence(FRAME.replace("return x", "return x + 1")),
            fence(FRAME.replace("return x", "return x + 1").replace("math.pi", "0")),
            fence(re.sub("# EVOLVE.*\n", "", FRAME).replace("return x", "return x + 1")),
        ],
        ids=["edit", "content", "file with markers", "file with another outside", "file without markers"],
    )
    def test_only_the_block_changes(self, reply: str) -> None:
        assert child(reply, FRAME).code == FRAME.replace("return x", "return x + 1")

    @pytest.mark.parametrize(
        ("reply", "problem"),
        [
            (
                block("import math", "import cmath"),
                "expected 'import math' outside the blocks, found 'import cm",
            ),
            (block("    return f(math.pi)", "    return 1"), "only lines between"),
            (block("# EVOLVE-BLOCK-END", "# no end"), "EVOLVE-BLOCK-END for every"),
            (block("    return x", "    return 1\n# EVOLVE-BLOCK-END\n# EVOLVE-BLOCK-START"), "only lines"),
            (
                fence("def f(x):\n    return 1\n\ndef run():\n    return 1\n"),
                "expected run as the program has it",
            ),
            (fence(FRAME.replace("# EVOLVE-BLOCK-START\n", "")), "END without START"),
            (fence(FRAME + FRAME), "expected the program's 1 evolve blocks.*found 2"),
        ],
    )
    def test_a_change_outside_is_refused(self, reply: str, problem: str) -> None:
        with pytest.raises(EditError, match=problem):
            child(reply, FRAME)

    def test_several_blocks_need_their_markers(self) -> None:
        parent = FRAME + "# EVOLVE-BLOCK-START\nX = 1\n# EVOLVE-BLOCK-END\n"
        changed = parent.replace("X = 1", "X = 2")
        assert child(fence(changed), parent).code == changed
        with pytest.raises(EditError, match="found no markers"):
            child(fence(re.sub("# EVOLVE.*\n", "", changed)), parent)

    def test_markers_are_not_invented(self) -> None:
        marked = f"# EVOLVE-BLOCK-START\n{program('Disc')}# EVOLVE-BLOCK-END\n"
        assert child(fence(marked)).code == program("Disc")

    @pytest.mark.parametrize(
        "code",
        [
            "# EVOLVE-BLOCK-START\n",
            "# EVOLVE-BLOCK-END\n",
            "# EVOLVE-BLOCK-START\n" * 2 + "# EVOLVE-BLOCK-END\n" * 2,
        ],
    )
    def test_malformed_markers_of_an_initial_program_are_a_user_error(self, code: str) -> None:
        with pytest.raises(UserError, match="initial program: expected"):
            check_evolve_blocks(code)
        check_evolve_blocks(FRAME)

    @given(st.data())
    def test_no_edit_reaches_outside(self, data: st.DataObject) -> None:
        lines = st.sampled_from([*FRAME.split("\n"), "y = 1", "# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"])
        text = st.lists(lines, min_size=1, max_size=4).map("\n".join)
        edits = data.draw(st.lists(st.tuples(text, text), min_size=1, max_size=3))
        replies = ["".join(block(*edit) for edit in edits), fence(data.draw(text) + "\n")]
        for reply in replies:
            try:
                code = child(reply, FRAME).code
            except EditError:
                continue
            assert layout(code).outside == layout(FRAME).outside
