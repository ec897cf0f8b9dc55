"""One self-contained file that shows a run: offline, and safe to open whatever a program says."""

import base64
import gzip
import hashlib
import html
import json
import logging
import os
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.description import describe
from openevolve.inspect.keeping import keep
from openevolve.inspect.markdown import markdown
from openevolve.inspect.reading import Run, read_run

log = logging.getLogger("openevolve")

LIMIT = 10_000_000  # bytes
MODULES = (
    "dom",
    "scales",
    "axes",
    "figures",
    "afresh",
    "tree",
    "diff",
    "compare",
    "curves",
    "panel",
    "tables",
    "heat",
    "importance",
    "timeline",
    "decisions",
    "headline",
    "sources",
    "runs",
    "app",
)  # in order
_FOLDER = files("openevolve.inspect") / "page"
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)
# The largest first: what is left out is said on the page.
_SIZES: tuple[dict[str, Any], ...] = (
    {},
    {"max_text": 8_000},
    {"max_text": 8_000, "conversations": False},
    {"max_text": 8_000, "conversations": False, "best": 1000},
)


def write_report(run: Run, target: Path | None = None, kind: str = "html") -> Path:
    """``report.html``, or ``report.md``, in the run's folder, whole or not at all.

    Raises UserError if it cannot be.
    """
    target = target or run.folder / f"report.{kind}"
    draft = target.with_name(f".{target.name}.draft")
    try:
        draft.write_text(report(run) if kind == "html" else markdown(run), encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise UserError(f"{target}: expected room for a report, found: {error.strerror}") from None
    return target


def leave_report(folder: Path) -> str:
    """Write the report of a run that has ended; what became of it, as a line. It never fails a run."""
    try:
        run = read_run(str(folder))
        written = f"report: {write_report(run)}"
        keep(run)
        return written
    except Exception as error:
        log.exception("no report of %s", folder)
        return f"report: none: {error}"


def report(run: Run) -> str:
    """The page with the run's description in it, below ``LIMIT`` where leaving out texts can do it."""
    for size in _SIZES:
        page = assembled(describe(run, **size))
        if len(page) <= LIMIT:
            break
    return page


def assembled(description: dict[str, Any]) -> str:
    """The page with a description, compressed and in base64: nothing in it can be taken for a part of it."""
    packed = gzip.compress(json.dumps(description, separators=(",", ":")).encode("ascii"), mtime=0)
    return _page(DATA=base64.b64encode(packed).decode(), POLICY=policy(live=False))


def page_without_run(name: str) -> str:
    """The page as a server sends it: it asks for the run of that name; for none, for the list of runs."""
    return _page(SERVED="served", RUN=html.escape(name), POLICY=policy(live=True))


def policy(*, live: bool) -> str:
    """The Content-Security-Policy: nothing loads or runs but the page's own style and script.

    ``live``: it may ask its own server.
    """
    own = f"style-src 'sha256-{_digest(_style())}'; script-src 'sha256-{_digest(_script())}'"
    asks = "; connect-src 'self'" if live else ""
    return f"default-src 'none'; {own}{asks}; base-uri 'none'; form-action 'none'"


def _page(**parts: str) -> str:
    known = {"STYLE": _style(), "SCRIPT": _script(), "DATA": "", "SERVED": "", "RUN": "", **parts}
    return re.sub("{{([A-Z]+)}}", lambda match: known[match[1]], _read(_FOLDER, "index.html"))


@cache
def _style() -> str:
    return _read(_FOLDER, "style.css")


@cache
def _script() -> str:
    return "".join(_module(_FOLDER, name) for name in MODULES)


def _read(folder: Traversable, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def _module(folder: Traversable, name: str) -> str:
    """A module's text without imports and exports: one file has one scope."""
    return _EXPORT.sub("", _IMPORT.sub("", _read(folder, f"{name}.js")))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
