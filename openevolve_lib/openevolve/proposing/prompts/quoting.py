"""Texts that others wrote, quoted so that nothing in them can be taken for a part of the prompt."""

import functools
import json
import logging
import math
import re
from collections.abc import Mapping

from openevolve.population.fitness import COMBINED_SCORE
from openevolve.records.held_out import is_held_out
from openevolve.records.program import standard_error_of
from openevolve.settings.models import Config

log = logging.getLogger(__name__)

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


def metrics_line(metrics: Mapping[str, float], config: Config) -> str:
    """``name value, ...`` with fitness in front; what ``prompt.held_out`` names is left out.

    A metric that comes with its standard error is shown as ``name value ± error``.
    """
    first = config.database.fitness_metric
    shown = sorted(without_held_out(metrics, config), key=lambda name: (name != first, name))
    shown = [name for name in shown if not _repeats(name, metrics, config)]
    errors = {name: standard_error_of(name) for name in shown if standard_error_of(name) in metrics}
    texts = [
        f"{name} {_compact(metrics[name])}" + (f" ± {metrics[errors[name]]:.2g}" if name in errors else "")
        for name in shown
        if name not in errors.values()
    ]
    return ", ".join(texts) or "none"


def _repeats(name: str, metrics: Mapping[str, float], config: Config) -> bool:
    """Whether a metric says what another does: fitness by its second name, or the log10 of a large one."""
    value, fitness = metrics[name], config.database.fitness_metric
    if name == COMBINED_SCORE != fitness and metrics.get(fitness) == value:
        return True
    large = (other for other in metrics.values() if 100 <= other < math.inf)
    return any(math.isclose(abs(value), math.log10(other), rel_tol=1e-9) for other in large)


def without_held_out(names: Mapping[str, object], config: Config) -> list[str]:
    """The names that a search may see; each that it may not is announced once in the log."""
    patterns = config.prompt.held_out
    for name in names:
        if is_held_out(name, patterns):
            _announce(name)
    return [name for name in names if not is_held_out(name, patterns)]


@functools.cache
def _announce(name: str) -> None:
    log.warning("%s is kept out of all prompts (prompt.held_out)", name)


def _compact(value: float) -> str:
    """Five significant digits, and integers in full."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.5g}"
