"""What a run prints while it lasts."""

from pathlib import Path

import pytest

from openevolve.commands.display import PlainDisplay
from openevolve.engine.run import execute
from tests.support.scripted import EVALUATOR, make_run, settings


def printed(folder: Path, result: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a run whose evaluator returns ``result``."""
    run = make_run(folder, settings("max_iterations=2"))
    run.evaluator.write_text(EVALUATOR.replace('"combined_score": x / 100', result))
    execute(run, PlainDisplay())
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]


def test_a_standard_error_stands_beside_the_fitness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, *_] = printed(tmp_path, '"combined_score": x / 100, "combined_score_se": 0.00812', capsys)
    assert first.startswith("[0/2] combined_score 0.1000 ± 0.0081 |")
    assert "| best combined_score 0.1000 ± 0.0081 (iteration 0) |" in first


def test_without_one_nothing_is_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(tmp_path, '"combined_score": x / 100', capsys)
    assert len(lines) == 3
    assert lines[0].startswith("[0/2] combined_score 0.1000 |")
    assert not any("±" in line or "in full" in line for line in lines)
