"""``run_info.json``: with what settings, code and machine each session of a run was started."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medevonet.run.folder import PROJECT
from openevolve.errors import UserError
from openevolve.evaluating.cores import available_cores
from openevolve.settings.secrets import without_secrets


def write_run_info(
    run: Path, config: Mapping[str, Any], found: Mapping[str, Any], secrets: Iterable[str] = ()
) -> None:
    """``run_info.json``: settings, code version, host, and what was ``found`` (provider, device, ...).

    ``secrets`` are masked in the command line. Raises UserError.
    """
    replace_run_info(run, {"config": dict(config), **_session(found, secrets)})


def add_session(
    run: Path, config: Mapping[str, Any], found: Mapping[str, Any], secrets: Iterable[str] = ()
) -> None:
    """Add to ``run_info.json`` that the run was continued, and the settings in force. Raises UserError."""
    info = read_run_info(run)
    info["config"] = dict(config)
    info["resumed"] = [*info.get("resumed", []), _session(found, secrets)]
    replace_run_info(run, info)


def _session(found: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """With what, where and how one session runs."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": without_secrets(sys.argv[1:], secrets),
        "git_sha": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": available_cores(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("torch", "numpy", "openai", "medmnist", "libcst")},
        **found,
    }


def replace_run_info(run: Path, info: Mapping[str, Any]) -> None:
    draft = run / ".run_info.json.draft"
    try:
        draft.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        os.replace(draft, run / "run_info.json")
    except OSError as error:
        raise UserError(
            f"{run}: expected room for run_info.json, found: {error.strerror}. Mend it and start again."
        ) from None


def read_run_info(run: Path) -> dict[str, Any]:
    """What ``write_run_info`` wrote. Raises UserError."""
    path = run / "run_info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        info["config"].keys()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        found = error.strerror if isinstance(error, OSError) else "something else, or a part of them"
        raise UserError(f"{path}: expected the settings of a run, found: {found}") from None
    assert isinstance(info, dict)
    return info


def _git(*arguments: str) -> str | None:
    """What git says of the project's checkout; None where there is none."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
