"""Answers as plain text for a terminal: aligned tables and short paragraphs, of texts made safe."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openevolve.inspect.clean import one_line

Row = Mapping[str, Any]


def number(value: float | None, digits: int = 4) -> str:
    """Integers in full, others with some digits; a dash for none."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if 1e-3 <= abs(value) < 1e5 else f"{value:.{digits}g}"


def spread(value: float | None, error: float | None, digits: int = 4, *, signed: bool = False) -> str:
    """``value ± error``."""
    if value is None:
        return "-"
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text if error is None else f"{text} ± {error:.{digits}f}"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[str] = (), width: int = 72
) -> str:
    """Columns, numbers to the right; those named in ``left`` to the left. Entries are cut to ``width``."""
    lines = [[one_line(str(entry), width) for entry in row] for row in rows]
    if not lines:
        return "none"
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            entry.ljust(wide) if head in left else entry.rjust(wide)
            for head, entry, wide in zip(heads, line, widths, strict=True)
        ).rstrip()
        for line in (heads, *lines)
    )


def finding(row: Row) -> str:
    """What the best of many is likely worth: measured afresh, else estimated, else as it was measured."""
    if row["final"]:
        return spread(row["final"]["score"], row["final"]["error"]) + " afresh"
    if row["estimate"] is not None:
        return spread(row["estimate"], row["estimate_error"]) + " shrunk"
    return spread(row["fitness"], row["error"]) + " as measured"


def afresh(final: Row | None) -> str:
    """A finalist's score, with its error and what it rests on."""
    if final is None:
        return "-"
    return f"{spread(final['score'], final['error'])} (n = {final['measurements']})"


def ranking(rows: Sequence[Row]) -> str:
    """A line a program."""
    finalists = any(row["final"] for row in rows)
    heads = ["rank", "iteration", "id", "fitness", "shrunk", *(["afresh"] if finalists else []), "changes"]
    return table(
        heads,
        (
            (rank, row["iteration"], row["id"][:8], spread(row["fitness"], row["error"]),
             spread(row["estimate"], row["estimate_error"]),
             *([afresh(row["final"])] if finalists else []), row["changes"])
            for rank, row in enumerate(rows, start=1)
        ),
        left=["id", "changes"],
    )  # fmt: skip


def status(answer: Row) -> str:
    best, initial, metric = answer["best"], answer["initial"], answer["fitness_metric"]
    lines = {
        "run": answer["run"],
        "standing": answer["standing"],
        "iterations": f"{answer['done']} of {answer['asked']}, {answer['scored']} programs with a score",
        "best": _program(best, metric),
        **({"final": _final(answer["final"])} if answer["final"] else {}),
        "initial": _program(initial, metric),
        "archive": f"{answer['cells']['held']} of {answer['cells']['of']} cells",
        "failures": _counts(answer["failures"]),
        "refused": _counts(answer["refused"]),
        "under way": ", ".join(f"{row['iteration']} ({row['status']})" for row in answer["under_way"]) or "-",
        "hours": f"{answer['hours']:.2f} in {answer['sessions']} sessions",
        "spent": answer["in_words"],
        "isolation": answer["isolation"],
    }
    return "\n".join(f"{name + ':':<12}{one_line(str(text), 200)}" for name, text in lines.items())


def _program(row: Row | None, metric: str) -> str:
    if row is None:
        return "none yet"
    text = f"{metric} {spread(row['fitness'], row['error'])}"
    if row["estimate"] is not None:
        text += f", shrunk {spread(row['estimate'], row['estimate_error'])}"
    if row["final"]:
        text += f", afresh {afresh(row['final'])}"
    return f"{text} (iteration {row['iteration']}, {row['id'][:8]}: {row['changes']})"


def _final(final: Row) -> str:
    who = f"iterations {', '.join(map(str, final['iterations']))}"
    if not final["iterations"]:
        return "all finalists failed"
    if final["outdated"]:
        return f"{who}: the search has gone on since"
    if final["over"]:
        return f"over, after {final['measured']} fresh measurements of {who}"
    return f"{who}: {final['measured']} measured afresh, {final['lacking']} lacking in this round"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def cells(rows: Sequence[Row]) -> str:
    names = list(rows[0]["bounds"]) if rows else []
    return table(
        [*names, "iteration", "id", "fitness", "since s", "changes"],
        (
            (*(_bounds(row["bounds"][name]) for name in names), row["iteration"], row["id"][:8],
             spread(row["fitness"], row["error"]), number(row["since"], 0), row["changes"])
            for row in rows
        ),
        left=["id", "changes"],
    )  # fmt: skip


def _bounds(bounds: Sequence[float | None]) -> str:
    low, high = (None if bound is None else f"{bound:.4g}" for bound in bounds)
    if low and high:
        return f"{low} to {high}"
    return f"below {high}" if high else f"from {low}" if low else "all"


def failures(rows: Sequence[Row]) -> str:
    return "\n\n".join(
        f"{row['kind']}: {row['count']} (iterations {', '.join(map(str, row['iterations'][-10:]))})\n"
        f"  e.g. {row['example']['iteration']}, {row['example']['id'][:8]}:"
        f" {one_line(row['example']['changes'])}\n"
        f"  {one_line(row['example']['message'], 300)}"
        for row in rows
    ) or "no failures"  # fmt: skip


def operators(rows: Sequence[Row]) -> str:
    heads = ["proposer", "tries", "scored", "failed", "successes", "mean gain", "best gain", "dollars"]
    return table(
        heads,
        (
            (row["name"], row["tries"], row["scored"], row["failed"], row["successes"],
             number(row["mean_gain"]), number(row["best_gain"]), f"{row['dollars']:.4f}")
            for row in rows
        ),
        left=["proposer"],
    )  # fmt: skip


def cost(answer: Row) -> str:
    rows = (
        (entry["purpose"], entry["model"] or "-", entry["calls"], number(entry["usage"]["prompt_tokens"]),
         number(entry["usage"]["completion_tokens"]), f"{entry['usage']['cost']:.4f}")
        for entry in answer["by"]
    )  # fmt: skip
    heads = ["purpose", "model", "calls", "prompt tokens", "completion tokens", "dollars"]
    seconds = f"{answer['evaluation_seconds']:,.0f} s of evaluation in {answer['elapsed_seconds']:,.0f} s"
    return f"{answer['in_words']}; {seconds}\n\n{table(heads, rows, left=['purpose', 'model'])}"


def decisions(rows: Sequence[Row]) -> str:
    return table(
        ["iteration", "decision", "why"],
        ((row["iteration"], row["kind"], row["why"]) for row in rows),
        left=["decision", "why"],
        width=160,
    )


def matches(rows: Sequence[Row]) -> str:
    return table(
        ["iteration", "id", "in", "line"],
        ((row["iteration"], row["id"][:8], row["in"], row["line"]) for row in rows),
        left=["id", "in", "line"],
    )


def records(rows: Sequence[Row]) -> str:
    """Whatever columns there are."""
    heads = list(rows[0]) if rows else []
    cells = (
        [number(v) if isinstance(v, float) else "" if v is None else v for v in row.values()] for row in rows
    )
    words = [name for name in heads if any(isinstance(row[name], str) for row in rows)]
    return table([one_line(name) for name in heads], cells, left=[one_line(name) for name in words])
