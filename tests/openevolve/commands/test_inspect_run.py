"""``openevolve``: every verb as a user runs it, and one clear error for what is no run."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openevolve.commands.inspect_run import VERBS, main
from openevolve.state.journal import read_journal
from tests.support import scripted
from tests.support.commands import run
from tests.support.inspected import ESCAPES, XSS, hostile_run
from tests.support.walks import start, wait_for_events

_WITH = {
    "show": ["3"], "diff": ["3"], "lineage": ["3"], "search": ["X"], "context": ["3"], "compare": ["3", "0"],
    "compare-runs": ["runs/mnist/20260101_first"], "sql": ["SELECT * FROM programs"],
    "idea": ["a wider stage"],
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/mnist, ``latest`` among them."""
    folder = tmp_path_factory.mktemp("project")
    runs = folder / "runs/mnist"
    result = scripted.run_walk(runs / "20260101_first", scripted.settings("max_iterations=4"))
    assert result.completed
    (runs / "20260101_first/out").rename(runs / "20260101_first/openevolve")
    (runs / "latest").symlink_to("20260101_first")
    hostile_run(runs / "20260202_hostile")
    (runs / "20260202_hostile/logs").mkdir()
    (runs / "20260202_hostile/logs/openevolve_1.log").write_text(f"one\n{XSS}{ESCAPES[:-1]}\n")
    return folder


Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command in a folder, in this process: its status, output and error output."""

    def answered(folder: Path, verb: str, *more: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            main([verb, *_WITH.get(verb, []), *more])
        return int(ended.value.code or 0), *capsys.readouterr()

    return answered


# ``tuning-set`` has nothing to tell of runs without a model (tests/openevolve/inspect/test_tuning.py).
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "tuning-set"])
def test_every_verb(project: Path, ask: Ask, verb: str) -> None:
    for name in ([], ["20260202"], ["runs/mnist/20260202_hostile/journal.jsonl"]):
        status, text, error = ask(project, verb, *name)
        assert (status, error) == (0, "")
        assert text.strip()
        assert not set(text) & set("\x1b\x9b\x07\u202e")
        status, as_json, _ = ask(project, verb, *name, "--json")
        assert json.loads(as_json) is not None
        assert as_json.isascii()


def test_as_a_user_runs_it(project: Path) -> None:
    done = run(project, "openevolve leaderboard --top 1")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)


def test_the_last_events_without_and_with_those_to_come(project: Path, ask: Ask) -> None:
    """Nobody writes these runs, so that following one ends by itself."""
    status, text, _ = ask(project, "tail", "20260202", "--lines", "3")
    assert (status, len(text.splitlines())) == (0, 3)
    assert not set(text) & set("\x1b\x9b\x07\u202e")
    assert "0.987654" not in ask(project, "tail", "20260202", "--lines", "1000")[1]
    assert "run_finished" in ask(project, "tail", "--follow")[1].splitlines()[-1]


def test_asking_a_run(project: Path, ask: Ask, tmp_path: Path) -> None:
    status, said, error = ask(project, "ctl", "20260101", "pause")
    assert (status, said) == (2, "")
    assert "expected a run that is running, found no process that writes it" in error
    process = start(tmp_path, "max_iterations=1000")
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 2)
    assert ask(tmp_path, "ctl", "out", "limit", "max_iterations=5") == (
        0,
        "limit max_iterations=5: taken\n",
        "",
    )
    assert process.wait() == 0
    assert "limit max_iterations=5" in ask(tmp_path, "tail", "out", "--lines", "1000")[1]


def test_following_a_run_to_its_end(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 2)
    told = run(tmp_path, "openevolve tail --follow --lines 1000 out")
    assert process.wait() == 0
    names = [line.split()[2] for line in told.stdout.splitlines()]
    assert names == [event["event"] for event in read_journal(tmp_path / "out/journal.jsonl")]


def test_runs(project: Path) -> None:
    lines = run(project, "openevolve runs").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "runs/mnist/20260101_first",
        "runs/mnist/20260202_hostile",
    ]
    assert "completed" in lines[1]


def test_the_reader_may_leave(project: Path) -> None:
    """As ``head`` does: what is left to print is no error."""
    command = [str(Path(sys.executable).with_name("openevolve")), "show", "3", "20260202", "--json"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "found an empty folder"),
        ({"notes.txt": b"hello"}, "found something else"),
        ({"journal.jsonl": b""}, "expected a run that has begun, found no event yet"),
        ({"journal.jsonl": b'{"event":"run_st'}, "expected a run that has begun, found no event yet"),
        ({"journal.jsonl": b"hello\n"}, "line 1: expected an event whose checksum holds"),
        ({"journal.jsonl": b"\xff\xfe\x00\n"}, "line 1: expected an event whose checksum holds"),
    ],
)
def test_what_is_no_run_is_one_clear_error(
    tmp_path: Path, ask: Ask, content: dict[str, bytes], error: str
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_bytes(text)
    for verb in VERBS:
        status, said, told = ask(tmp_path, verb, "some")
        assert (status, said) == (2, "")
        assert told.startswith("error: some")
        assert error in told
        assert len(told.splitlines()) == 1


def test_a_name_that_is_none_or_several(project: Path) -> None:
    assert (
        "expected the beginning of one run's name, found 2" in run(project, "openevolve status 2026").stderr
    )
    unknown = run(project, "openevolve status 1999")
    assert "expected a run's folder or the beginning of its name" in unknown.stderr


def test_a_run_info_of_something_else(tmp_path: Path) -> None:
    hostile_run(tmp_path / "some/openevolve")
    (tmp_path / "some/run_info.json").write_text("[1, 2]")
    done = run(tmp_path, "openevolve status some")
    assert done.returncode == 2
    assert done.stderr == "error: some/run_info.json: expected a JSON object on a run, found list\n"
