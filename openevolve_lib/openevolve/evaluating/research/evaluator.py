"""The evaluator of a research-problem folder: its train_eval.py, run on each model.py.

Evolyth's contract: ``train_eval.py`` is started in a workspace that holds the problem's files and the new
``model.py``. It gets ACR_RUN_ID (the program's id) and ACR_ARTIFACT_DIR, and leaves ``metrics.json`` there, a
mapping with ``score``. Texts that it leaves beside it are shown to the next prompt. Both are started with a
program's rights: who writes model.py can write any score. It is as trustworthy as in Evolyth.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from openevolve.evaluation_result import EvaluationFailed, EvaluationResult
from openevolve.records.program import FailureKind

FOLDER, ARGUMENTS = "OPENEVOLVE_PROBLEM", "OPENEVOLVE_PROBLEM_ARGUMENTS"  # environment variables
METRICS = "metrics.json"
_TEXTS = {".csv", ".json", ".jsonl", ".log", ".md", ".txt"}
_MOST_BYTES = 20_000  # of a text


def evaluate(program_path: str) -> EvaluationResult:
    """Metrics and texts of one run. Raises EvaluationFailed, which says what train_eval.py did instead."""
    artifacts, workspace = Path("artifacts").resolve(), Path("workspace").resolve()
    artifacts.mkdir()
    fill(workspace, Path(os.environ[FOLDER]), Path(program_path))
    variables = {"ACR_RUN_ID": Path(program_path).stem, "ACR_ARTIFACT_DIR": str(artifacts)}
    done = subprocess.run(
        [sys.executable, "train_eval.py", *json.loads(os.environ.get(ARGUMENTS, "[]"))],
        cwd=workspace, env={**os.environ, **variables}, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = done.stdout.decode("utf-8", "replace").rstrip()
    print(said[-_MOST_BYTES:], flush=True)  # what is kept of a failed run is the end of its output
    if done.returncode:
        raise _failed(f"expected exit status 0, found {done.returncode}: {said.rpartition(chr(10))[2][:300]}")
    metrics = _read(artifacts / METRICS)
    if str(metrics.get("status", "")).lower() in {"failed", "error"}:
        raise _failed(f"its {METRICS} says status {metrics['status']}")
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
    if "score" not in numbers:
        raise _failed(
            f"expected a number `score` in {METRICS}, found {', '.join(sorted(metrics)) or 'nothing'}"
        )
    return EvaluationResult(numbers, _texts(artifacts))


def fill(workspace: Path, problem: Path, program: Path) -> None:
    """Copies of the problem's Python files, links to all else that is not hidden, and the program."""
    workspace.mkdir()
    for path in problem.iterdir():
        if path.name.startswith(".") or path.name in ("model.py", "__pycache__", "openevolve_output"):
            continue
        if path.suffix == ".py":  # Python would import beside what a link points to
            shutil.copyfile(path, workspace / path.name)
        else:
            (workspace / path.name).symlink_to(path)
    shutil.copyfile(program, workspace / "model.py")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _failed(f"expected {METRICS} in the folder ACR_ARTIFACT_DIR, found none") from None
    except ValueError as error:
        raise _failed(f"expected JSON in {METRICS}, found: {error}") from None
    if not isinstance(found, dict):
        raise _failed(f"expected a mapping in {METRICS}, found {type(found).__name__}")
    return found


def _texts(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != METRICS)
    small = (p for p in paths if p.suffix in _TEXTS and p.stat().st_size <= _MOST_BYTES)
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in small}


def _failed(what: str) -> EvaluationFailed:
    return EvaluationFailed(FailureKind.CRASHED, f"train_eval.py: {what}")
