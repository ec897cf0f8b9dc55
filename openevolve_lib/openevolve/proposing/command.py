"""Programs written by an external command, by Evolyth's contract."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Self

from openevolve.llm.base import Completion, CompletionFailed, LanguageModel, Message, Models
from openevolve.llm.command import read_object
from openevolve.proposing.asking import MAX_REPLIES
from openevolve.proposing.desk import Desk
from openevolve.proposing.edits import Edit, EditError, apply_reply
from openevolve.proposing.prompts import build_packet
from openevolve.proposing.prompts.quoting import fenced, without_held_out
from openevolve.records.program import Context, Proposal
from openevolve.settings.commands import CommandSettings
from openevolve.settings.models import Config
from openevolve.settings.registry import strategy


@strategy("proposer", "command")
class CommandProposer:
    """``strategies.command.mutate`` makes a child, and is asked once more where its answer is no use.

    In: ``rp_path`` (its workspace), ``mutable_file``, ``context`` (a compact text on the search), and
    ``current_model`` (the parent). Out: ``mutation_type``, ``mutation_summary``, ``hypothesis``,
    ``changed_files`` and, unless the file in the workspace was edited, ``model_py``. A second request holds
    ``problem``. With ``review_first`` the reviewer sees the child before it is measured, and may refuse it.
    """

    Settings = CommandSettings
    origin = "external command"

    def __init__(
        self, writer: LanguageModel, reviewer: LanguageModel | None, config: Config, settings: CommandSettings
    ) -> None:
        """``reviewer``: who sees a child before it is measured; None: nobody."""
        self.writer = writer
        self.reviewer = reviewer
        self.config = config
        self.settings = settings

    @classmethod
    def build(cls, config: Config, settings: CommandSettings, models: Models) -> Self:
        """Raises UserError where a command line is missing."""
        reviewer = models(settings.reviewer()) if settings.review_first else None
        return cls(models(settings.writer()), reviewer, config, settings)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        """Raises ProviderRejected where the command cannot be started."""
        asked: dict[str, Any] = {
            "mutable_file": self.settings.mutable_file,
            "context": build_packet(context, self.config),
            "current_model": context.parent.program.code,
        }
        if context.idea is not None:
            asked["idea"] = asdict(context.idea)
        proposal = Proposal(None, "command")
        for _ in range(MAX_REPLIES):
            try:
                completion = await desk.complete(self.writer, _message(asked))
                proposal = replace(proposal, model=completion.model)
                edit, kind = self._edit(completion, context)
            except (CompletionFailed, EditError) as error:
                problem = str(error)
            else:
                name = f"command/{kind}" if kind else "command"
                written = replace(proposal, code=edit.code, changes=edit.changes, proposer=name, problem="")
                refusal = desk.refusal(written) or await self._review_first(written, context, desk)
                if refusal is None:
                    return written
                problem = refusal
            proposal = replace(proposal, problem=problem)
            asked = {**asked, "problem": problem}
        return proposal

    def _edit(self, completion: Completion, context: Context) -> tuple[Edit, str]:
        """The child, and the type of the mutation. Raises EditError."""
        answer = read_object(completion.text)
        if answer is None:
            raise EditError(f"expected a JSON object, found {completion.text.strip()[:80]!r}")
        model = answer.get("model_py")
        if not isinstance(model, str) or not model.strip():
            raise EditError(
                f"expected model_py, or a change of {self.settings.mutable_file} in the workspace, found none"
            )
        edit = apply_reply(
            fenced(model, self.config.language),
            context.parent.program.code,
            max_code_length=self.config.max_code_length,
            language=self.config.language,
        )
        summary = one_line(answer.get("mutation_summary"))
        return replace(edit, changes=summary or edit.changes), one_line(answer.get("mutation_type"), 40)

    async def _review_first(self, written: Proposal, context: Context, desk: Desk) -> str | None:
        """Why the reviewer thinks that a child is not worth measuring."""
        if self.reviewer is None:
            return None
        parent = context.parent
        metrics = {name: parent.metrics[name] for name in without_held_out(parent.metrics, self.config)}
        asked = {
            "stage": "before",
            "parent": {"id": parent.id, "code": parent.program.code, "metrics": metrics},
            "child": {"code": written.code, "changes": written.changes},
            "context": build_packet(context, self.config),
        }
        try:
            completion = await desk.complete(self.reviewer, _message(asked))
        except CompletionFailed:  # a reviewer that fails never invalidates a program
            return None
        answer = read_object(completion.text) or {}
        if answer.get("valid") is not False:
            return None
        return (
            f"expected a program that the reviewer finds valid, found: {one_line(answer.get('observation'))}"
        )


def _message(asked: Mapping[str, Any]) -> list[Message]:
    return [{"role": "user", "content": json.dumps(asked, ensure_ascii=False, sort_keys=True)}]


def one_line(value: object, width: int = 160) -> str:
    """Printable text of a value on one line; empty where it is no text."""
    text = (
        "".join(c for c in " ".join(str(value).split()) if c.isprintable()) if isinstance(value, str) else ""
    )
    return text if len(text) <= width else text[: width - 3] + "..."
