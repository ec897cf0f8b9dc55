"""What all records have in common."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Any, Self


class Record:
    """Dataclasses that go to JSON and back."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Raises TypeError where a field is missing; unknown fields are an error too."""
        if not values.keys() <= (known := _field_names(cls)):  # type: ignore[arg-type]
            raise TypeError(f"unknown fields {sorted(set(values) - known)}")
        return cls(**values)


@cache
def _field_names(record: type) -> frozenset[str]:
    return frozenset(f.name for f in fields(record))
