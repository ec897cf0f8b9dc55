"""Reading settings: YAML and ``--set a.b=c`` go through the same checks, and each fault is one clear line."""

import copy
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from openevolve.config import Config
from openevolve.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file (none: the defaults), apply ``a.b=value`` overrides and check the whole.

    Raises:
        UserError: no such file, not YAML, an unknown key or a value out of range.
    """
    values = read_yaml(path) if path else {}
    return check(Config, apply_overrides(values, overrides), str(path or "config"))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping with ``${NAME}`` replaced from the environment. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a readable YAML file, found: {error}") from None
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected YAML, found: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of settings, found {type(values).__name__}")
    return {str(key): _from_environment(value, path) for key, value in values.items()}


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``values`` with every ``a.b=value`` set; the value is read as YAML. Raises UserError."""
    merged: dict[str, Any] = copy.deepcopy(dict(values))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            raise UserError(f"--set: expected key=value such as llm.temperature=0.2, found {override!r}")
        *sections, leaf = key.split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {override}: expected {section} to be a section, found a value")
        try:
            target[leaf] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"--set {override}: expected a YAML value, found {text!r}") from None
    return merged


def check(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    """Validate ``values``; every fault is one line of a single UserError that starts with ``source``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(model, fault) for fault in error.errors()]
    raise UserError("\n".join(f"{source}: {line}" for line in lines))


def public_settings(config: Config) -> dict[str, Any]:
    """The settings as JSON values, without any key: for the journal and for resuming."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "api_key"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    stripped: dict[str, Any] = strip(config.model_dump(mode="json"))
    return stripped


def _explain(model: type[BaseModel], fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1, cutoff=0.0)
        return f"unknown key {where}; the nearest known one is {near[0]}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in {"value_error", "missing"}:
        return f"{where}: {message}" if where else message
    return f"{where}: expected {message.removeprefix('Input should be ')}, found {fault['input']!r}"


def _known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys of the section at ``location`` below ``model``."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            nested = _models_in(model.model_fields[part].annotation)
            if nested:
                model = nested[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config sections named in a type such as ``dict[str, FeatureBins]`` or ``list[ModelConfig]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _from_environment(value: Any, path: Path) -> Any:
    """``value`` with each ``${NAME}`` replaced: keys stay out of config files."""
    if isinstance(value, dict):
        return {key: _from_environment(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_environment(item, path) for item in value]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise UserError(f"{path}: expected the environment variable {name} (for ${{{name}}}), found none")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", lookup, value)
