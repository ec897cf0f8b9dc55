"""A seccomp filter: system calls that a process gives up, for itself and what it starts.

The filter is a program of the classic Berkeley Packet Filter, put together here by hand
(https://docs.kernel.org/userspace-api/seccomp_filter.html). It refuses by name, and whatever is newer
than its table; a refused call fails with EPERM, so that Python raises PermissionError.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from openevolve.evaluating.isolation import syscalls

_LOAD, _AND, _JUMP, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, ...
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SET_MODE_FILTER = 1
_NO_SLOWER_BRANCHES = 1 << 2  # SECCOMP_FILTER_FLAG_SPEC_ALLOW: side channels are not what this is for
_WHOLE = 0xFFFFFFFF


@dataclass(frozen=True)
class Rule:
    """A call that is refused: always, or as the low 32 bits of one argument say.

    Of several rules for a call each may refuse it.
    """

    call: str
    argument: int | None = None  # from 0; None: always refused
    mask: int = _WHOLE
    allowed: tuple[int, ...] = ()  # refused unless the masked argument is one of these ...
    refused: tuple[int, ...] = ()  # ... or, where this is given, only if it is one of these
    errno: int = errno.EPERM


def install(rules: Iterable[Rule]) -> None:
    """Put this thread behind the filter, for good. Needs ``no_new_privs``. Raises OSError."""
    program = assemble(rules)
    code = ctypes.create_string_buffer(program)
    header = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    number = {name: n for calls in syscalls.numbers().values() for name, n in calls.items()}["seccomp"]
    flags = ctypes.c_uint(_NO_SLOWER_BRANCHES)
    syscalls.call(number, ctypes.c_uint(_SET_MODE_FILTER), flags, header)


def assemble(rules: Iterable[Rule]) -> bytes:
    """The filter as an array of ``struct sock_filter``."""
    numbers = {name: n for calls in syscalls.numbers().values() for name, n in calls.items()}
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, _AUDIT_ARCHITECTURE[platform.machine()], if_true=1),
        _instruction(_RETURN, _KILL_PROCESS),  # 32-bit calls have other numbers
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, syscalls.NEWEST + 1, if_false=1),  # those of x32 too
        _refuse(errno.ENOSYS),
    ]
    by_call: dict[str, list[Rule]] = {}
    for rule in rules:
        by_call.setdefault(rule.call, []).append(rule)
    for call, of_call in by_call.items():
        if call in numbers:
            body = [*chain.from_iterable(map(_body, of_call)), _instruction(_RETURN, _ALLOW)]
            program += [_instruction(_EQUAL, numbers[call], if_false=len(body)), *body]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


def _body(rule: Rule) -> list[bytes]:
    """What is done once the number is the rule's; a call that it does not refuse goes on behind it."""
    if rule.argument is None:
        return [_refuse(rule.errno)]
    values = rule.refused or rule.allowed
    # A value that is found leads past what follows the tests: to the refusal, or behind it.
    ends = [_refuse(rule.errno)]
    if rule.refused:
        ends.insert(0, _instruction(_JUMP, 1))
    tests = [
        _instruction(_EQUAL, value & _WHOLE, if_true=len(values) - position)
        for position, value in enumerate(values)
    ]
    load = _instruction(_LOAD, _ARGUMENTS + 8 * rule.argument)  # little-endian: the low half comes first
    return [load, _instruction(_AND, rule.mask), *tests, *ends]


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | number)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
