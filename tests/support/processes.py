"""Finding the processes that a run has left behind."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes whose working directory or arguments lie in ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(folder) in command or str(folder) in os.readlink(entry / "cwd"):
                    found.append(command)
            except OSError:
                continue
    return found


def lies_in(folder: Path, name: str) -> bool:
    """Whether a file of this name lies somewhere below ``folder``, where others come and go meanwhile."""
    return any(name in files for _, _, files in os.walk(folder))


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Look again and again until the condition holds; False where it does not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
