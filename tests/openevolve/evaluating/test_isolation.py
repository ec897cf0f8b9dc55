"""Children of the fork server: what they get, how they end, and that nobody outlives their owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.isolation import Child, Exit, ForkServer, Request
from openevolve.testing.evaluations import gone
from tests import PROJECT

MEMORY = "expected resident memory below the limit, found more"


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    with ForkServer(["tests.support.children"], environment) as server:
        yield server


def request(
    name: str, folder: Path, *, may_start: bool = False, memory_limit_mb: int | None = None
) -> Request:
    return Request(
        f"tests.support.children:{name}", {"folder": str(folder)}, folder,
        environment={"GREETING": "hello"}, may_start=may_start, memory_limit_mb=memory_limit_mb,
    )  # fmt: skip


def everything(child: Child) -> bytes:
    parts = []
    while part := child.channel.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def test_a_child_gets_a_session_a_folder_and_nothing_it_was_not_given(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted")
    with server.start(request("describe", tmp_path)) as child:
        lines = dict(line.split("=", 1) for line in everything(child).decode().splitlines())
        assert child.wait(10) == Exit(0)
    assert lines["session"] == lines["pid"] == str(child.pid)
    assert lines["folder"] == str(tmp_path)
    assert lines["descriptors"] == "0 1 2 3"
    assert lines["GREETING"] == "hello"
    assert "OPENAI_API_KEY" not in lines
    assert (tmp_path / "output.txt").read_text() == "printed\n"


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("leave_with_3", Exit(3)),
        ("leave_at_once", Exit(7)),
        ("raise_error", Exit(1)),
        ("segfault", Exit(-signal.SIGSEGV)),
        ("terminate_itself", Exit(-signal.SIGTERM)),
    ],
)
def test_every_end_is_reported(server: ForkServer, tmp_path: Path, name: str, ended: Exit) -> None:
    with server.start(request(name, tmp_path)) as child:
        assert child.wait(10) == ended
    if name == "raise_error":
        assert "ArithmeticError: two" in (tmp_path / "output.txt").read_text()


def test_a_request_may_be_larger_than_a_message(server: ForkServer, tmp_path: Path) -> None:
    large = replace(request("leave_with_3", tmp_path), argument={"names": ["n" * 100] * 20_000})
    with server.start(large) as child:
        assert child.wait(10) == Exit(3)


def test_a_machine_without_room_for_a_process_is_no_fault_of_a_program(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    with ForkServer(["tests.support.children", "tests.support.crowded"], environment) as server:
        for _ in range(2):
            with pytest.raises(RunInterrupted, match="expected room for another process, found: "):
                server.start(request("leave_with_3", tmp_path))


def test_a_child_that_ignores_signals_is_killed(server: ForkServer, tmp_path: Path) -> None:
    with server.start(request("ignore_signals", tmp_path)) as child:
        child.channel.recv(10)
        child.kill()
        assert child.wait(10) == Exit(-signal.SIGKILL)


def test_memory_beyond_the_limit_ends_a_child_with_the_reason(server: ForkServer, tmp_path: Path) -> None:
    with server.start(request("eat_memory", tmp_path, memory_limit_mb=128)) as child:
        assert child.wait(60) == Exit(-signal.SIGKILL, "out_of_memory", MEMORY)


def test_memory_of_descendants_counts(server: ForkServer, tmp_path: Path) -> None:
    with server.start(request("let_a_child_eat", tmp_path, memory_limit_mb=128)) as child:
        assert child.wait(60) == Exit(-signal.SIGKILL, "out_of_memory", MEMORY)


def test_a_daemon_ends_with_the_child_that_left_it(server: ForkServer, tmp_path: Path) -> None:
    with server.start(request("leave_a_daemon", tmp_path)) as child:
        daemon = int(everything(child))
        assert child.wait(10) == Exit(0)
    assert gone(daemon)


def test_closing_the_lifeline_kills(server: ForkServer, tmp_path: Path) -> None:
    child = server.start(request("sleep", tmp_path))
    child.close()
    assert gone(child.pid)


def test_what_a_child_started_ends_with_it(server: ForkServer, tmp_path: Path) -> None:
    child = server.start(request("start_another", tmp_path, may_start=True))
    other = int(child.channel.recv(20))
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == Exit(-signal.SIGKILL)
    child.close()
    assert gone(other)


def test_many_at_once_and_each_has_its_own_channel(server: ForkServer, tmp_path: Path) -> None:
    children = [server.start(request("describe", tmp_path)) for _ in range(20)]
    assert len({child.pid for child in children}) == 20
    for child in children:
        assert f"pid={child.pid}" in everything(child).decode()
        assert child.wait(10) == Exit(0)
        child.close()


def test_nobody_and_no_folder_outlives_an_owner_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from tests.openevolve.evaluating.test_isolation import request\n"
        "from openevolve.evaluating.isolation import ForkServer\n"
        "server = ForkServer(['tests.support.children'], {'PYTHONPATH': sys.argv[2]})\n"
        "child = server.start(request('leave_a_daemon_and_sleep', Path(sys.argv[1])))\n"
        "print(server.scratch, child.pid, child.channel.recv(20).decode(), flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(PROJECT)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    scratch, child, daemon = owner.stdout.readline().split()
    owner.kill()
    owner.communicate()
    assert gone(int(child))
    assert gone(int(daemon))
    deadline = time.monotonic() + 10
    while Path(scratch).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_module_that_does_not_import_is_named() -> None:
    with pytest.raises(UserError, match=r"evaluator\.preload: expected a module that imports, found no_such"):
        ForkServer(["no_such"])


def test_a_dead_server_is_a_connection_error(tmp_path: Path) -> None:
    server = ForkServer()
    server._process.kill()
    server._process.wait()
    with pytest.raises(ConnectionError):
        server.start(request("sleep", tmp_path))
    server.close()


def test_memory_of_what_a_child_started_counts(server: ForkServer, tmp_path: Path) -> None:
    with server.start(request("start_an_eater", tmp_path, may_start=True, memory_limit_mb=128)) as child:
        assert child.wait(60) == Exit(-signal.SIGKILL, "out_of_memory", MEMORY)
