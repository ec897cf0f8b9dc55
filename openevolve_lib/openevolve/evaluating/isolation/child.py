"""What a forked child does before the code that it was started for."""

import ctypes
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from openevolve.evaluating.isolation.client import LAUNCHER_VARIABLE
from openevolve.evaluating.isolation.walls import Walls, enclose

_PR_SET_PDEATHSIG = 1


def run(
    request: Mapping[str, Any], server_pid: int, channel_fd: int, output_fd: int, launcher_fd: int | None
) -> NoReturn:
    """Become the child of ``request``, call its target and exit. Never returns."""
    status = 1
    try:
        _leave_the_server(server_pid)
        launcher = _arrange_descriptors(channel_fd, output_fd, launcher_fd)
        os.environ.update(request["environment"])
        if launcher is not None:
            os.environ[LAUNCHER_VARIABLE] = str(launcher)
        os.chdir(request["directory"])
        module, _, function = request["target"].partition(":")
        target = getattr(importlib.import_module(module), function)
        if request["walls"] is not None:
            enclose(Walls.from_json(request["walls"]), Path(request["directory"]))
        target(socket.socket(fileno=3), request["argument"])
        status = 0
    except SystemExit as exit_request:
        status = exit_request.code if isinstance(exit_request.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)  # no exit handler of the server's may run here


def _leave_the_server(server_pid: int) -> None:
    os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server_pid:  # it died before the line above
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _arrange_descriptors(channel_fd: int, output_fd: int, launcher_fd: int | None) -> int | None:
    """0 is empty, 1 and 2 the output file, 3 the channel, 4 the launcher; nothing else stays open."""
    kept = [os.open(os.devnull, os.O_RDONLY), output_fd, output_fd, channel_fd]
    if launcher_fd is not None:
        kept.append(launcher_fd)
    high = [os.dup(fd) for fd in kept]  # out of the way of the targets 0 to 4
    free = max(high) + 1
    moved = [os.dup2(fd, free + i, inheritable=False) for i, fd in enumerate(high)]
    for target, fd in enumerate(moved):
        os.dup2(fd, target)
    os.closerange(len(moved), os.sysconf("SC_OPEN_MAX"))
    return 4 if launcher_fd is not None else None
