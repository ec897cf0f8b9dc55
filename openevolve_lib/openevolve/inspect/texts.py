"""One or two programs as plain text for a terminal, made safe."""

from collections.abc import Iterator, Sequence

from openevolve.inspect.clean import clean, one_line
from openevolve.inspect.tables import Row, afresh, number, spread, table


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
    if answer.get("afresh"):
        lines.append(f"{'afresh:':<12}{_fresh(answer['afresh'])}")
    if "settings" in answer:
        lines.append("Each is the best of its run, and so a lucky one: only what was measured afresh is not.")
    tables = [_parts(answer)] if answer["parts"] else []
    tables += [_settings(answer)] if "settings" in answer else []
    return "\n\n".join([clean("\n".join(lines)), *tables])


def _fresh(found: Row) -> str:
    text = spread(found["difference"], found["error"], signed=True)
    counts = f"n = {found['n'][0]} and {found['n'][1]} fresh measurements"
    if found["p_value"] is None:
        return f"{text}, {counts}: too few for a p-value"
    degrees = "" if found["degrees"] is None else f", {found['degrees']:.1f} degrees of freedom"
    return f"{text}, p = {found['p_value']:.3g} ({counts}{degrees})"


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


def program(row: Row) -> str:
    """All of one program, under headings; empty ones are left out."""
    head = [
        f"program {row['id']}, iteration {row['iteration']}: {row['status']}",
        f"parents: {', '.join(row['parents']) or 'none'}",
        f"changes: {one_line(row['changes'], 300) or '-'}",
        f"fitness: {spread(row['fitness'], row['error'])}",
        *_likely(row),
    ]
    parts = {
        "why it was made": _choice(row["choice"]),
        "refused before": "\n".join(f"{entry['gate']}: {entry['reason']}" for entry in row["refusals"]),
        "failure": f"{row['failure']}: {row['message']}" if row["failure"] else row["message"],
        "measurements": "\n".join(f"{name:<40} {number(value, 5)}" for name, value in row["metrics"].items()),
        "measured again, as somebody asked": "\n".join(
            f"{unit:<40} {number(value, 5)}" for unit, value in row["again"]
        ),
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


def _likely(row: Row) -> Iterator[str]:
    """What the fitness is likely worth."""
    if row["estimate"] is not None:
        yield f"shrunk: {spread(row['estimate'], row['estimate_error'])}"
    if row["final"]:
        claimed, estimated = (spread(row["final"][name], None) for name in ("claimed", "estimated"))
        won = "; it won the final" if row["final"]["won"] else ""
        yield f"afresh: {afresh(row['final'])}{won}; the search claimed {claimed}, estimated {estimated}"


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
