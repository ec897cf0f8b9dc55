"""Copies of the project's folders without what running them there has left."""

import shutil
import subprocess
from pathlib import Path


def copy_of(folder: Path, target: Path) -> Path:
    """Copy what git knows of, or would: never an output, a cache or a key. Returns ``target``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if listed.returncode:  # an unpacked archive, in which nothing has been run yet
        shutil.copytree(
            folder, target, ignore=shutil.ignore_patterns("openevolve_output", "__pycache__", ".env")
        )
        return target
    for name in filter(None, listed.stdout.split("\0")):
        if (folder / name).is_file():  # not deleted since
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, target / name)
    return target
