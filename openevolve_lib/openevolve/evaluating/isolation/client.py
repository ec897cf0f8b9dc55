"""The owner's side: ask the fork server for children, talk to them, see them end."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.isolation.scratch import remove_tree
from openevolve.evaluating.isolation.walls import Walls

LAUNCHER_VARIABLE = "OPENEVOLVE_LAUNCHER_FD"
_MESSAGE_BYTES = 1 << 16

# Passed on to children; everything else stays with the owner, above all keys and tokens.
_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
    "PYTHONPATH", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
)  # fmt: skip

# Large blocks stay in the heap instead of being mapped and zeroed anew for every batch: training
# on a CPU is two to three times as fast (design notes; benchmarks/evaluation.py measures it).
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "17179869184",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_MMAP_MAX_": "0",
}


def clean_environment(extra: Iterable[str] = ()) -> dict[str, str]:
    """The environment of children: a short list of this process's variables, and ``extra`` names."""
    kept = {name: os.environ[name] for name in (*_PASSED_ON, *extra) if name in os.environ}
    # A fixed hash seed: set order must not differ between two runs with the same seed.
    # Threads that wait spin for some microseconds, then sleep. For two threads training at 28 px on two cores
    # that is a fifth faster than to sleep at once, and ten times as fast as OpenMP's long spinning where two
    # other processes are busy.
    threads = {"GOMP_SPINCOUNT": "10000"}
    return kept | _ALLOCATOR | threads | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Request:
    """What to start: ``target`` is ``module:function``, called as ``function(channel, argument)``."""

    target: str
    argument: Mapping[str, Any]
    directory: Path  # the working directory; stdout and stderr go to output.txt in it
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of the server's own
    memory_limit_mb: int | None = None  # resident anonymous memory, over all descendants
    may_start: bool = False
    walls: Walls | None = None  # put up before the target is called

    def __post_init__(self) -> None:
        if self.may_start and self.walls is not None:
            raise ValueError("expected walls or may_start, found both: a child could start others outside")

    @property
    def output(self) -> Path:
        return self.directory / "output.txt"

    def open_output(self) -> BinaryIO:
        """What the child will print, to be read; opened now, since later something else may lie there."""
        self.output.touch()
        return self.output.open("rb")

    def to_json(self) -> dict[str, Any]:
        walls = None if self.walls is None else self.walls.to_json()
        return asdict(self) | {"directory": str(self.directory), "walls": walls}


@dataclass(frozen=True)
class Exit:
    """How a child ended: exit code, or minus the signal; ``reason`` where the server killed it."""

    code: int
    reason: str = ""  # "out_of_memory", or "forbidden" beyond another limit
    detail: str = ""  # expected, found

    @property
    def asked_to_end(self) -> bool:
        """Whether a signal ended it that people and batch schedulers send to whole jobs."""
        return -self.code in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Child:
    """A started process. Closing it (or losing it) kills it and everything it started."""

    def __init__(self, pid: int, channel: socket.socket, lifeline: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.lifeline = lifeline

    def kill(self) -> None:
        """Ask for SIGKILL; ``wait`` still reports the exit."""
        try:
            self.lifeline.send(b"kill")
        except OSError:
            pass  # the server has already reported the exit and closed its end

    def wait(self, timeout: float | None = None) -> Exit:
        """Block until the process has ended. Raises TimeoutError, or ConnectionError (``parse_exit``)."""
        self.lifeline.settimeout(timeout)
        return parse_exit(self.lifeline.recv(_MESSAGE_BYTES))

    def close(self) -> None:
        self.channel.close()
        self.lifeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parse_exit(message: bytes) -> Exit:
    """Read the server's last message on a lifeline. Raises ConnectionError where it is gone."""
    if not message:
        raise ConnectionError("the fork server ended before the process did")
    report = json.loads(message)
    return Exit(report["exit"], report["reason"], report["detail"])


class Launcher:
    """Starts children through a connection to a fork server."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def inherited(cls) -> "Launcher | None":
        """The connection that this process was started with, if it may start children."""
        number = os.environ.get(LAUNCHER_VARIABLE)
        return cls(socket.socket(fileno=os.dup(int(number)))) if number else None

    def start(self, request: Request) -> Child:
        """Fork a child.

        Raises:
            ConnectionError: the server is gone.
            RunInterrupted: the machine has no room for another process, or no descriptors.
        """
        try:
            return self._start(request)
        except ConnectionError:
            raise
        except FileNotFoundError as error:
            raise ConnectionError("the fork server is gone, and its scratch folder with it") from error
        except OSError as error:
            raise RunInterrupted(
                f"expected room to start a process, found: {error}. Make some (ulimit -n) and go on."
            ) from error

    def _start(self, request: Request) -> Child:
        with ExitStack() as ours, ExitStack() as theirs:
            channel, child_channel = socket.socketpair()
            lifeline, server_lifeline = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in (channel, lifeline):
                ours.enter_context(end)
            for end in (child_channel, server_lifeline):
                theirs.enter_context(end)
            output = theirs.enter_context(request.output.open("ab"))
            # In a file, since a message has a limit: walls may let in thousands of files by name.
            text = theirs.enter_context(open(os.memfd_create("request"), "wb"))
            text.write(json.dumps(request.to_json()).encode())
            text.flush()
            ends = [server_lifeline.fileno(), child_channel.fileno()]
            try:
                socket.send_fds(self._connection, [b"start"], [*ends, output.fileno(), text.fileno()])
            except OSError as error:
                raise ConnectionError(f"the fork server is gone: {error}") from error
            theirs.close()
            started = lifeline.recv(_MESSAGE_BYTES)
            if not started:
                raise ConnectionError("the fork server ended before it had started the process")
            answer = json.loads(started)
            if "refused" in answer:
                raise RunInterrupted(
                    f"expected room for another process, found: {answer['refused']}. "
                    "End others, or raise the limit (ulimit -u), and go on."
                )
            ours.pop_all()
            return Child(answer["pid"], channel, lifeline)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ForkServer(Launcher):
    """A fork server of one's own, with modules imported once; it ends with its owner."""

    def __init__(self, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """Start the server and wait until it has imported ``preload``.

        Raises:
            UserError: not Linux, or a module that cannot be imported.
        """
        if sys.platform != "linux":
            raise UserError(
                f"expected Linux, found {sys.platform}: evaluations need its process isolation. "
                "Use a Linux machine, a container or WSL2."
            )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(ours)
        self.scratch = Path(tempfile.mkdtemp(prefix="openevolve-"))
        command = [
            sys.executable,
            "-m",
            "openevolve.evaluating.isolation.server",
            str(theirs.fileno()),
            *preload,
        ]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=dict(clean_environment() if environment is None else environment),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=self.scratch,
                start_new_session=True,  # Ctrl-C in the terminal is for the owner alone
            )
        greeting = ours.recv(_MESSAGE_BYTES)
        if greeting != b"ready":
            self.close()
            raise UserError(f"evaluator.preload: {greeting.decode() or 'the fork server did not start'}")

    def ended(self) -> bool:
        """Whether the server's process is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the server and with it every child; the scratch folder goes too."""
        super().close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        remove_tree(self.scratch)
