"""What a language model is asked: templates as files, one function a section.

Only what the context holds is shown. Texts that programs or models wrote stand in fences or quotes
that they cannot close, and no metric or artifact of a test split is shown.
"""

from collections.abc import Sequence

from openevolve.errors import UserError
from openevolve.llm.base import Message
from openevolve.proposing.prompts.quoting import clipped, encodable, fenced, is_held_out, metrics_line, quoted
from openevolve.proposing.prompts.sections import SECTIONS, answer_format, archive_axes
from openevolve.proposing.prompts.template_files import load_templates
from openevolve.records.program import Context, Elite
from openevolve.settings.models import Config

__all__ = ["build_prompt", "build_review_prompt", "check_prompt_settings", "retry_prompt"]


def check_prompt_settings(config: Config) -> None:
    """Raises UserError for settings that no prompt can be built from: templates, metrics of a test split."""
    load_templates(config.prompt.template_dir)
    for name in (config.database.fitness_metric, *archive_axes(config)):
        if is_held_out(name):
            raise UserError(
                f"expected a fitness metric and archive axes that a search may see, found {name}: the test "
                "split must not guide the search; use a metric of the validation split, or another name"
            )


def build_prompt(context: Context, config: Config) -> list[Message]:
    """A system and a user message that ask for one child of the context's parent.

    Raises:
        UserError: see ``check_prompt_settings``.
    """
    check_prompt_settings(config)
    templates = load_templates(config.prompt.template_dir)
    system = templates["system"].render(system_message=config.prompt.system_message.strip())
    sections = (section(context, config, templates) for section in SECTIONS)
    return [
        {"role": "system", "content": encodable(system)},
        {"role": "user", "content": encodable("\n\n".join(filter(None, sections)))},
    ]


def retry_prompt(messages: Sequence[Message], reply: str, problem: str, config: Config) -> list[Message]:
    """The conversation so far, with a reply that could not be used and the reason why."""
    templates = load_templates(config.prompt.template_dir)
    request = templates["retry"].render(
        problem=fenced(problem), answer_format=answer_format(config, templates)
    )
    shown = clipped(reply.strip(), 4 * config.max_code_length) or "(no text)"  # servers refuse empty messages
    return [
        *messages,
        {"role": "assistant", "content": shown},
        {"role": "user", "content": encodable(request)},
    ]


def build_review_prompt(child: Elite, parent: Elite, config: Config) -> list[Message]:
    """A system and a user message that ask what the child's scores say. Raises UserError."""
    templates = load_templates(config.prompt.template_dir)
    fitness = config.database.fitness_metric
    request = templates["review"].render(
        parent_metrics=metrics_line(parent.metrics, fitness),
        parent_program=fenced(parent.program.code, config.language),
        changes=quoted(child.program.changes),
        metrics=metrics_line(child.metrics, fitness),
        program=fenced(child.program.code, config.language),
    )
    return [
        {"role": "system", "content": encodable(templates["review_system"].render())},
        {"role": "user", "content": encodable(request)},
    ]
