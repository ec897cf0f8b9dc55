"""No packet leaves: TCP and UDP, to loopback and outside, sockets of the machine, and ways around."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attacks.arena import Arena

CALLS = {
    "TCP": "socket.create_connection(('127.0.0.1', PORT), 5).sendall(b'forged')",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'forged', ('127.0.0.1', PORT))",
    "UDP by IPv6": (
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('::ffff:127.0.0.1', PORT))"
    ),
    "a UNIX socket": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'forged', PATH)",
    "an abstract UNIX socket": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', ABSTRACT)",
    "HTTP": "urllib.request.urlopen(f'http://127.0.0.1:{PORT}', timeout=1)",
}
REFUSED = {
    "TCP outside": "socket.create_connection(('192.0.2.1', 80), 2)",
    "UDP outside": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "a name": "socket.socket(socket.AF_INET).connect(('example.org', 80))",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "kernel cryptography": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "listening": "socket.create_server(('127.0.0.1', 0))",
    "a pair that can send to any path": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "trained weights": "torch.hub.load_state_dict_from_url('http://192.0.2.1/resnet.pth', 'weights')",
    "io_uring": (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.syscall(425, 8, ctypes.create_string_buffer(120)) < 0:\n"
        "    raise OSError(ctypes.get_errno(), 'io_uring_setup')"
    ),
}


@dataclass
class Ears:
    """Sockets that hear whatever is sent to them."""

    sockets: list[socket.socket]
    head: str  # where they are, for a program

    def heard(self) -> bool:
        for ear in self.sockets:
            try:
                if ear.type == socket.SOCK_STREAM:
                    ear.accept()[0].close()
                else:
                    ear.recv(100)
            except BlockingIOError:
                continue
            return True
        return False


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    path = str(tmp_path / "ear")
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    local, abstract = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    local.bind(path)
    abstract.bind("")  # the kernel chooses a name
    places = f"PORT, PATH, ABSTRACT = {port}, {path!r}, {abstract.getsockname()!r}"
    head = f"import socket, urllib.request\n{places}\n"
    sockets = [tcp, udp, local, abstract]
    for ear in sockets:
        ear.setblocking(False)
    yield Ears(sockets, head)
    for ear in sockets:
        ear.close()


@pytest.mark.parametrize("name", CALLS)
def test_nobody_hears_what_is_sent(arena: Arena, ears: Ears, name: str) -> None:
    arena.without_walls(ears.head + CALLS[name])
    assert ears.heard()
    assert arena.attack(ears.head + CALLS[name]).kind == "forbidden"
    assert not ears.heard()


@pytest.mark.parametrize("name", REFUSED)
def test_no_socket_is_had(arena: Arena, name: str) -> None:
    assert arena.attack(f"import socket\n{REFUSED[name]}").kind == "forbidden"


def test_what_needs_no_network_still_works(arena: Arena) -> None:
    code = """
        import asyncio, threading
        a, b = __import__("socket").socketpair()
        a.send(b"x")
        assert b.recv(1) == b"x"
        asyncio.run(asyncio.sleep(0))
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
    """
    assert arena.attack(code) == arena.honest
