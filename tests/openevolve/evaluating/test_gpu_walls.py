"""Walls with a GPU: all that NVIDIA's driver does when CUDA starts works in them, on imitated nodes, and
nothing else does that walls without one refuse."""

import errno
import os
import socket
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openevolve.evaluating.isolation import Walls, gpu, landlock
from openevolve.evaluating.isolation.level import try_walls
from openevolve.evaluating.isolation.walls import enclose
from tests.openevolve.evaluating.test_walls import in_a_child

REFUSED = (errno.EACCES, errno.EPERM)
UNIX, INET = socket.AF_UNIX, socket.AF_INET
STREAM, DATAGRAM, PACKETS = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def within(folder: Path, action: Callable[[], object], *, gpu: bool = True) -> object:
    """What an action gives within walls, or the number of its error."""

    def tried() -> object:
        enclose(Walls(gpu=gpu), folder)
        return action()

    return in_a_child(tried)


def name_of_a_new_thread() -> str:
    """Set as the driver sets it: through /proc, from another thread."""
    named, done = threading.Event(), threading.Event()

    def work() -> int:
        named.set()
        done.wait(10)
        return threading.get_native_id()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work)
        named.wait(10)
        (number,) = (task for task in os.listdir("/proc/self/task") if int(task) != os.getpid())
        comm = Path(f"/proc/self/task/{number}/comm")
        comm.write_text("cuda-EvtHandlr")
        done.set()
        return comm.read_text().strip()


def listening(kind: int, address: str | bytes = b"\0cuda-uvmfd-1-1") -> socket.socket:
    listener = socket.socket(UNIX, kind)
    listener.bind(address)
    listener.listen(1)
    return listener


def accepting() -> object:
    listener = listening(PACKETS)
    listener.setblocking(False)
    return str(listener.accept())


def connecting() -> object:
    listener = listening(PACKETS)
    socket.socket(UNIX, PACKETS).connect(listener.getsockname())
    return "connected"


def sending(kind: int) -> object:
    listener = listening(kind)
    return socket.socket(UNIX, kind).sendto(b"x", listener.getsockname())


def test_a_driver_names_its_threads(inside: Path) -> None:
    assert within(inside, name_of_a_new_thread) == "cuda-EvtHandlr"
    assert within(inside, name_of_a_new_thread, gpu=False) in REFUSED


@pytest.mark.parametrize("kind", [PACKETS, STREAM])
def test_a_driver_listens_on_an_abstract_address(inside: Path, kind: int) -> None:
    assert within(inside, lambda: listening(kind).getsockname().decode()) == "\0cuda-uvmfd-1-1"
    assert within(inside, lambda: listening(kind), gpu=False) in REFUSED


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (accepting, errno.EPERM),
        (connecting, errno.ECONNREFUSED),
        (lambda: sending(PACKETS), errno.ENOTCONN),
        (lambda: sending(STREAM), errno.EOPNOTSUPP),
        (lambda: listening(STREAM, "socket"), errno.EACCES),
        (lambda: socket.socket(UNIX, DATAGRAM), errno.EPERM),
        (lambda: socket.socket(UNIX, DATAGRAM | socket.SOCK_CLOEXEC), errno.EPERM),
        (lambda: socket.socket(UNIX, socket.SOCK_RAW), errno.EPERM),
        (lambda: socket.socket(INET, STREAM), errno.EPERM),
        (lambda: socket.socket(INET, PACKETS), errno.EPERM),
        (lambda: socket.socket(socket.AF_INET6, STREAM), errno.EPERM),
        (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), errno.EPERM),
        (lambda: socket.socketpair(UNIX, DATAGRAM), errno.EPERM),
    ],
)
def test_no_socket_does_more_than_listen(inside: Path, action: Callable[[], object], error: int) -> None:
    os.chdir(inside)
    assert within(inside, action) == error


@pytest.mark.parametrize(
    "path", ["/proc/{parent}/comm", "/proc/{parent}/task/{parent}/comm", "/proc/self/comm"]
)
def test_only_its_own_threads_are_named(inside: Path, path: str) -> None:
    before, parent = Path("/proc/self/comm").read_text(), os.getpid()
    assert within(inside, lambda: Path(path.format(parent=parent)).write_text("named")) in REFUSED
    assert Path("/proc/self/comm").read_text() == before


@pytest.mark.parametrize("name", ["oom_score_adj", "mem", "coredump_filter", "clear_refs", "timerslack_ns"])
def test_nothing_else_of_a_process_is_written(inside: Path, name: str) -> None:
    assert within(inside, lambda: os.open(f"/proc/self/{name}", os.O_WRONLY)) in REFUSED


def test_its_place_among_those_killed_is_never_bettered(inside: Path) -> None:
    def better() -> int:
        place = Path(f"/proc/self/task/{os.getpid()}/oom_score_adj")
        before = int(place.read_text())
        try:
            place.write_text(str(before - 100))
        except PermissionError:
            pass
        return int(place.read_text()) - before

    found = within(inside, better)
    assert found == 0


def imitate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's nodes and its folders in /proc and /sys, below a folder; its patterns point there."""
    nodes = ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset",
             "nvidia-caps/nvidia-cap1", "nvidia-nvswitch0", "nvidia-fs0", "sda", "dri/renderD128", "dxg",
             "kfd")  # fmt: skip
    files = ("proc/driver/nvidia/params", "proc/driver/nvidia/gpus/0/information", "proc/driver/nvidia-uvm/x",
             "proc/driver/nvidia-caps/mig-minors", "proc/driver/rtc", "proc/devices", "proc/modules",
             "sys/bus/pci/devices/0/config", "sys/module/nvidia/version",
             "sys/module/kvm/version")  # fmt: skip
    for name in nodes:
        node = folder / "dev" / name
        node.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            os.close(os.open(node, os.O_RDWR))
        except OSError:  # not root, or no devices are let be here: files do as well
            node.unlink(missing_ok=True)
            node.write_bytes(b"")
    for name in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    for name in ("DEVICES", "READABLE", "READABLE_IN_PROC"):
        monkeypatch.setattr(gpu, name, tuple(f"{folder}{pattern}" for pattern in getattr(gpu, name)))
    return folder


def opened(path: Path, flags: int) -> object:
    os.close(os.open(path, flags))
    return "opened"


@pytest.mark.parametrize(
    ("node", "let_in"),
    [
        *((name, True) for name in ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools",
                                    "nvidia-modeset", "nvidia-caps/nvidia-cap1")),
        *((name, False) for name in ("nvidia-nvswitch0", "nvidia-fs0", "sda", "dri/renderD128", "dxg",
                                     "kfd")),
    ],
)  # fmt: skip
def test_the_driver_has_its_nodes_and_no_others(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, node: str, let_in: bool
) -> None:
    path = imitate(tmp_path / "machine", monkeypatch) / "dev" / node
    assert gpu.present()
    found = within(inside, lambda: opened(path, os.O_RDWR))
    assert found == "opened" if let_in else found in REFUSED
    assert within(inside, lambda: opened(path, os.O_RDWR), gpu=False) in REFUSED


@pytest.mark.parametrize(
    ("name", "let_in"),
    [
        *((name, True) for name in ("proc/driver/nvidia/params", "proc/driver/nvidia/gpus/0/information",
                                    "proc/driver/nvidia-uvm/x", "proc/driver/nvidia-caps/mig-minors",
                                    "proc/devices", "proc/modules", "sys/bus/pci/devices/0/config",
                                    "sys/module/nvidia/version")),
        *((name, False) for name in ("proc/driver/rtc", "sys/module/kvm/version")),
    ],
)  # fmt: skip
def test_the_driver_is_read_and_not_written(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, name: str, let_in: bool
) -> None:
    path = imitate(tmp_path / "machine", monkeypatch) / name
    found = within(inside, path.read_text)
    assert found == name if let_in else found in REFUSED
    assert within(inside, path.read_text, gpu=False) in REFUSED
    assert within(inside, lambda: opened(path, os.O_WRONLY)) in REFUSED


def test_walls_with_a_gpu_are_tried_as_a_whole() -> None:
    found = try_walls(Walls(gpu=True), signals=True)
    assert all(found.values()), found
    assert {"naming threads", "listening without an address"} <= found.keys()


@pytest.mark.parametrize("abi", range(1, landlock.abi() + 1))
def test_the_driver_works_with_every_version_of_landlock(inside: Path, abi: int) -> None:
    def tried() -> object:
        enclose(Walls(gpu=True), inside, landlock_abi=abi)
        return [name_of_a_new_thread(), listening(PACKETS).getsockname().decode()]

    assert in_a_child(tried) == ["cuda-EvtHandlr", "\0cuda-uvmfd-1-1"]
