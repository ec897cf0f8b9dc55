"""A run as a page of Markdown: what was found, whether it is real, and how to reproduce it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from openevolve.inspect import questions, single
from openevolve.inspect.clean import one_line
from openevolve.inspect.description import environment, verdict
from openevolve.inspect.extra import extra_sections
from openevolve.inspect.facts import facts
from openevolve.inspect.parts import parts_of
from openevolve.inspect.reading import Run
from openevolve.inspect.tables import afresh, finding, number, spread

_TOP = 10
_MARKS = re.compile(r"([\\`*_{}\[\]<>#!|~])")


def markdown(run: Run) -> str:
    """Texts of programs are escaped: they are neither markup nor links."""
    answer, rows = questions.status(run), facts(run)
    ranked = questions.ranked(rows)
    parts = [f"# {_text(run.folder.name)}", _summary(run, answer)]
    if ranked:
        parts += [
            "## Is it real?",
            _verdict(verdict(ranked)),
            f"## The best {min(_TOP, len(ranked))}",
            _best(run, ranked[:_TOP]),
            "## The way to the best",
            _way(run, ranked[0]["id"]),
        ]
    if failed := questions.failures(run):
        parts += ["## Failures", _failures(failed)]
    parts += ["## Who proposed", _operators(questions.operators(run)), "## Environment", _environment(run)]
    for extra in extra_sections(run):
        parts += [f"## {_text(extra['title'])}", *map(_text, extra["text"].splitlines())]
    return "\n\n".join(parts) + "\n"


def _summary(run: Run, answer: dict[str, Any]) -> str:
    best = answer["best"]
    found = "No program has a score yet."
    if best is not None:
        found = (
            f"Best {_text(answer['fitness_metric'])}: **{finding(best)}** "
            f"(iteration {best['iteration']}: {_text(best['changes'])}); "
            f"the search measured {spread(best['fitness'], best['error'])}."
        )
    progress = f"{answer['done']} of {answer['asked']} programs done, {answer['scored']} with a score"
    return (
        f"{found}\n\n{progress}, in {answer['hours']:.2f} hours; {_text(answer['in_words'])}. "
        f"Standing: {_text(answer['standing'])}."
    )


def _verdict(found: dict[str, Any] | None) -> str:
    if found is None:
        return "There is nothing to compare yet."
    if "afresh_gain" in found:
        gain = spread(found["afresh_gain"], found["afresh_error"], signed=True)
        return (
            f"Gain over the initial program, by fresh measurements that chose nothing: {gain}; the search "
            f"claimed {found['gain']:+.4f}. Only data that no search has seen confirms a gain."
        )
    if "luck" not in found:
        return f"Gain over the initial program: {found['gain']:+.4f}; nothing is known of the noise."
    return (
        f"Gain over the initial program: {spread(found['gain'], found['gain_error'], signed=True)}; "
        f"{found['shrunk_gain']:+.4f} with selected luck taken back. The luckiest of {found['count']} equal "
        f"programs would seem {found['luck']:+.4f} better. {found['alike']} others are within two standard "
        "errors of the best. Only data that no search has seen confirms a gain."
    )


def _best(run: Run, rows: Sequence[dict[str, Any]]) -> str:
    parts = parts_of(run.state.config.database.fitness_metric, rows[0]["metrics"])
    finalists = any(row["final"] for row in rows)
    heads = [
        "#",
        "iteration",
        "fitness",
        "shrunk",
        *(["afresh"] if finalists else []),
        *parts.values(),
        "change",
    ]
    return _table(
        heads,
        (
            (rank, row["iteration"], spread(row["fitness"], row["error"]), number(row["estimate"]),
             *([afresh(row["final"])] if finalists else []),
             *(number(row["metrics"].get(metric)) for metric in parts), row["changes"])
            for rank, row in enumerate(rows, start=1)
        ),
    )  # fmt: skip


def _way(run: Run, best: str) -> str:
    rows = (
        (
            row["iteration"],
            spread(row["fitness"], row["error"]),
            spread(row["gain"], row["gain_error"], signed=True),
            row["model"] or row["proposer"],
            row["changes"],
        )
        for row in single.lineage(run, best)
    )
    return _table(["iteration", "fitness", "gain", "by", "change"], rows)


def _failures(rows: Iterable[dict[str, Any]]) -> str:
    return _table(
        ["kind", "count", "latest"], ((row["kind"], row["count"], row["example"]["message"]) for row in rows)
    )


def _operators(rows: Iterable[dict[str, Any]]) -> str:
    return _table(
        ["who", "tries", "better", "mean gain", "dollars"],
        (
            (row["name"], row["tries"], row["successes"], number(row["mean_gain"]), f"{row['dollars']:.4f}")
            for row in rows
        ),
    )


def _environment(run: Run) -> str:
    known = {"isolation": run.info.get("isolation") or run.state.config.evaluator.isolation} | environment(
        run
    )
    return _table(["", ""], known.items())


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_text(str(entry)) for entry in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    return _MARKS.sub(r"\\\1", one_line(text, 200))
