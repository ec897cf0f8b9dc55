"""The application: pages, what they draw, and an API. It reads, but for what it asks of a running run."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from openevolve.errors import UserError
from openevolve.inspect import comparing, questions, single
from openevolve.inspect.asking import ask_of, request
from openevolve.inspect.reading import read_run
from openevolve.inspect.report import page_without_run, policy
from openevolve.inspect.server.shelf import Shelf
from openevolve.records.request import Wish

_LATEST = Query(default="", description="a run's name, or the beginning of one; the latest if empty")
_POLL = 0.5  # seconds between looks at a journal
_ALIVE = 15.0  # seconds after which a silent stream says that it is there


class Ascii(JSONResponse):
    """JSON in ASCII: whatever a program wrote, lone surrogates too, can be sent.

    The routes make it themselves: FastAPI would have pydantic look at it first, which takes none of those.
    """

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class Wanted(BaseModel):
    """What is asked of a running run: pause, resume, stop, limit KEY=VALUE, or measure PROGRAM."""

    what: Wish
    setting: str = ""


class Registration(BaseModel):
    """A run's folder below the folder that is served."""

    path: str


def application(shelf: Shelf) -> FastAPI:
    """All routes. Functions without ``async`` run in threads: a long run holds nobody else up."""
    app = FastAPI(title="OpenEvolve", version="1", docs_url=None, redoc_url=None)

    @app.exception_handler(UserError)
    def bad_input(_: Request, error: UserError) -> Response:
        return Ascii({"error": str(error)}, status_code=404)

    _pages(app, shelf)
    _page_data(app, shelf)
    _api(app, shelf)
    return app


def _pages(app: FastAPI, shelf: Shelf) -> None:
    def page(name: str) -> HTMLResponse:
        text = page_without_run(name)
        return HTMLResponse(
            text, headers={"content-security-policy": f"{policy(live=True)}; frame-ancestors 'none'"}
        )

    @app.get("/", include_in_schema=False)
    def runs() -> HTMLResponse:
        return page("")

    @app.get("/view/{name}", include_in_schema=False)
    def run(name: str) -> HTMLResponse:
        shelf.run(name)
        return page(name)


def _page_data(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/live/{name}")
    def live(name: str, since: int = -1) -> Response:
        """What the page of a run shows; programs that changed after event number ``since``."""
        return Ascii(shelf.run(name).page(since))

    @app.get("/live/{name}/program/{iteration}")
    def program(name: str, iteration: int) -> Response:
        """All of one program."""
        return Ascii(shelf.run(name).ask(lambda run: single.show(run, str(iteration))))

    @app.get("/live/{name}/events")
    async def events(name: str, request: Request) -> StreamingResponse:
        """Server-sent events: the journal's size in bytes, each time that it has changed."""
        journal = shelf.run(name).journal
        return StreamingResponse(_sizes(journal, request), media_type="text/event-stream")


async def _sizes(journal: Path, request: Request) -> AsyncIterator[str]:
    told, silent = -1, 0.0
    while not await request.is_disconnected():
        size = journal.stat().st_size if journal.exists() else 0
        if size != told:
            told, silent = size, 0.0
            yield f"data: {size}\n\n"
        elif silent >= _ALIVE:
            silent = 0.0
            yield ": here\n\n"
        await asyncio.sleep(_POLL)
        silent += _POLL


def _api(app: FastAPI, shelf: Shelf) -> None:
    def ask(name: str, question: Any) -> Response:
        return Ascii(shelf.run(name or shelf.latest()).ask(question))

    @app.get("/runs")
    def runs() -> Response:
        """All runs, each with its status."""
        return Ascii([shelf.summary(name) for name in shelf.names()])

    @app.get("/runs/{name}")
    def status(name: str) -> Response:
        """Progress, best, failures, spend."""
        return ask(name, questions.status)

    @app.get("/runs/{name}/lineage")
    def lineage(name: str, program: str = "") -> Response:
        """The way from the initial program to one, by default to the best."""
        return ask(name, lambda run: single.lineage(run, program or questions.best_id(run)))

    @app.get("/runs/{name}/compare/{other}")
    def compare(name: str, other: str) -> Response:
        """The best of two runs, and the settings that differ."""
        second = read_run(str(shelf.run(other).journal))  # a reading of its own: one lock is held at a time
        return ask(name, lambda run: comparing.compare_runs(run, second))

    @app.post("/runs/{name}/ask")
    def ask_run(name: str, wanted: Wanted) -> Response:
        """As ``openevolve ctl``: answers once the run has taken it."""
        made = request(wanted.what.value, wanted.setting)
        return Ascii({"answer": ask_of(shelf.run(name).journal, made)})

    @app.post("/runs/register", status_code=201)
    def register(given: Registration) -> Response:
        """The name under which a run below the served folder is served."""
        return Ascii({"name": shelf.register(given.path)}, status_code=201)

    @app.get("/leaderboard")
    def leaderboard(run: str = _LATEST, by: str | None = None, top: int = 20) -> Response:
        """The best programs."""
        return ask(run, lambda found: questions.leaderboard(found, by, top))

    @app.get("/pareto")
    def pareto(run: str = _LATEST, first: str | None = None, second: str | None = None) -> Response:
        """Programs that none beats in both of two metrics."""
        return ask(run, lambda found: questions.pareto(found, first, second))

    @app.get("/queue")
    def queue(run: str = _LATEST) -> Response:
        """What is being measured, and what waits."""
        return ask(run, lambda found: questions.status(found)["under_way"])

    @app.get("/search")
    def search(text: str, run: str = _LATEST) -> Response:
        """Programs in which a text occurs."""
        return ask(run, lambda found: questions.search(found, text))
