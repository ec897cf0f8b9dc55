"""Reading settings: YAML and ``--set a.b=c`` go through the same checks, and each fault is one clear line."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from openevolve.errors import UserError
from openevolve.settings.explaining import explained
from openevolve.settings.layers import Layer, Layered, Location, Override, origin
from openevolve.settings.models import Config
from openevolve.settings.presets import preset_notes, with_preset
from openevolve.settings.secrets import secrets_in, without_credentials, without_secrets
from openevolve.settings.upstream import adapted
from openevolve.settings.yaml_text import dotted, parse_yaml, read_yaml

Model = TypeVar("Model", bound=BaseModel)
Sections = Mapping[str, type[BaseModel]]

_NO_SECTIONS: Sections = {}


def load_config(
    path: Path | None = None,
    overrides: Sequence[str | Override] = (),
    *,
    below: Path | None = None,
    lowest: Sequence[Layer] = (),
    sections: Sections = _NO_SECTIONS,
) -> Config:
    """Read a YAML file (none: the defaults), apply a preset and ``a.b=value`` overrides, check the whole.

    The file lies over that of ``below``, and this over ``lowest``. ``sections`` are models of parts that the
    engine carries unread (``task``), so that all faults are told at once.

    Raises:
        UserError: no such file, not YAML, an unknown key or a value out of range.
    """
    files = [file for file in (below, path) if file is not None]
    if below is not None and path is not None and path.exists() and path.samefile(below):
        files = [path]
    return layered([*lowest, *(Layer(str(file), read_yaml(file)) for file in files)], overrides, sections)


def layered(
    files: Sequence[Layer], overrides: Sequence[str | Override] = (), sections: Sections = _NO_SECTIONS
) -> Config:
    """The settings of layers, the lowest first, and of overrides above them. Raises UserError."""
    options = [_option(Override(given) if isinstance(given, str) else given) for given in overrides]
    layers, name = with_preset(files, options)
    whole = Layered()
    notes, problems = [], []
    for layer in layers:
        _refuse_below_a_value(layer, whole.values)
        known = adapted(layer.values)
        notes += known.notes
        problems += [f"{layer.source}: {line}" for line in known.refused]
        whole.lay(Layer(layer.source, known.values, layer.at))
    highest = files[-1].source if files else "config"
    try:
        models: dict[str, Any] = {key: (model, model()) for key, model in sections.items()}
        check(
            create_model("Config", __base__=Config, **models) if models else Config,
            whole.values,
            lambda place: origin(whole.origins, place) or highest,
        )
    except UserError as error:
        problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    config = Config.model_validate(whole.values)
    told = preset_notes(name, whole.values) if name else []
    return config.with_notes([*told, *notes]).with_origins(
        {dotted(place): source for place, source in whole.origins.items()}
    )


def _option(override: Override) -> Layer:
    """``a.b=value`` as a layer; the value is read as YAML. Raises UserError."""
    key, equals, text = override.text.partition("=")
    if not equals or not all(key.split(".")):
        shown = re.sub(r"(?is)(?<=key).*", "...", override.text)  # llm.api_key: what follows is one
        raise UserError(f"--set: expected key=value such as llm.temperature=0.2, found {shown!r}")
    place = tuple(key.split("."))
    source = f"{override.option} {key}" if override.option == "--set" else override.option
    value = parse_yaml(text, source, place[-1])
    for part in reversed(place):
        value = {part: value}
    return Layer(override.option, value, place)


def _refuse_below_a_value(layer: Layer, values: Any) -> None:
    """An option sets nothing inside a value that is no section. Raises UserError."""
    for part in (layer.at or ())[:-1]:
        values = values.get(part, {})
        if not isinstance(values, Mapping):
            key = ".".join(map(str, layer.at or ()))
            raise UserError(f"{layer.source} {key}: expected {part} to be a section, found a value")


def check(model: type[Model], values: Mapping[str, Any], source: str | Callable[[Location], str]) -> Model:
    """Validate ``values``; every fault is one line of a single UserError that starts with its source."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = explained(model, values, error.errors())
    named = source if callable(source) else lambda place: source
    raise UserError("\n".join(f"{named(place)}: {line}" for place, line in lines))


def public_settings(config: Config) -> dict[str, Any]:
    """The settings as JSON values, without any secret: for the journal and for resuming."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: strip(item) for key, item in value.items() if key != "api_key"}
            address = kept.get("api_base")
            if isinstance(address, str):
                kept["api_base"] = without_credentials(address)
            return kept
        return [strip(item) for item in value] if isinstance(value, list) else value

    stripped: dict[str, Any] = without_secrets(strip(config.model_dump(mode="json")), secrets_of(config))
    return stripped


def secrets_of(config: Config) -> set[str]:
    """The keys in the settings and in the environment."""
    llm = config.llm
    keys = [section.api_key for section in (llm, *llm.models, *llm.evaluator_models)]
    return {key.get_secret_value() for key in keys if key} | secrets_in(os.environ)
