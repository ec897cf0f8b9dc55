"""A run as one JSON value: what the page draws, and nothing of a test split."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from math import hypot
from statistics import median
from typing import Any

from openevolve.inspect import questions
from openevolve.inspect.afresh import confirmation_of
from openevolve.inspect.clean import shown, without_held_out
from openevolve.inspect.decisions import decisions
from openevolve.inspect.extra import extra_sections
from openevolve.inspect.facts import Fact, facts
from openevolve.inspect.ideas import ideas
from openevolve.inspect.importance import importance
from openevolve.inspect.parts import parts_of
from openevolve.inspect.reading import Run
from openevolve.inspect.single import details
from openevolve.population.shrinkage import luck_of_the_best
from openevolve.proposing.prompts.quoting import clipped

VERSION = 1
_DECIDED = 2000  # iterations, the latest, whose decisions are listed
_LEFT_OUT = "Prompts and replies are left out: with them the file is too large."
_ONLY_BEST = (
    "Code and texts are those of the best {} programs and their ancestors: with all the file is too large."
)


def describe(
    run: Run, max_text: int = 60_000, *, conversations: bool = True, best: int | None = None
) -> dict[str, Any]:
    """All that the page shows.

    Texts stand once each in ``texts``, clipped to ``max_text`` bytes; programs name them by their position.
    Without ``conversations`` prompts and replies are left out; with ``best`` all texts but those of so many
    programs and their ancestors. ``left_out`` says so.
    """
    described, texts = list[Fact](), Texts(max_text)
    wanted = None if best is None else _with_ancestors(facts(run), best)
    for row in facts(run):
        found = details(run, row["iteration"])
        if not conversations:
            found["conversation"] = []
        if wanted is not None and row["iteration"] not in wanted:
            found |= {"code": "", "artifacts": {}, "output": "", "review": "", "curves": []}
        described.append(row | {"details": texts.folded(found)})
    left_out = [] if conversations else [_LEFT_OUT]
    return overview(run) | {
        "programs": described,
        "texts": texts.all,
        "left_out": " ".join(left_out + ([] if best is None else [_ONLY_BEST.format(f"{best:,}")])),
    }


def _with_ancestors(rows: list[Fact], best: int) -> set[int]:
    """Iterations of the best programs, and of all first parents up to the initial program."""
    by_id = {row["id"]: row for row in rows}
    found: set[int] = set()
    for row in questions.ranked(rows)[:best]:
        ancestor: Fact | None = row
        while ancestor is not None and ancestor["iteration"] not in found:
            found.add(ancestor["iteration"])
            ancestor = by_id.get(ancestor["parents"][0]) if ancestor["parents"] else None
    return found


def overview(run: Run) -> dict[str, Any]:
    """Of ``describe`` all but the programs and their texts."""
    rows = facts(run)
    ranked = questions.ranked(rows)
    return {
        "version": VERSION,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": questions.status(run),
        "verdict": verdict(ranked),
        "confirmation": confirmation_of(run.folder),
        "tie_break": run.state.config.database.tie_break_metric,
        "axes": [{"name": axis.name, "edges": list(axis.edges)} for axis in run.state.population.axes],
        "parts": parts_of(
            run.state.config.database.fitness_metric, (name for row in rows for name in row["metrics"])
        ),
        "ranking": [row["iteration"] for row in ranked],
        "pareto": [row["iteration"] for row in questions.pareto(run)],
        "cells": questions.cells(run),
        "failures": questions.failures(run),
        "operators": questions.operators(run),
        "importance": importance(run),
        "cost": questions.cost(run),
        "ideas": ideas(run),
        "decisions": decisions(run, last=_DECIDED),
        "environment": environment(run),
        "sources": sources(run),
        "looks": _looks(run),
        "extra": extra_sections(run),
        "settings": without_held_out(run.state.config.model_dump(mode="json", exclude={"prompt"})),
        "left_out": "",
    }


class Texts:
    """Each text once, by its position."""

    def __init__(self, max_bytes: int) -> None:
        self.all: list[str] = []
        self._positions: dict[str, int] = {}
        self._max = max_bytes

    def folded(self, value: Any) -> Any:
        """The value with every string of more than 40 characters as ``{"text": position}``."""
        if isinstance(value, str):
            return value if len(value) <= 40 else {"text": self._position(clipped(value, self._max))}
        if isinstance(value, Mapping):
            return {name: self.folded(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.folded(inner) for inner in value]
        return value

    def _position(self, text: str) -> int:
        if text not in self._positions:
            self._positions[text] = len(self.all)
            self.all.append(text)
        return self._positions[text]


def verdict(ranked: list[Fact]) -> dict[str, Any] | None:
    """What speaks for the best being better than the initial program, and what luck alone would give.

    None where there is nothing to compare. ``luck`` is what the best of as many equal programs would seem
    to be ahead, ``alike`` how many others are within two standard errors of the best. After a final
    ``afresh_gain`` is that of the winner's fresh score over the initial program, which was not selected.
    """
    first = next((row for row in ranked if row["iteration"] == 0), None)
    if first is None or len(ranked) < 2:
        return None
    best = ranked[0]
    found: dict[str, Any] = {"gain": best["fitness"] - first["fitness"], "count": len(ranked)}
    if best["final"]:
        found |= _afresh_gain(best["final"], first)
    if any(row["error"] is None or row["estimate"] is None for row in ranked):
        return found
    behind = [(best["fitness"] - row["fitness"], hypot(best["error"], row["error"])) for row in ranked[1:]]
    return found | {
        "gain_error": hypot(best["error"], first["error"]),
        "shrunk_gain": best["estimate"] - first["estimate"],
        "luck": luck_of_the_best(len(ranked), median(row["error"] for row in ranked)),
        "alike": sum(gap <= 2 * error for gap, error in behind),
    }  # fmt: skip


def _afresh_gain(final: Mapping[str, Any], first: Fact) -> dict[str, Any]:
    before, error = first["fitness"], first["error"]
    if first["final"]:
        before, error = first["final"]["score"], first["final"]["error"]
    both = final["error"] is not None and error is not None
    return {
        "afresh_gain": final["score"] - before,
        "afresh_error": hypot(final["error"], error) if both else None,
    }


def environment(run: Run) -> dict[str, Any]:
    """With what the run was started: run_info.json without its settings and their sources, a line a fact."""
    info = {
        name: value for name, value in shown(run.info).items() if name not in ("config", "resumed", "sources")
    }
    found: dict[str, Any] = {}
    for name, value in info.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": _word(entry) for inner, entry in shown(value).items()}
        else:
            found[name] = _word(value)
    return found


def _looks(run: Run) -> list[dict[str, Any]]:
    """What was measured afresh, and when, in seconds since the run began."""
    return [
        {"iteration": run.state.iterations[program], "unit": unit, "from": began, "to": ended}
        for program, unit, began, ended in run.account.looks
    ]


def sources(run: Run) -> dict[str, list[str]]:
    """Which settings come from which file or option, as run_info.json says."""
    found = run.info.get("sources")
    if not isinstance(found, Mapping):
        return {}
    return {
        str(place): [str(name) for name in names] for place, names in found.items() if isinstance(names, list)
    }


def _word(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(map(str, value))
    return "unknown" if value is None else str(value)
