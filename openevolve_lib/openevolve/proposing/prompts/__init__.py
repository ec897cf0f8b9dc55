"""What a language model is asked: templates as files, one function a section.

Only what the context holds is shown. Texts that programs or models wrote stand in fences or quotes
that they cannot close, and no metric or artifact that ``prompt.held_out`` names is shown.
"""

from collections.abc import Sequence

from openevolve.errors import UserError
from openevolve.llm.base import Message
from openevolve.proposing.prompts.known import table
from openevolve.proposing.prompts.lengths import limited
from openevolve.proposing.prompts.openevolve_templates import user_message
from openevolve.proposing.prompts.quoting import clipped, encodable, fenced, metrics_line, quoted
from openevolve.proposing.prompts.sections import PACKET, SECTIONS, answer_format, archive_axes, description
from openevolve.proposing.prompts.template_files import Templates, load_templates
from openevolve.records.held_out import is_held_out
from openevolve.records.known import Tried
from openevolve.records.program import Context, Elite, Program
from openevolve.settings.models import Config

__all__ = [
    "build_grading_prompt",
    "build_packet",
    "build_prompt",
    "build_review_prompt",
    "build_scratchpad_prompt",
    "check_prompt_settings",
    "retry_prompt",
]


def check_prompt_settings(config: Config) -> None:
    """Raises UserError for settings that no prompt can be built from: templates, held-out metrics."""
    templates = _templates(config)
    words = config.prompt.template_variations.keys()
    if unused := words - set[str]().union(*(templates[name].placeholders for name in templates)):
        raise UserError(
            "prompt.template_variations: expected placeholders of diff_user.txt or full_rewrite_user.txt in "
            f"prompt.template_dir, found {', '.join(sorted(unused))}, which none of them has"
        )
    for name in (config.database.fitness_metric, *archive_axes(config)):
        if is_held_out(name, config.prompt.held_out):
            raise UserError(
                f"expected a fitness metric and archive axes that a search may see, found {name}, which "
                "prompt.held_out names; use another metric, or another pattern"
            )


def build_prompt(context: Context, config: Config) -> list[Message]:
    """A system and a user message that ask for one child of the context's parent.

    Raises:
        UserError: see ``check_prompt_settings``.
    """
    check_prompt_settings(config)
    templates = _templates(config)
    user = user_message(context, config, templates)
    if user is None:
        found = {section.__name__: section(context, config, templates) for section in SECTIONS}
        limits = config.prompt.section_tokens, config.prompt.max_tokens
        user = "\n\n".join(limited(found, *limits))
    system = _system_message(config, templates)
    if config.prompt.programs_as_changes_description:
        text = config.prompt.system_message_changes_description
        system = templates["system_message_with_changes_description"].render(
            system_message=system,
            system_message_changes_description=text
            or templates["system_message_changes_description"].render(),
        )
        user = templates["user_message_with_changes_description"].render(
            user_message=user, changes_description=description(context.parent.program, config).rstrip()
        )
    return _messages(templates["system"].render(system_message=system.strip()), user)


def build_packet(context: Context, config: Config) -> str:
    """What an external worker is told beside the parent's program. Raises UserError."""
    templates = _templates(config)
    found = (section(context, config, templates) for section in PACKET)
    return encodable(
        templates["packet"].render(
            goal=_system_message(config, templates).strip(),
            metrics=metrics_line(context.parent.metrics, config),
            changes=quoted(context.parent.program.changes),
            sections="\n\n".join(filter(None, found)),
        )
    ).rstrip()


def retry_prompt(
    messages: Sequence[Message], reply: str, problem: str, config: Config, form: str | None = None
) -> list[Message]:
    """The conversation so far, with a reply that could not be used and the reason why.

    ``form`` says how the reply must look; None: as the config asks for.
    """
    templates = _templates(config)
    request = templates["retry"].render(
        problem=fenced(problem), answer_format=form or answer_format(config, templates)
    )
    shown = clipped(reply.strip(), 4 * config.max_code_length) or "(no text)"  # servers refuse empty messages
    return [
        *messages,
        {"role": "assistant", "content": shown},
        {"role": "user", "content": encodable(request)},
    ]


def build_review_prompt(child: Elite, parent: Elite, config: Config) -> list[Message]:
    """A system and a user message that ask what the child's scores say. Raises UserError."""
    templates = _templates(config)
    request = templates["review"].render(
        parent_metrics=metrics_line(parent.metrics, config),
        parent_program=fenced(parent.program.code, config.language),
        changes=quoted(child.program.changes),
        metrics=metrics_line(child.metrics, config),
        program=fenced(child.program.code, config.language),
    )
    return _messages(templates["review_system"].render(), request)


def build_scratchpad_prompt(beliefs: Sequence[str], rows: Sequence[Tried], config: Config) -> list[Message]:
    """A system and a user message that ask for a new scratchpad. Raises UserError."""
    templates = _templates(config)
    request = templates["scratchpad"].render(
        scratchpad="\n\n".join(fenced(belief) for belief in beliefs) or "(nothing yet)",
        tried=table(f"Difference of {config.database.fitness_metric} to the program that was changed", rows)
        or "(nothing)",
    )
    return _messages(templates["review_system"].render(), request)


def build_grading_prompt(program: Program, config: Config) -> list[Message]:
    """A system and a user message that ask for grades of a program as a JSON object. Raises UserError."""
    templates = _templates(config)
    system = config.prompt.evaluator_system_message or templates["evaluator_system_message"].render()
    values = {
        "program": fenced(program.code, config.language),
        "current_program": program.code,
        "feature_dimensions": ", ".join(archive_axes(config)),
        "language": config.language,
    }
    wanted = templates["evaluation"].placeholders
    return _messages(system, templates["evaluation"].render(**{name: values[name] for name in wanted}))


def _templates(config: Config) -> Templates:
    return load_templates(config.prompt.template_dir, frozenset(config.prompt.template_variations))


def _system_message(config: Config, templates: Templates) -> str:
    """The config's or, where it has none, that of a file ``system_message.txt``."""
    if "system_message" in templates and "system_message" not in config.prompt.model_fields_set:
        return templates["system_message"].render()
    return config.prompt.system_message


def _messages(system: str, user: str) -> list[Message]:
    return [{"role": "system", "content": encodable(system)}, {"role": "user", "content": encodable(user)}]
