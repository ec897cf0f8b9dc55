"""The small request to every model before a run: what it finds, and what it costs."""

import asyncio
import socket
from collections.abc import Iterable

import pytest

from openevolve.errors import RunInterrupted
from openevolve.llm import build_language_model
from openevolve.llm.base import ProviderRejected
from openevolve.llm.trial import Trial, check_models, try_model, try_models
from openevolve.records.program import Usage
from openevolve.settings.files import load_config
from openevolve.settings.models import Config
from tests.support.llm_calls import GUARD, KEY, connect, credentials, error_body
from tests.support.llm_server import Behaviour, Raw, Reply, ReplyServer, Status, html


def config_for(server: ReplyServer, *overrides: str) -> Config:
    address = f"llm.api_base={server.api_base}"
    return load_config(None, [address, "llm.primary_model=m", *overrides])


def tried(server: ReplyServer, *overrides: str) -> list[Trial]:
    config = config_for(server, *overrides)
    keys = credentials(server)
    trials = try_models(config, lambda llm: build_language_model(llm, keys))
    return asyncio.run(asyncio.wait_for(trials, GUARD))


def one(trial: Behaviour, *overrides: str) -> Trial:
    with ReplyServer([Reply("code")], trial) as server:
        [found] = tried(server, *overrides)
    return found


FINE: dict[str, Behaviour] = {
    "reply": Reply("OK", usage=(12, 1)),
    "cut off": Reply("O", finish_reason="length"),
    "all spent on reasoning": Reply("", finish_reason="length"),
    "no room to answer": Status(
        400, error_body("Could not finish the message because max_tokens or model output limit was reached.")
    ),
    "refusal": Reply(None, refusal="I cannot help with that."),
    "nothing to say": Reply(""),
}
USELESS: dict[str, tuple[Behaviour, str]] = {
    "wrong key": (Status(401, error_body("Incorrect API key")), "Incorrect API key (check the API key)"),
    "unknown model": (Status(404, error_body("no such model")), "no such model (check the model's name"),
    "no money": (Status(429, error_body("quota", code="insufficient_quota")), "check the account"),
    "unknown setting": (Status(400, error_body("unsupported", param="top_p")), "change llm.top_p"),
    "page": (html(), "something else than chat completions: most end in /v1"),
    "no JSON": (Raw(b"hello"), "expected a chat completion, found hello"),
}
REJECTED = ("wrong key", "unknown model", "no money", "unknown setting")


@pytest.mark.parametrize("answer", FINE.values(), ids=FINE.keys())
def test_whatever_a_model_answers_shows_that_it_is_there(answer: Behaviour) -> None:
    found = one(answer)
    assert (found.problem, found.overloaded) == ("", "")
    assert found.line().startswith("m answers (")


@pytest.mark.parametrize(("answer", "words"), USELESS.values(), ids=USELESS.keys())
def test_a_model_that_cannot_be_used_is_told_with_what_to_do(answer: Behaviour, words: str) -> None:
    found = one(answer)
    assert words in found.problem
    assert found.line() == found.problem
    assert KEY not in found.problem


@pytest.mark.parametrize("code", [429, 503])
def test_an_overloaded_server_is_no_reason_not_to_begin(code: int) -> None:
    found = one(Status(code, error_body("slow down")))
    assert found.problem == ""
    assert "slow down" in found.overloaded
    assert found.line().endswith("a run would wait for it (llm.patience)")


def test_nobody_at_the_address() -> None:
    with ReplyServer([Reply("code")]) as server:
        pass
    [found] = tried(server)
    assert "connection_error" in found.problem
    assert found.problem.endswith("Is the address right, does the server run?")
    assert found.usage == Usage()


def test_an_address_that_takes_connections_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ReplyServer([Reply("code")]) as server:
        address = f"llm.api_base=http://127.0.0.1:{silent.getsockname()[1]}/v1"
        [found] = tried(server, address, "llm.timeout=0.6")
    assert "timeout" in found.problem
    assert found.problem.endswith("Is the address right, does the server run?")


def test_it_costs_a_few_tokens_and_asks_as_a_run_would() -> None:
    settings = ("llm.temperature=0.3", "llm.top_p=0.9", "llm.max_tokens=16000")
    with ReplyServer([Reply("code")]) as server:
        [found] = tried(server, *settings, "llm.prices={m: {prompt: 1, completion: 1}}")
        [request] = server.trials
        assert server.requests == ()
    assert found.usage == Usage(12, 1, 13e-6)
    assert (request.json["model"], request.json["temperature"], request.json["top_p"]) == ("m", 0.3, 0.9)
    assert request.json["max_tokens"] <= 16
    assert len(str(request.json["messages"])) < 100


def test_a_model_that_reasons_is_sent_no_temperature_and_nothing_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ReplyServer([Reply("code")]) as server:
        tried(server, "llm.primary_model=gpt-5-mini", "llm.temperature=0.7", "llm.top_p=0.9")
        [request] = server.trials
    assert {"temperature", "top_p", "max_tokens"}.isdisjoint(request.json)
    assert caplog.records == []


def test_every_model_that_a_run_asks_is_tried_once() -> None:
    models = (
        "llm.models=[{name: a}, {name: a}, {name: never, weight: 0}]",
        "llm.secondary_model=b",
        "llm.evaluator_models=[{name: critic}, {name: a}]",
    )
    with ReplyServer([Reply("code")]) as server:
        assert names(tried(server, *models)) == ["a", "m", "b", "critic"]
        assert names(tried(server, *models, "proposer=offline")) == ["critic", "a"]
        assert tried(server, "proposer=offline") == []
        assert len(server.trials) == 6


def names(trials: Iterable[Trial]) -> list[str]:
    return [trial.model for trial in trials]


def test_one_model_is_tried_through_its_client() -> None:
    with ReplyServer([Reply("code")]) as server:
        model = connect(server)

        async def trial() -> Trial:
            try:
                return await try_model(model, "gpt-4o")
            finally:
                await model.close()

        assert asyncio.run(trial()).line() == "gpt-4o answers (13 tokens, $0.00)"


class TestChecking:
    @staticmethod
    def check(trial: Behaviour) -> Usage:
        with ReplyServer([Reply("code")], trial) as server:
            keys = credentials(server)
            return check_models(config_for(server), lambda llm: build_language_model(llm, keys))

    def test_what_it_took_is_returned(self) -> None:
        assert self.check(Reply("OK", usage=(12, 1))).tokens == 13

    @pytest.mark.parametrize("name", sorted(USELESS))
    def test_a_run_does_not_begin(self, name: str) -> None:
        with pytest.raises(ProviderRejected if name in REJECTED else RunInterrupted) as caught:
            self.check(USELESS[name][0])
        assert USELESS[name][1] in str(caught.value)

    def test_a_run_with_an_overloaded_model_begins_with_a_warning(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.check(Status(503, error_body("busy")))
        [record] = caplog.records
        assert "busy" in record.getMessage()
