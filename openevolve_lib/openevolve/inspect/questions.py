"""Questions about a whole run, each answered as JSON values from the run alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.afresh import final_of
from openevolve.inspect.facts import Fact, facts, outline
from openevolve.inspect.reading import Run, worked_out
from openevolve.records.program import Usage

Answer = dict[str, Any]


def status(run: Run) -> Answer:
    """Progress, the best, spend, failures, and what is under way."""
    about, tallies = outline(run), worked_out(run, "tallies", _tallies)
    isolation = run.info.get("isolation") or about["isolation"]
    here = {"run": str(run.folder), "standing": standing(run), "running": run.running, "isolation": isolation}
    return here | {"asked": about["asked"], "fitness_metric": about["fitness_metric"]} | tallies


def standing(run: Run) -> str:
    """In words: running, how it ended, or that it was cut off."""
    about = outline(run)
    if run.running:
        return "running, paused" if about["paused"] else "running"
    return about["finished"] or "cut off: no process writes it, and it has no end"


def _tallies(run: Run) -> Answer:
    state, rows = run.state, facts(run)
    stats, scored = state.population.stats(), ranked(rows)
    return {
        "done": max(0, len(state.outcomes) - (0 in state.outcomes)),
        "scored": len(scored),
        "best": _brief(scored[0]) if scored else None,
        "final": final_of(state),
        "initial": next((_brief(row) for row in rows if row["iteration"] == 0), None),
        "cells": {"held": stats.elites, "of": stats.cells, "qd_score": stats.qd_score},
        "failures": dict(state.failures.most_common()),
        "rejected": state.rejected,
        "refused": dict(state.refusals.most_common()),
        "under_way": [
            {"iteration": row["iteration"], "id": row["id"], "status": row["status"]}
            for row in rows
            if row["status"] in ("measuring", "proposed")
        ],
        "hours": state.elapsed / 3600,
        "sessions": state.sessions,
        "spent": asdict(state.usage),
        "in_words": state.usage.in_words(),
    }


def _brief(row: Fact) -> Answer:
    names = ("id", "iteration", "fitness", "error", "estimate", "estimate_error", "final", "changes")
    return {name: row[name] for name in names}


def ranked(rows: Sequence[Fact]) -> list[Fact]:
    """Those with a score, best first: the winner of a final, then by the estimate where there is one, then
    by the fitness, then by age."""
    scored = [row for row in rows if row["status"] == "scored"]
    return sorted(scored, key=_order)


def _order(row: Fact) -> tuple[bool, float, float, int]:
    won = bool(row["final"] and row["final"]["won"])
    return (not won, -_value(row), -row["fitness"], row["iteration"])


def best_id(run: Run) -> str:
    """Of the best program; of the first one where none has a score. Raises UserError where there is none."""
    rows = ranked(facts(run)) or facts(run)
    if not rows:
        raise UserError(f"{run.folder}: expected a program, found none yet")
    return str(rows[0]["id"])


def _value(row: Fact) -> float:
    value = row["fitness"] if row["estimate"] is None else row["estimate"]
    assert isinstance(value, float)
    return value


def leaderboard(run: Run, by: str | None = None, top: int = 20) -> list[Fact]:
    """The best programs; ``by`` is a metric of the evaluator, best first.

    More is better but in the tie-break metric; ``-metric`` says that less is. Raises UserError.
    """
    rows = ranked(facts(run))
    if by is not None:
        metric = _Metric.named(by, run)
        measured = [row for row in rows if metric.of(row) is not None]
        if rows and not measured:
            raise UserError(f"--by {by}: expected a metric of {_metrics(rows)}, found none of that name")
        rows = sorted(measured, key=lambda row: metric.of(row) or 0.0, reverse=True)
    return rows[:top]


@dataclass(frozen=True)
class _Metric:
    name: str
    sign: int  # 1: more is better
    is_fitness: bool

    @classmethod
    def named(cls, name: str, run: Run) -> "_Metric":
        about = outline(run)
        bare = name.removeprefix("-")
        less = name.startswith("-") or bare == about["tie_break_metric"]
        return cls(bare, -1 if less else 1, bare == about["fitness_metric"])

    def of(self, row: Fact) -> float | None:
        """The value, turned so that more is better."""
        value = row["metrics"].get(self.name, row["fitness"] if self.is_fitness else None)
        return None if value is None else self.sign * float(value)


def _metrics(rows: Sequence[Fact]) -> str:
    return ", ".join(sorted({name for row in rows for name in row["metrics"]}))


def pareto(run: Run, first: str | None = None, second: str | None = None) -> list[Fact]:
    """Programs that none beats in both metrics, the best in ``first`` first.

    Without names these are the fitness and the tie-break metric, or the first axis. Names as in
    ``leaderboard``. Raises UserError.
    """
    rows = ranked(facts(run))
    about = outline(run)
    x = _Metric.named(first or about["fitness_metric"], run)
    y = _Metric.named(second or about["tie_break_metric"] or about["axes"][0], run)
    pairs = [(a, b, row) for row in rows if (a := x.of(row)) is not None and (b := y.of(row)) is not None]
    if first is None and second is None and not pairs:
        return rows[:1]  # the axis is one of the engine's own, and no metric
    if rows and not pairs:
        raise UserError(f"expected two metrics of {_metrics(rows)}, found {x.name} and {y.name}")
    pairs.sort(key=lambda pair: pair[:2], reverse=True)
    front: list[Fact] = []
    reached: float | None = None
    for _, other, row in pairs:
        if reached is None or other > reached:
            front.append(row)
            reached = other
    return front


def cells(run: Run) -> list[Answer]:
    """The archive: what lives in each occupied cell, within which bounds, and since when."""
    return worked_out(run, "cells", _cells)


def _cells(run: Run) -> list[Answer]:
    state = run.state
    by_id = {row["id"]: row for row in facts(run)}
    found = []
    for cell, key in sorted(state.population.archive_cells.items()):
        bounds = {}
        for axis, position in zip(state.population.axes, cell, strict=True):
            edges = (None, *axis.edges, None)  # the outer bins are open
            bounds[axis.name] = [edges[position], edges[position + 1]]
        found.append({"cell": list(cell), "bounds": bounds, **_brief(by_id[key[-1]]),
                      "since": by_id[key[-1]]["measured_at"]})  # fmt: skip
    return found


def failures(run: Run) -> list[Answer]:
    """Failures by kind, the most frequent first, each with its latest example."""
    return worked_out(run, "failures", _failures)


def _failures(run: Run) -> list[Answer]:
    groups: dict[str, list[Fact]] = defaultdict(list)
    for row in facts(run):
        if row["failure"]:
            groups[row["failure"]].append(row)
    return [
        {
            "kind": kind,
            "count": len(rows),
            "iterations": [row["iteration"] for row in rows],
            "example": {name: rows[-1][name] for name in ("id", "iteration", "changes", "message")},
        }
        for kind, rows in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def operators(run: Run) -> list[Answer]:
    """By operator and model: tries, scores, gains over the parent, and what they cost.

    A success is a score above the measured score of the parent. What several operators did together
    (``a+b``) counts for each of them.
    """
    return worked_out(run, "operators", _operators)


def _operators(run: Run) -> list[Answer]:
    rows = facts(run)
    fitness = {row["id"]: row["fitness"] for row in rows}
    groups: dict[str, list[Fact]] = defaultdict(list)
    for row in rows:
        if row["iteration"]:
            kind, separator, names = row["proposer"].rpartition("/")
            for name in dict.fromkeys(names.split("+")):
                groups[" · ".join(filter(None, (kind + separator + name, row["model"])))].append(row)
    found = []
    for name, members in groups.items():
        gains = [
            row["fitness"] - fitness[row["parents"][0]]
            for row in members
            if row["status"] == "scored" and fitness.get(row["parents"][0]) is not None
        ]
        spent = sum((run.account.spent(row["iteration"]) for row in members), Usage())
        found.append({
            "name": name,
            "tries": len(members),
            "scored": sum(row["status"] == "scored" for row in members),
            "failed": sum(row["status"] == "failed" for row in members),
            "successes": sum(gain > 0 for gain in gains),
            "mean_gain": fmean(gains) if gains else None,
            "best_gain": max(gains, default=None),
            "cells": sum(row["holds_cell"] for row in members),
            "tokens": spent.tokens,
            "dollars": spent.cost,
        })  # fmt: skip
    return sorted(found, key=lambda entry: -entry["tries"])


def cost(run: Run) -> Answer:
    """What models took, in all and by purpose and model; and seconds of evaluation."""
    return worked_out(run, "cost", _cost)


def _cost(run: Run) -> Answer:
    groups: dict[tuple[str, str], Usage] = defaultdict(Usage)
    calls: dict[tuple[str, str], int] = defaultdict(int)
    for replies in run.account.replies.values():
        for reply in replies:
            key = reply.purpose, reply.model
            groups[key] += reply.usage
            calls[key] += 1
    return {
        "in_words": run.state.usage.in_words(),
        "total": asdict(run.state.usage),
        "by": [
            {"purpose": purpose, "model": model, "calls": calls[purpose, model], "usage": asdict(usage)}
            for (purpose, model), usage in sorted(groups.items())
        ],
        "outages": run.account.outages,
        "evaluation_seconds": sum(outcome.seconds for outcome in run.state.outcomes.values()),
        "elapsed_seconds": run.state.elapsed,
    }


def search(run: Run, text: str) -> list[Answer]:
    """Programs in which a text occurs, whatever its case, with the first place."""
    wanted, found = text.casefold(), []
    for row, texts in zip(facts(run), worked_out(run, "texts", texts_of), strict=True):
        for place, content in texts.items():
            line = _line_with(wanted, content)
            if line is not None:
                where = {"iteration": row["iteration"], "id": row["id"]}
                found.append(where | {"in": place, "line": line.strip()})
                break
    return found


def _line_with(wanted: str, content: str) -> str | None:
    """The first line of a text that holds another, whatever the case of its letters."""
    folded = content.casefold()
    at = folded.find(wanted)
    if at < 0:
        return None
    if len(folded) == len(content) and "\r" not in content and "\n" not in wanted and content.isascii():
        return content[content.rfind("\n", 0, at) + 1 :].partition("\n")[0]
    return next((line for line in content.splitlines() if wanted in line.casefold()), None)


def texts_of(run: Run) -> list[dict[str, str]]:
    """Of each program of ``facts``, what can be searched."""
    found = []
    for iteration, program in sorted(run.state.programs.items()):
        outcome = run.state.outcomes.get(iteration)
        texts = {
            "changes": program.changes,
            "code": program.code,
            "message": outcome.message if outcome else "",
            "output": outcome.output_tail if outcome else "",
            "review": run.state.reviews.get(iteration, ""),
            "reply": "\n".join(reply.text or "" for reply in run.account.replies.get(iteration, ())),
        }
        found.append({place: text for place, text in texts.items() if text or place == "code"})
    return found
