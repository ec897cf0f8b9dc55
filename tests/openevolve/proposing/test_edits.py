"""Whole programs out of replies of all sorts, and the checks that every child passes."""

import ast
import json
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.population.fingerprints import normalized, parse
from openevolve.proposing.edits import EditError, apply_reply
from openevolve.proposing.edits.source import interface, unbound_names
from tests.support.replies import LIMIT, PARENT, UNUSABLE, USABLE, Unusable, Usable, child, fence, program


def classes(code: str) -> list[str]:
    return [node.name for node in parse(code).body if isinstance(node, ast.ClassDef)]


def functions(code: str) -> list[str]:
    return [node.name for node in parse(code).body if isinstance(node, ast.FunctionDef)]


# Of the recorded replies that may be read or refused, these are refused: models seldom give them.
FORMS_REFUSED = {"program inside a JSON string", "leading line numbers"}


class TestWholePrograms:
    @pytest.mark.parametrize("case", USABLE, ids=lambda case: case.kind)
    def test_the_program_is_found_whole(self, case: Usable) -> None:
        edit = child(case.reply)
        assert edit.form == "full rewrite"
        assert classes(edit.code) == [case.name]
        assert functions(edit.code) == ["build"]
        assert not unbound_names(parse(edit.code))
        assert "\r" not in edit.code
        assert edit.code.endswith("\n")

    @pytest.mark.parametrize("case", UNUSABLE, ids=lambda case: case.kind)
    def test_what_is_no_program_is_refused(self, case: Unusable) -> None:
        with pytest.raises(EditError, match=re.compile(case.problem, re.DOTALL)) as caught:
            child(case.reply)
        str(caught.value).encode("utf-8")

    def test_the_summary_is_the_first_sentence(self) -> None:
        edit = child(
            f"## Idea\n\n**Squares** the `size` of all.\n\n{fence(program('Disc'))}\nUse it well, my friend."
        )
        assert edit.changes == "Squares the size of all."

    def test_without_prose_the_summary_counts_lines(self) -> None:
        assert child(fence(PARENT.replace("self.size\n\n\n", "3\n\n\n"))).changes == (
            "+1 -1 lines: return math.pi * 3"
        )

    def test_a_choice_between_programs_is_noted(self) -> None:
        reply = fence(program("Square")) + fence(program("Disc"))
        assert child(reply).changes.startswith("(one of 2 programs) ")

    def test_a_summary_is_one_printable_line(self) -> None:
        reply = f"Now \x1b[31mred\x07 and {'long ' * 100}\n{fence(program('Disc'))}"
        changes = child(reply).changes
        assert changes.isprintable()
        assert len(changes) <= 160

    def test_a_part_of_the_program_is_not_taken_for_the_whole(self) -> None:
        parent = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
        whole = parent.replace("return 2", "return 3")
        assert child(fence(whole) + fence("def two():\n    return 3\n"), parent).code == whole

    def test_warnings_of_the_compiler_do_not_matter(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            child(fence(program("Disc", 'len("\\d" is self.size)')))

    def test_a_json_block_is_no_program_whatever_the_parent_defines(self) -> None:
        reply = fence('{"x": 2}\n', "json")
        with pytest.raises(EditError, match="without code"):
            child(reply, "print(1)\n")
        assert child(reply + fence("print(2)\n"), "print(1)\n").code == "print(2)\n"

    def test_a_program_in_another_language_is_not_parsed(self) -> None:
        reply = f"{fence('cargo run', 'sh')}{fence('fn main() { 2 }', 'rust')}"
        assert apply_reply(reply, "fn main() { 1 }", max_code_length=99, language="rust").code == (
            "fn main() { 2 }\n"
        )
        for refused in ("fn main() { 2 }", fence("{}", "json"), "```rust\nfn main() { 2 }", "Done"):
            with pytest.raises(EditError):
                apply_reply(refused, "fn main() { 1 }", max_code_length=99, language="rust")
        with pytest.raises(EditError, match="the parent again"):
            apply_reply(fence("a(); \n", "rust"), "a();", max_code_length=99, language="rust")

    def test_the_recorded_replies(self, replies_dir: Path) -> None:
        parent = (replies_dir / "messy" / "parent.py").read_text(encoding="utf-8")
        index = json.loads((replies_dir / "messy" / "index.json").read_text(encoding="utf-8"))
        assert index
        for key, entry in index.items():
            reply = (replies_dir / "messy" / f"{key}.md").read_bytes().decode("utf-8")
            expected = entry["expected"]
            if expected.startswith("reject") or entry["kind"] in FORMS_REFUSED:
                assert "reject" in expected
                with pytest.raises(EditError):
                    child(reply, parent, 10_000)
                continue
            code = child(reply, parent, 10_000).code
            named = re.findall(r"class (\w+)", expected)
            assert not named or any(name in expected for name in classes(code)), key
            assert functions(code).count("create_model") == 1, key

    def test_a_recorded_edit_that_does_not_match_is_explained(self, replies_dir: Path) -> None:
        parent = (replies_dir / "messy" / "parent.py").read_text(encoding="utf-8")
        reply = (replies_dir / "messy" / "019.md").read_text(encoding="utf-8")
        with pytest.raises(EditError, match=r"block 2 of 3: .*`self.classifier = nn.Sequential\(`"):
            child(reply, parent, 10_000)

    def test_recorded_good_replies_all_give_a_program(self, replies_dir: Path) -> None:
        parent = program("Net").replace("build", "create_model")
        for path in sorted((replies_dir / "good").glob("*.md")):
            code = child(path.read_text(encoding="utf-8"), parent, 10_000).code
            assert functions(code)[-1] == "create_model", path.name
            assert not unbound_names(parse(code)), path.name


FRAME = program("Shape").replace("class", "# EVOLVE-BLOCK-START\nclass") + "# EVOLVE-BLOCK-END\n"
FRAGMENTS = [
    *(case.reply for case in USABLE + UNUSABLE if len(case.reply) < LIMIT),
    *(
        "```",
        "```python\n",
        "~~~",
        "<think>",
        "</think>\n",
        "<<<<<<< SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE",
    ),
    *(
        '"""',
        "'''",
        "\\",
        "\n",
        "    ",
        "\t",
        "def build():\n",
        "@@ -1 +1 @@\n",
        "1 | x\n",
        "{",
        "# EVOLVE-BLOCK-END",
    ),
    "        return math.pi * self.size\n",
]


class TestEverything:
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=20), max_size=8).map("".join), st.booleans()
    )
    def test_any_text_is_a_program_or_an_edit_error(self, reply: str, framed: bool) -> None:
        parent = FRAME if framed else PARENT
        try:
            edit = child(reply, parent)
        except EditError as error:
            str(error).encode("utf-8")
            return
        parse(edit.code)
        assert len(edit.code) <= LIMIT
        assert edit.changes
        assert normalized(edit.code) != normalized(parent)

    @pytest.mark.parametrize(
        "reply",
        [
            "```\n" * 50_000,
            '```python\n"""\\"""\n```\n' * 5_000,
            "```\n" + '"\\' * 100_000 + "\n```",
            "```" + "x" * 200_000 + "`",
            '"""```\n' * 20_000,
            " " * 200_000 + "\n" + "\t" * 200_000,
            "<think>\n" * 50_000,
            "</think>\n" * 50_000,
            "<<<<<<< SEARCH\nx\n=======\n>>>>>>> REPLACE\n" * 20_000,
            "```json\n" + '{"a":' * 30_000 + "\n```",
            "import math\n" + "It's\n" * 5_000,
            "#" * 200_000,
            "9" * 200_000 + " | x",
        ],
        ids=lambda reply: repr(reply[:12]),
    )
    def test_long_replies_without_sense_end_soon(self, reply: str) -> None:
        with pytest.raises(EditError):
            child(reply)


class TestSource:
    def test_layout_comments_and_docstrings_do_not_count(self) -> None:
        other = "import math  # pi\n\n\n" + PARENT.split("import math\n", 1)[1].replace(
            "The parent's own", "A shape"
        )
        assert normalized(PARENT) == normalized(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("x = 1", "x = True"), ("x = 1", "x = 1.0"), ("x = [[], 1]", "x = [[1]]"), ("f(a, b)", "f(a)(b)"),
         ("x = 'a'", "x = b'a'"), ("x = -0.0", "x = 0.0"), ("def f(): 'a'", "def f(): return 'a'"),
         ("a.b", "b.a"), ("assert x", "x"), ("def f(a, /): pass", "def f(a): pass"),
         ("def f(): return lambda: 1", "def f(): return lambda: 2"), ("x in {1, 2}", "x in {1, 3}"),
         ("class A:\n y = 1", "class A:\n y = 2"), ("def f(): return g", "def f(): return h"),
         ("try: f()\nexcept A: pass", "try: f()\nexcept B: pass"), ("x = (1, 0.0)", "x = (1, -0.0)")],
    )  # fmt: skip
    def test_what_runs_differently_differs(self, one: str, other: str) -> None:
        assert normalized(one) != normalized(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("@d\nclass A: pass", "\n\n@d\n\nclass A:\n    'a remark'"), ("x in {'a', 'b'}", "x in {'b', 'a'}"),
         ("if x:\n 'a'\nelse: y()", "if x: pass\nelse:\n  'b'\n  y()"), ("x = 1 + 1", "x = 2")],
    )  # fmt: skip
    def test_what_runs_alike_is_the_same(self, one: str, other: str) -> None:
        assert normalized(one) == normalized(other)

    def test_prefixes_of_strings_do_not_count(self) -> None:
        assert normalized("x = u'a'") == normalized("x = 'a'")

    def test_what_does_not_parse_counts_by_its_text(self) -> None:
        assert normalized("fn main() {}  \n") == normalized("fn main() {}", "rust")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("x = 1", "x = 1 # one"),  # Python would take these for the same
            ("x = (1)", "x = 1"),
            ("x = 1\n\n\ny = 2", "x = 1\ny = 2"),
            ("  x", "x"),  # as in a file of YAML or make
            ("x\fy", "x\ny"),
        ],
    )
    def test_another_language_is_compared_by_its_text(self, one: str, other: str) -> None:
        assert normalized(one, "rust") != normalized(other, "rust")
        assert normalized(one, "rust") == normalized(one.replace("\n", " \r\n") + " \n\n", "rust")

    def test_the_interface_is_what_nothing_inside_reads(self) -> None:
        assert interface(parse(PARENT)) == {"build"}
        assert interface(parse("K = 2\ndef a(): return K\ndef b(): return a()\n_c = 3\nb()")) == {"b"}
        assert interface(parse("def a(n): return a(n - 1)\ndef b(): pass")) == {"a", "b"}
        assert interface(parse("def a(): return b()\ndef b(): return a()")) == {"a", "b"}

    def test_unbound_names(self) -> None:
        bound = (
            "import os.path as p, sys\nfrom a import b\nclass C: pass\nasync def f(x, *y, k=1, **z):\n"
            "    global g\n    for i, (j, *l) in x: pass\n    with y as w: print(w, k, z, i, j, l)\n"
            "    try: g = lambda q: q\n    except OSError as e: print(e, p, sys, b, C)\n"
            "    match x:\n        case {'a': m, **n} | [m, *n] | (m as n): print(m, n, __name__, __file__)\n"
            "    return [t for t in x if (u := t)], u, f, g\n"
        )
        assert unbound_names(parse(bound)) == set()
        assert unbound_names(parse("def f(): return a.b + c()")) == {"a", "c"}
        assert unbound_names(parse("from a import *\nprint(b)")) == set()
