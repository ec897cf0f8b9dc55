"""Texts that others wrote, quoted so that nothing in them can be taken for a part of the prompt."""

import functools
import json
import logging
import re
from collections.abc import Mapping

from openevolve.records.program import standard_error_of

log = logging.getLogger(__name__)

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
BACKTICKS = re.compile(r"`+")


def fenced(text: str, tag: str = "") -> str:
    """A code block whose fence is longer than any run of backticks in the text, so that none closes it."""
    longest = max((len(run) for run in BACKTICKS.findall(text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{tag}\n{text.rstrip()}\n{mark}"


def quoted(text: str) -> str:
    """One line in double quotes, as in JSON."""
    return json.dumps(text, ensure_ascii=False)


def encodable(text: str) -> str:
    """The text with lone surrogates spelled out: requests are UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def clipped(text: str, max_bytes: int) -> str:
    """The text's beginning and end, at most ``max_bytes`` of UTF-8 with the note between them."""
    content = encodable(text).encode("utf-8")
    if len(content) <= max_bytes:
        return content.decode("utf-8")
    note = f"\n[... {len(content)} bytes in all ...]\n"
    half = (max_bytes - len(note)) // 2
    if half <= 0:
        return ""
    return content[:half].decode("utf-8", "ignore") + note + content[-half:].decode("utf-8", "ignore")


def metrics_line(metrics: Mapping[str, float], first: str) -> str:
    """``name value, ...`` with the metric ``first`` in front; those of a test split are left out.

    A metric that comes with its standard error is shown as ``name value ± error``.
    """
    shown = sorted(without_held_out(metrics), key=lambda name: (name != first, name))
    errors = {name: standard_error_of(name) for name in shown if standard_error_of(name) in metrics}
    texts = [
        f"{name} {_compact(metrics[name])}" + (f" ± {metrics[errors[name]]:.2g}" if name in errors else "")
        for name in shown
        if name not in errors.values()
    ]
    return ", ".join(texts) or "none"


def without_held_out(names: Mapping[str, object]) -> list[str]:
    """The names that a search may see; each that it may not is announced once in the log."""
    for name in filter(is_held_out, names):
        _announce(name)
    return [name for name in names if not is_held_out(name)]


def is_held_out(name: str) -> bool:
    """Whether a name speaks of a test split: ``mean_test_auc`` or ``testAuc``, but not ``latest``."""
    return "test" in {word.lower() for word in WORD.findall(name)}


@functools.cache
def _announce(name: str) -> None:
    log.warning("%s is kept out of all prompts: the test split must not guide the search", name)


def _compact(value: float) -> str:
    """Five significant digits, and integers in full."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.5g}"
