"""What an evaluation within walls was refused, and the setting that would allow it."""

import os
import re

from openevolve.evaluating.channel import Report

_REFUSED = re.compile(r"Permission denied|Operation not permitted|PermissionError")
_VARIABLE = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
_FOLDER = (
    "walls stand around evaluations: evaluator.read: [FOLDER] lets them read and start what a folder holds; "
    "evaluator.isolation: process takes the walls down"
)


def with_remedy(report: Report) -> Report:
    """The report; where it tells of a refused file, program or variable, with the setting that allows it.

    An evaluator that catches the refusal and returns a score has it among its artifacts, as ``walls``.
    """
    texts = [report.message, *report.artifacts.values()]
    remedy = _FOLDER if any(map(_REFUSED.search, texts)) else _of_variable("\n".join(texts))
    if not remedy:
        return report
    if report.failure:
        return report.model_copy(update={"message": f"{report.message} ({remedy})"})
    return report.model_copy(update={"artifacts": {**report.artifacts, "walls": remedy}})


def _of_variable(text: str) -> str:
    """Evaluations get few variables: the one that was missed may be set outside."""
    names = [name for name in _VARIABLE.findall(text) if name in os.environ]
    return f"evaluator.pass_environment: [{names[0]}] hands that variable on to evaluations" if names else ""
