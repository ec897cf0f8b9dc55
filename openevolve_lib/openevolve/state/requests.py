"""A folder beside the journal in which a running run finds what is asked of it.

A request is a file that appears whole. The run takes the oldest first, records it, and removes it after that:
one that it was killed over is taken again, which changes nothing.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from openevolve.errors import UserError
from openevolve.records.request import Request, Wish
from openevolve.settings.files import check
from openevolve.settings.models import BudgetConfig, Config

log = logging.getLogger("openevolve")

LIMITS = ("max_iterations", *(f"budget.{name}" for name in BudgetConfig.model_fields))


class Requests:
    """Of one run."""

    def __init__(self, journal: Path) -> None:
        self.folder = journal.parent / "requests"

    def put(self, request: Request) -> Path:
        """Ask. The file is gone once the run has taken it. Raises UserError where it cannot be written."""
        target = self.folder / f"{time.time_ns():020d}-{os.getpid()}.json"
        draft = target.with_suffix(".draft")
        try:
            self.folder.mkdir(exist_ok=True)
            draft.write_text(json.dumps(request.to_json()), encoding="utf-8")
            os.replace(draft, target)
        except OSError as error:
            raise UserError(f"{target}: expected room for a request, found: {error.strerror}") from None
        return target

    def take(self, answer: Callable[[Request], None]) -> None:
        """Have every request answered; what is none is dropped, and the log says so."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                request = Request.from_json(json.loads(path.read_text(encoding="utf-8")))
                check_request(request)
            except (OSError, ValueError, TypeError, AttributeError, RecursionError, UserError) as error:
                log.warning("%s: dropped, it is no request: %s", path, error)
            else:
                answer(request)
            path.unlink(missing_ok=True)


def check_request(request: Request) -> None:
    """Raises UserError for a limit that is none, and a program without a name."""
    if request.what is Wish.LIMIT:
        limited(Config(), request)
    if request.what is Wish.MEASURE and not request.key:
        raise UserError("measure: expected a program's id, found nothing")


def limited(config: Config, request: Request) -> Config:
    """The settings with another limit. Raises UserError for a key or a value that is none."""
    if request.key not in LIMITS or request.value is None:
        found = f"{request.key or 'nothing'}={request.value}"
        raise UserError(f"limit: expected KEY=VALUE with one of {', '.join(LIMITS)}, found {found}")
    value = int(request.value) if request.value.is_integer() else request.value
    if request.key == "max_iterations":
        checked = check(Config, {"max_iterations": value}, "limit")
        return config.model_copy(update={"max_iterations": checked.max_iterations})
    name = request.key.removeprefix("budget.")
    budget = check(BudgetConfig, config.budget.model_dump() | {name: value}, "limit")
    return config.model_copy(update={"budget": budget})
