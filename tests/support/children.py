"""What tests of the isolation let children do: each function is a child's whole life."""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from openevolve.evaluating.isolation import Launcher, Request

Argument = Mapping[str, str]


def describe(channel: socket.socket, argument: Argument) -> None:
    print("printed")
    facts = {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "folder": os.getcwd(),
        "descriptors": " ".join(fd for fd in sorted(os.listdir("/proc/self/fd")) if is_open(int(fd))),
        **os.environ,
    }
    channel.sendall("\n".join(f"{key}={value}" for key, value in facts.items()).encode())
    channel.shutdown(socket.SHUT_WR)


def is_open(fd: int) -> bool:
    """False for the descriptor that listing /proc/self/fd itself had open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def leave_with_3(channel: socket.socket, argument: Argument) -> None:
    sys.exit(3)


def leave_at_once(channel: socket.socket, argument: Argument) -> None:
    os._exit(7)


def raise_error(channel: socket.socket, argument: Argument) -> None:
    raise ArithmeticError("two")


def segfault(channel: socket.socket, argument: Argument) -> None:
    ctypes.string_at(0)


def terminate_itself(channel: socket.socket, argument: Argument) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def ignore_signals(channel: socket.socket, argument: Argument) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel.sendall(b"ready")
    time.sleep(60)


def eat_memory(channel: socket.socket, argument: Argument) -> None:
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 22))
        time.sleep(0.005)


def let_a_child_eat(channel: socket.socket, argument: Argument) -> None:
    if os.fork() == 0:
        eat_memory(channel, argument)
    time.sleep(60)


def leave_a_daemon(channel: socket.socket, argument: Argument) -> None:
    channel.sendall(str(daemon()).encode())
    channel.shutdown(socket.SHUT_WR)


def leave_a_daemon_and_sleep(channel: socket.socket, argument: Argument) -> None:
    leave_a_daemon(channel, argument)
    time.sleep(60)


def daemon() -> int:
    """Fork a process in a session of its own that sleeps; returns its number."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    return pid


def sleep(channel: socket.socket, argument: Argument) -> None:
    time.sleep(60)


def start_another(channel: socket.socket, argument: Argument) -> None:
    launcher = Launcher.inherited()
    assert launcher is not None
    child = launcher.start(Request("tests.support.children:sleep", {}, Path(argument["folder"])))
    channel.sendall(str(child.pid).encode())
    time.sleep(60)


def start_an_eater(channel: socket.socket, argument: Argument) -> None:
    launcher = Launcher.inherited()
    assert launcher is not None
    launcher.start(Request("tests.support.children:eat_memory", {}, Path(argument["folder"]))).wait(60)
    time.sleep(60)
