"""Candidates trained by a worker: the same journal as here, and the same walls."""

import re
import subprocess
import sys
from pathlib import Path

from openevolve.state.comparing import same_search
from tests import PROJECT
from tests.support.evolution import SMALL, environment, journal, run, values

AWAY = ("--set", "executor=workers", "--set", "strategies.workers.lease=5")


def start_worker(folder: Path, cache: Path, name: str, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(PROJECT / "run_evolution.py"), "worker", f"runs/mnist/{name}", *options]
    return subprocess.Popen(
        command, cwd=folder, env=environment(cache), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_a_worker_leaves_the_search_of_a_local_run(tmp_path: Path, cache: Path) -> None:
    given = ("--demo", "--iterations", "2", *SMALL, "--set", "task.threads=1", "--set", "task.precision=fp32")
    here = run(tmp_path, cache, *given, "--name", "here")
    assert here.returncode == 0, here.stderr
    worker = start_worker(tmp_path, cache, "away", "--slots", "2", "--patience", "60")
    away = run(tmp_path, cache, *given, *AWAY, "--name", "away")
    said = worker.communicate(timeout=30)[0]
    assert away.returncode == 0, away.stderr + said
    assert worker.returncode == 0
    assert "isolation: strict" in said
    assert int(re.findall(r"(\d+) measurements done", said)[0]) >= 3
    journals = [tmp_path / f"runs/mnist/{name}/openevolve/journal.jsonl" for name in ("here", "away")]
    equal, differs = same_search(*journals)
    assert (differs, equal > 10) == ("", True)
    assert values(away.stdout)["best_mean_val_auc"] == values(here.stdout)["best_mean_val_auc"]
    measured = [event["outcome"] for event in journal(tmp_path) if event["event"] == "measured"]
    assert all("@" in outcome["device"] for outcome in measured)
    for outcome in measured:
        assert (
            outcome["failure"]
            or (tmp_path / f"runs/mnist/away/artifacts/{outcome['program_id']}.npz").is_file()
        )
