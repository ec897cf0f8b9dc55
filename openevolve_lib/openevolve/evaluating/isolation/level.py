"""How far programs are isolated in a run: asked for in the config, tried out before anything is started."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from openevolve.errors import UserError
from openevolve.evaluating.isolation import landlock
from openevolve.evaluating.isolation.client import ForkServer, Request, clean_environment
from openevolve.evaluating.isolation.scratch import scratch_folder
from openevolve.evaluating.isolation.walls import Walls, open_to_all

Level = Literal["strict", "process", "none"]

_PROCESS = "a process for each program: own session, wall clock, memory limit"
_NO_WALLS = "NO WALLS: programs can read this user's files and use the network"
_PROBE_SECONDS = 30


@dataclass(frozen=True)
class Isolation:
    """The level in force, and one line that says what it holds back and what it does not."""

    level: Level
    line: str


def establish(
    level: Level,
    *,
    allow_unsafe: bool = False,
    processes: bool = False,
    gpu: bool = False,
    private: Mapping[Path, str] = MappingProxyType({}),
) -> Isolation:
    """The isolation of a run: whether code within the walls starts ``processes``, or CUDA on a ``gpu``.

    ``private`` holds what no program may read, each with what the user changes to have it elsewhere.

    Raises:
        UserError: strict was asked for, this machine cannot give it or one of the ``private`` paths lies
            where all code may read, and ``allow_unsafe`` was not said.
    """
    if level == "none":
        return Isolation(
            level, f"none: {_PROCESS}, this shell's whole environment with its keys; {_NO_WALLS}"
        )
    if level == "process":
        return Isolation(level, f"process: {_PROCESS}, no keys; {_NO_WALLS}")
    abi = landlock.abi()
    missing = _missing(abi, processes, gpu)
    if not missing and (exposed := _exposed(private)) and not allow_unsafe:
        raise UserError(
            f"evaluator.isolation: expected {exposed[0]} out of reach of programs, found it below "
            f"{exposed[1]}, which every program may read for its libraries. Have it elsewhere "
            f"({private[exposed[0]]}), or let programs read it with --allow-unsafe."
        )
    if not missing:
        return Isolation(level, _strict_line(abi, processes))
    if not allow_unsafe:
        raise UserError(
            "evaluator.isolation: expected walls around programs, found that this machine does not give "
            f"them: {missing}. Use Linux 5.13 or later with Landlock and seccomp (in a container: a profile "
            "that allows both), or let programs do what you can do with --allow-unsafe."
        )
    return Isolation("process", f"UNSAFE, as allowed ({missing}): {_PROCESS}, no keys; {_NO_WALLS}")


def environment_of(level: Level, extra: Iterable[str] = ()) -> dict[str, str]:
    """What the children of a fork server get: a short list of variables, or all of them at level none."""
    everything = os.environ if level == "none" else {}
    return {**everything, **clean_environment(extra)}


def _exposed(private: Iterable[Path]) -> tuple[Path, Path] | None:
    """The first private path that lies where all code may read, and below what."""
    places = open_to_all()
    pairs = ((path, place) for path in private for place in places if path.resolve().is_relative_to(place))
    return next(pairs, None)


def _strict_line(abi: int, processes: bool) -> str:
    walled = ["files", "network", "system calls"]
    if not processes:
        walled.append("starting processes")
    exception = ""
    if _signals_walled(abi, processes):
        walled.append("signals")
    else:
        exception = "; NOT walled: signals to this user's other processes (Linux 6.12 can)"
    return (
        f"strict: walls around {', '.join(walled)} (Landlock ABI {abi}, seccomp), tried and held{exception}"
    )


def _signals_walled(abi: int, processes: bool) -> bool:
    """A filter knows the number of one process; of those it has started only Landlock knows."""
    return not processes or abi >= landlock.SCOPE_ABI


def _missing(abi: int, processes: bool, gpu: bool) -> str:
    """What walls do not do here that they must; empty where all is well."""
    if abi == 0:
        return "no Landlock"
    try:
        walls = Walls(processes=8 if processes else 0, gpu=gpu)
        found = try_walls(walls, signals=_signals_walled(abi, processes))
    except (ConnectionError, ValueError, TimeoutError) as error:
        return f"the trial of the walls ended early ({error})"
    return ", ".join(f"{name} went wrong" for name, right in found.items() if not right)


def try_walls(walls: Walls, *, signals: bool = True) -> dict[str, bool]:
    """Start a child within walls that tries what must be refused and what must work (probe.py).

    Raises ConnectionError, ValueError or TimeoutError where it does not get to the end.
    """
    with ForkServer() as server, scratch_folder("probe-") as planted, scratch_folder("probe-") as folder:
        file = planted / "file"
        file.write_bytes(b"planted")
        kinds = {"processes": walls.processes > 0, "gpu": walls.gpu, "signals": signals}
        argument = {"planted": str(file), **kinds}
        request = Request("openevolve.evaluating.isolation.probe:main", argument, folder, walls=walls)
        with server.start(request) as child:
            child.channel.settimeout(_PROBE_SECONDS)
            answer = b"".join(iter(lambda: child.channel.recv(1 << 16), b""))
            child.wait(_PROBE_SECONDS)
        if not answer:
            output = request.output.read_text(errors="replace").strip()
            raise ValueError(output.rpartition("\n")[2] or "no answer")
        found: dict[str, bool] = json.loads(answer)
        return found | {"keeping files as they were": file.read_bytes() == b"planted"}
