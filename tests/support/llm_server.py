"""A chat-completions server on loopback that follows a script, for tests and benchmarks.

It speaks OpenAI's path and Azure's. Each request is answered by the next behaviour of the script:
a good reply or one of the faults that real servers show.
"""

import itertools
import json
import re
import socketserver
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, urlsplit

from openevolve.llm import trial

_AZURE_PATH = re.compile(r"/openai/deployments/[^/]+/chat/completions")
_OPENAI_PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Request:
    """What a client sent. Header names are in lower case."""

    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    json: Mapping[str, Any]


class Exchange(BaseHTTPRequestHandler):
    """One request and the means to answer it. HTTP/1.0: a connection ends with its reply."""

    server: "_Server"
    asked: Request
    timeout = 10  # seconds for one read or write: a client that is stuck must not keep the server alive

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        if len(body) < size:
            return  # the client was killed while it asked
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        known = address.path == _OPENAI_PATH or (
            _AZURE_PATH.fullmatch(address.path) is not None and "api-version" in query
        )
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Request(address.path, query, headers, json.loads(body))
        behaviour = self.server.script.answer(self.asked) if known else Status(404, "no such path")
        with suppress(ConnectionError, TimeoutError):  # the client gave up first
            behaviour.serve(self)

    def send(self, code: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        usual = {"Content-Type": content_type, "Content-Length": str(len(body))}
        for name, value in (usual | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self) -> None:
        """Start a JSON reply of unknown length."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()

    def stopped(self, seconds: float | None = None) -> bool:
        """Wait for the server's end, at most ``seconds``; whether it has come."""
        return self.server.stopping.wait(seconds)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are recorded, not printed."""


class Behaviour(Protocol):
    def serve(self, exchange: Exchange) -> None: ...


@dataclass(frozen=True)
class Status:
    """Any status; ``body`` is sent as JSON."""

    code: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def serve(self, exchange: Exchange) -> None:
        exchange.send(self.code, "application/json", json.dumps(self.body).encode(), self.headers)


@dataclass(frozen=True)
class Reply:
    """A chat completion; ``usage`` is prompt and completion tokens, None leaves it out."""

    text: str | None = ""
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = (100, 10)
    refusal: str | None = None

    def serve(self, exchange: Exchange) -> None:
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
        }
        if self.usage:
            prompt, completion = self.usage
            body["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }
        Status(200, body).serve(exchange)


@dataclass(frozen=True)
class Raw:
    """A body sent as it is, such as HTML or broken JSON."""

    body: bytes
    code: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def serve(self, exchange: Exchange) -> None:
        exchange.send(self.code, self.content_type, self.body, self.headers)


def html(code: int = 200) -> Raw:
    """What a proxy or a sign-in page answers."""
    return Raw(b"<!doctype html><title>Gateway</title><p>Please try again later.", code, "text/html")


@dataclass(frozen=True)
class Hang:
    """No answer until the server stops."""

    def serve(self, exchange: Exchange) -> None:
        exchange.stopped()


@dataclass(frozen=True)
class Drip:
    """A reply that never ends and never pauses longer than ``interval`` seconds."""

    interval: float = 0.02

    def serve(self, exchange: Exchange) -> None:
        exchange.begin()
        while not exchange.stopped(self.interval):
            exchange.wfile.write(b" ")


@dataclass(frozen=True)
class Flood:
    """A reply that never ends, as fast as the client takes it."""

    def serve(self, exchange: Exchange) -> None:
        exchange.begin()
        while not exchange.stopped(0):
            exchange.wfile.write(b" " * 65_536)


@dataclass(frozen=True)
class Close:
    """The connection ends without an answer."""

    def serve(self, exchange: Exchange) -> None:
        exchange.close_connection = True


@dataclass(frozen=True)
class CutOff:
    """The connection ends in the middle of the body."""

    def serve(self, exchange: Exchange) -> None:
        exchange.send(200, "application/json", b'{"choices": [', {"Content-Length": "1000"})


class ReplyServer:
    """A context manager; the script starts again after its last behaviour.

    ``trial`` answers the small request that is made before a run. Stopping the server ends hanging replies
    too and waits until no thread is left.
    """

    def __init__(self, behaviours: Sequence[Behaviour], trial: Behaviour | None = None) -> None:
        self._server = _Server(_Script(behaviours, trial or Reply("OK", usage=(12, 1))))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """What Azure's client calls the endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def api_base(self) -> str:
        """What OpenAI's client calls the base address."""
        return f"{self.endpoint}/v1"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request of the script so far, in order of arrival."""
        return tuple(self._server.script.requests)

    @property
    def trials(self) -> tuple[Request, ...]:
        """Every small request that came before a run."""
        return tuple(self._server.script.trials)


class _Script:
    """Behaviours in turn, for handlers in several threads."""

    def __init__(self, behaviours: Sequence[Behaviour], of_trials: Behaviour) -> None:
        self._turns = itertools.cycle(behaviours)
        self._of_trials = of_trials
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.trials: list[Request] = []

    def answer(self, request: Request) -> Behaviour:
        with self._lock:
            if request.json["messages"] == list(trial.MESSAGES):
                self.trials.append(request)
                return self._of_trials
            self.requests.append(request)
            return next(self._turns)


class _Server(socketserver.ThreadingTCPServer):
    """Not an HTTPServer, which asks the resolver for the host's name before it starts."""

    daemon_threads = False  # server_close() joins the handlers
    request_queue_size = 128

    def __init__(self, script: _Script) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.script = script
        self.stopping = threading.Event()


def good_replies(replies_dir: Path) -> list[Reply]:
    """The recorded replies with a full program each, in the order in which a search asked for them."""
    files = sorted((replies_dir / "good").glob("*.md"))
    return [Reply(file.read_text(encoding="utf-8")) for file in files]
