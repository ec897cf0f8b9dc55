"""User messages made of OpenEvolve's templates, for those who bring their own under its file names."""

from collections.abc import Iterable

from openevolve.proposing.prompts import sections
from openevolve.proposing.prompts.quoting import clipped, metrics_line, without_held_out
from openevolve.proposing.prompts.template_files import Templates
from openevolve.records.program import Context, Elite
from openevolve.settings.models import Config

_REASON_BYTES = 600


def user_message(context: Context, config: Config, templates: Templates) -> str | None:
    """The message by ``diff_user`` or ``full_rewrite_user``; None where the folder holds no such file.

    ``prompt.template_variations`` are drawn from ``context.rng``.
    """
    name = "diff_user" if config.diff_based_evolution else "full_rewrite_user"
    if name not in templates:
        return None
    variations = config.prompt.template_variations
    drawn = {key: context.rng.choice(variations[key]) for key in sorted(variations)}
    metrics = context.parent.metrics
    axes = sections.archive_axes(config)
    return templates[name].render(
        **drawn,
        artifacts=sections.artifacts(context, config, templates),
        current_program=context.parent.program.code,
        evolution_history=_history(context, config, templates),
        feature_coords=", ".join(f"{axis}={metrics[axis]:.2f}" for axis in axes if axis in metrics),
        feature_dimensions=", ".join(axes),
        fitness_score=_score(context.parent, config),
        improvement_areas=f"- {config.database.fitness_metric} has to rise",
        language=config.language,
        metrics="\n".join(f"- {key}: {metrics[key]:.4f}" for key in without_held_out(metrics, config)),
    )


def _history(context: Context, config: Config, templates: Templates) -> str:
    if "evolution_history" not in templates:
        shown = (sections.top, sections.inspirations, sections.failures)
        return "\n\n".join(filter(None, (section(context, config, templates) for section in shown)))
    return templates["evolution_history"].render(
        previous_attempts=_attempts(context, config, templates),
        top_programs=_programs("top_program", context.top, config, templates),
        inspirations_section=_inspirations(context, config, templates),
    )


def _attempts(context: Context, config: Config, templates: Templates) -> str:
    if "previous_attempt" not in templates:
        return sections.failures(context, config, templates)
    return "\n\n".join(
        templates["previous_attempt"].render(
            attempt_number=str(number),
            changes=failure.program.changes,
            performance=str(failure.outcome.failure or "rejected"),
            outcome=clipped(failure.outcome.message, _REASON_BYTES),
        )
        for number, failure in enumerate(context.failures, start=1)
    )


def _inspirations(context: Context, config: Config, templates: Templates) -> str:
    if not context.inspirations:
        return ""
    programs = _programs("inspiration_program", context.inspirations, config, templates)
    if "inspirations_section" not in templates:
        return programs
    return templates["inspirations_section"].render(inspiration_programs=programs)


def _programs(name: str, elites: Iterable[Elite], config: Config, templates: Templates) -> str:
    if name not in templates:
        return sections.programs(list(elites), config, templates)
    filled = []
    for number, elite in enumerate(elites, start=1):
        values = {
            "language": config.language,
            "program_number": str(number),
            "program_snippet": sections.shown_text(elite.program, config),
            "score": _score(elite, config),
            "key_features": metrics_line(elite.metrics, config),
            "program_type": "of another kind",
            "unique_features": elite.program.changes,
        }
        wanted = templates[name].placeholders
        filled.append(templates[name].render(**{key: values[key] for key in wanted}))
    return "\n\n".join(filled)


def _score(elite: Elite, config: Config) -> str:
    value = elite.metrics.get(config.database.fitness_metric)
    return "none" if value is None else f"{value:.4f}"
