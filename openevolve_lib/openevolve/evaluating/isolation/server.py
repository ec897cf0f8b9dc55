"""The fork server: imports modules once, then forks a fresh child for every request.

Run as ``python -m openevolve.evaluating.isolation.server FD [MODULE ...]`` in a scratch folder, which it
removes at its end. It is one thread around one selector, so that a fork is always taken from a quiet
process. It adopts orphans of its children (a subreaper) and kills them: nobody outlives the one who
started it.
"""

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openevolve.evaluating.isolation.child import run
from openevolve.evaluating.isolation.scratch import remove_tree
from openevolve.evaluating.isolation.walls import Walls, loaded_modules
from openevolve.evaluating.isolation.watch import (
    Excess,
    ResourceLimits,
    anonymous_bytes,
    children_of,
    descendants,
)

_TICK_SECONDS = 0.25
_MESSAGE_BYTES = 64
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass
class _Running:
    """A child, seen from the server."""

    pid: int
    pidfd: int
    lifeline: socket.socket
    starter: socket.socket  # the connection that asked for it
    connection: socket.socket | None  # the one over which it may ask for children itself
    limits: ResourceLimits
    excess: Excess | None = None  # why it was killed
    lost: bool = False  # nobody holds the other end of the lifeline


@dataclass
class Server:
    """The children of this process and the connections that may ask for more."""

    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    children: dict[int, _Running] = field(default_factory=dict)

    def serve(self, owner: socket.socket) -> None:
        """Serve until the owner is gone; then nothing is left."""
        self.selector.register(owner, selectors.EVENT_READ, ("connection", owner))
        while True:
            for key, _ in self.selector.select(_TICK_SECONDS):
                kind, subject = key.data
                if key.fd not in self.selector.get_map():
                    continue  # closed by what an earlier event of this round led to
                if kind == "connection" and not self._request(subject):
                    if subject is owner:
                        return self._end()
                    self._drop(subject)
                elif kind == "lifeline":
                    self._lifeline(subject)
                elif kind == "exit":
                    self._exited(subject)
            self._watch_limits()
            self._kill_orphans()

    def _request(self, connection: socket.socket) -> bool:
        """Start what one message asks for; False at the end of the connection."""
        try:
            message, fds, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, 4)
        except ConnectionError:
            return False
        if not message:
            return False
        lifeline_fd, channel_fd, output_fd, request_fd = fds
        with open(request_fd, "rb") as file:
            file.seek(0)
            request = json.load(file)
        lifeline, (ours, theirs) = socket.socket(fileno=lifeline_fd), _launcher_ends(request["may_start"])
        server_pid = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, or too little memory
            _send(lifeline, {"refused": error.strerror})
            _close(lifeline, ours)
        else:
            if pid == 0:
                run(request, server_pid, channel_fd, output_fd, theirs.fileno() if theirs else None)
            self._watch(pid, lifeline, connection, ours, request)
        os.close(channel_fd)
        os.close(output_fd)
        _close(theirs)
        return True

    def _watch(
        self,
        pid: int,
        lifeline: socket.socket,
        starter: socket.socket,
        connection: socket.socket | None,
        request: dict[str, Any],
    ) -> None:
        child = _Running(pid, os.pidfd_open(pid), lifeline, starter, connection, _limits(request))
        self.children[pid] = child
        self.selector.register(child.pidfd, selectors.EVENT_READ, ("exit", child))
        self.selector.register(lifeline, selectors.EVENT_READ, ("lifeline", child))
        if connection is not None:
            self.selector.register(connection, selectors.EVENT_READ, ("connection", connection))
        _send(lifeline, {"pid": pid})

    def _lifeline(self, child: _Running) -> None:
        """A message on a lifeline asks for the child's end; so does its closing."""
        try:
            gone = not child.lifeline.recv(64)
        except ConnectionError:
            gone = True
        if gone:
            child.lost = True
            self.selector.unregister(child.lifeline)
        self._kill(child)

    def _kill(self, child: _Running) -> None:
        _signal_group(child.pid)
        if child.connection is not None:
            self._drop(child.connection)

    def _drop(self, connection: socket.socket) -> None:
        """A connection has ended: so do the children started through it."""
        if connection.fileno() == -1:
            return  # dropped before
        self.selector.unregister(connection)
        connection.close()
        for child in [c for c in self.children.values() if c.starter is connection]:
            self._kill(child)

    def _exited(self, child: _Running) -> None:
        _signal_group(child.pid)  # before the wait: until then the number cannot be another's
        _, status = os.waitpid(child.pid, 0)
        del self.children[child.pid]
        self.selector.unregister(child.pidfd)
        os.close(child.pidfd)
        if child.connection is not None:
            self._drop(child.connection)
        if not child.lost:
            self.selector.unregister(child.lifeline)
        self._kill_orphans()
        excess = child.excess or Excess("", "")
        _send(child.lifeline, {"exit": os.waitstatus_to_exitcode(status), **asdict(excess)})
        child.lifeline.close()

    def _watch_limits(self) -> None:
        for child in self.children.values():
            if child.excess is not None:
                continue
            started = [c.pid for c in self.children.values() if c.starter is child.connection]
            family = [pid for root in (child.pid, *started) for pid in descendants(root)]
            child.excess = child.limits.excess(family)
            if child.excess is not None:
                self._kill(child)

    def _kill_orphans(self) -> None:
        """Kill what was adopted: a descendant whose parent ended or that made itself a daemon."""
        for pid in children_of(os.getpid()):
            if pid not in self.children:
                for descendant in descendants(pid):
                    _signal(descendant)
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # reaped since the list was read

    def _end(self) -> None:
        for child in self.children.values():
            for pid in descendants(child.pid):
                _signal(pid)
        while children_of(os.getpid()):
            self._kill_orphans()
            for child in self.children.values():
                _signal_group(child.pid)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _launcher_ends(may_start: bool) -> tuple[socket.socket | None, socket.socket | None]:
    """Of the connection over which a child may ask for children: the server's and the child's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) if may_start else (None, None)


def _send(lifeline: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):  # the one who started it is gone, and its lifeline will say so
        lifeline.send(json.dumps(message).encode())


def _close(*ends: socket.socket | None) -> None:
    for end in ends:
        if end is not None:
            end.close()


def _limits(request: dict[str, Any]) -> ResourceLimits:
    """Of a child; what the server itself holds, and children share with it, is not counted as its memory."""
    megabytes, walls = request["memory_limit_mb"], request["walls"]
    return ResourceLimits(
        memory=megabytes * 2**20 + anonymous_bytes(os.getpid()) if megabytes else None,
        walls=Walls.from_json(walls) if walls else None,
        folder=Path(request["directory"]),
    )


def _signal_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        _signal(pid)  # it had no time to become the leader of its group


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    scratch = Path.cwd()
    signal.signal(signal.SIGTERM, lambda *_: _leave(scratch))  # at once, however long the imports take
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    owner = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        try:
            importlib.import_module(name)
        except ImportError as error:
            owner.send(f"expected a module that imports, found {name}: {error}".encode())
            return
    loaded_modules()
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, pages that children share
    # From here on SIGTERM ends it like a closed connection does.
    signal.signal(signal.SIGTERM, lambda *_: owner.shutdown(socket.SHUT_RDWR))
    with suppress(BrokenPipeError):  # the owner may have died before it could be noticed
        owner.send(b"ready")
        Server().serve(owner)
    _leave(scratch)


def _leave(scratch: Path) -> None:
    remove_tree(scratch)  # the owner may have had no time to
    os._exit(0)  # libraries that were only preloaded need no tearing down, and some complain about it


if __name__ == "__main__":
    main()
