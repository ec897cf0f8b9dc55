"""The whole tree is formatted, linted and type-checked: the test command runs these tools too."""

import subprocess
import sys

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
    """The engine knows nothing of medicine or of PyTorch, and nothing of the flat files."""
    outside = {path.stem for path in PROJECT.glob("*.py")} | {"medevonet", "torch", "torchvision", "medmnist"}
    for path in (PROJECT / "openevolve_lib" / "openevolve").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not line.startswith(" " * 8 + "#"):
                assert words[1].split(".")[0] not in outside, f"{path.name}: {line.strip()}"
