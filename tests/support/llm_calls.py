"""Calls of the clients against the server on loopback, for the tests of language models."""

import asyncio
import functools
import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from openevolve.llm import build_language_model
from openevolve.llm.base import Completion, CompletionFailed, LanguageModel
from openevolve.llm.provider import build_azure_language_model
from openevolve.settings.models import LLMConfig
from tests.support.llm_server import Reply, ReplyServer

os.environ["no_proxy"] = "127.0.0.1"  # the servers are in this process

KEY = "sk-planted/0123456789abcdef"
MESSAGES = [{"role": "system", "content": "You write programs."}, {"role": "user", "content": "Improve it."}]
GUARD = 20.0  # seconds after which a call counts as hung

Build = Callable[[LLMConfig, Mapping[str, str]], LanguageModel]
both_providers = pytest.mark.parametrize(
    "build", [build_language_model, build_azure_language_model], ids=["openai", "azure"]
)


def connect(server: ReplyServer, build: Build = build_language_model, **changes: Any) -> LanguageModel:
    """A client of ``server``; ``changes`` are settings of the config's section llm."""
    _warm_up()
    return _connect(server, build, changes)


@functools.cache
def _warm_up() -> None:
    """The SDK's first call in a process takes about a second, which short deadlines would notice."""
    with ReplyServer([Reply("code")]) as server:
        ask(_connect(server, build_language_model, {}))


def _connect(server: ReplyServer, build: Build, changes: Mapping[str, Any]) -> LanguageModel:
    config = {
        "api_base": server.api_base,
        "primary_model": "gpt-4o",
        "timeout": 60,  # only a guard: machines that run tests may be busy
        "retries": 2,
        "retry_delay": 0.001,
        "prices": {"gpt-4o": {"prompt": 2.5, "completion": 10}},
    }
    return build(LLMConfig.model_validate({**config, **changes}), credentials(server))


def credentials(server: ReplyServer) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_ENDPOINT": server.endpoint,
    }


def ask_all(model: LanguageModel, rngs: Iterable[random.Random]) -> list[Completion]:
    """One call after the other, then close."""

    async def conversation() -> list[Completion]:
        try:
            return [await model.complete(MESSAGES, rng) for rng in rngs]
        finally:
            await model.close()

    return asyncio.run(asyncio.wait_for(conversation(), GUARD))


def ask(model: LanguageModel, rng: random.Random | None = None) -> Completion:
    return ask_all(model, [rng or random.Random(0)])[0]


def failure(model: LanguageModel, calls: int = 1) -> CompletionFailed:
    """The failure of one of the calls."""
    with pytest.raises(CompletionFailed) as caught:
        ask_all(model, [random.Random(0)] * calls)
    return caught.value


def statuses(result: Completion | CompletionFailed) -> list[str]:
    return [attempt.status for attempt in result.attempts]


def error_body(message: str, **fields: object) -> dict[str, object]:
    return {"error": {"message": message, **fields}}
