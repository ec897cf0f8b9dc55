"""Walls that a forked child puts around itself before untrusted code runs in it.

Files and signals by Landlock, everything else by seccomp, sizes by limits. A process cannot take them
down again, and all that it starts stands within them too. No privilege is needed, and none is kept.
"""

import functools
import os
import resource
import site
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from openevolve.evaluating.isolation import gpu, landlock, seccomp, syscalls
from openevolve.evaluating.isolation.landlock import Access, Ruleset
from openevolve.evaluating.isolation.refusals import refusals

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 38, 23, 24, 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives",
    "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PROC = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm")
_PATHS = ("readable", "listable")  # fields of Walls


@dataclass(frozen=True)
class Walls:
    """What code within walls may still do; sizes are over the process and all that it starts.

    It reads the system's and Python's libraries, and reads and writes the folder it is started in.
    """

    readable: tuple[Path, ...] = ()  # files and folders beside those
    listable: tuple[Path, ...] = ()  # folders of which it may see what is in them: imports look there
    processes: int = 0  # that it may have started at once
    gpu: bool = False  # whether CUDA can start: NVIDIA's devices and what its driver needs (gpu.py)
    threads: int = 512
    open_files: int = 1024  # of a process
    files: int = 2000  # in its folder, folders counted
    file_mb: int = 64  # of one file, what is printed included
    written_mb: int = 512  # in all

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {name: [str(path) for path in getattr(self, name)] for name in _PATHS}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Walls":
        given = {field.name: values[field.name] for field in fields(cls)}
        return cls(**given | {name: tuple(map(Path, values[name])) for name in _PATHS})


def enclose(walls: Walls, folder: Path, landlock_abi: int | None = None) -> None:
    """Put walls around this process, which must have a single thread; it may write to ``folder``.

    ``landlock_abi`` forgoes what later versions of Landlock than this can do. Raises OSError.
    """
    abi = landlock.abi() if landlock_abi is None else min(landlock_abi, landlock.abi())
    _point_home_to(folder)
    _limit_sizes(walls)
    _keep_place_among_those_killed()
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    _ruleset(walls, folder, abi).enforce()
    seccomp.install(refusals(os.getpid(), processes=walls.processes > 0, gpu=walls.gpu, landlock_abi=abi))


def open_to_all() -> list[Path]:
    """Folders and files that code within any walls may read."""
    return [Path(path).resolve() for path in (*_SYSTEM, *_python_paths()) if os.path.exists(path)]


def _point_home_to(folder: Path) -> None:
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "TORCH_HOME", "CUDA_CACHE_PATH"):
        os.environ[name] = str(folder)
    tempfile.tempdir = None  # what this process's parent may have found is out of reach


def _limit_sizes(walls: Walls) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: walls.open_files,
        resource.RLIMIT_FSIZE: walls.file_mb << 20,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for limit, value in wanted.items():
        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def _keep_place_among_those_killed() -> None:
    """With a capability, what is written here is also the least that can be written without it."""
    place = Path("/proc/self/oom_score_adj")
    with suppress(PermissionError):
        place.write_text(place.read_text())


def _drop_capabilities() -> None:
    """Leave root nothing but its name. An ordinary user has none, and may not drop what it lacks."""
    try:
        for capability in range(64):
            if syscalls.prctl(_PR_CAPBSET_READ, capability):
                syscalls.prctl(_PR_CAPBSET_DROP, capability)
    except OSError:
        pass  # EINVAL: past the last one; EPERM: with no_new_privs none can come back
    syscalls.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    syscalls.checked(syscalls.LIBC.capset(header, none))


def _ruleset(walls: Walls, folder: Path, abi: int) -> Ruleset:
    ruleset = Ruleset(abi)
    execute = Access.EXECUTE if walls.processes else Access(0)
    ruleset.allow(_SYSTEM, landlock.READ | execute)
    ruleset.allow(_python_paths(), landlock.READ | execute)
    ruleset.allow(loaded_modules(), Access.READ_FILE)
    ruleset.allow(walls.readable, landlock.READ | execute)
    ruleset.allow(walls.listable, Access.READ_DIR)
    ruleset.allow([folder], landlock.WRITE | execute)
    ruleset.allow(_DEVICES, Access.READ_FILE | Access.WRITE_FILE)
    for path in _PROC:
        _allow_in_proc(ruleset, path, landlock.READ)
    if walls.gpu:
        ruleset.allow(gpu.found(gpu.READABLE), landlock.READ)
        ruleset.allow(gpu.found(gpu.DEVICES), landlock.DEVICE)
        for path in gpu.found(gpu.READABLE_IN_PROC):
            _allow_in_proc(ruleset, path, landlock.READ)
        _allow_in_proc(ruleset, gpu.OWN_THREADS, landlock.READ | Access.WRITE_FILE | Access.TRUNCATE)
    return ruleset


def _allow_in_proc(ruleset: Ruleset, path: str, access: Access) -> None:
    """Files in /proc get a new identity, which no rule knows, once nobody holds the old one: hold it."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    ruleset.allow_descriptor(fd, access)


def _python_paths() -> Iterator[Path | str]:
    """Interpreter, standard library and installed packages; no whole prefix: a project may lie in it."""
    for prefix in {sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix}:
        for part in ("lib", "lib64", "bin", "pyvenv.cfg"):
            yield Path(prefix, part)
    installed = ("site-packages", "dist-packages")
    yield from (path for path in sys.path if Path(path).name in installed)
    yield from site.getsitepackages()
    for name in ("LD_LIBRARY_PATH", "CUDA_HOME"):
        yield from filter(os.path.isabs, os.environ.get(name, "").split(":"))


@functools.cache
def loaded_modules() -> tuple[str, ...]:
    """Source files of what is imported, for tracebacks: each by itself, for keys may lie beside them.

    Found once, by the fork server: its children would copy every page that they look at (8 ms).
    """
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    installed = tuple(f"{prefix}/lib" for prefix in (sys.base_prefix, sys.prefix, "/usr"))
    return tuple(
        file
        for file in files
        if isinstance(file, str) and os.path.isabs(file) and not file.startswith(installed)
    )
