"""Texts of programs, replies and runs, made safe for a terminal: they are hostile input."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from openevolve.records.held_out import is_held_out

T = TypeVar("T")

HELD_OUT = ("test",)  # words of names that no reader of a search sees

# Control sequences (CSI), then strings to the terminal (OSC, DCS, SOS, PM, APC) with or without their end,
# then the other escapes; C1 controls are the same in one character.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """The text without terminal escapes, control characters and marks that turn the reading direction.

    Line ends and tabs stay; lone surrogates are spelled out, so that it can be printed.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str, width: int = 100) -> str:
    """``clean`` on one line, cut to a width."""
    text = " ".join(clean(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def shown(values: Mapping[str, T]) -> dict[str, T]:
    """What is no measurement of a test split: no reader of a search sees that."""
    return {name: value for name, value in values.items() if not is_held_out(name, HELD_OUT)}


def without_held_out(value: Any) -> Any:
    """``shown`` at every depth of a JSON value."""
    if isinstance(value, Mapping):
        return {str(name): without_held_out(inner) for name, inner in shown(value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_held_out(inner) for inner in value]
    return value
