"""Asking a model for a program, and once more where its reply is no use: what proposers that ask share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from openevolve.llm.base import Completion, CompletionFailed, LanguageModel, Message
from openevolve.proposing.desk import Desk
from openevolve.proposing.edits import Edit, EditError, apply_reply
from openevolve.proposing.prompts import retry_prompt
from openevolve.proposing.prompts.sections import description
from openevolve.records.program import Program, Proposal
from openevolve.settings.models import Config

MAX_REPLIES = 2  # a reply without a usable program is sent back once, with what was wrong

Read = Callable[[str], Edit]  # what a reply makes of the parent; raises EditError


async def ask(
    desk: Desk,
    model: LanguageModel,
    messages: Sequence[Message],
    config: Config,
    read: Read,
    draft: Proposal,
    answer_format: str | None = None,
) -> Proposal:
    """``draft`` with the program of the model's reply, or with what was wrong with its replies.

    The draft says who asks; the form of the reply is added to its name. ``answer_format`` is repeated where
    a reply is sent back; None is the format that the config asks for.

    Raises ProviderFailed, ModelUnreachable and ProviderRejected as ``desk.complete`` does.
    """
    proposal = draft
    for _ in range(MAX_REPLIES):
        try:
            completion = await desk.complete(model, messages)
        except CompletionFailed as failure:
            problem = "; asked again: ".join(filter(None, (proposal.problem, str(failure))))
            return replace(proposal, problem=problem)
        proposal = replace(proposal, model=completion.model)
        try:
            edit = _edit(completion, config, read)
        except EditError as error:
            problem = str(error)
        else:
            written = replace(
                proposal, code=edit.code, changes=edit.changes, changes_description=edit.description,
                proposer=f"{draft.proposer}/{edit.form}", problem="",
            )  # fmt: skip
            refusal = desk.refusal(written)
            if refusal is None:
                return written
            problem = refusal
        proposal = replace(proposal, problem=problem)
        messages = retry_prompt(messages, completion.text, problem, config, answer_format)
    return proposal


def applied_to(parent: Program, config: Config) -> Read:
    """SEARCH/REPLACE blocks or a whole program, whichever the reply holds."""
    described = config.prompt.programs_as_changes_description

    def read(reply: str) -> Edit:
        return apply_reply(
            reply,
            parent.code,
            max_code_length=config.max_code_length,
            language=config.language,
            description=description(parent, config) if described else None,
        )

    return read


def _edit(completion: Completion, config: Config, read: Read) -> Edit:
    if completion.truncated:  # a cut may fall where what is left happens to parse
        limit = config.llm.max_tokens
        raise EditError(f"expected a whole reply, found one cut off at {limit} tokens; write less")
    return read(completion.text)
