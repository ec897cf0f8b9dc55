"""YAML as values that JSON can hold; every fault is told in plain words, with its line."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from openevolve.errors import UserError

_MOST_VALUES = 100_000  # in a file

_MAY_NAME_VARIABLES = {"api_key", "api_base"}  # a prompt may hold LaTeX

# What PyYAML says (a part of it), and what it means to who wrote the file.
_PLAIN_WORDS = (
    ("mapping values are not allowed", "a second colon: text that holds ': ' needs quotes"),
    (r"found character '\t'", "a tab where a value begins: indent with spaces"),
    ("found character '@'", "text that begins with @: it needs quotes"),
    ("found character '`'", "text that begins with a backtick: it needs quotes"),
    ("found character '%'", "text that begins with %: it needs quotes"),
    ("expected ',' or ']'", "a list that opens with [ and is not closed by ]"),
    ("expected ',' or '}'", "a mapping that opens with { and is not closed by }"),
    ("expected the node content", "a bracket or a comma where a value should be"),
    ("could not find expected ':'", "a line that is neither 'key: value' nor part of the text above it"),
    ("expected <block end>", "a line that is indented otherwise than its neighbours, or a quote too many"),
    ("found unexpected end of stream", "a quote that is not closed"),
    ("found undefined alias", "text that begins with *: it needs quotes"),
    ("while scanning an alias", "text that begins with *: it needs quotes"),
    ("while scanning an anchor", "text that begins with &: it needs quotes"),
    ("could not determine a constructor", "text that begins with !: it needs quotes"),
    ("expected a single document", "a second document: leave out the line ---"),
    ("unhashable", "a list or a mapping in the place of a key"),
    ("recursion", "brackets within brackets, too deep to be settings"),
    ("special characters are not allowed", "a control character"),
    ("invalid literal for int", "a number that cannot be read: text that looks like one needs quotes"),
    (" must be in ", "a date that does not exist: text that looks like one needs quotes"),
    ("is out of range", "a date that does not exist: text that looks like one needs quotes"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping, with ``${NAME}`` in keys and addresses replaced from the environment. Raises UserError.

    As in OpenEvolve, a relative ``prompt.template_dir`` starts from the file's own folder; where none is
    there, from the working directory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a readable YAML file, found: {error}") from None
    values = parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of settings, found {described(values)}")
    prompt = values.get("prompt")
    if isinstance(prompt, dict) and isinstance(prompt.get("template_dir"), str):
        here = Path(prompt["template_dir"]).absolute()
        beside = path.resolve().parent / prompt["template_dir"]
        prompt["template_dir"] = str(here if here.is_dir() and not beside.is_dir() else beside)
    return values


def parse_yaml(text: str, source: str, key: str = "") -> Any:
    """The values of a text; ``key`` is the setting whose value it is. Raises UserError with all faults."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            repeated = [] if node is None else [*_repeated_keys(node)]
            values = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
        _bound(values)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        # PyYAML's own text quotes the line, which may hold a key.
        raise UserError(
            f"{source}: expected YAML, found {_in_plain_words(f'{error.context} {error.problem}')}{where}"
        ) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{source}: expected YAML, found {_in_plain_words(str(error))}") from None
    problems = [f"{source}: {line}" for line in repeated]
    plain = _plain(values, source, key, problems)
    if problems:
        raise UserError("\n".join(problems))
    return plain


def described(value: object) -> str:
    """A value in a message: containers may be long, and may hold keys."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else f"{value!r:.80}"


def dotted(place: tuple[int | str, ...]) -> str:
    """``a.b.0`` on one line, whatever the keys hold."""
    return ".".join(text if (text := str(part)).isprintable() else repr(text) for part in place)


def _in_plain_words(said: str) -> str:
    line = " ".join(said.split())
    return next((words for part, words in _PLAIN_WORDS if part in line), line)


def _repeated_keys(root: yaml.Node) -> Iterator[str]:
    """Keys that a mapping has twice, of which YAML would take the last in silence."""
    pending: list[tuple[yaml.Node, tuple[str, ...]]] = [(root, ())]
    seen: set[int] = set()
    while pending:
        node, place = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += [(item, (*place, str(number))) for number, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and name in lines:
                    yield (
                        f"{dotted((*place, name))}: expected one value, found two, on lines {lines[name]} "
                        f"and {line}; delete one"
                    )
                lines.setdefault(name, line)
                pending.append((value, (*place, name)))


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


def _plain(value: Any, source: str, key: str, problems: list[str], place: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {
            str(name): _plain(item, source, str(name), problems, (*place, str(name)))
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [
            _plain(item, source, key, problems, (*place, str(number))) for number, item in enumerate(value)
        ]
    where = ": ".join(filter(None, (source, dotted(place))))
    if isinstance(value, str) and key in _MAY_NAME_VARIABLES:
        return re.sub(r"\$\{(\w+)\}", lambda match: _variable(match.group(1), where, problems), value)
    if value is None or isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    problems.append(
        f"{where}: expected text, a finite number, true, false, a list or a mapping, "
        f"found {described(value)}; text that looks like something else needs quotes"
    )
    return None


def _variable(name: str, where: str, problems: list[str]) -> str:
    """A variable of the environment: keys stay out of config files."""
    if name not in os.environ:
        problems.append(f"{where}: expected the environment variable {name} (for ${{{name}}}), found none")
    return os.environ.get(name, "")
