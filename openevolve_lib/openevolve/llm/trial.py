"""One small request to each language model before anything is trained: a wrong key is found in seconds."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openevolve.errors import RunInterrupted
from openevolve.llm.base import CompletionFailed, LanguageModel, Message, ProviderRejected
from openevolve.llm.openai_client import takes_sampling
from openevolve.llm.settings import asks_models
from openevolve.llm.status import Status
from openevolve.records.program import Usage
from openevolve.settings.models import Config, LLMConfig, ModelConfig

log = logging.getLogger("openevolve")

MESSAGES: tuple[Message, ...] = ({"role": "user", "content": "Answer with the word OK."},)
_TOKENS = 16  # of a reply: what it says does not matter, nor that a model that reasons gets no further
_SECONDS = 120.0  # at most: a local server may have to load its model first
_ADVICE = {
    Status.CONNECTION_ERROR: "Is the address right, does the server run?",
    Status.TIMEOUT: "Is the address right, does the server run?",
    Status.BAD_REPLY: "The address answers with something else than chat completions: most end in /v1.",
    Status.PROMPT_TOO_LONG: "Even one sentence is too long for this model: choose another one.",
}
_OVERLOADED = {Status.RATE_LIMITED, Status.SERVER_ERROR}

Connect = Callable[[LLMConfig], LanguageModel]  # raises UserError


@dataclass(frozen=True)
class Trial:
    """What became of a model's small request."""

    model: str
    usage: Usage = Usage()
    problem: str = ""  # why it cannot be used, and what to do; empty where it can
    rejected: bool = False  # by the provider: a wrong key, an unknown model
    overloaded: str = ""  # it is there and takes no requests at present

    def line(self) -> str:
        if self.overloaded:
            return f"{self.overloaded}; a run would wait for it (llm.patience)"
        return self.problem or f"{self.model} answers ({self.usage.in_words()})"


async def try_model(model: LanguageModel, name: str) -> Trial:
    """Ask the model for one word. Whatever it answers shows that it can be used."""
    try:
        completion = await model.complete(MESSAGES, random.Random(0))
    except ProviderRejected as error:
        return Trial(name, problem=str(error), rejected=True)
    except CompletionFailed as failure:
        status = Status(failure.attempts[-1].status)
        if status in _OVERLOADED:
            return Trial(name, failure.usage, overloaded=str(failure))
        problem = f"{failure}. {_ADVICE[status]}" if status in _ADVICE else ""
        return Trial(name, failure.usage, problem)
    return Trial(name, completion.usage)


async def try_models(config: Config, connect: Connect) -> list[Trial]:
    """A trial of every model that a run will ask, reviewers included, all at the same time.

    Raises UserError where ``connect`` does.
    """
    return list(await asyncio.gather(*(_try(small, connect) for small in _small_configs(config))))


def check_models(config: Config, connect: Connect) -> Usage:
    """What the trials took, if every model can be used; one that is overloaded is waited for by the run.

    Raises:
        ProviderRejected: a wrong key, an unknown model.
        RunInterrupted: no answer, or none of a language model: the same command may work later.
    """
    trials = asyncio.run(try_models(config, connect))
    for trial in trials:
        if trial.overloaded:
            log.warning(trial.line())
    rejected = [trial.problem for trial in trials if trial.rejected]
    if rejected:
        raise ProviderRejected("\n".join(rejected))
    if problems := [trial.problem for trial in trials if trial.problem]:
        raise RunInterrupted(
            "expected an answer from every language model before anything is trained, found:\n"
            + "\n".join(problems)
        )
    return sum((trial.usage for trial in trials), Usage())


async def _try(config: LLMConfig, connect: Connect) -> Trial:
    model = connect(config)
    try:
        return await try_model(model, config.models[0].name)
    finally:
        await model.close()


def _small_configs(config: Config) -> list[LLMConfig]:
    """For a small request to each of the models: the settings with that model alone."""
    models: list[ModelConfig] = []
    writers = config.llm.ensemble() if asks_models(config) else []
    for model in [*writers, *config.llm.reviewers().ensemble()]:
        small = _small(model)
        if model.weight > 0 and small not in models:
            models.append(small)
    alone: dict[str, Any] = {"primary_model": None, "secondary_model": None, "evaluator_models": []}
    # A setting that is None for a model would come from these.
    sampling = {"temperature": None, "top_p": None}
    return [config.llm.model_copy(update={"models": [model], **alone, **sampling}) for model in models]


def _small(model: ModelConfig) -> ModelConfig:
    limits = {
        "weight": 1.0,
        "max_tokens": _TOKENS,
        "timeout": min(model.timeout or _SECONDS, _SECONDS),
        "retries": 1,
        "retry_delay": 1.0,
    }
    unsent = {} if takes_sampling(model) else {"temperature": None, "top_p": None}  # the run itself says so
    return model.model_copy(update=limits | unsent)
