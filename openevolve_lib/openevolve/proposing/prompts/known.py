"""The sections of a prompt that say what the run knows; empty where there is nothing to say."""

from collections.abc import Iterable

from openevolve.proposing.prompts.quoting import quoted
from openevolve.proposing.prompts.template_files import Templates
from openevolve.records.known import Room, Tried
from openevolve.records.program import Context
from openevolve.settings.models import Config


def facts(context: Context, config: Config, templates: Templates) -> str:
    """How programs are measured, in figures: batch size, steps, sizes of splits, how the score is formed."""
    lines = "\n".join(f"- {fact}" for fact in config.prompt.facts)
    return templates["facts"].render(facts=lines) if lines else ""


def tried(context: Context, config: Config, templates: Templates) -> str:
    """Changes on this lineage and elsewhere, with differences, and what is being tried at this moment."""
    known, number = context.known, context.parent.program.iteration
    if not config.prompt.num_tried:
        return ""
    parts = [
        table(f"On this program (no. {number}) and those that it was made from, latest first", known.lineage),
        table("On other programs, the largest differences", known.elsewhere),
    ]
    if lines := [f"- {i}: {quoted(words)}" for i, words in known.under_way if words]:
        parts.append("Being tried at this moment, by others:\n\n" + "\n".join(lines))
    shown = list(filter(None, parts))
    if not shown:
        return ""
    head = templates["tried"].render(fitness_metric=config.database.fitness_metric)
    return "\n\n".join([head, *shown])


def rooms(context: Context, config: Config, templates: Templates) -> str:
    """Empty cells beside the parent's."""
    if not config.prompt.num_tried or not context.known.rooms:
        return ""
    axes = dict.fromkeys(room.axis for room in context.known.rooms)
    metrics = context.parent.metrics
    here = ", ".join(f"{axis} {metrics[axis]:.3g}" for axis in axes if axis in metrics)
    found = "; ".join(map(_room, context.known.rooms))
    return templates["rooms"].render(here=f" ({here})" if here else "", rooms=found)


def operator(context: Context, config: Config, templates: Templates) -> str:
    """How the child is to be made, where ``search.operators`` names ways."""
    if context.operator not in config.search.operators:
        return ""
    return templates[f"operator_{context.operator}"].render(fitness_metric=config.database.fitness_metric)


def table(title: str, rows: Iterable[Tried]) -> str:
    """Rows of a Markdown table below a title; empty where there are none."""
    lines = [
        f"| {row.iteration} | {'' if row.of is None else row.of} | {_result(row)} | {_cell(row.changes)} |"
        for row in rows
    ]
    head = [f"{title}:\n", "| no. | made of | difference | change |", "|---|---|---|---|"]
    return "\n".join([*head, *lines]) if lines else ""


def _result(row: Tried) -> str:
    if row.difference is None:
        return row.failure
    error = "" if row.error is None else f" ± {row.error:.2g}"
    return f"{row.difference:+.4g}{error}" + (", within noise" if row.within_noise else "")


def _cell(text: str) -> str:
    return quoted(text).replace("|", "\\|")


def _room(room: Room) -> str:
    if room.low is None:
        return f"{room.axis} below {room.high:g}"
    if room.high is None:
        return f"{room.axis} from {room.low:g}"
    return f"{room.axis} from {room.low:g} to {room.high:g}"
