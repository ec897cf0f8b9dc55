"""docs/all-settings.md, written from the settings' own models: types, defaults, and the comments beside them.

uv run python -m medevonet.run.settings_page            # writes the page
uv run python -m medevonet.run.settings_page --print
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from medevonet.run.folder import PROJECT
from medevonet.run.settings import CONFIG
from medevonet.task import TaskConfig
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, find, names

PAGE = PROJECT / "docs" / "all-settings.md"

_SETTING_OF = {  # a kind of strategy, and the setting that names one
    "proposer": "proposer",
    "population": "search.population",
    "parents": "search.parents",
    "gate": "search.gates",
    "reflection": "reflection",
    "allocation": "fidelity",
    "executor": "executor",
}

_HEAD = """# All settings

This page is written by `python -m medevonet.run.settings_page`.
A key is given to `--set` as it stands here, such as `--set llm.temperature=0.2`.
What is shown as default is that of the engine; `config.yaml` of this project lies over it.
[Settings](settings.md) says how files and options lie over one another.
"""


def page() -> str:
    parts = [_HEAD]
    usual = _comments_of_yaml(CONFIG.read_text(encoding="utf-8"))
    for title, prefix, model in _sections():
        rows = [
            f"| `{prefix}{name}` | {kind} | {default} | {meaning or usual.get(prefix + name, '')} |"
            for name, kind, default, meaning in _rows(model)
        ]
        about = " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split()).replace("``", "`")
        heads = "| key | value | default | meaning |\n|---|---|---|---|"
        parts.append(f"## {title}\n\n{about}\n\n{heads}\n" + "\n".join(rows) + "\n")
    return "\n".join([*parts, *_strategies()])


def _strategies() -> Iterator[str]:
    """Of each kind the engine's own by name, what they are, and their settings."""
    yield "## Strategies\n\nTheir own settings are given as `strategies.NAME.KEY`.\n"
    for kind, setting in _SETTING_OF.items():
        rows = []
        for name in names(kind):
            cls = find(kind, name)
            own = [
                f"`{key}` ({default})" for key, _, default, _ in _rows(getattr(cls, "Settings", NoSettings))
            ]
            rows.append(f"| `{name}` | {_about(cls)} | {', '.join(own)} |")
        heads = "| name | what it is | its own settings (defaults) |\n|---|---|---|"
        yield f"### `{setting}`\n\n{heads}\n" + "\n".join(rows) + "\n"


def _about(cls: type[Any]) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split()).replace("``", "`")
    return _escaped(re.split(r"(?<=\.) (?=[A-Z`])", text)[0])


def _sections() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """The whole, then each section of it, then those that appear in lists and mappings."""
    yield "The run", "", Config
    for name, field in Config.model_fields.items():
        for model in _models_in(field.annotation):
            here = f"{name}.NAME." if name == "features" else f"{name}."
            yield f"`{name}`", here, model
            for inner, of_inner in model.model_fields.items():
                for each in _models_in(of_inner.annotation):
                    yield f"`{name}.{inner}`", f"{name}.{inner}[]: ", each
    yield "`task`", "task.", TaskConfig
    for inner, field in TaskConfig.model_fields.items():
        for each in _models_in(field.annotation):
            yield f"`task.{inner}`", f"task.{inner}[]: ", each


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    """Name, kind of value, default and meaning of each setting that is no section."""
    schema = model.model_json_schema()
    meanings = _comments(model)
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        default = field.get_default(call_default_factory=True)
        yield name, _kind(schema["properties"][name]), _shown(default), meanings.get(name, "")


def _shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "must be given"
    if default is None or default in ([], {}):
        return "none"
    text = json.dumps(default, ensure_ascii=False, default=str)
    text = text if len(text) <= 60 else text[:57] + "…"
    return f"`{text}`".replace("|", "\\|")


def _kind(schema: Mapping[str, Any]) -> str:
    """Of a JSON schema, in words."""
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
        )
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "mapping")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    name = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}.get(
        kind, "mapping"
    )
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"),
        )
        if key in schema
    ]  # fmt: skip
    return " ".join([name, ", ".join(bounds)]).strip()


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """By setting, the comment beside its line, else those right above it; of bases too."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        source = textwrap.dedent(inspect.getsource(cls))
        lines = source.splitlines()
        (body,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
        for node in body.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                comment = _beside(lines, node) or _above(lines, node.lineno)
                if comment:
                    found[node.target.id] = _escaped(comment)
    return found


def _beside(lines: Sequence[str], node: ast.AnnAssign) -> str:
    line = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset or 0 :].decode()
    return line.partition("# ")[2].strip()


def _above(lines: Sequence[str], number: int) -> str:
    above: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.strip().startswith("#"):
            break
        above.insert(0, line.strip().removeprefix("#").strip())
    return " ".join(above)


def _comments_of_yaml(text: str) -> dict[str, str]:
    """By dotted key, the comment on its line, with those that go on below it."""
    found: dict[str, str] = {}
    place: list[tuple[int, str]] = []  # the sections that a line is in, by their indentation
    last = ""
    for line in text.splitlines():
        if key := re.match(r"(\s*)([\w-]+):[^#]*(?:#\s*(.*))?$", line):
            indent = len(key[1])
            place = [(at, name) for at, name in place if at < indent] + [(indent, key[2])]
            last = ".".join(name for _, name in place)
            if key[3]:
                found[last] = _escaped(key[3].strip())
        elif (more := re.match(r"\s{20,}#\s*(.*)$", line)) and last in found:
            found[last] += " " + _escaped(more[1].strip())
    return found


def _escaped(comment: str) -> str:
    return comment.replace("|", "\\|").replace("*", "\\*").replace("``", "`")


def main() -> None:
    if sys.argv[1:] == ["--print"]:
        print(page(), end="")
    else:
        Path(PAGE).write_text(page(), encoding="utf-8")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
