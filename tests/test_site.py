"""The site of docs/: it builds, reads well, and says what the code says."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medevonet.run.settings_page import page
from tests import PROJECT
from tests.support.sentences import LIMIT, sentences, too_long, words

PAGES = sorted([*PROJECT.glob("docs/*.md"), PROJECT / "README.md", *PROJECT.glob("examples/**/README.md")])
PAGES = [path for path in PAGES if "openevolve_output" not in path.parts]
SUBJECTS = [
    "tutorial", "scoring", "statistics", "isolation", "faults", "rungs", "settings", "all-settings", "llm",
    "data", "problems", "plugins", "upstream", "measurements", "glossary", "python", "errors",
]  # fmt: skip


def test_the_site_builds_with_no_link_astray(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path.parent.name for path in tmp_path.glob("*/index.html")}
    assert built >= set(SUBJECTS)


def test_the_page_of_settings_is_what_the_models_say() -> None:
    written = (PROJECT / "docs/all-settings.md").read_text(encoding="utf-8")
    assert written == page(), "run `uv run python -m medevonet.run.settings_page`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_sentence_has_to_be_read_twice(path: Path) -> None:
    assert too_long(path.read_text(encoding="utf-8")) == []


def test_what_is_measured_are_sentences() -> None:
    text = (
        "# A head\n\nOne two. Three `a b c` (four).\n\n- Five\n  six\n- [seven eight](x)\n\n| nine |\n|---|\n"
    )
    assert [words(each) for each in sentences(text)] == [2, 3, 2, 2]
    assert len(too_long(" ".join(["word"] * (LIMIT + 1)))) == 1


def said_by_the_code() -> str:
    """The texts in the sources, each with a gap where a value is put in."""
    found = []
    for folder in ("openevolve_lib", "medevonet"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    text = (PROJECT / "docs/errors.md").read_text(encoding="utf-8")
    parts = text.split("\n## ")[1:]
    assert len(parts) > 15
    code = said_by_the_code()
    for part in parts:
        (message,) = re.findall(r"(?m)^`([^`]+)`$", part)
        assert message in code, message


HELP = {
    "run_evolution.py": "python", "run_evolution.py confirm": "python", "run_evolution.py new": "python",
    "train.py": "python", "metrics_utils.py compare": "python", "openevolve": "", "openevolve-run": "",
}  # fmt: skip


@pytest.mark.parametrize("command", HELP)
def test_help_fits_a_screen_and_has_an_example(command: str) -> None:
    program, *arguments = command.split()
    script = [sys.executable, str(PROJECT / program)] if HELP[command] else [
        str(Path(sys.executable).with_name(program))
    ]  # fmt: skip
    done = subprocess.run(
        [*script, *arguments, "--help"], capture_output=True, text=True, check=True, cwd=PROJECT,
        env={"COLUMNS": "100", "PATH": ""},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) <= 50
    example = rf"^ *(uv run )?(python )?{re.escape(command)} \S"
    assert any(re.match(example, line) for line in lines[1:]), done.stdout
