"""What an evaluation within walls was refused, and the setting that would allow it."""

import os
import re
import shutil
from pathlib import Path

from openevolve.evaluating.channel import Report

WALLS = "walls"  # the artifact that names a remedy

_REFUSED = re.compile(r"Permission denied|Operation not permitted|PermissionError")
_VARIABLE = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
_TARGET = re.compile(r"(?:Permission denied|Operation not permitted): '([^'\n]+)'")
_MISSING = re.compile(r"No such file or directory: '([A-Za-z][\w.+-]*)'")  # a bare name: of a program


def with_remedy(report: Report) -> Report:
    """The report; where it tells of a refused file, program or variable, with the setting that allows it.

    An evaluator that catches the refusal and returns a score has it among its artifacts, as ``walls``.
    """
    texts = [report.message, *report.artifacts.values()]
    whole = "\n".join(texts)
    remedy = _of_folder(whole) if _REFUSED.search(whole) else _of_program(whole) or _of_variable(whole)
    if not remedy:
        return report
    if report.failure:
        return report.model_copy(update={"message": f"{report.message} ({remedy})"})
    return report.model_copy(update={"artifacts": {**report.artifacts, WALLS: remedy}})


def _of_folder(text: str) -> str:
    """Walls let in folders that are named."""
    target = next(iter(_TARGET.findall(text)), "")
    found = Path((target if "/" in target else shutil.which(target) or "") if target else "")
    folder = found.parent if found.is_absolute() else "FOLDER"
    missing = (
        "" if "/" in target or not target or found.is_absolute() else f"; no program {target} is on PATH"
    )
    return (
        f"walls stand around evaluations: evaluator.read: [{folder}] lets them read and start what a folder "
        f"holds; evaluator.isolation: process takes the walls down{missing}"
    )


def _of_program(text: str) -> str:
    """What starts another program says only that some file is missing."""
    missing = [name for name in _MISSING.findall(text) if shutil.which(name) is None]
    if not missing:
        return ""
    return f"{missing[0]} is neither a file nor a program on PATH: install it, or name its whole path"


def _of_variable(text: str) -> str:
    """Evaluations get few variables: the one that was missed may be set outside."""
    names = [name for name in _VARIABLE.findall(text) if name in os.environ]
    return f"evaluator.pass_environment: [{names[0]}] hands that variable on to evaluations" if names else ""
