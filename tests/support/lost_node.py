"""Three Ray nodes on this machine, one of which is lost while both others' programs are measured.

python -m tests.support.lost_node FOLDER
"""

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from openevolve.evaluating.executor import Site
from openevolve.evaluating.ray_actors import RayExecutor
from openevolve.records.program import Outcome
from openevolve.settings.models import EvaluatorConfig
from openevolve.testing.evaluations import EVALUATOR, program


def main(folder: Path) -> None:
    """Prints how many slots there were, how often programs were begun, and what they scored."""
    cluster: Any = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False},  # the driver's own
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    (folder / "evaluator.py").write_text(EVALUATOR)
    log, go = folder / "begun", folder / "go"
    body = (
        f"import os, time\nopen({str(log)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.02)\nreturn {{'score': 1}}"
    )
    site = Site(EvaluatorConfig(timeout=250), folder / "evaluator.py", folder / "run")
    executor = RayExecutor(site, RayExecutor.Settings(address=cluster.address))
    slots, started = executor.slots, list[int]()

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
        go.touch()
        return await asyncio.gather(*both)

    outcomes = asyncio.run(lose_a_node())
    executor.close()
    cluster.shutdown()
    metrics = [dict(outcome.metrics) for outcome in outcomes]
    found = {"slots": slots, "metrics": metrics, "started": len(started), "begun": len(log.read_text())}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
