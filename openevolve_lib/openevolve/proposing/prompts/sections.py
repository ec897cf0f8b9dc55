"""The sections of a prompt, one function each; a section with nothing to show is empty."""

import difflib
from collections.abc import Mapping, Sequence

from openevolve.proposing.edits import has_evolve_blocks
from openevolve.proposing.prompts.known import facts, operator, rooms, tried
from openevolve.proposing.prompts.quoting import clipped, fenced, metrics_line, quoted, without_held_out
from openevolve.proposing.prompts.template_files import Templates
from openevolve.records.program import Context, Elite, Failure, Program
from openevolve.settings.models import Config

FAILURE_BYTES = 2_000  # of each text that shows how an attempt failed


def task(context: Context, config: Config, templates: Templates) -> str:
    goal = templates["task"].render(language=config.language, fitness_metric=config.database.fitness_metric)
    axes = archive_axes(config)
    return "\n".join([goal, templates["axes"].render(axes=", ".join(axes))]) if axes else goal


def parent(context: Context, config: Config, templates: Templates) -> str:
    return templates["parent"].render(
        metrics=metrics_line(context.parent.metrics, config),
        program=fenced(context.parent.program.code, config.language),
    )


def artifacts(context: Context, config: Config, templates: Templates) -> str:
    """What the parent's evaluation wrote, ``max_artifact_bytes`` in all."""
    if not config.prompt.include_artifacts:
        return ""
    texts = {
        name: context.parent.artifacts[name] for name in without_held_out(context.parent.artifacts, config)
    }
    shared = _share(texts, config.prompt.max_artifact_bytes)
    items = [templates["quote"].render(name=quoted(n), text=fenced(t)) for n, t in shared.items() if t]
    return templates["artifacts"].render(artifacts="\n\n".join(items)) if items else ""


def top(context: Context, config: Config, templates: Templates) -> str:
    shown = programs(context.top, config, templates)
    return templates["top"].render(programs=shown) if shown else ""


def inspirations(context: Context, config: Config, templates: Templates) -> str:
    shown = programs(context.inspirations, config, templates)
    return templates["inspirations"].render(programs=shown) if shown else ""


def failures(context: Context, config: Config, templates: Templates) -> str:
    """Children of the parent that failed, so that they are not tried again."""
    shown = [
        _failure(number, failure, context.parent.program.code, templates)
        for number, failure in enumerate(context.failures, start=1)
    ]
    return templates["failures"].render(failures="\n\n".join(shown)) if shown else ""


def idea(context: Context, config: Config, templates: Templates) -> str:
    """The queued idea that this child is to try."""
    if context.idea is None:
        return ""
    kind, words, benefit = context.idea.type, context.idea.description, context.idea.benefit
    text = f"{kind}: {words}" + (f" (expected: {benefit})" if benefit else "")
    return templates["idea"].render(idea=quoted(text), source=quoted(context.idea.source))


def beliefs(context: Context, config: Config, templates: Templates) -> str:
    """What reviewers have concluded from earlier programs."""
    shown = "\n".join(fenced(text) if "\n" in text else f"- {quoted(text)}" for text in context.beliefs)
    return templates["beliefs"].render(beliefs=shown) if shown else ""


def evolve_blocks(context: Context, config: Config, templates: Templates) -> str:
    return templates["evolve_blocks"].render() if has_evolve_blocks(context.parent.program.code) else ""


def answer(context: Context, config: Config, templates: Templates) -> str:
    return answer_format(config, templates)


def answer_format(config: Config, templates: Templates) -> str:
    """How the reply must look: edits or a whole program."""
    template = templates["answer_diff" if config.diff_based_evolution else "answer_rewrite"]
    return template.render(language=config.language, max_code_length=str(config.max_code_length))


def archive_axes(config: Config) -> list[str]:
    return list(config.features) or config.database.feature_dimensions


SECTIONS = (
    task, facts, parent, artifacts, top, inspirations, failures, tried, beliefs, rooms, idea, operator,
    evolve_blocks, answer,
)  # fmt: skip
# Beside a parent that is shown otherwise:
PACKET = (facts, artifacts, top, failures, tried, beliefs, rooms, idea, operator, evolve_blocks)


def programs(elites: Sequence[Elite], config: Config, templates: Templates) -> str:
    """One after the other, with what is shown of each."""
    tag = "text" if config.prompt.programs_as_changes_description else config.language
    return "\n\n".join(
        templates["program"].render(
            number=str(number),
            metrics=metrics_line(elite.metrics, config),
            changes=quoted(elite.program.changes),
            program=fenced(shown_text(elite.program, config), tag),
        )
        for number, elite in enumerate(elites, start=1)
    )


def shown_text(program: Program, config: Config) -> str:
    """What other programs are shown of one: its code or, for large ones, the description of its changes."""
    return description(program, config) if config.prompt.programs_as_changes_description else program.code


def description(program: Program, config: Config) -> str:
    """What a program does otherwise than the initial one, in the words of those who changed it."""
    return program.changes_description or config.prompt.initial_changes_description


def _failure(number: int, failure: Failure, parent_code: str, templates: Templates) -> str:
    outcome = failure.outcome
    evidence = {
        "reason": outcome.message,
        "lines it added": _added_lines(parent_code, failure.program.code),
        "end of its output": outcome.output_tail,
    }
    items = [
        templates["quote"].render(name=name, text=fenced(clipped(text, FAILURE_BYTES)))
        for name, text in evidence.items()
        if text.strip()
    ]
    return templates["failure"].render(
        number=str(number),
        kind=str(outcome.failure or "rejected"),
        changes=quoted(failure.program.changes),
        evidence="\n\n".join(items),
    )


def _added_lines(parent_code: str, code: str) -> str:
    diff = list(difflib.unified_diff(parent_code.split("\n"), code.split("\n"), n=0, lineterm=""))[2:]
    return "\n".join(line[1:] for line in diff if line.startswith("+"))


def _share(texts: Mapping[str, str], max_bytes: int) -> dict[str, str]:
    """Each text clipped so that all fit; what the shorter ones leave goes to the longer ones."""
    shared: dict[str, str] = {}
    for name in sorted(texts, key=lambda name: (len(texts[name]), name)):
        shared[name] = clipped(texts[name], max_bytes // (len(texts) - len(shared)))
        max_bytes -= len(shared[name].encode("utf-8"))
    return {name: shared[name] for name in texts}
