"""Programs written by a language model."""

from dataclasses import replace
from typing import Self

from openevolve.llm.base import Completion, CompletionFailed, LanguageModel, Models
from openevolve.proposing.desk import Desk
from openevolve.proposing.edits import Edit, EditError, apply_reply
from openevolve.proposing.prompts import build_prompt, check_prompt_settings, retry_prompt
from openevolve.proposing.prompts.sections import description
from openevolve.records.program import Context, Program, Proposal
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy

MAX_REPLIES = 2  # a reply without a usable program is sent back once, with what was wrong


@strategy("proposer", "llm")
class LLMProposer:
    """Asks a model for a child of the context's parent, and once more where its reply is no use."""

    def __init__(self, model: LanguageModel, config: Config) -> None:
        """Raises UserError for settings that no prompt can be built from."""
        check_prompt_settings(config)
        self.model = model
        self.config = config

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        return cls(models(config.llm), config)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        """Raises ProviderRejected where no call can succeed, and as ``Proposer.propose`` does."""
        messages = build_prompt(context, self.config)
        proposal = Proposal(code=None, proposer="llm")
        for _ in range(MAX_REPLIES):
            try:
                completion = await desk.complete(self.model, messages)
            except CompletionFailed as failure:
                problem = "; asked again: ".join(filter(None, (proposal.problem, str(failure))))
                return replace(proposal, problem=problem)
            proposal = replace(proposal, model=completion.model)
            try:
                edit = self._edit(completion, context.parent.program)
            except EditError as error:
                problem = str(error)
            else:
                form = f"llm/{edit.form}"
                written = replace(
                    proposal, code=edit.code, changes=edit.changes, changes_description=edit.description,
                    proposer=form, problem="",
                )  # fmt: skip
                refusal = desk.refusal(written)
                if refusal is None:
                    return written
                problem = refusal
            proposal = replace(proposal, problem=problem)
            messages = retry_prompt(messages, completion.text, problem, self.config)
        return proposal

    def _edit(self, completion: Completion, parent: Program) -> Edit:
        """What the reply makes of the parent. Raises EditError."""
        if completion.truncated:  # a cut may fall where what is left happens to parse
            limit = self.config.llm.max_tokens
            raise EditError(f"expected a whole reply, found one cut off at {limit} tokens; write less")
        described = self.config.prompt.programs_as_changes_description
        return apply_reply(
            completion.text,
            parent.code,
            max_code_length=self.config.max_code_length,
            language=self.config.language,
            description=description(parent, self.config) if described else None,
        )
