"""Serving: the address, the token beyond loopback, and the end by a signal."""

import secrets
import socket
from pathlib import Path

import uvicorn

from openevolve.errors import UserError
from openevolve.inspect.server.app import application
from openevolve.inspect.server.guard import Guard, is_loopback
from openevolve.inspect.server.shelf import Shelf


def serve(root: Path, host: str, port: int) -> None:
    """Serve the runs below ``root`` until a signal ends it; port 0 takes a free one. Raises UserError."""
    if not root.is_dir():
        raise UserError(f"{root}: expected a folder with runs, found none")
    try:
        listening = socket.create_server((host, port), family=_family(host))
    except OSError as error:
        raise UserError(f"{host}, port {port}: expected to listen there, found: {error}") from None
    # What is accepted inherits it. An answer is two writes, and would else wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listening.getsockname()[1]
    token = "" if is_loopback(host) else secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    print(f"serving {root} at http://{shown}:{port}/{'?token=' + token if token else ''}", flush=True)
    app = Guard(application(Shelf(root)), host, port, token)
    settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off",
                              timeout_graceful_shutdown=1)  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listening])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
