"""Answers as plain text for a terminal: aligned tables and short paragraphs, of texts made safe."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openevolve.inspect.clean import clean, one_line

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


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[str] = ()) -> str:
    """Columns, numbers to the right; those named in ``left`` to the left."""
    lines = [[one_line(str(entry), 72) for entry in row] for row in rows]
    if not lines:
        return "none"
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            entry.ljust(width) if head in left else entry.rjust(width)
            for head, entry, width in zip(heads, line, widths, strict=True)
        ).rstrip()
        for line in (heads, *lines)
    )


def ranking(rows: Sequence[Row]) -> str:
    """A line a program."""
    heads = ["rank", "iteration", "id", "fitness", "estimate", "changes"]
    return table(
        heads,
        (
            (rank, row["iteration"], row["id"][:8], spread(row["fitness"], row["error"]),
             spread(row["estimate"], row["estimate_error"]), row["changes"])
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
    return f"{text} (iteration {row['iteration']}, {row['id'][:8]}: {row['changes']})"


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


def lineage(rows: Sequence[Row]) -> str:
    return table(
        ["iteration", "id", "fitness", "gain", "proposer", "changes"],
        (
            (row["iteration"], row["id"][:8], spread(row["fitness"], row["error"]),
             spread(row["gain"], row["gain_error"], signed=True),
             " · ".join(filter(None, (row["proposer"], row["model"]))), row["changes"])
            for row in rows
        ),
        left=["id", "proposer", "changes"],
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


def matches(rows: Sequence[Row]) -> str:
    return table(
        ["iteration", "id", "in", "line"],
        ((row["iteration"], row["id"][:8], row["in"], row["line"]) for row in rows),
        left=["id", "in", "line"],
    )


def program(row: Row) -> str:
    """All of one program, under headings; empty ones are left out."""
    head = [
        f"program {row['id']}, iteration {row['iteration']}: {row['status']}",
        f"parents: {', '.join(row['parents']) or 'none'}",
        f"changes: {one_line(row['changes'], 300) or '-'}",
        f"fitness: {spread(row['fitness'], row['error'])}",
    ]
    parts = {
        "why it was made": _choice(row["choice"]),
        "refused before": "\n".join(f"{entry['gate']}: {entry['reason']}" for entry in row["refusals"]),
        "failure": f"{row['failure']}: {row['message']}" if row["failure"] else row["message"],
        "measurements": "\n".join(f"{name:<40} {number(value, 5)}" for name, value in row["metrics"].items()),
        "decisions": "\n".join(f"rung {d['rung']}: {d['verdict']}: {d['why']}" for d in row["decisions"]),
        **row["artifacts"],
        "output": row["output"],
        "review": row["review"],
        **_conversation(row["conversation"]),
        "code": row["code"],
    }
    shown = [f"── {one_line(name)} ──\n{text.strip()}" for name, text in parts.items() if text.strip()]
    return clean("\n".join(head) + "\n\n" + "\n\n".join(shown))


def _choice(choice: Row | None) -> str:
    if choice is None:
        return ""
    draw = "" if choice["draw"] is None else f", draw {choice['draw']:.3f}"
    return f"{choice['strategy']}: {choice['rule']}{draw}, island {choice['island']}"


def _conversation(replies: Sequence[Row]) -> dict[str, str]:
    parts = {}
    for turn, reply in enumerate(replies, start=1):
        call = f"{reply['purpose']} {turn}"
        for message in reply["messages"]:
            parts[f"{call}, {message.get('role', '')}"] = str(message.get("content", ""))
        parts[f"{call}, {reply['model'] or 'no model'}"] = reply["text"] or reply["problem"]
    return parts
