"""Reading settings: YAML and ``--set a.b=c`` go through the same checks, and each fault is one clear line."""

import copy
import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from openevolve.errors import UserError
from openevolve.settings.models import Config
from openevolve.settings.presets import layered
from openevolve.settings.secrets import secrets_in, without_credentials, without_secrets
from openevolve.settings.upstream import adapted

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]

_MOST_VALUES = 100_000  # in a file

_MAY_NAME_VARIABLES = {"api_key", "api_base"}  # a prompt may hold LaTeX

# pydantic's own words for these speak of Python.
_EXPECTED = {
    "missing": "a value",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "path_type": "a path",
}


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file (none: the defaults), apply a preset and ``a.b=value`` overrides, check the whole.

    Raises:
        UserError: no such file, not YAML, an unknown key or a value out of range.
    """
    source = str(path or "config")
    values, notes = layered(read_yaml(path) if path else {}, overrides, apply_overrides)
    known = adapted(values)
    try:
        config = check(Config, known.values, source)
    except UserError as error:
        raise UserError("\n".join([*(f"{source}: {line}" for line in known.refused), str(error)])) from None
    if known.refused:
        raise UserError("\n".join(f"{source}: {line}" for line in known.refused))
    return config.with_notes([*notes, *known.notes])


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping, with ``${NAME}`` in keys and addresses replaced from the environment. Raises UserError.

    As in OpenEvolve, a relative ``prompt.template_dir`` starts from the file's own folder; where none is
    there, from the working directory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a readable YAML file, found: {error}") from None
    values = _parse(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of settings, found {_described(values)}")
    prompt = values.get("prompt")
    if isinstance(prompt, dict) and isinstance(prompt.get("template_dir"), str):
        here = Path(prompt["template_dir"]).absolute()
        beside = path.resolve().parent / prompt["template_dir"]
        prompt["template_dir"] = str(here if here.is_dir() and not beside.is_dir() else beside)
    return values


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``values`` with every ``a.b=value`` set; the value is read as YAML. Raises UserError."""
    merged: dict[str, Any] = copy.deepcopy(dict(values))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            shown = re.sub(r"(?is)(?<=key).*", "...", override)  # llm.api_key: what follows is one
            raise UserError(f"--set: expected key=value such as llm.temperature=0.2, found {shown!r}")
        *sections, leaf = key.split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {key}: expected {section} to be a section, found a value")
        target[leaf] = _parse(text, f"--set {key}", leaf)
    return merged


def check(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    """Validate ``values``; every fault is one line of a single UserError that starts with ``source``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = _explained(model, values, error.errors())
    raise UserError("\n".join(f"{source}: {line}" for line in lines))


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


def _parse(text: str, source: str, key: str = "") -> Any:
    """YAML as values that JSON can hold; ``key`` is the setting whose value it is. Raises UserError."""
    try:
        values = yaml.safe_load(text)
        _bound(values)
        return _plain(values, source, key)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        found = f"{error.problem}{where}"  # PyYAML's own text quotes the line, which may hold a key
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        found = " ".join(str(error).split())
    raise UserError(f"{source}: expected YAML, found: {found}")


def _bound(value: Any) -> None:
    """A few aliases of aliases stand for any number of values. Raises ValueError."""
    pending, found = [value], 0
    while pending:
        item = pending.pop()
        found += 1
        if found > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES:,} values")
        if isinstance(item, dict | list):
            pending.extend(item.values() if isinstance(item, dict) else item)


def _plain(value: Any, source: str, key: str, place: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {
            str(name): _plain(item, source, str(name), (*place, str(name))) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, source, key, (*place, str(number))) for number, item in enumerate(value)]
    where = ": ".join(filter(None, (source, _dotted(place))))
    if isinstance(value, str) and key in _MAY_NAME_VARIABLES:
        return re.sub(r"\$\{(\w+)\}", lambda match: _variable(match.group(1), where), value)
    if value is None or isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise UserError(
        f"{where}: expected text, a finite number, true, false, a list or a mapping, "
        f"found {_described(value)}; text that looks like something else needs quotes"
    )


def _variable(name: str, where: str) -> str:
    """A variable of the environment: keys stay out of config files. Raises UserError."""
    if name not in os.environ:
        raise UserError(f"{where}: expected the environment variable {name} (for ${{{name}}}), found none")
    return os.environ[name]


def _explained(model: type[BaseModel], values: Any, faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each place with a fault; a type such as ``int | dict`` may give it several."""
    by_place: dict[Location, list[Mapping[str, Any]]] = {}
    for fault in faults:
        by_place.setdefault(_place(values, fault), []).append(fault)
    # In a mapping that is taken for the int of ``int | dict``, the fault inside it is the one to mend.
    inner = [place for place in by_place if not any(_is_inside(other, place) for other in by_place)]
    return [_explain(model, place, by_place[place]) for place in inner]


def _place(values: Any, fault: Mapping[str, Any]) -> Location:
    """Where in ``values`` a fault lies: its location without the names of a union's branches."""
    place: list[int | str] = []
    for part in fault["loc"]:
        known = part in values if isinstance(values, dict) else isinstance(part, int)
        if known:
            values = values[part]
        if known or fault["type"] == "missing":
            place.append(part)
    return tuple(place)


def _dotted(place: Location) -> str:
    """``a.b.0`` on one line, whatever the keys hold."""
    return ".".join(text if (text := str(part)).isprintable() else repr(text) for part in place)


def _is_inside(place: Location, outer: Location) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _explain(model: type[BaseModel], place: Location, faults: Sequence[Mapping[str, Any]]) -> str:
    """Key, expected and found, in one line."""
    fault = faults[0]
    where = _dotted(place)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {where}; the nearest known one is {_nearest_key(model, place)}"
    if fault["type"] == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    expected = " or ".join(dict.fromkeys(map(_expected, faults)))
    if fault["type"] == "missing":
        found = "none"
    elif "api_key" in place:
        found = "another value"  # which is a key all the same
    else:
        found = _described(fault["input"])
    return f"{where}: expected {expected}, found {found}"


def _expected(fault: Mapping[str, Any]) -> str:
    usual = re.sub(r"^\w+ should (be|have) |, (unable to|got a) .*", "", fault["msg"])
    return _EXPECTED.get(fault["type"], usual)


def _described(value: object) -> str:
    """A value in a message: containers may be long, and may hold keys."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else f"{value!r:.80}"


def _nearest_key(model: type[BaseModel], place: Location) -> str:
    """The known key most like the last part of ``place``: of its section or, if none is alike, of any."""
    *section, key = map(str, place)
    own = {name: ".".join([*section, name]) for name in _section(model, place[:-1]).model_fields}
    anywhere = {dotted.rpartition(".")[2]: dotted for dotted in _dotted_keys(model)}
    for known, cutoff in ((own, 0.75), (anywhere, 0.75), (own, 0.0)):
        if near := difflib.get_close_matches(key, known, n=1, cutoff=cutoff):
            return known[near[0]]
    raise AssertionError("a section has at least one key")


def _dotted_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _dotted_keys(field.annotation, f"{prefix}{name}.")


def _section(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The section at ``location`` below ``model``."""
    for part in location:
        if part in model.model_fields:
            model = next(iter(_models_in(model.model_fields[str(part)].annotation)), model)
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config sections named in a type such as ``dict[str, FeatureBins]`` or ``list[ModelConfig]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
