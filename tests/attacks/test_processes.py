"""No process besides the candidate's own: none is started, signalled, traced or left behind."""

import os
import time
from pathlib import Path
from textwrap import dedent

import pytest

from tests.attacks.arena import Arena

LIBC = "import ctypes, os, signal\nlibc = ctypes.CDLL(None, use_errno=True)\n"
CALL = (
    LIBC + "def call(*arguments):\n    if libc.syscall(*arguments) < 0:\n"
    "        raise OSError(ctypes.get_errno(), 'refused')\n"
)
REFUSED = {
    "a fork bomb": "while True:\n    os.fork()",
    "vfork": CALL + "call(58)",
    "clone": CALL + "call(56, 17, 0, 0, 0, 0)",
    "a clone as a child of its parent": CALL + "call(56, 0x8000 | 17, 0, 0, 0, 0)",
    "a namespace": CALL + "call(272, 0x10000000)",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "a shell": "import subprocess\nsubprocess.run('true', shell=True, check=True)",
    "becoming another program": "os.execv('/bin/true', ['true'])",
    "multiprocessing": (
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()"
    ),
    "workers of a DataLoader": (
        "from torch.utils.data import DataLoader\nnext(iter(DataLoader([1, 2], num_workers=1)))"
    ),
    "a new session": "os.setsid()",
    "a new process group": "os.setpgid(0, 0)",
    "stopping its parent": "os.kill(os.getppid(), signal.SIGSTOP)",
    "killing its parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "killing the referee": "os.kill(REFEREE, signal.SIGKILL)",
    "killing a neighbour": "os.kill(NEIGHBOUR, signal.SIGKILL)",
    "killing everybody": "os.kill(-1, signal.SIGKILL)",
    "killing a process group": "os.killpg(os.getpgid(REFEREE), signal.SIGKILL)",
    "a signal by a descriptor of a process": (
        "signal.pidfd_send_signal(os.pidfd_open(REFEREE), signal.SIGKILL)"
    ),
    "a queued signal": CALL + "call(129, REFEREE, 9, ctypes.create_string_buffer(128))",
    "a signal to a thread": CALL + "call(234, REFEREE, REFEREE, 9)",
    "a signal to a thread of any process": CALL + "call(200, REFEREE, 9)",
    "a signal by a file's owner": "import fcntl\nfcntl.fcntl(3, fcntl.F_SETOWN, REFEREE)",
    "tracing its parent": CALL + "call(101, 16, os.getppid(), 0, 0)",
    "tracing a neighbour": CALL + "call(101, 0x4206, NEIGHBOUR, 0, 0)",
    "limits of the referee": "import resource\nresource.prlimit(REFEREE, resource.RLIMIT_CPU, (1, 1))",
    "the cores of the referee": "os.sched_setaffinity(REFEREE, {0})",
    "the priority of the referee": "os.setpriority(os.PRIO_PROCESS, REFEREE, 19)",
    "outliving the server": LIBC + "if libc.prctl(1, 0):\n    raise OSError(ctypes.get_errno(), 'prctl')",
    "adopting orphans": LIBC + "if libc.prctl(36, 1):\n    raise OSError(ctypes.get_errno(), 'prctl')",
    "BPF": CALL + "call(321, 0, 0, 0)",
    "counting events": CALL + "call(298, ctypes.create_string_buffer(128), REFEREE, -1, -1, 0)",
    "another user": "os.chroot('.')",
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_process_is_started_or_touched(arena: Arena, name: str) -> None:
    if "call(" in REFUSED[name] and os.uname().machine != "x86_64":
        pytest.skip("numbers of another architecture")
    ended = arena.attack(f"import os, signal\n{REFUSED[name]}\nraise LookupError('done')\n")
    assert ended.kind == "forbidden", ended
    for pid in (arena.server_pid, arena.neighbour_pid):
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("T", "t", "Z")


def test_without_walls_a_neighbour_can_be_stopped(arena: Arena) -> None:
    """So that the tests above could fail."""
    arena.without_walls("import os, signal\nos.kill(NEIGHBOUR, signal.SIGSTOP)")
    deadline = time.monotonic() + 10
    stat = Path(f"/proc/{arena.neighbour_pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(arena.neighbour_pid, 18)  # SIGCONT


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls of another architecture")
@pytest.mark.parametrize(("call", "kind"), [("x32", "crashed|import_error"), ("i386", "crashed")])
def test_calls_by_other_numbers_are_refused(arena: Arena, call: str, kind: str) -> None:
    """socket() as a 64-bit process can also ask for it: by the x32 number, and through int 0x80."""
    code = {
        "x32": CALL + "call(0x40000000 + 41, 2, 1, 0)",
        "i386": LIBC
        + dedent(
            """
            import mmap
            code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            code.write(bytes.fromhex("b867010000 bb02000000 b901000000 31d2 cd80 c3".replace(" ", "")))
            address = ctypes.addressof(ctypes.c_char.from_buffer(code))
            if ctypes.CFUNCTYPE(ctypes.c_int)(address)() < 0:
                raise LookupError("refused")
            """
        ),
    }[call]
    ended = arena.attack(code)
    assert ended.kind in kind.split("|"), ended
    assert "signal 31" in ended.message if call == "i386" else "refused" in ended.message


def test_signals_that_are_ignored_do_not_help(arena: Arena) -> None:
    ended = arena.attack(
        """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(1000)
        """,
        seconds=3,
    )
    assert ended.kind == "timeout"


def test_stopping_itself_ends_at_the_deadline(arena: Arena) -> None:
    assert (
        arena.attack("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", seconds=3).kind == "timeout"
    )
