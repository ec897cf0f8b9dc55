"""What NVIDIA's driver needs of a process that starts CUDA, and no more: files, sockets, calls.

CUDA opens its device nodes, reads what the driver tells in /proc and /sys, names its threads by writing to
``/proc/self/task/*/comm``, and binds an abstract UNIX socket on which it listens for other processes of the
same program. Nobody may come: nothing is ever connected or accepted.
"""

import errno
import glob
import socket
from collections.abc import Iterator

from openevolve.evaluating.isolation.seccomp import Rule

# Opened for reading and writing, and controlled by ioctl. Those of other devices (NVSwitch, GPUDirect
# storage, fabric channels) are not among them.
DEVICES = (
    "/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
    "/dev/nvidia-caps",
)  # fmt: skip
READABLE = (
    "/sys/bus/pci/devices", "/sys/devices/pci*", "/sys/module/nvidia*",
    "/sys/devices/system/memory/block_size_bytes",
)  # fmt: skip
READABLE_IN_PROC = ("/proc/driver/nvidia*", "/proc/devices", "/proc/modules")

# Landlock knows folders, and threads to come are in none but this. What else can be written below it is the
# process's own: its memory, its place among those killed for want of memory (which it can only worsen).
OWN_THREADS = "/proc/self/task"

_SOCKET_TYPE = 0xF
# Without a connection neither kind sends anything; a datagram socket would, to any address.
_CONNECTION_ORIENTED = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)


def found(patterns: tuple[str, ...]) -> Iterator[str]:
    """The paths of this machine that are meant."""
    for pattern in patterns:
        yield from glob.glob(pattern)


def present() -> bool:
    """Whether there are device nodes of NVIDIA's driver here."""
    return next(found(DEVICES), None) is not None


def socket_rules() -> list[Rule]:
    """The network as far as CUDA takes part in it. Landlock lets no socket be made in the file system."""
    return [
        Rule("socket", 0, allowed=(socket.AF_UNIX,)),
        Rule("socket", 1, mask=_SOCKET_TYPE, allowed=_CONNECTION_ORIENTED),
        # As if nobody listened: libraries go on without a daemon that does not answer.
        Rule("connect", errno=errno.ECONNREFUSED),
        Rule("accept"),
        Rule("accept4"),
    ]
