"""Programs by their iteration."""

import json
from pathlib import Path

import pytest

from medevonet.run.programs import artifact, program_file
from openevolve.engine.recorder import Recorder
from openevolve.errors import UserError
from openevolve.records.program import Program
from openevolve.settings.files import load_config, public_settings
from openevolve.state.journal import Journal
from openevolve.state.state import JOURNAL_VERSION, State


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with two programs, of which the first has an artifact."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs/mnist/wide"
    (run / "artifacts").mkdir(parents=True)
    (run / "run_info.json").write_text(json.dumps({"config": {}}))
    (run / "artifacts/first.npz").write_bytes(b"")
    (tmp_path / "runs/mnist/latest").symlink_to("wide")
    (run / "openevolve").mkdir()
    with Journal(run / "openevolve/journal.jsonl") as journal:
        record = Recorder(journal, State(), [])
        settings = public_settings(load_config())
        record("run_started", version=JOURNAL_VERSION, initial_code="x = 1\n", settings=settings)
        for iteration, (name, code) in enumerate([("first", "x = 1\n"), ("second", "")]):
            program = Program(name, code, iteration, island=0).to_json()
            record(
                "proposed", program=program, proposer="layers", model=None, problem=None if code else "none"
            )
    return run


@pytest.mark.parametrize("name", ["0", "wide@0", "runs/mnist/wide@0"])
def test_a_program_is_named_by_its_iteration(folder: Path, name: str) -> None:
    assert artifact(Path(name)).resolve() == (folder / "artifacts/first.npz").resolve()
    assert program_file(Path(name)).read_text() == "x = 1\n"
    assert program_file(Path(name)).resolve() == (folder / "programs/0.py").resolve()


def test_files_are_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "0").write_text("y = 1\n")
    for name in ("0", "other.py", "some@thing.npz"):
        assert artifact(Path(name)) == program_file(Path(name)) == Path(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("7", "expected an iteration from 0 to 1, found 7"),
        ("1", "expected a program"),
        ("narrow@0", "expected a run's folder or the beginning of its name"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        program_file(Path(name))
    with pytest.raises(UserError):
        artifact(Path(name))
