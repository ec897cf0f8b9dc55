"""``openevolve``: every verb as a user runs it, and one clear error for what is no run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openevolve.commands.inspect_run import VERBS
from tests.support import scripted
from tests.support.commands import run
from tests.support.inspected import hostile_run

_WITH = {"show": "3", "diff": "3", "lineage": "3", "search": "X"}


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
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb(project: Path, verb: str) -> None:
    for name in ("", "20260202", "runs/mnist/20260202_hostile/journal.jsonl"):
        done = run(project, f"openevolve {verb} {_WITH.get(verb, '')} {name}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.strip()
        assert "\x1b" not in done.stdout
        as_json = run(project, f"openevolve {verb} {_WITH.get(verb, '')} {name} --json")
        assert json.loads(as_json.stdout) is not None
        assert as_json.stdout.isascii()


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
def test_what_is_no_run_is_one_clear_error(tmp_path: Path, content: dict[str, bytes], error: str) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_bytes(text)
    for verb in VERBS:
        done = run(tmp_path, f"openevolve {verb} {_WITH.get(verb, '')} some")
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("error: some")
        assert error in done.stderr
        assert len(done.stderr.splitlines()) == 1


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
