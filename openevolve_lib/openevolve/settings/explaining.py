"""What is wrong with settings, a line each: their place, what was expected there and what was found."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from openevolve.settings.layers import Location
from openevolve.settings.yaml_text import described, dotted

Fault = Mapping[str, Any]

# What is expected, by pydantic's name of the fault: its own words speak of Python.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "missing": "a value",
    "model_type": "a mapping",
    "path_type": "a path",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_type": "text",
    "string_unicode": "text in UTF-8",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
}


def explained(model: type[BaseModel], values: Any, faults: Sequence[Fault]) -> list[tuple[Location, str]]:
    """A place and a line for each fault; a type such as ``int | dict`` may give it several."""
    by_place: dict[Location, list[Fault]] = {}
    for fault in faults:
        by_place.setdefault(_place(values, fault), []).append(fault)
    # In a mapping that is taken for the int of ``int | dict``, the fault inside it is the one to mend.
    inner = [place for place in by_place if not any(_is_inside(other, place) for other in by_place)]
    return [(place, _explain(model, place, by_place[place])) for place in inner]


def _place(values: Any, fault: Fault) -> Location:
    """Where in ``values`` a fault lies: its location without the names of a union's branches."""
    place: list[int | str] = []
    for part in fault["loc"]:
        known = part in values if isinstance(values, dict) else isinstance(part, int)
        if known:
            values = values[part]
        if known or fault["type"] == "missing":
            place.append(part)
    return tuple(place)


def _is_inside(place: Location, outer: Location) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _explain(model: type[BaseModel], place: Location, faults: Sequence[Fault]) -> str:
    """Key, expected and found, in one line."""
    fault = faults[0]
    where = dotted(place)
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
        found = described(fault["input"])
    return f"{where}: expected {expected}, found {found}"


def _expected(fault: Fault) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "literal_error":
        return "one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    words = _EXPECTED.get(fault["type"])
    if words is None:
        return re.sub(r"^\w+ should (be|have) |, (unable to|got a) .*", "", fault["msg"])
    if words.endswith(" entries") and 1 in context.values():
        words = words.removesuffix("entries") + "entry"
    return words.format_map({key: _number(value) for key, value in context.items()})


def _number(value: object) -> object:
    """Bounds of numbers with a fraction too are mostly whole."""
    return f"{value:g}" if isinstance(value, float) else value


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
