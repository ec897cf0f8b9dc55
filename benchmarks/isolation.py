"""What walls cost: milliseconds from asking for a candidate to its end, in four ways to start one.

uv run python -m benchmarks.isolation [--repeats 100]

``fork`` and ``fork, walls`` go through the fork server, which has imported PyTorch; the others start
Python anew and import PyTorch, bubblewrap with nothing but /usr, Python and the packages in sight.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.machine import hardware, load
from openevolve.evaluating.isolation import ForkServer, Request, Walls, establish, scratch_folder

PROJECT = Path(__file__).resolve().parent.parent
IMPORT = "import torch"


def do_nothing(channel: object, argument: Mapping[str, object]) -> None:
    """A candidate's whole life."""


def forked(server: ForkServer, walls: Walls | None) -> None:
    with scratch_folder("benchmark-") as folder:
        request = Request("benchmarks.isolation:do_nothing", {}, folder, walls=walls)
        with server.start(request) as child:
            ended = child.wait(60)
    if ended.code != 0:
        raise SystemExit(f"expected an end by exit code 0, found {ended}")


def started(command: list[str]) -> None:
    subprocess.run([*command, sys.executable, "-c", IMPORT], check=True)


def bubblewrap(program: str) -> list[str]:
    """The least that lets PyTorch be imported: no network, no home, no other process in sight."""
    visible = {"/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix}
    bound = [part for path in sorted(visible) if os.path.exists(path) for part in ("--ro-bind", path, path)]
    return [program, "--unshare-all", "--die-with-parent", *bound, "--proc", "/proc", "--dev", "/dev"]


def measure(actions: Mapping[str, Callable[[], None]], repeats: int) -> None:
    """Print what each takes, in turns so that a busy moment falls on all; the first turn is not counted."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if turn > 0:
                times[name].append(1e3 * (time.perf_counter() - start))
    for name, found in times.items():
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:26}{median:9.1f} {low:9.1f} {high:9.1f} {min(found):9.1f} {len(found):5}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100, help="of a fork; a tenth of an import")
    repeats = parser.parse_args().repeats
    print(f"{time.strftime('%Y-%m-%d')}, {hardware()}, Linux {os.uname().release}, load {load()}")
    print(establish("strict").line)
    print("milliseconds a candidate")
    print(f"{'':26}{'median':>9} {'quartile':>9} {'quartile':>9} {'least':>9} {'n':>5}")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    with ForkServer(["torch", "medevonet.sandboxed.session", "benchmarks.isolation"], environment) as server:
        forks = {
            "fork": lambda: forked(server, None),
            "fork, walls": lambda: forked(server, Walls()),
            "fork, walls, processes": lambda: forked(server, Walls(processes=8)),
        }
        measure(forks, repeats)
    imports = {"subprocess, import torch": lambda: started([])}
    if program := shutil.which("bwrap"):
        imports["bubblewrap, import torch"] = lambda: started(bubblewrap(program))
    else:
        print("bubblewrap: not installed")
    measure(imports, max(3, repeats // 10))


if __name__ == "__main__":
    main()
