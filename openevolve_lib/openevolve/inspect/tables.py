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


def comparison(answer: Row) -> str:
    """Of two programs or two runs."""
    lines = [_side("first", answer["first"]), _side("second", answer["second"])]
    difference = spread(answer["difference"], answer["error"], signed=True)
    p_value = "" if answer["p_value"] is None else f", p = {answer['p_value']:.3g} (independent errors)"
    lines.append(f"{'difference:':<12}{difference}{p_value}")
    if "estimated" in answer:
        lines.append(f"{'estimated:':<12}{answer['estimated']:+.4f}, with selected luck taken back")
    if answer.get("paired"):
        paired = answer["paired"]
        lines.append(
            f"{'paired:':<12}{paired['mean']:+.4f} over {paired['count']} parts of the fitness, p = "
            f"{paired['p_value']:.3g} (all flips of signs; never below {paired['smallest_possible']:.3g})"
        )
    return clean("\n".join(lines)) + "\n\n" + (_parts(answer) if "parts" in answer else _settings(answer))


def _side(name: str, row: Row) -> str:
    score = spread(row["fitness"], row["error"])
    return (
        f"{name + ':':<12}{score} (iteration {row['iteration']}, {row['id'][:8]}: {one_line(row['changes'])})"
    )


def _parts(answer: Row) -> str:
    return table(
        ["part", "first", "second", "difference"],
        (
            (
                row["part"],
                number(row["first"]),
                number(row["second"]),
                spread(row["difference"], None, signed=True),
            )
            for row in answer["parts"]
        ),
        left=["part"],
    )


def _settings(answer: Row) -> str:
    heads = ["setting", *(f"{position} run" for position in ("first", "second"))]
    rows = ((row["name"], row["first"], row["second"]) for row in answer["settings"])
    return f"settings that differ\n{table(heads, rows, left=heads)}"


def context(answer: Row) -> str:
    """What a proposal was made from."""
    groups = {
        "parent": [answer["parent"]],
        **{name: answer[name] for name in ("top", "inspirations", "failures")},
    }
    rows = [(name, row) for name, found in groups.items() for row in found if row is not None]
    programs = table(
        ["as", "iteration", "id", "fitness", "changes"],
        (
            (
                name,
                row["iteration"],
                row["id"][:8],
                spread(row["fitness"], row["error"]),
                row["changes"] or row["message"],
            )
            for name, row in rows
        ),
        left=["as", "id", "changes"],
    )
    prompt = "\n\n".join(f"── {message['role']} ──\n{message['content']}" for message in answer["prompt"])
    return clean(f"{_choice(answer)}\n\n{programs}\n\n{prompt or 'no language model was asked'}")


def records(rows: Sequence[Row]) -> str:
    """Whatever columns there are."""
    heads = list(rows[0]) if rows else []
    cells = (
        [number(v) if isinstance(v, float) else "" if v is None else v for v in row.values()] for row in rows
    )
    words = [name for name in heads if any(isinstance(row[name], str) for row in rows)]
    return table([one_line(name) for name in heads], cells, left=[one_line(name) for name in words])


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
        "archive": row["archive"],
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
