"""Landlock: a process gives up access to files, sockets and signals, for itself and what it starts.

Needs no privilege. What a kernel can wall off depends on its version (``abi``):
https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

from openevolve.evaluating.isolation import syscalls

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_QUERY = 1
_RULE_PATH_BENEATH = 1
_NET_BIND_TCP, _NET_CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1, 2

TRUNCATE_ABI, TCP_ABI, SCOPE_ABI = 3, 4, 6


class Access(IntFlag):
    """``LANDLOCK_ACCESS_FS_*`` of the kernel's header."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
_CHANGE = (
    Access.WRITE_FILE | Access.TRUNCATE | Access.REMOVE_FILE | Access.REMOVE_DIR | Access.REFER
    | Access.MAKE_REG | Access.MAKE_DIR | Access.MAKE_SYM
)  # fmt: skip
WRITE = READ | _CHANGE  # no sockets, FIFOs or device nodes: what reads the folder later could hang on one
DEVICE = Access.READ_FILE | Access.WRITE_FILE | Access.READ_DIR | Access.IOCTL_DEV
_OF_FILES = (
    Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
)  # fmt: skip


def abi() -> int:
    """The kernel's version of Landlock, 1 to 7 and later; 0 where there is none or it is switched off."""
    try:
        return syscalls.call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_QUERY))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def known_access(version: int) -> Access:
    """Every access to files that this version of Landlock can refuse."""
    newest = {1: Access.MAKE_SYM, 2: Access.REFER, 3: Access.TRUNCATE, 4: Access.TRUNCATE}
    return Access(2 * newest.get(version, Access.IOCTL_DEV) - 1)


class Ruleset:
    """Everything is refused that is not allowed before ``enforce``."""

    def __init__(self, version: int) -> None:
        """Of a version that the kernel has. Raises OSError."""
        self._known = known_access(version)
        tcp = _NET_BIND_TCP | _NET_CONNECT_TCP if version >= TCP_ABI else 0
        scope = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if version >= SCOPE_ABI else 0
        attributes = struct.pack("=QQQ", self._known, tcp, scope)
        size = 24 if version >= SCOPE_ABI else 16 if version >= TCP_ABI else 8
        self._fd = syscalls.call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))

    def allow(self, paths: Iterable[Path | str], access: Access) -> None:
        """Allow access to files and to all beneath folders; paths that do not exist are passed over."""
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            try:
                self.allow_descriptor(fd, access)
            finally:
                os.close(fd)

    def allow_descriptor(self, fd: int, access: Access) -> None:
        """As ``allow``, for an open file or folder. Raises OSError."""
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _OF_FILES
        rule = struct.pack("=Qi", access & self._known, fd)
        syscalls.call(
            _ADD_RULE, ctypes.c_int(self._fd), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint32(0)
        )

    def enforce(self) -> None:
        """Wall this thread in, for good. Needs ``no_new_privs``. Raises OSError."""
        syscalls.call(_RESTRICT_SELF, ctypes.c_int(self._fd), ctypes.c_uint32(0))
        os.close(self._fd)
