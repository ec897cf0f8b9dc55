"""Ways of searching by name: a preset is a YAML file of settings, which the user's own go before.

A preset that a config file names fills in what the file leaves out. One that ``--set search.preset=NAME``
names goes before the file; all that ``--set`` gives goes before both. The engine's own presets are the
files beside this one; another package offers its own by an entry point of the group ``openevolve.presets``
with the preset's name, whose value is the package that holds ``NAME.yaml``.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from openevolve.errors import UserError
from openevolve.settings.layers import Layer

GROUP = "openevolve.presets"

Values = Mapping[str, Any]


def names() -> list[str]:
    """The known presets, those of other packages included."""
    return sorted(_files())


def about(name: str) -> str:
    """What a preset is, in a line. Raises UserError."""
    return str(_read(name)["about"])


def preset(name: str) -> dict[str, Any]:
    """A preset's settings. Raises UserError, which names the nearest known one."""
    return {key: value for key, value in _read(name).items() if key != "about"}


def with_preset(files: Sequence[Layer], options: Sequence[Layer]) -> tuple[list[Layer], str | None]:
    """All layers, the lowest first, with that of the preset that is named; and its name. Raises UserError.

    A preset lies below the file that names it, or below all options. The uppermost word on it counts.
    """
    for option in reversed(options):
        if _speaks_of_it(option):
            return _inserted(option, files, options)
    for number, file in reversed([*enumerate(files)]):
        if _speaks_of_it(file):
            return _inserted(file, files[:number], [*files[number:], *options])
    return [*files, *options], None


def preset_notes(name: str, result: Values) -> list[str]:
    """Which settings are the preset's, and which of its own it does not get through."""
    placed = [(place, value, _at(result, place)) for place, value in _leaves(preset(name))]
    sets = [f"{place}={_shown(value)}" for place, value, now in placed if now == value]
    kept = [f"{place}={_shown(now)} (not {_shown(value)})" for place, value, now in placed if now != value]
    notes = [f"search.preset {name}: {about(name)}", f"search.preset {name} sets {', '.join(sets)}"]
    return [*notes, *([f"search.preset {name} leaves as set otherwise: {', '.join(kept)}"] if kept else [])]


def _inserted(
    naming: Layer, below: Sequence[Layer], above: Sequence[Layer]
) -> tuple[list[Layer], str | None]:
    name = _named(naming.values)
    if not name:
        return [*below, *above], None
    try:
        found = Layer(f"preset {name}", preset(name))
    except UserError as error:
        raise UserError(f"{naming.source}: {error}") from None
    return [*below, found, *above], name


def _speaks_of_it(layer: Layer) -> bool:
    search = layer.values.get("search")
    return layer.at == ("search",) or (isinstance(search, Mapping) and "preset" in search)


def _named(values: Values) -> str | None:
    search = values.get("search")
    name = search.get("preset") if isinstance(search, Mapping) else None
    return name if isinstance(name, str) else None


def _leaves(values: Values, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _at(values: Any, place: str) -> Any:
    for key in place.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _shown(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()


def _read(name: str) -> dict[str, Any]:
    files = _files()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1, cutoff=0.0)[0]
        raise UserError(
            f"search.preset: expected one of {', '.join(sorted(files))}, found {name!r}; "
            f"the nearest known one is {near}"
        )
    values = yaml.safe_load(files[name].read_text(encoding="utf-8"))
    if not isinstance(values, dict) or not isinstance(values.get("about"), str):
        raise UserError(
            f"search.preset {name}: expected settings with a line `about:` in {files[name]}, found none"
        )
    return values


def _files() -> dict[str, Traversable]:
    """By name; an engine's own goes before another package's."""
    others = {p.name: resources.files(p.value) / f"{p.name}.yaml" for p in entry_points(group=GROUP)}
    own = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".yaml"))
    return others | {file.name.removesuffix(".yaml"): file for file in own}
