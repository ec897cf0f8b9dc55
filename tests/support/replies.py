"""Replies as models give them when asked for a program, and what must become of each."""

import json
from dataclasses import dataclass

from openevolve.proposing.edits import Edit, apply_reply

LIMIT = 2000  # characters of a program

PARENT = '''"""Shapes and their areas."""
import math


class Shape:
    """The parent's own."""

    def __init__(self, size):
        self.size = size

    def area(self):
        return math.pi * self.size


def build(size=3):
    return Shape(size)
'''


def program(name: str, body: str = "self.size ** 2") -> str:
    """A whole program with the parent's interface and a class of the given name."""
    return (
        "import math\n\n\n"
        f"class {name}:\n"
        "    def __init__(self, size):\n"
        "        self.size = size\n\n"
        "    def area(self):\n"
        f"        return math.pi * {body}\n\n\n"
        "def build(size=3):\n"
        f"    return {name}(size)\n"
    )


def fence(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code.rstrip()}\n```\n"


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def child(reply: str, parent: str = PARENT, limit: int = LIMIT) -> Edit:
    return apply_reply(reply, parent, max_code_length=limit)


@dataclass(frozen=True)
class Usable:
    """A reply out of which the program with class ``name`` must come, whole."""

    kind: str
    reply: str
    name: str


@dataclass(frozen=True)
class Unusable:
    """A reply that must be refused, with ``problem`` (a regular expression) in the message."""

    kind: str
    reply: str
    problem: str


NUMBERED = "".join(f"{n:3} | {line}\n" for n, line in enumerate(program("Disc").splitlines(), start=1))
USAGE = fence("from candidate import build\n\nprint(build(4).area())\n")
VARIANT = "def build(size=3):\n    return Disc(2 * size)\n"
NESTED = '''"""Discs.

```python
build(4).area()
```

and

```
a disc
```
"""
'''

USABLE = [
    Usable("plain", f"Squares the radius.\n\n{fence(program('Disc'))}", "Disc"),
    Usable("no tag", fence(program("Disc"), ""), "Disc"),
    Usable("another tag", fence(program("Disc"), "model.py"), "Disc"),
    Usable("tildes", f"~~~py\n{program('Disc')}~~~", "Disc"),
    Usable("in a list item", "1. This:\n\n   " + fence(program("Disc")).replace("\n", "\n   "), "Disc"),
    Usable("only code", program("Disc"), "Disc"),
    Usable(
        "code without fences",
        f"Program\n\n{program('Disc')}\n\nNotes\n\nIt's better (I think.\n",
        "Disc",
    ),
    Usable("usage after the program", f"{fence(program('Disc'))}\nUse it:\n\n{USAGE}", "Disc"),
    Usable("usage before the program", f"{USAGE}\nwhere candidate is\n\n{fence(program('Disc'))}", "Disc"),
    Usable(
        "the later of two", f"{fence(program('Square'))}\nWait, better:\n{fence(program('Disc'))}", "Disc"
    ),
    Usable("the parent quoted first", f"{fence(PARENT)}\nbecomes\n{fence(program('Disc'))}", "Disc"),
    Usable("the parent quoted last", f"{fence(program('Disc'))}\ninstead of\n{fence(PARENT)}", "Disc"),
    Usable(
        "a variant that needs the program",
        f"{fence(program('Disc'))}\nTo try:\n{fence(VARIANT)}",
        "Disc",
    ),
    Usable("shell commands", fence("pip install discs\n", "bash") + fence(program("Disc")), "Disc"),
    Usable("Windows line ends", fence(program("Disc").replace("    ", "\t")).replace("\n", "\r\n"), "Disc"),
    Usable("byte order mark", "\ufeff" + program("Disc"), "Disc"),
    Usable("non-ASCII names", fence(program("Größe", "self.size ** 2 + (µ := 1) - μ")), "Größe"),
    Usable("fences in docstrings", fence(NESTED + program("Disc")), "Disc"),
    Usable("a longer fence", f"`{fence(NESTED + program('Disc'))}`"[:-1].rstrip() + "`", "Disc"),
    Usable("reasoning", f"<think>\n{fence(program('Square'))}</think>\n{fence(program('Disc'))}", "Disc"),
    Usable(
        "reasoning whose first tag is in the prompt",
        f"An edit?\n{block('no such line', 'x = 1')}No.\n</think>\n\n{fence(program('Disc'))}",
        "Disc",
    ),
    Usable("no closing line end", fence(program("Disc")).rstrip(), "Disc"),
    Usable("a stray fence at the end", f"{program('Disc')}```\n", "Disc"),
    Usable("odd escapes", fence(program("Disc", 'self.size * len("\\d")')), "Disc"),
]

UNIFIED = """--- a/shape.py
+++ b/shape.py
@@ -11,4 +11,4 @@
     def area(self):
-        return math.pi * self.size
+        return math.pi * self.size ** 2
"""

UNUSABLE = [
    Unusable("empty", "", "empty reply"),
    Unusable("blank", " \n\t\r\n", "empty reply"),
    Unusable(
        "refusal", "I'm sorry, but I can't help with that.\n\n- Ask a doctor.", "without code.*I'm sorry"
    ),
    Unusable("one word", "Done", "without code"),
    Unusable("never closed", "So:\n" + fence(program("Disc"))[:-40], "cut off.*max_tokens"),
    Unusable("never closed, yet complete", "So:\n" + fence(program("Disc"))[:-5], "cut off.*max_tokens"),
    Unusable("reasoning cut off", f"<think>\n{fence(program('Square'))}Hmm", "reasoning.*max_tokens"),
    Unusable(
        "code without fences cut off",
        program("Disc").replace("return Disc(size)", "disc = Disc(size)\n    return (disc"),
        "line 14: '\\(' was never closed",
    ),
    Unusable(
        "code without fences and with an error at its end",
        program("Disc") + "\n\ndef half(size:\n    return size / 2\n",
        "was never closed: def half",
    ),
    Unusable("a blank block", "```python\n\n```\n", "without code"),
    Unusable("unified diff", fence(UNIFIED, "diff"), "unified diff"),
    Unusable("syntax error", fence(program("Disc", "self.size **")), "line 9: invalid syntax: return"),
    Unusable("return outside a function", fence(program("Disc") + "return 3\n"), "outside function"),
    Unusable("only usage", USAGE, "defines build, found code that defines nothing"),
    Unusable("another interface", fence("def make(size):\n    return size\n"), "defines build.*defines make"),
    Unusable("JSON", fence(json.dumps({"model_py": program("Disc")}), "json"), "without code"),
    Unusable("JSON without a fence", json.dumps({"model_py": program("Disc")}), "text without code"),
    Unusable("line numbers", fence(NUMBERED), "line 1: .*1 | import math"),
    Unusable(
        "spread over blocks",
        fence(program("Disc").split("def build")[0]) + fence("def build(size=3):\n    return Disc(size)\n"),
        "spread over several.*build lacks Disc",
    ),
    Unusable("the parent again", fence(PARENT), "found the parent again"),
    Unusable(
        "the parent with other comments",
        fence("# better\n" + PARENT.replace("The parent's own.", "The child's own.").replace("\n\n\n", "\n")),
        "found the parent again",
    ),
    Unusable("too long", fence(program("Disc") + "# x\n" * 1000), "at most 2000 characters, found 4"),
    Unusable("null byte", fence(program("Disc", "1 \0")), "null bytes"),
    Unusable("lone surrogate", fence(program("Disc", '"\ud800"')), "surrogates not allowed"),
    Unusable("nested too deeply", fence(program("Disc", "(" * 300 + ")" * 300)), "too many nested"),
    Unusable("a long sum", fence(program("Disc", "1+" * 5000 + "1")), "nested too deeply"),
    Unusable("too many blocks", fence("x = 1\n") * 101, "more than 100"),
]
