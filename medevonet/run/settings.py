"""Settings of a run: from config.yaml or from the run that is continued, and which may differ from it."""

from collections.abc import Sequence
from pathlib import Path

from medevonet.run.info import read_run_info
from medevonet.task import TaskConfig
from openevolve.engine.resume_checks import refuse_changes
from openevolve.settings.files import apply_overrides, check, load_config
from openevolve.settings.models import Config
from openevolve.settings.presets import layered


def load_settings(path: Path, overrides: Sequence[str]) -> Config:
    """Settings from a YAML file, or those of an earlier run from its ``run_info.json``. Raises UserError."""
    if path.name != "run_info.json":
        return load_config(path, overrides)
    settings = read_run_info(path.parent)["config"]
    task = settings.get("task")
    if isinstance(task, dict) and "rung_share" in task:  # of runs when there was a single rung
        settings["task"] = {key: value for key, value in task.items() if key != "rung_share"}
        settings["task"]["rung_shares"] = [task["rung_share"]]
    values, notes = layered(settings, overrides, apply_overrides)
    return check(Config, values, str(path)).with_notes(notes)


def check_protocol(recorded: TaskConfig, task: TaskConfig) -> None:
    """Refuse scores that those of the run so far cannot be compared with. Raises UserError."""
    before, now = (
        {f"task.{key}": value for key, value in each.protocol().items()} for each in (recorded, task)
    )
    refuse_changes("the protocol that the run's scores rest on", before, now)
