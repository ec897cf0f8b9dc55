"""Settings in layers: files, presets and options lie over one another, and each value knows whose it is.

Mappings are joined key by key; of any other value the upper one counts. ``features`` is replaced as a whole:
who names axes of the archive names them all.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Location = tuple[int | str, ...]

DEFAULT = "default"  # where nobody sets anything

_WHOLE: Location = ("features",)

# A file that gives one of a pair takes the other away from what lies below it.
_EITHER: tuple[tuple[tuple[Location, ...], tuple[Location, ...]], ...] = (
    ((("features",),), (("database", "feature_dimensions"),)),
    ((("llm", "models"),), (("llm", "primary_model"), ("llm", "secondary_model"))),
)


@dataclass(frozen=True)
class Override:
    """``a.b=value``, and the option of a command line that stands for it."""

    text: str
    option: str = "--set"


@dataclass(frozen=True)
class Layer:
    """Some settings and where they come from: a file, a preset or an option."""

    source: str
    values: Mapping[str, Any]
    at: Location | None = None  # of an option: the one place that it sets


@dataclass
class Layered:
    """All layers so far."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Location, str] = field(default_factory=dict)  # of values that are no mappings

    def lay(self, layer: Layer) -> None:
        """Put a layer over the others."""
        if layer.at is None:
            for one, other in _EITHER:
                for given, taken in ((one, other), (other, one)):
                    if _gives(layer.values, given) and not _gives(layer.values, taken):
                        for place in taken:
                            self._remove(place)
        self._join(self.values, layer.values, (), layer)

    def _join(self, below: dict[str, Any], above: Mapping[str, Any], place: Location, layer: Layer) -> None:
        for key, value in above.items():
            here = (*place, key)
            lower = below.get(key)
            if not isinstance(value, Mapping) or here in (_WHOLE, layer.at) or not isinstance(lower, Mapping):
                self._forget(here)
                below[key] = copy.deepcopy(value)
                self._note(value, here, layer.source)
            elif isinstance(lower, dict):
                self._join(lower, value, here, layer)

    def _note(self, value: Any, place: Location, source: str) -> None:
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                self._note(item, (*place, key), source)
        else:
            self.origins[place] = source

    def _forget(self, place: Location) -> None:
        """Origins at a place, inside it, and of the value without parts that it replaces."""
        for key in [key for key in self.origins if key[: len(place)] == place or place[: len(key)] == key]:
            del self.origins[key]

    def _remove(self, place: Location) -> None:
        *sections, leaf = place
        holder: Any = self.values
        for section in sections:
            holder = holder.get(section)
            if not isinstance(holder, dict):
                return
        if leaf in holder:
            del holder[leaf]
            self._forget(place)


def origin(origins: Mapping[Location, str], place: Location) -> str | None:
    """Where what is at a place comes from; of a section, who set a value in it last."""
    for length in range(len(place), -1, -1):
        inside = [key for key in origins if key[:length] == place[:length]]
        if inside:
            return origins[inside[-1]]
    return None


def by_source(origins: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of settings by where they come from."""
    found: dict[str, list[str]] = {}
    for name, source in origins.items():
        found.setdefault(source, []).append(name)
    return {source: sorted(names) for source, names in found.items()}


def _gives(values: Mapping[str, Any], places: Sequence[Location]) -> bool:
    """Whether there is anything but nothing at one of the places."""
    for place in places:
        value: Any = values
        for key in place:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value not in (None, [], {}):
            return True
    return False
