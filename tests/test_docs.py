"""README and docs: links lead somewhere, commands exist, and the first page stays short."""

import ast
import io
import re
import shlex
import subprocess
import tokenize
from pathlib import Path

import pytest

from tests import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PROJECT.glob("docs/*.md")]
PAGES += [path for path in PROJECT.glob("examples/**/README.md") if "openevolve_output" not in path.parts]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_files_that_commands_name_exist(page: Path) -> None:
    for block in re.findall(r"(?s)```bash\n(.*?)```", page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            scripts = [word for word in words if word.endswith(".py") and "/" not in word]
            missing = [name for name in scripts if not (PROJECT / name).is_file()]
            assert not missing, line


def test_the_first_page_is_short() -> None:
    assert (PROJECT / "README.md").read_text(encoding="utf-8").count("\n") <= 150


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=PROJECT, capture_output=True, text=True)
    return [PROJECT / name for name in listed.stdout.split("\0") if (PROJECT / name).is_file()]


def test_files_that_docstrings_and_comments_name_exist() -> None:
    files = sources() or [*PROJECT.glob("[!.]*/**/*.py")]
    known = {"/" + path.relative_to(PROJECT).as_posix() for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        nodes = [
            n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)
        ]
        said = [ast.get_docstring(node) or "" for node in nodes]
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        said += [token.string for token in tokens if token.type == tokenize.COMMENT]
        named = {name for each in said for name in re.findall(r"(?<![\w/{}<*.-])(?:\w+/)+\w+\.py\b", each)}
        gone = [name for name in named if not any(file.endswith("/" + name) for file in known)]
        assert not gone, f"{path}: {gone}"
