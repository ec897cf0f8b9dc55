"""Settings of external commands that write and review programs."""

from pathlib import Path

from openevolve.errors import UserError
from openevolve.settings.models import LLMConfig, Positive, Section


class CommandSettings(Section):
    """``mutate`` and ``review`` are command lines, cut into words as in a shell; nothing is expanded."""

    mutate: str | None = None
    review: str | None = None
    review_first: bool = False  # ask the reviewer of a child before it is measured too
    timeout: Positive = 600.0  # seconds for one answer
    mutable_file: str = "model.py"  # the one file of the workspace that may change
    problem: Path | None = None  # a folder whose files each workspace of ``mutate`` holds too

    def writer(self) -> "CommandLLM":
        """Raises UserError where no command is set, or no such folder is there."""
        if self.mutate is None:
            raise UserError(
                "strategies.command.mutate: expected a command line that writes programs, found none"
            )
        if self.problem is not None and not self.problem.is_dir():
            raise UserError(f"strategies.command.problem: expected a folder, found none at {self.problem}")
        return self._as_model(self.mutate, self.problem)

    def reviewer(self) -> "CommandLLM":
        """Raises UserError where no command is set."""
        if self.review is None:
            raise UserError("strategies.command.review: expected a command line that reviews, found none")
        return self._as_model(self.review, None)

    def _as_model(self, command: str, problem: Path | None) -> "CommandLLM":
        return CommandLLM(
            command=command, timeout=self.timeout, mutable_file=self.mutable_file, problem=problem
        )


class CommandLLM(LLMConfig):
    """A command line where a run reaches its language models (``llm.command``)."""

    command: str
    mutable_file: str
    problem: Path | None
