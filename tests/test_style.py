"""The whole tree is formatted, linted and type-checked: the test command runs these tools too."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import PROJECT


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=" ".join
)
def test_the_tree_passes(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_a_maze() -> None:
    """A room that grows beyond this is to be divided."""
    lengths = {
        str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8").count("\n")
        for folder in (PROJECT, PROJECT / "medevonet", PROJECT / "openevolve_lib", PROJECT / "benchmarks")
        for path in (folder.glob("*.py") if folder == PROJECT else folder.rglob("*.py"))
    }
    assert {name: length for name, length in lengths.items() if length > 320} == {}


def test_rooms_import_only_downward() -> None:
    """The contracts of ``.importlinter``, with every import that they except on record there."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    contracts = (PROJECT / ".importlinter").read_text(encoding="utf-8").count("[importlinter:contract:")
    assert f"Contracts: {contracts} kept, 0 broken." in done.stdout
