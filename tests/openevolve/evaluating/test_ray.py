"""Evaluations on a Ray cluster: the contract of executors, and nodes that are lost."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openevolve.evaluating.executor import Executor, Site
from openevolve.evaluating.ray_actors import RayExecutor
from openevolve.records.program import Outcome
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import EVALUATOR, program
from openevolve.testing.executors import ExecutorContract
from tests.openevolve.evaluating.test_workers import search, timeless

ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of what it will change


@pytest.fixture(scope="class")
def local() -> Iterator[None]:
    """A Ray for all tests of the contract: starting one takes seconds."""
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("local")
class TestContract(ExecutorContract):
    def start(self, config: EvaluatorConfig, evaluator: Path) -> Executor:
        return RayExecutor(Site(config, evaluator, evaluator.parent / "run"), RayExecutor.Settings())


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes on this machine; the driver's own measures nothing."""
    made = pytest.importorskip("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    ray.shutdown()
    made.shutdown()


def test_what_a_lost_node_measured_is_measured_on_another(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    log = tmp_path / "begun"
    body = (
        f"import os, time\nopen({str(log)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.02)\nreturn {{'score': 1}}"
    )
    site = Site(EvaluatorConfig(timeout=100), tmp_path / "evaluator.py", tmp_path / "run")
    executor = RayExecutor(site, RayExecutor.Settings(address=cluster.address))
    started: list[int] = []

    async def lose_a_node() -> list[Outcome]:
        both = [
            asyncio.create_task(executor.evaluate(program(body), None, lambda: started.append(1)))
            for _ in "ab"
        ]
        while not (log.exists() and log.read_text() == "xx"):
            await asyncio.sleep(0.02)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        cluster.add_node(num_cpus=1)
        while log.read_text() != "xxx":
            await asyncio.sleep(0.02)
        (tmp_path / "go").touch()
        return await asyncio.gather(*both)

    try:
        assert executor.slots == 2
        outcomes = asyncio.run(asyncio.wait_for(lose_a_node(), 120))
    finally:
        executor.close()
    assert [outcome.metrics for outcome in outcomes] == [{"score": 1}] * 2
    assert started == [1, 1]


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
