"""PyPI's ``openevolve``: ``python -m benchmarks.overhead.upstream FOLDER PROGRAMS``.

A whole run through its own entry class and process pool. The model is a client object, which its
``init_client`` setting allows: no HTTP is in between.
"""

import asyncio
import importlib
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.overhead import workload
from benchmarks.overhead.timeline import Timeline


class ScriptedModel:
    """A language model that answers at once, in the worker that asks."""

    def __init__(self, settings: Any) -> None:
        self.model = settings.name  # their ensemble logs it
        self._rng = random.Random()

    async def generate_with_context(self, system_message: str, messages: object, **_: object) -> str:
        return workload.reply(self._rng)


def settings() -> Any:
    # By name, since a type checker finds this project's package of the same name.
    config = importlib.import_module("openevolve.config")
    values = config.Config.from_dict(workload.SETTINGS)
    model = config.LLMModelConfig(name="scripted", init_client=ScriptedModel)
    values.llm.models, values.llm.evaluator_models = [model], [model]
    return values


def main() -> None:
    folder, programs = Path(sys.argv[1]), int(sys.argv[2])
    initial = folder / "initial_program.py"
    initial.write_text(workload.initial_program())
    engine = importlib.import_module("openevolve.controller").OpenEvolve(
        str(initial), workload.__file__, settings(), str(folder / "output")
    )
    timeline = Timeline()
    end_iteration = engine.database.increment_island_generation  # once for each, after its program is in

    def end_iteration_and_sample(**arguments: Any) -> None:
        end_iteration(**arguments)
        held = len(engine.database.programs)
        timeline.sample(held)
        if held >= programs:
            engine.parallel_controller.request_shutdown()

    engine.database.increment_island_generation = end_iteration_and_sample
    asyncio.run(engine.run(iterations=10 * programs))  # more than it takes, though some programs are dropped
    timeline.write(folder / "timeline.json")


if __name__ == "__main__":
    main()
