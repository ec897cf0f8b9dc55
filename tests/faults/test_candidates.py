"""Candidates that fail in every manner: all are accounted for, with the right kind; the slots go on."""

from pathlib import Path

from openevolve.commands.evolve import exit_code
from openevolve.commands.exits import EXIT_COMPLETED, EXIT_STOPPED_EARLY
from tests.faults.candidates import FAULTY, search
from tests.support.processes import processes_of, wait_until


def test_every_candidate_is_accounted_for(tmp_path: Path) -> None:
    account = search(tmp_path, total=60, faulty=len(FAULTY), seed=1)
    assert account.wrong == ()
    assert account.kinds["evaluated"] == 60 - len(FAULTY) + 1  # and the initial program
    assert exit_code(account.result) == EXIT_COMPLETED
    assert wait_until(lambda: not processes_of(tmp_path), 10)


def test_fewer_than_asked_for_are_no_success(tmp_path: Path) -> None:
    account = search(tmp_path, 20, 4, 1, "budget.evaluations=10")
    assert len(account.result.state.outcomes) < 21
    assert exit_code(account.result) == EXIT_STOPPED_EARLY
