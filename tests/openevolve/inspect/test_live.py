"""A run that grows, read again and again: what is sent piece by piece is what one look at the end gives."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.inspect.description import overview
from openevolve.inspect.facts import facts
from openevolve.inspect.live import LiveRun
from openevolve.inspect.reading import read_run
from tests.support import scripted


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    scripted.run_walk(folder, scripted.settings("max_iterations=12"))
    return folder / "out/journal.jsonl"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(30, 100), max_size=5))
def test_pieces_add_up_to_the_whole(journal: Path, tmp_path: Path, cuts: list[int]) -> None:
    whole = journal.read_bytes()
    growing = tmp_path / "journal.jsonl"
    rows: dict[int, Any] = {}
    live, at, told = LiveRun(growing), -1, {}
    for cut in [*sorted(cuts), 100]:
        growing.write_bytes(whole[: cut * len(whole) // 100])
        answer = live.page(at)
        assert answer["at"] >= at
        at, told = answer["at"], answer["overview"]
        rows |= {row["iteration"]: dict(row) for row in answer["programs"]}
        for iteration, estimate, error in answer["estimates"]:
            rows[iteration] |= {"estimate": estimate, "estimate_error": error}
    run = read_run(str(growing))
    assert [rows[iteration] for iteration in sorted(rows)] == facts(run)
    assert told | {"written": ""} == overview(run) | {"written": ""}
    assert live.page(at)["programs"] == []


def test_a_journal_that_is_none_yet(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"")
    live = LiveRun(tmp_path / "journal.jsonl")
    with pytest.raises(UserError, match="expected a run that has begun, found no event yet"):
        live.read()


def test_what_is_sent_is_json(journal: Path) -> None:
    json.dumps(LiveRun(journal).page(-1), allow_nan=False)
