"""What a run is made of, before anything of it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openevolve.llm.base import Models
from openevolve.llm.provider import models_of_environment
from openevolve.proposing.desk import Proposer
from openevolve.reflection.reviewer import Reflection
from openevolve.settings.models import Config


@dataclass(frozen=True)
class Plan:
    """The specification of a run; the strategies in ``config`` are built from their names."""

    config: Config
    initial_program: Path  # read when the run starts; on resume the journal's copy counts
    evaluator: Path
    folder: Path  # journal, best, checkpoints, logs
    models: Models = models_of_environment  # how language models are reached
    proposer: Proposer | None = None  # one that was built already, instead of config.proposer
    reflection: Reflection | None = None  # likewise
    environment: Mapping[str, str] = field(default_factory=dict)  # of evaluations, beside the clean one
    beside: tuple[Path, ...] = ()  # folders that evaluations may read as they read the evaluator's own
    # The evaluator is trusted and puts programs within walls itself: none stand around it.
    evaluator_isolates: bool = False
    worker: str = "openevolve worker"  # the command of a worker, where such measure
    prepare: str = "openevolve.commands.worker:within_walls"  # module:function that it calls first
    begun: Callable[[], None] = lambda: None  # called once nothing stands in the way of the run
