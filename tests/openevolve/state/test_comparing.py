"""Two journals of one search: what may differ, and what may not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from openevolve.state.comparing import same_search
from openevolve.state.journal import Journal

Events = list[dict[str, Any]]


def searched() -> Events:
    """Two iterations as a run with two slots leaves them."""
    found: Events = [{"event": "run_started", "elapsed": 0.0, "settings": {"executor": "local"}}]
    for iteration in range(2):
        outcome = {"metrics": {"score": 0.5 + iteration}, "seconds": 1.0, "device": "0", "output_tail": "a"}
        found += [
            {"event": "selected", "elapsed": 1.0, "choice": {"iteration": iteration, "rule": "elite"}},
            {"event": "proposed", "elapsed": 2.0, "program": {"iteration": iteration, "code": "x = 1"}},
            {"event": "measured", "elapsed": 3.0, "iteration": iteration, "outcome": outcome},
            {"event": "committed", "elapsed": 4.0, "iteration": iteration, "duplicate_of": None},
        ]
    return found


def written(path: Path, events: Sequence[dict[str, Any]]) -> Path:
    with Journal(path) as journal:
        for event in events:
            journal.append(event)
    return path


def test_times_devices_and_the_order_of_slots_may_differ(tmp_path: Path) -> None:
    other = searched()
    other[3]["outcome"].update(seconds=9.0, device="7", output_tail="b")
    other[3], other[5] = other[5], other[3]
    other[0]["settings"] = {"executor": "elsewhere"}
    for event in other:
        event["elapsed"] += 5
    one, two = written(tmp_path / "one", searched()), written(tmp_path / "two", other)
    assert same_search(one, two) == (8, "")


@pytest.mark.parametrize(
    ("line", "holder", "key", "value", "first"),
    [
        (1, "choice", "rule", "drawn", (0, "selected of iteration 0")),
        (6, "program", "code", "x = 2", (5, "proposed of iteration 1")),
        (7, "outcome", "metrics", {"score": 1.5000000000000002}, (6, "measured of iteration 1")),
    ],
)
def test_what_shaped_the_population_may_not(
    tmp_path: Path, line: int, holder: str, key: str, value: object, first: tuple[int, str]
) -> None:
    other = searched()
    other[line][holder][key] = value
    assert same_search(written(tmp_path / "one", searched()), written(tmp_path / "two", other)) == first


def test_a_search_that_ended_earlier_is_another(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", searched()), written(tmp_path / "two", searched()[:-1])
    assert same_search(one, two) == (7, "committed of iteration 1, and there an end")
    assert same_search(two, one) == (7, "an end, and there committed of iteration 1")


def test_looks_that_were_begun_together_end_in_any_order(tmp_path: Path) -> None:
    looks = [{"event": "looked", "elapsed": 9.0, "program_id": name} for name in ("a", "b")]
    one = written(tmp_path / "one", [*searched(), *looks])
    other = written(tmp_path / "other", [*searched(), *reversed(looks)])
    lost = written(tmp_path / "lost", [*searched(), looks[0], looks[0]])
    assert same_search(one, other) == (10, "")
    assert same_search(one, lost) == (1, "looked")
