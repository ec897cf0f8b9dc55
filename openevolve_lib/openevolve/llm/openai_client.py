"""Chat completions from OpenAI, Azure OpenAI and compatible servers, within a deadline."""

import asyncio
import copy
import logging
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import openai
from openai.types.chat import ChatCompletionMessageParam

from openevolve.errors import UserError
from openevolve.llm.answers import Answer, read_error, read_reply
from openevolve.llm.base import (
    Attempt,
    Completion,
    CompletionFailed,
    LanguageModel,
    Message,
    ProviderRejected,
)
from openevolve.llm.ensemble import Ensemble
from openevolve.llm.outage import OutageWaiting
from openevolve.llm.prices import most_tokens, usage_at_most, usage_of
from openevolve.llm.status import Status
from openevolve.records.program import Usage
from openevolve.settings.models import LLMConfig, ModelConfig, Price
from openevolve.settings.secrets import without_secrets

log = logging.getLogger("openevolve")

_CONNECT_SECONDS = 10.0  # a server that takes longer is tried again instead of waited for
_DETAIL_CHARACTERS = 300
_REASONING_FAMILIES = re.compile(r"(?:.*/)?(?:o[1-9]|gpt-[5-9])")  # also as in "openai/o3"


@dataclass
class _Known:
    """What calls have shown of a model, at whatever temperature."""

    note: str  # to be said once
    accepted: bool = False  # a request
    said: bool = False  # that usage is missing


class OpenAIClient:
    """One model behind an SDK client that must be built with ``max_retries=0``.

    A call takes at most ``model.timeout`` seconds and ``1 + model.retries`` requests, whatever the
    server does. A reply that does not say its usage, or never arrived whole, counts with what it
    takes at most.
    """

    def __init__(self, model: ModelConfig, client: openai.AsyncOpenAI, price: Price | None = None) -> None:
        """Raises UserError where the model has no timeout, retries or retry delay."""
        if model.timeout is None or model.retries is None or model.retry_delay is None:
            raise UserError(
                f"{model.name}: expected numbers for llm.timeout, llm.retries and llm.retry_delay, found null"
            )
        self._name = model.name
        self._timeout = model.timeout
        self._retries = model.retries
        self._retry_delay = model.retry_delay
        self._parameters = request_parameters(model)
        self._sampled = takes_sampling(model)
        self._client = client
        self._price = price
        self._max_tokens = model.max_tokens
        self._known = _Known(sampling_note(model))

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """Ask until there is text, the retries are used up or the deadline has come.

        A reply cut off at max_tokens is returned, with the status "truncated": the same request
        would be cut off again, and whoever reads the text can say what is missing.

        Raises:
            CompletionFailed: no text; refusals and prompts that are too long are not asked again.
            ProviderRejected: the key, the model, the address or a setting is wrong.
        """
        if self._known.note:
            log.warning(self._known.note)
            self._known.note = ""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timeout
        jitter = copy.copy(rng)  # the caller's own draws must not depend on a server's faults
        attempts: list[Attempt] = []
        for retry in range(self._retries + 1):
            started = clock()
            answer = await self._ask(messages, deadline)
            attempts.append(self._record(answer, messages, clock() - started))
            if answer.text:
                self._known.accepted = True
                return Completion(answer.text, self._name, tuple(attempts))
            if self._is_hopeless(answer):
                raise ProviderRejected(f"{self._name}: {attempts[-1].detail} ({answer.advice})")
            if not answer.status.may_pass or retry == self._retries:
                break
            backoff = math.ldexp(self._retry_delay, retry) * jitter.uniform(0.75, 1.25)
            pause = max(backoff, answer.retry_after)
            left = deadline - clock()
            # Waiting out the deadline is not in vain: the next call would meet the same closed door,
            # and a run that does not wait spends all its iterations on it.
            await asyncio.sleep(min(pause, left))
            if pause >= left:
                break
        raise CompletionFailed(self._summary(attempts), tuple(attempts))

    def at_temperature(self, temperature: float) -> "OpenAIClient":
        if not self._sampled:
            return self
        other = copy.copy(self)
        other._parameters = {**self._parameters, "temperature": temperature}
        return other

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, messages: Sequence[Message], deadline: float) -> Answer:
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=self._name,
                    messages=cast(Iterable[ChatCompletionMessageParam], messages),
                    timeout=openai.Timeout(self._timeout, connect=min(self._timeout, _CONNECT_SECONDS)),
                    **self._parameters,
                )
        except TimeoutError:
            return Answer(Status.TIMEOUT, tokens=None, detail=f"no whole reply within {self._timeout:g} s")
        except openai.APIError as error:
            return read_error(error)
        answer = read_reply(response.content)
        return replace(
            answer, text=without_secrets(answer.text, [self._client.api_key])
        )  # it may echo headers

    def _is_hopeless(self, answer: Answer) -> bool:
        """Whether every later call would fail too.

        All requests carry the same model and settings, so once one was accepted a bad request can
        only be the fault of its prompt.
        """
        return answer.status is Status.REJECTED or (
            answer.status is Status.BAD_REQUEST and not self._known.accepted
        )

    def _record(self, answer: Answer, messages: Sequence[Message], seconds: float) -> Attempt:
        if answer.tokens is None:
            usage = usage_at_most(most_tokens(messages, self._max_tokens), self._price)
            self._say_once(usage)
        else:
            usage = usage_of(answer.tokens, self._price)
        return Attempt(self._name, seconds, answer.status.value, usage, self._redacted(answer.detail))

    def _say_once(self, usage: Usage) -> None:
        if not self._known.said:
            self._known.said = True
            log.warning(
                "%s does not say what a call took: each of these counts with what it takes at most, "
                "this one %s tokens ($%.4f)",
                self._name, f"{usage.bound_tokens:,}", usage.bound_cost,
            )  # fmt: skip

    def _redacted(self, text: str) -> str:
        """``text`` on one line without the API key, cut only afterwards so that no part of it is left."""
        text = without_secrets(text, [self._client.api_key])
        line = " ".join(text.split())
        return line if len(line) <= _DETAIL_CHARACTERS else line[: _DETAIL_CHARACTERS - 3] + "..."

    def _summary(self, attempts: Sequence[Attempt]) -> str:
        last = attempts[-1]
        tries = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"
        return f"{self._name}: no usable reply after {tries}; the last was {last.status}: {last.detail}"


def ensemble_of_clients(
    models: Iterable[ModelConfig],
    connect: Callable[[ModelConfig], openai.AsyncOpenAI],
    config: LLMConfig,
) -> LanguageModel:
    """All ``models`` behind one interface, each with its own connection. Raises UserError."""
    members = [
        (OpenAIClient(model, connect(model), config.prices.get(model.name)), model.weight) for model in models
    ]
    return OutageWaiting(Ensemble(members), config.patience)


def request_parameters(model: ModelConfig) -> dict[str, Any]:
    """The settings of a request that the model's family takes, by its name.

    OpenAI's reasoning models (o1 and later, GPT-5 and later) sample at a fixed temperature and
    count their hidden tokens too; compatible servers may know ``max_tokens`` alone.
    """
    if takes_sampling(model):
        parameters = {"max_tokens": model.max_tokens, **_sampling(model)}
    else:
        parameters = {"max_completion_tokens": model.max_tokens}
    parameters["reasoning_effort"] = model.reasoning_effort
    return {name: value for name, value in parameters.items() if value is not None}


def takes_sampling(model: ModelConfig) -> bool:
    """Whether ``temperature`` and ``top_p`` are sent to the model."""
    return not _REASONING_FAMILIES.match(model.name)


def sampling_note(model: ModelConfig) -> str:
    """What is to be said of settings that the model does not take; empty where all are sent."""
    ignored = [f"llm.{name} ({value:g})" for name, value in _sampling(model).items() if value is not None]
    if takes_sampling(model) or not ignored:
        return ""
    verb = "are" if len(ignored) > 1 else "is"
    return f"{model.name} samples in its own way: {' and '.join(ignored)} {verb} not sent to it"


def _sampling(model: ModelConfig) -> dict[str, Any]:
    return {"temperature": model.temperature, "top_p": model.top_p}
