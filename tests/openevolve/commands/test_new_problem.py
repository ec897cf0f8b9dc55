"""A new problem's folder runs as it is written, and its parts do what their texts say."""

import re
import runpy
from pathlib import Path

import pytest

from medevonet.run.command import main
from openevolve.commands.new_problem import FILES
from tests.support.commands import events, run, scores


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("problems") / "my-problem"
    assert main(["new", str(folder)]) == 0
    return folder


def test_it_has_what_a_problem_needs_under_its_own_name(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == sorted(FILES)
    assert (made / "README.md").read_text().startswith("# my-problem\n")


def test_the_first_command_of_its_readme_finds_a_better_program(made: Path) -> None:
    (command,) = re.findall(r"(?m)^openevolve-run .*--offline", (made / "README.md").read_text())
    done = run(made, command)
    assert done.returncode == 0, done.stdout + done.stderr
    found = scores(made / "openevolve_output")
    assert max(found.values()) > found[0] * 1.02
    looked = [event for event in events(made / "openevolve_output") if event["event"] == "looked"]
    assert {event["unit"] for event in looked} == {"few outliers", "many outliers"}  # the final


def test_a_measurement_is_the_same_again_and_another_repeat_is_not(made: Path) -> None:
    measure = runpy.run_path(str(made / "evaluator.py"))["measure"]
    program = str(made / "initial_program.py")
    first, again, other = (measure(program, "few outliers", repeat) for repeat in (1, 1, 2))
    assert first == again != other


def test_a_name_that_is_taken_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in made.iterdir() if path.is_file()}
    assert main(["new", str(made)]) == 2
    assert "expected a new name" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
