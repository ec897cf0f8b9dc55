"""``openevolve-run --problem DIR``: a research-problem folder, as Evolyth has them, as a run.

It holds ``goal_prompt.md`` (the task in words), ``model.py`` (the one file that changes) and
``train_eval.py`` (which scores it; see ``evaluating/research/evaluator.py``); perhaps a ``config.yaml`` too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.settings.layers import Layer
from openevolve.settings.models import Config

_FILES = ("goal_prompt.md", "model.py", "train_eval.py")


@dataclass(frozen=True)
class ResearchProblem:
    """A folder that holds all three files."""

    folder: Path

    def __post_init__(self) -> None:
        """Raises UserError that says which files are missing."""
        missing = [name for name in _FILES if not (self.folder / name).is_file()]
        if missing:
            raise UserError(
                f"--problem {self.folder}: expected a folder with {', '.join(_FILES)}, found no "
                f"{', '.join(missing)}"
            )

    @property
    def program(self) -> Path:
        return self.folder / "model.py"

    @property
    def evaluator(self) -> Path:
        return Path(str(resources.files("openevolve.evaluating") / "research/evaluator.py"))

    @property
    def config(self) -> Path | None:
        """The folder's own settings, where it has any."""
        path = self.folder / "config.yaml"
        return path if path.is_file() else None

    def layer(self) -> Layer:
        """What the folder says of a run, below all settings. Raises UserError."""
        try:
            goal = (self.folder / "goal_prompt.md").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{self.folder}/goal_prompt.md: expected a text in UTF-8, found: {error}"
            ) from None
        return Layer(str(self.folder), {"prompt": {"system_message": goal}})

    def in_workspaces(self, config: Config) -> Config:
        """The config by which an external worker's workspace holds the folder's files, or others it names."""
        if config.proposer != "command":
            return config
        command = {"problem": str(self.folder.resolve()), **config.strategies.get("command", {})}
        return config.model_copy(update={"strategies": {**config.strategies, "command": command}})

    def environment(self, config: Config) -> Mapping[str, str]:
        """What the evaluator has to know. ``task.arguments`` go to train_eval.py. Raises UserError."""
        arguments: Any = config.task.get("arguments", [])
        if not isinstance(arguments, list) or any(isinstance(word, dict | list) for word in arguments):
            raise UserError(f"task.arguments: expected a list of words, found {arguments!r}")
        return {
            "OPENEVOLVE_PROBLEM": str(self.folder.resolve()),
            "OPENEVOLVE_PROBLEM_ARGUMENTS": json.dumps([str(word) for word in arguments]),
        }
