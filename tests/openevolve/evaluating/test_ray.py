"""Evaluations on a Ray cluster: the contract of executors, and nodes that are lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openevolve.evaluating.executor import Executor, Site
from openevolve.evaluating.ray_actors import RayExecutor
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.executors import ExecutorContract
from tests import PROJECT
from tests.openevolve.evaluating.test_workers import search, timeless

os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # as the executor does
ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of what it will change


@pytest.fixture(scope="class")
def local() -> Iterator[None]:
    """A Ray for all tests of the contract: starting one takes seconds."""
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("local")
class TestContract(ExecutorContract):
    def start(self, config: EvaluatorConfig, evaluator: Path) -> Executor:
        return RayExecutor(Site(config, evaluator, evaluator.parent / "run"), RayExecutor.Settings())


def test_what_a_lost_node_measured_is_measured_on_another(tmp_path: Path) -> None:
    """In a process of its own: Ray keeps much of one cluster when the next is begun."""
    command = [sys.executable, "-m", "tests.support.lost_node", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"slots": 2, "metrics": [{"score": 1.0}] * 2, "started": 2, "begun": 3}


@pytest.mark.parametrize("seed", range(2))
def test_ray_leaves_the_journal_of_a_local_run(tmp_path: Path, seed: int) -> None:
    for name, options in (
        ("local", ""),
        ("ray", "--set executor=ray --set evaluator.parallel_evaluations=2"),
    ):
        search(tmp_path / name, f"--set random_seed={seed} {options}")
    lines = [timeless(tmp_path / name / "journal.jsonl") for name in ("local", "ray")]
    different = [line for line in lines[0] if line not in lines[1]]
    assert [json.loads(line)["event"] for line in different] == ["run_started"]  # parallel_evaluations
    assert len(lines[0]) == len(lines[1]) > 30
