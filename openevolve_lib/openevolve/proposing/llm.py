"""Programs written by a language model."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from openevolve.llm.base import Attempt, Completion, CompletionFailed, LanguageModel
from openevolve.proposing.edits import Edit, EditError, apply_reply
from openevolve.proposing.prompts import build_prompt, check_prompt_settings, retry_prompt
from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config

MAX_REPLIES = 2  # a reply without a usable program is sent back once, with what was wrong


class LLMProposer:
    """Asks a model for a child of the context's parent, and once more where its reply is no program."""

    def __init__(self, model: LanguageModel, config: Config) -> None:
        """Raises UserError for settings that no prompt can be built from."""
        check_prompt_settings(config)
        self.model = model
        self.config = config

    async def propose(self, context: Context) -> Proposal:
        """A proposal that keeps the last prompt, all replies and what they cost, with code or without.

        Raises:
            ProviderRejected: no call can succeed.
        """
        messages = build_prompt(context, self.config)
        proposal = Proposal(code=None, proposer="llm")
        for _ in range(MAX_REPLIES):
            proposal = replace(proposal, messages=tuple(messages))
            try:
                completion = await self.model.complete(messages, context.rng)
            except CompletionFailed as failure:
                problem = "; asked again: ".join(filter(None, (proposal.problem, str(failure))))
                return replace(_counting(proposal, failure.attempts), problem=problem)
            proposal = replace(
                _counting(proposal, completion.attempts),
                model=completion.model,
                replies=(*proposal.replies, completion.text),
            )
            try:
                edit = self._edit(completion, context.parent.program.code)
            except EditError as error:
                proposal = replace(proposal, problem=str(error))
                messages = retry_prompt(messages, completion.text, str(error), self.config)
            else:
                form = f"llm/{edit.form}"
                return replace(proposal, code=edit.code, changes=edit.changes, proposer=form, problem="")
        return proposal

    def _edit(self, completion: Completion, parent: str) -> Edit:
        """What the reply makes of the parent. Raises EditError."""
        if completion.truncated:  # a cut may fall where what is left happens to parse
            limit = self.config.llm.max_tokens
            raise EditError(f"expected a whole reply, found one cut off at {limit} tokens; write less")
        return apply_reply(
            completion.text,
            parent,
            max_code_length=self.config.max_code_length,
            language=self.config.language,
        )


def _counting(proposal: Proposal, attempts: Sequence[Attempt]) -> Proposal:
    """The proposal with further attempts in its record and in its usage."""
    return replace(
        proposal,
        usage=sum((attempt.usage for attempt in attempts), proposal.usage),
        calls=(*proposal.calls, *(asdict(attempt) for attempt in attempts)),
    )
