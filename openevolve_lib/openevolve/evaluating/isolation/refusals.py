"""Which system calls walls refuse: what Landlock does not cover, and what outlives or leaves a process."""

import errno

from openevolve.evaluating.isolation import gpu as nvidia
from openevolve.evaluating.isolation import landlock, syscalls
from openevolve.evaluating.isolation.seccomp import Rule

_ALWAYS = (
    "other processes", "unbounded and shared memory", "file attributes",
    "files of others, and unseen writes",
    "file systems and namespaces", "the kernel",
)  # fmt: skip

_CLONE_PARENT, _CLONE_THREAD = 0x8000, 0x10000
_CLONE_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_SOCKET_TYPE, _SOCK_STREAM = 0xF, 1
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000

# PR_GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, CAPBSET_READ, SET_ and GET_TIMERSLACK,
# GET_NO_NEW_PRIVS, SET_ and GET_THP_DISABLE, SVE_GET_VL, GET_TAGGED_ADDR_CTRL, SET_VMA (its name)
_PRCTL = (3, 15, 16, 21, 23, 29, 30, 39, 41, 42, 51, 56, 0x53564D41)
# F_SETOWN, F_SETSIG and F_SETOWN_EX send signals to others; F_SETLEASE makes who opens a file wait
_FCNTL = (8, 10, 15, 1024)
# TIOCSTI, TIOCLINUX; FIOSETOWN, SIOCSPGRP; FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR
_IOCTL = (0x5412, 0x541C, 0x8901, 0x8902, 0x40086602, 0x40046602, 0x401C5820)


def refusals(pid: int, *, processes: bool, gpu: bool, landlock_abi: int) -> list[Rule]:
    """Rules for the process ``pid``, which may start others (``processes``) or use a GPU."""
    calls = syscalls.numbers()
    rules = [Rule(name) for subject in _ALWAYS for name in calls[subject]]
    rules += [Rule(name, 0, allowed=(0, pid)) for name in calls["scheduling"]]
    rules += [
        # Their flags lie in memory, where no filter can look; libraries go on without these calls.
        Rule("clone3", errno=errno.ENOSYS),
        Rule("openat2", errno=errno.ENOSYS),
        Rule("fallocate", errno=errno.EOPNOTSUPP),  # takes room on the disk that no account of writes shows
        Rule("prctl", 0, allowed=_PRCTL),
        Rule("fcntl", 1, refused=_FCNTL),
        Rule("ioctl", 1, refused=_IOCTL),
        # A pair of datagram sockets could send to any address that lies in the file system.
        Rule("socketpair", 1, mask=_SOCKET_TYPE, allowed=(_SOCK_STREAM,)),
    ]
    if processes:
        rules.append(Rule("clone", 0, mask=_CLONE_NAMESPACES | _CLONE_PARENT, allowed=(0,)))
    else:
        rules.append(Rule("clone", 0, mask=_CLONE_NAMESPACES | _CLONE_THREAD, allowed=(_CLONE_THREAD,)))
        rules += [Rule(name) for name in calls["new programs"]]
        rules += [Rule(name, 0, allowed=(pid,)) for name in calls["signals"]]
    if gpu:
        rules += nvidia.socket_rules()
    else:
        rules += [Rule(name) for name in calls["network"]]
        rules.append(Rule("memfd_create"))  # CUDA needs it; unmapped, it shows in no process's resident size
    if landlock_abi < landlock.TRUNCATE_ABI:  # a file opened for reading could be emptied
        rules.append(Rule("truncate"))
        for name, argument in (("open", 1), ("openat", 2)):
            rules.append(Rule(name, argument, mask=_O_ACCMODE | _O_TRUNC, refused=(_O_TRUNC,)))
    return rules
