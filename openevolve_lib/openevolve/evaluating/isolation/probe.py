"""Try, within walls, what must be refused and what must work: walls are believed once they have held.

``main`` runs in a child of a fork server, behind the walls that are tried.
"""

import ctypes
import importlib
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_PTRACE_TRACEME = 0


def main(channel: socket.socket, argument: Mapping[str, Any]) -> None:
    """Send one JSON object: what was tried, and whether it went as it must."""
    planted = Path(argument["planted"])
    refused: dict[str, Callable[[], object]] = {
        "reading files": planted.read_bytes,
        "listing folders": lambda: os.listdir(planted.parent),
        "changing files": lambda: planted.write_bytes(b"changed"),
        "changing permissions": lambda: os.chmod(planted, 0o666),
        "reading other processes": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "tracing": lambda: _libc(ctypes.CDLL(None, use_errno=True).ptrace(_PTRACE_TRACEME, 0, 0, 0)),
        "TCP": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "datagrams": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "UNIX sockets": (
            _connect_to_itself
            if argument["gpu"]
            else lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ),
    }
    if argument["signals"]:
        refused["signals"] = lambda: os.kill(os.getppid(), 0)
    if not argument["processes"]:
        refused["starting processes"] = _fork
    sound: dict[str, Callable[[], object]] = {
        "writing to its folder": lambda: Path("written").write_bytes(b"x"),
        "importing modules": lambda: importlib.import_module("colorsys"),
        "starting threads": _start_thread,
    }
    if argument["gpu"]:
        sound |= {"naming threads": _name_thread, "listening without an address": _listen}
    found = {name: not _works(action) for name, action in refused.items()}
    found |= {name: _works(action) for name, action in sound.items()}
    channel.sendall(json.dumps(found).encode())
    channel.shutdown(socket.SHUT_WR)


def _works(action: Callable[[], object]) -> bool:
    try:
        action()
    except (OSError, RuntimeError, ImportError):
        return False
    return True


def _libc(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _start_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def _name_thread() -> None:
    """As NVIDIA's driver names those that it starts."""
    with ThreadPoolExecutor(1) as pool:
        number = pool.submit(threading.get_native_id).result()
        Path(f"/proc/self/task/{number}/comm").write_text("named")


def _listen() -> socket.socket:
    """As NVIDIA's driver does for those who never come."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind("")  # the kernel chooses an abstract name
    listener.listen(1)
    return listener


def _connect_to_itself() -> None:
    listener = _listen()
    with listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.connect(listener.getsockname())
