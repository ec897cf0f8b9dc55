"""What a run cannot change on its way: its archive is rebuilt from the journal, and would not be the same."""

from collections.abc import Mapping
from typing import Any

from openevolve.errors import UserError
from openevolve.settings.files import public_settings
from openevolve.settings.models import Config

_ARCHIVE = (
    "features", "database.num_islands", "database.feature_dimensions", "database.feature_bins",
    "database.fitness_metric", "database.tie_break_metric", "database.population_size",
    "database.archive_size", "database.migration_interval", "database.migration_rate", "max_code_length",
)  # fmt: skip


_UNKNOWN = object()  # to the version that wrote the journal


def check_continuation(recorded: Mapping[str, Any], config: Config) -> None:
    """Compare with the settings that a run began with. Raises UserError where its archive would change."""
    settings = public_settings(config)
    before = {name: value for name in _ARCHIVE if (value := _value(recorded, name)) is not _UNKNOWN}
    refuse_changes(
        "the settings that the run's archive rests on", before, {k: _value(settings, k) for k in before}
    )


def refuse_changes(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Compare settings by their dotted names. Raises UserError where one has changed."""
    changes = [f"{name} is {before[name]}, not {now[name]}" for name in before if now[name] != before[name]]
    if changes:
        raise UserError(
            f"expected {what}, found changes: {', '.join(changes)}. "
            "Leave these settings as they are, or start a new run."
        )


def _value(settings: Mapping[str, Any], name: str) -> Any:
    """A setting by its dotted name."""
    value: Any = settings
    for key in name.split("."):
        value = value.get(key, _UNKNOWN) if isinstance(value, Mapping) else _UNKNOWN
    return value
