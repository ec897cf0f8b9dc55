"""What is kept for the next reader: the same answers, and never those of another journal."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openevolve.inspect import comparing, database, decisions, ideas, keeping, questions, single
from openevolve.inspect.description import describe
from openevolve.inspect.facts import facts
from openevolve.inspect.reading import Run, read_run
from openevolve.inspect.snapshot import Snapshot
from openevolve.state.journal import encode, read_journal
from tests.support.inspected import hostile_run
from tests.support.walks import finished

QUESTIONS: dict[str, Callable[[Run], Any]] = {
    "status": questions.status, "leaderboard": questions.leaderboard, "pareto": questions.pareto,
    "cells": questions.cells, "failures": questions.failures, "operators": questions.operators,
    "cost": questions.cost, "ideas": ideas.ideas, "decisions": decisions.decisions,
    "of one": lambda run: decisions.decisions(run, "3"), "last": lambda run: decisions.decisions(run, last=2),
    "search": lambda run: questions.search(run, "x"), "show": lambda run: single.show(run, "3"),
    "diff": lambda run: single.diff(run, "3"), "lineage": lambda run: single.lineage(run, "3"),
    "context": lambda run: single.context(run, "3"), "compare": lambda run: comparing.compare(run, "1", "0"),
    "sql": lambda run: database.sql(run, "SELECT * FROM programs, replies, measurements LIMIT 50"),
    "describe": lambda run: describe(run) | {"written": ""},
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(keeping, "_WORTH", 1)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("walk"))


@pytest.fixture
def journal(walk: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(walk, tmp_path / "run")) / "journal.jsonl"


def told(run: Run) -> dict[str, Any]:
    answers = {name: question(run) for name, question in QUESTIONS.items()}
    found: dict[str, Any] = json.loads(json.dumps(answers))
    return found


def kept(journal: Path) -> dict[str, Any]:
    """The answers of a reader that leaves a snapshot."""
    run = read_run(str(journal))
    assert run.folded is not None
    answers = told(run)
    keeping.keep(run)
    return answers


def test_the_next_reader_is_told_the_same_and_folds_nothing(journal: Path, tmp_path: Path) -> None:
    for each in (journal, hostile_run(tmp_path / "hostile") / "journal.jsonl"):
        before = sorted((path, path.stat().st_mtime_ns) for path in each.parent.rglob("*"))
        answers = kept(each)
        run = read_run(str(each))
        assert run.folded is None
        assert {name: question(run) for name, question in QUESTIONS.items() if name != "describe"}
        assert run.folded is None
        assert told(run) == answers
        assert sorted((path, path.stat().st_mtime_ns) for path in each.parent.rglob("*")) == before


@pytest.mark.parametrize("left", [1, 7, 40])
def test_a_journal_that_has_grown_is_read_from_there(journal: Path, left: int) -> None:
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-left]))
    kept(journal)
    journal.write_bytes(whole + b'{"event": "torn')
    grown = read_run(str(journal))
    assert grown.folded is not None
    assert grown.folded.fresh == left
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert told(grown) == told(read_run(str(journal)))


def test_another_journal_in_its_place_is_read_anew(journal: Path) -> None:
    kept(journal)
    events = list(read_journal(journal))
    changed = next(event for event in events if event["event"] == "proposed")
    changed["program"]["changes"] = "y" * len(changed["program"]["changes"])
    stamp = journal.stat()
    journal.write_bytes(b"".join(map(encode, ({k: v for k, v in e.items() if k != "crc"} for e in events))))
    os.utime(journal, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert journal.stat().st_size == stamp.st_size
    run = read_run(str(journal))
    assert run.folded is not None
    assert any(row["changes"].startswith("yy") for row in facts(run))


@pytest.mark.parametrize("harm", ["cut", "garbage", "another journal's", "another version's", "no folder"])
def test_a_snapshot_that_is_none_is_left_alone(journal: Path, cache: Path, harm: str) -> None:
    answers = kept(journal)
    [place] = (cache / "openevolve").iterdir()
    content = place.read_bytes()
    match harm:
        case "cut":
            place.write_bytes(content[: len(content) // 2])
        case "garbage":
            place.write_bytes(os.urandom(5000))
        case "another journal's":
            place.write_bytes(content.replace(str(journal).encode(), b"/elsewhere", 1))
        case "another version's":
            place.write_bytes(content.replace(b'"code": "', b'"code": "0', 1))
        case "no folder":
            shutil.rmtree(cache)
            cache.write_text("a file in its place")
    assert Snapshot.of(journal) is None
    run = read_run(str(journal))
    assert run.folded is not None
    keeping.keep(run)
    assert told(run) == answers
