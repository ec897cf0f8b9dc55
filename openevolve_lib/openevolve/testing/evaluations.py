"""Evaluations for contracts: an evaluator whose programs say themselves what becomes of them."""

import asyncio
import time
from pathlib import Path
from textwrap import indent

from openevolve.records.program import Program

EVALUATOR = """
import runpy

def evaluate(program_path):
    return runpy.run_path(program_path)["result"]()
"""
RUNGS = f"""{EVALUATOR}
def evaluate_rungs(program_path):
    yield {{"first": 1}}
    yield evaluate(program_path)
"""
UNITS = f"""{EVALUATOR}
def units():
    first = {{'name': 'first', 'group': 'a', 'cost': 2.0, 'repeats': 3, 'metric': 'one'}}
    return [first, {{'name': 'second', 'group': 'b'}}]

def measure(program_path, unit, repeat):
    return {{**evaluate(program_path), unit: repeat}}
"""
ONE = "return {'score': 1}"


def program(body: str) -> Program:
    """A program whose ``result()`` has this body."""
    return Program("program", f"def result():\n{indent(body, '    ')}\n", iteration=1, island=0)


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


async def appears(path: Path) -> None:
    """Wait until there is something in a file."""
    async with asyncio.timeout(20):
        while not (path.exists() and path.read_text()):
            await asyncio.sleep(0.01)


def hang(pids: Path) -> str:
    """A body that says who it is, with a child that leaves its session, and never comes back."""
    return f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("thinking", flush=True)
child = os.fork()
if child == 0:
    os.setsid()
else:
    open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child}}")
time.sleep(1000)
"""


def rendezvous(folder: Path, count: int) -> str:
    """A body that waits until so many have begun in a folder, and says which device it is bound to."""
    return f"""
import os, time, uuid
open(os.path.join({str(folder)!r}, f"began-{{uuid.uuid4()}}"), "w").close()
while sum(name.startswith("began-") for name in os.listdir({str(folder)!r})) < {count}:
    time.sleep(0.005)
return {{"device": int(os.environ["CUDA_VISIBLE_DEVICES"])}}
"""
