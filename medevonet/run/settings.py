"""Settings of a run: from config.yaml or from the run that is continued, and which may differ from it."""

from collections.abc import Sequence
from pathlib import Path

from medevonet.run.folder import PROJECT
from medevonet.run.info import read_run_info
from medevonet.task import TaskConfig
from openevolve.engine.resume_checks import refuse_changes
from openevolve.settings.files import layered, load_config
from openevolve.settings.layers import DEFAULT, Layer, Override
from openevolve.settings.models import Config

CONFIG = PROJECT / "config.yaml"
_SECTIONS = {"task": TaskConfig}


def load_settings(
    path: Path | None, overrides: Sequence[str | Override], *, below: Path | None = CONFIG
) -> Config:
    """A YAML file over the project's, or the settings of an earlier run from its ``run_info.json``.

    ``below`` is what a YAML file lies over; without one, over the defaults alone. Raises UserError.
    """
    if path is None or path.name != "run_info.json":
        return load_config(path, overrides, below=below, sections=_SECTIONS)
    info = read_run_info(path.parent)
    settings = info["config"]
    task = settings.get("task")
    if isinstance(task, dict) and "rung_share" in task:  # of runs when there was a single rung
        settings["task"] = {key: value for key, value in task.items() if key != "rung_share"}
        settings["task"]["rung_shares"] = [task["rung_share"]]
    config = layered([Layer(str(path), settings)], overrides, _SECTIONS)
    recorded = info.get("sources", {})
    before = {name: source for source, names in recorded.items() for name in names}
    return config.with_origins(
        {
            name: before.get(name, DEFAULT if recorded else source) if source == str(path) else source
            for name, source in config.origins.items()
        }
    )


def task_of(config: Config) -> TaskConfig:
    """The ``task`` section of settings that were checked."""
    return TaskConfig.model_validate(config.task)


def check_protocol(recorded: TaskConfig, task: TaskConfig) -> None:
    """Refuse scores that those of the run so far cannot be compared with. Raises UserError."""
    before, now = (
        {f"task.{key}": value for key, value in each.protocol().items()} for each in (recorded, task)
    )
    refuse_changes("the protocol that the run's scores rest on", before, now)
