"""An environment of its own for PyPI's ``openevolve``, whose import name is also this project's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENT = "openevolve==0.4.0"
_INSTALL_SECONDS = 300


class Unavailable(Exception):
    """There is no such environment and none can be made; the message says why."""


def upstream_python() -> Path:
    """The interpreter of an environment in the user's cache folder, which is made on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / "medevonet" / "benchmarks" / f"{REQUIREMENT}-{version}"
    python = folder / "bin" / "python"
    if not python.exists():
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        _run_uv("venv", "--quiet", "--relocatable", "--python", sys.executable, str(draft))
        _run_uv("pip", "install", "--quiet", "--python", str(draft / "bin" / "python"), REQUIREMENT)
        draft.rename(folder)
    return python


def _run_uv(*arguments: str) -> None:
    try:
        subprocess.run(
            ["uv", *arguments], check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS
        )
    except FileNotFoundError:
        raise Unavailable("uv is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"uv {arguments[0]} took more than {_INSTALL_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split())
        raise Unavailable(f"uv {arguments[0]} ended with {error.returncode}: {reason}") from None
