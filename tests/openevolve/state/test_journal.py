"""The journal survives cuts, damage, full disks and second writers."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.state.journal import Event, Journal, encode, read_journal

EVENTS: list[Event] = [
    {"event": "run_started", "elapsed": 0.0},
    {"event": "proposed", "program": {"code": 'print("ä\\n")', "id": "a"}},
    {"event": "evaluated", "outcome": {"metrics": {"auc": 0.5}}},
]


def write(path: Path, events: list[Event]) -> None:
    with Journal(path) as journal:
        for event in events:
            journal.append(event, sync=True)


def test_events_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", EVENTS)
    assert list(read_journal(tmp_path / "journal.jsonl")) == EVENTS


def test_a_cut_at_every_byte_of_the_last_record_loses_that_record_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS)
    content = path.read_bytes()
    start = len(content) - len(encode(EVENTS[-1]))
    for end in range(start, len(content)):
        path.write_bytes(content[:end])
        assert list(read_journal(path)) == EVENTS[:-1]
        write(path, [EVENTS[-1]])  # opening for writing mends the end
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    "damage", [lambda b: b[:40] + b"?" + b[41:], lambda b: b"{}\n" + b, lambda b: b"\n" + b]
)
def test_damage_in_the_middle_is_reported_with_its_line(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + damage(lines[1]) + lines[2])
    with pytest.raises(UserError, match="line 2: expected"):
        list(read_journal(path))


@given(st.data())
def test_any_flipped_byte_is_noticed(data: st.DataObject) -> None:
    line = encode(EVENTS[1])
    position = data.draw(st.integers(0, len(line) - 2))
    flipped = bytearray(line)
    flipped[position] ^= data.draw(st.integers(1, 255))
    if b"\n" in flipped[:-1]:
        return  # that is a cut, tested above
    folder = Path(f"/proc/self/fd/{os.memfd_create('journal')}")
    folder.write_bytes(bytes(flipped))
    with pytest.raises(UserError, match="line 1"):
        list(read_journal(folder))
    os.close(int(folder.name))


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path), pytest.raises(UserError, match=f"found process {os.getpid()}"):
        Journal(path)
    Journal(path).close()  # free again


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = (
        "import os, sys; from pathlib import Path; from openevolve.state.journal import Journal\n"
        "j = Journal(Path(sys.argv[1])); j.append({'event': 'x'}); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    write(path, [{"event": "y"}])
    assert [event["event"] for event in read_journal(path)] == ["x", "y"]


def test_a_full_disk_keeps_every_earlier_event(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from openevolve.state.journal import Journal, JournalFull\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "j = Journal(Path(sys.argv[1])); j.append({'event': 'kept'})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: j.append({'event': 'x' * 200})\n"
        "except JournalFull as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    assert "free some space and resume" in done.stdout
    assert [event["event"] for event in read_journal(path)] == ["kept"]


def test_a_folder_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a run directory that can be written"):
        Journal(tmp_path / "file" / "journal.jsonl")


def test_no_journal_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a run's journal"):
        list(read_journal(tmp_path / "journal.jsonl"))


def test_values_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"event": "evaluated", "auc": float("nan")})
