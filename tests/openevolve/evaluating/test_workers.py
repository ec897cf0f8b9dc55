"""Workers on a shared folder: the contract of executors, workers that vanish, drivers that are killed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openevolve.evaluating.executor import Executor, Site
from openevolve.evaluating.workers import WorkersExecutor
from openevolve.settings.models import EvaluatorConfig
from openevolve.state.journal import read_journal
from openevolve.testing.executors import ExecutorContract
from tests import PROJECT
from tests.support.commands import run
from tests.support.processes import wait_until

LEASE = 3.0


def start_worker(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("openevolve")), "worker", str(folder), *options]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class TestContract(ExecutorContract):
    """One worker in a process of its own, with as many slots as the settings say."""

    @pytest.fixture(autouse=True)
    def _workers(self) -> Iterator[None]:
        self.workers: list[subprocess.Popen[str]] = []
        yield
        for worker in self.workers:
            assert worker.wait(20) == 0, worker.communicate()[0]

    def start(self, config: EvaluatorConfig, evaluator: Path) -> Executor:
        folder = evaluator.parent / "run"
        executor = WorkersExecutor(Site(config, evaluator, folder), WorkersExecutor.Settings(lease=LEASE))
        options = ["--slots", str(config.parallel_evaluations), "--patience", "20"]
        if config.devices:
            options += ["--devices", ",".join(config.devices)]
        self.workers.append(start_worker(folder, *options))
        assert wait_until(lambda: bool(executor._roll.alive()), 20)
        return executor


@contextmanager
def workers(folder: Path, count: int, *options: str) -> Iterator[list["subprocess.Popen[str]"]]:
    """Workers that end by themselves with the run's session."""
    started = [start_worker(folder, "--patience", "60", *options) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            if worker.poll() is None:
                worker.terminate()
            worker.communicate(timeout=20)


def search(folder: Path, *options: str, away: bool = False) -> str:
    """A short search on bin packing in ``folder``; what it printed."""
    problem = PROJECT / "examples/bin_packing"
    files = f"{problem}/initial_program.py {problem}/evaluator.py -c {problem}/config.yaml"
    given = [f"openevolve-run {files} --offline -i 8 -o {folder} --set deterministic=true --set lag=4"]
    if away:
        given.append(f"--set executor=workers --set strategies.workers.lease={LEASE}")
    done = run(folder.parent, " ".join([*given, *options]))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", range(5))
def test_two_workers_leave_the_journal_of_a_local_run(tmp_path: Path, seed: int) -> None:
    search(tmp_path / "local", f"--set random_seed={seed}")
    with workers(tmp_path / "away", 2) as started:
        search(tmp_path / "away", f"--set random_seed={seed}", away=True)
        said = [worker.communicate(timeout=20)[0] for worker in started]
    assert all("the run's session has ended" in text for text in said)
    assert sum(int(re.findall(r"(\d+) measurements", text)[0]) for text in said) == 9
    lines = [timeless(tmp_path / name / "journal.jsonl") for name in ("local", "away")]
    assert lines[0] == lines[1]
    assert len(lines[0]) > 30


def timeless(journal: Path) -> list[str]:
    """The lines of a journal in an order that no speed changes, but for times, devices and the executor."""
    found = []
    for event in read_journal(journal):
        event = dict(event)
        del event["elapsed"]
        if event["event"] == "measured":
            event["outcome"] = event["outcome"] | {"seconds": 0, "device": ""}
        if event["event"] == "run_started":
            settings = dict(event["settings"])
            event["settings"] = {
                key: settings[key] for key in settings if key not in ("executor", "strategies")
            }
        found.append(json.dumps(event, sort_keys=True))
    return sorted(found)
