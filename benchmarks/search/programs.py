"""Programs that stem from each other, as a file: it outlives the call that made them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Relative:
    """A program, and the name of the one that it was made of; none for the first."""

    code: str
    parent: str | None


def read_family(path: Path) -> dict[str, Relative]:
    """Programs by name, as ``write_family`` left them."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {name: Relative(**values) for name, values in kept.items()}


def write_family(path: Path, family: Mapping[str, Relative]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: asdict(each) for name, each in family.items()}), encoding="utf-8")
