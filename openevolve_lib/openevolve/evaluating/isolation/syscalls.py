"""Linux system calls by subject, with their numbers on x86_64 and aarch64, and calls through libc.

Only what a seccomp filter has something to say about. ``-``: the architecture has no such call.
"""

import ctypes
import os
import platform

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

# The newest call that this table knows of (Linux 6.17); what comes later is refused unread.
NEWEST = 469

_TABLE = {
    "network": """
        socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242
    """,
    "new programs": "execve 59 221, execveat 322 281, fork 57 -, vfork 58 -",
    "other processes": """
        ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, pidfd_open 434 434,
        pidfd_getfd 438 438, pidfd_send_signal 424 424, process_madvise 440 440, process_mrelease 448 448,
        kcmp 312 272, migrate_pages 256 238, move_pages 279 239, setpriority 141 140, ioprio_set 251 30,
        setsid 112 157, setpgid 109 154, tkill 200 130, perf_event_open 298 241
    """,
    "signals": "kill 62 129, tgkill 234 131, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240",
    "scheduling": """
        sched_setaffinity 203 122, sched_setattr 314 274, sched_setparam 142 118, sched_setscheduler 144 119,
        prlimit64 302 261
    """,
    "unbounded and shared memory": """
        shmget 29 194, shmat 30 196, shmctl 31 195, shmdt 67 197, semget 64 190, semop 65 193, semctl 66 191,
        semtimedop 220 192, msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180,
        mq_unlink 241 181, memfd_secret 447 447
    """,
    "files of others, and unseen writes": """
        inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, inotify_rm_watch 255 28,
        io_setup 206 0, io_submit 209 2, io_getevents 208 4, io_cancel 210 3, io_destroy 207 1
    """,
    "file attributes": """
        chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -,
        fchownat 260 54, utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88, setxattr 188 5,
        lsetxattr 189 6, fsetxattr 190 7, setxattrat 463 463, removexattr 197 14, lremovexattr 198 15,
        fremovexattr 199 16, removexattrat 466 466, file_setattr 469 469
    """,
    "file systems and namespaces": """
        unshare 272 97, setns 308 268, mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51,
        move_mount 429 429, open_tree 428 428, open_tree_attr 467 467, fsopen 430 430, fsconfig 431 431,
        fsmount 432 432, fspick 433 433, mount_setattr 442 442, name_to_handle_at 303 264,
        open_by_handle_at 304 265, fanotify_init 300 262, quotactl 179 60, quotactl_fd 443 443
    """,
    "the kernel": """
        io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, bpf 321 280,
        userfaultfd 323 282, add_key 248 217, request_key 249 218, keyctl 250 219, syslog 103 116,
        seccomp 317 277, personality 135 92, swapon 167 224, swapoff 168 225, reboot 169 142,
        kexec_load 246 104, kexec_file_load 320 294, init_module 175 105, finit_module 313 273,
        delete_module 176 106, acct 163 89, settimeofday 164 170, clock_settime 227 112,
        clock_adjtime 305 266, adjtimex 159 171, sethostname 170 161, setdomainname 171 162, iopl 172 -,
        ioperm 173 -, modify_ldt 154 -, vhangup 153 58
    """,
    "looked at in detail": """
        clone 56 220, clone3 435 435, socketpair 53 199, prctl 157 167, ioctl 16 29, fcntl 72 25, open 2 -,
        openat 257 56, openat2 437 437, truncate 76 45, fallocate 285 47, memfd_create 319 279
    """,
}

_ARCHITECTURES = ("x86_64", "aarch64")


def numbers() -> dict[str, dict[str, int]]:
    """Subject, name and number of the calls that this machine has. Raises OSError on other architectures."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"expected one of {', '.join(_ARCHITECTURES)}, found {machine}")
    column = 1 + _ARCHITECTURES.index(machine)
    subjects: dict[str, dict[str, int]] = {}
    for subject, text in _TABLE.items():
        rows = [row.split() for row in text.split(",")]
        subjects[subject] = {row[0]: int(row[column]) for row in rows if row[column] != "-"}
    return subjects


def call(number: int, *arguments: object) -> int:
    """A system call that libc has no function for. Raises OSError."""
    return checked(LIBC.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int) -> int:
    """Raises OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return checked(LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded)))


def checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
