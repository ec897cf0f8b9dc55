"""Whether two journals tell of the same search, but for times and the machine that it ran on."""

import json
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from openevolve.state.journal import Event, read_journal

_STEPS = ("selected", "proposed", "judged", "measured", "committed", "migrated", "reviewed", "looked")
_VARIES = frozenset({"elapsed", "seconds", "device", "output_tail"})


def same_search(one: Path, other: Path) -> tuple[int, str]:
    """How many events are byte for byte the same, and the first that is not; empty where all are.

    Events of one kind are compared in the order in which they belong: by iteration, else as they came. Looks
    that were begun together end in any order. What was asked of models and which slot was first to begin
    shape nothing by themselves.

    Raises UserError where a journal cannot be read.
    """
    equal = 0
    for (where, here), (elsewhere, there) in zip_longest(_told(one), _told(other), fillvalue=("an end", "")):
        if here != there:
            return equal, where if where == elsewhere else f"{where}, and there {elsewhere}"
        equal += 1
    return equal, ""


def _told(journal: Path) -> list[tuple[str, str]]:
    """What happened and where in the search, with the event's bytes."""
    found = sorted(_steps(read_journal(journal)), key=_place)
    return [
        (f"{_STEPS[kind]}" + (f" of iteration {iteration}" if iteration >= 0 else ""), text)
        for iteration, kind, text in found
    ]


def _steps(events: Iterable[Event]) -> Iterable[tuple[int, int, str]]:
    for event in events:
        if (name := event["event"]) in _STEPS:
            text = json.dumps(_lasting(event), sort_keys=True, ensure_ascii=False)
            yield _iteration(event), _STEPS.index(name), text


def _place(step: tuple[int, int, str]) -> tuple[int, int, str]:
    iteration, kind, text = step
    return iteration, kind, text if _STEPS[kind] == "looked" else ""


def _iteration(event: Mapping[str, Any]) -> int:
    """Of the step, or -1 where it belongs to none."""
    for holder in (event, event.get("choice"), event.get("program")):
        if isinstance(holder, Mapping) and isinstance(holder.get("iteration"), int):
            return int(holder["iteration"])
    return -1


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lasting(inner) for key, inner in value.items() if key not in _VARIES}
    return [_lasting(inner) for inner in value] if isinstance(value, list | tuple) else value
