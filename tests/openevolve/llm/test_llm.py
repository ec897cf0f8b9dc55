"""Language models: requests, replies, cost, ensembles and the choice of a provider."""

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.llm.answers import read_reply
from openevolve.llm.base import Completion
from openevolve.llm.ensemble import Ensemble
from openevolve.llm.openai_client import request_parameters
from openevolve.llm.provider import build_azure_language_model, choose_provider
from openevolve.llm.replay import PromptKeyedReplies, RecordedCall
from openevolve.records.program import Usage
from openevolve.settings.models import LLMConfig, ModelConfig
from tests.support.llm_calls import (
    KEY,
    MESSAGES,
    Build,
    ask,
    ask_all,
    both_providers,
    connect,
    credentials,
    statuses,
)
from tests.support.llm_server import (
    Reply,
    ReplyServer,
    good_replies,
)


class TestGoodReplies:
    def test_openai_request(self) -> None:
        with ReplyServer([Reply("print('hi')", usage=(1000, 200))]) as server:
            completion = ask(connect(server, temperature=0.3, top_p=0.9, max_tokens=77))
        assert completion.text == "print('hi')"
        assert completion.model == "gpt-4o"
        assert completion.usage.tokens == 1200
        assert completion.usage.cost == pytest.approx(0.0045)
        (request,) = server.requests
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.json == {
            "model": "gpt-4o",
            "messages": MESSAGES,
            "temperature": 0.3,
            "top_p": 0.9,
            "max_tokens": 77,
        }

    def test_azure_request(self) -> None:
        with ReplyServer([Reply("print('hi')")]) as server:
            assert ask(connect(server, build_azure_language_model)).text == "print('hi')"
        (request,) = server.requests
        assert request.path == "/openai/deployments/gpt-4o/chat/completions"
        assert request.query["api-version"]
        assert request.headers["api-key"] == KEY
        assert "authorization" not in request.headers

    @both_providers
    def test_recorded_replies_arrive_unchanged_and_in_order(self, build: Build, replies_dir: Path) -> None:
        replies = good_replies(replies_dir)
        with ReplyServer(replies) as server:
            completions = ask_all(connect(server, build), [random.Random(0)] * len(replies))
        assert [completion.text for completion in completions] == [reply.text for reply in replies]

    def test_a_cut_off_reply_is_returned_and_marked(self) -> None:
        with ReplyServer([Reply("class Net(", finish_reason="length")]) as server:
            completion = ask(connect(server))
        assert completion.text == "class Net("
        assert statuses(completion) == ["truncated"]
        assert len(server.requests) == 1


class TestReading:
    @settings(max_examples=50, deadline=None)
    @given(st.binary())
    def test_any_bytes(self, body: bytes) -> None:
        assert read_reply(body).status == "bad_reply"

    @settings(max_examples=50, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "message", "usage"]), inner)
            ),
            max_leaves=10,
        )
    )
    def test_any_json(self, body: object) -> None:
        assert read_reply(json.dumps(body).encode()).text == ""

    def test_lone_surrogates_are_no_text(self) -> None:
        body = rb'{"choices": [{"message": {"content": "a\ud800"}}]}'
        assert read_reply(body).status == "bad_reply"


class TestParameters:
    SETTINGS = ModelConfig(name="", temperature=0.5, top_p=0.9, max_tokens=100)

    @pytest.mark.parametrize("name", ["gpt-4o", "gpt-4.1-mini", "qwen3:8b", "openai/gpt-oss-120b", "phi-o1"])
    def test_most_models_sample(self, name: str) -> None:
        parameters = request_parameters(self.SETTINGS.model_copy(update={"name": name}))
        assert parameters == {"temperature": 0.5, "top_p": 0.9, "max_tokens": 100}

    @pytest.mark.parametrize("name", ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "openai/gpt-5.2"])
    def test_reasoning_models_count_hidden_tokens(self, name: str) -> None:
        model = self.SETTINGS.model_copy(update={"name": name, "reasoning_effort": "low"})
        assert request_parameters(model) == {"max_completion_tokens": 100, "reasoning_effort": "low"}

    @pytest.mark.parametrize("name", ["gpt-5-mini", "o3"])
    def test_settings_that_a_model_does_not_take_are_named_once(
        self, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "openevolve"), ReplyServer([Reply("code")]) as server:
            model = connect(server, primary_model=name, temperature=0.8, top_p=0.9)
            ask_all(model, [random.Random(0)] * 3)
        assert [record.getMessage() for record in caplog.records] == [
            f"{name} samples in its own way: llm.temperature (0.8) and llm.top_p (0.9) are not sent to it"
        ]
        assert all({"temperature", "top_p"}.isdisjoint(request.json) for request in server.requests)

    def test_nothing_is_said_of_settings_that_are_sent_or_not_set(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "openevolve"), ReplyServer([Reply("code")]) as server:
            ask(connect(server, temperature=0.8))
            ask(connect(server, primary_model="o3", temperature=None))
        assert caplog.records == []

    def test_null_settings_are_left_out(self) -> None:
        assert request_parameters(ModelConfig(name="gpt-4o")) == {}


def recorded(name: str, calls: int) -> PromptKeyedReplies:
    """A model that answers the messages of these tests so often."""
    return PromptKeyedReplies([RecordedCall(MESSAGES, Completion("r", name, ()))] * calls)


class TestEnsemble:
    def test_draws_by_weight(self) -> None:
        drawn = self.draws(seed=1, weights={"a": 3, "b": 1, "never": 0}, calls=2000)
        counts = Counter(drawn)
        assert counts["never"] == 0
        assert counts["a"] == pytest.approx(1500, abs=100)  # 5 standard deviations

    def test_same_seed_same_draws(self) -> None:
        weights = {"a": 1.0, "b": 1.0}
        assert self.draws(3, weights, 50) == self.draws(3, weights, 50)
        assert self.draws(3, weights, 50) != self.draws(4, weights, 50)

    @staticmethod
    def draws(seed: int, weights: Mapping[str, float], calls: int) -> list[str]:
        async def all_calls() -> list[str]:
            rng = random.Random(seed)
            return [(await ensemble.complete(MESSAGES, rng)).model for _ in range(calls)]

        ensemble = Ensemble([(recorded(name, calls), weight) for name, weight in weights.items()])
        return asyncio.run(all_calls())

    @pytest.mark.parametrize("weights", [[], [0.0, 0.0]])
    def test_no_weight_is_an_error(self, weights: list[float]) -> None:
        with pytest.raises(UserError, match="weight above 0"):
            Ensemble([(recorded("m", 0), weight) for weight in weights])

    def test_closes_every_member(self) -> None:
        closed = []

        class BadAtClosing(PromptKeyedReplies):
            async def close(self) -> None:
                closed.append(self)
                raise OSError("no")

        ensemble = Ensemble([(BadAtClosing([]), 1.0), (BadAtClosing([]), 1.0)])
        with pytest.raises(OSError, match="no"):
            asyncio.run(ensemble.close())
        assert len(closed) == 2

    def test_members_have_settings_and_prices_of_their_own(self) -> None:
        models = [{"name": "cheap", "temperature": 0.1}, {"name": "dear", "temperature": 0.9}]
        prices = {"dear": {"prompt": 1, "completion": 1}}
        with ReplyServer([Reply("code", usage=(10, 10))]) as server:
            model = connect(server, primary_model=None, models=models, prices=prices)
            completions = ask_all(model, map(random.Random, range(8)))
        usages = {completion.model: completion.usage for completion in completions}
        assert usages["cheap"] == Usage(10, 10, calls_without_price=1)
        assert usages["dear"] == Usage(10, 10, usages["dear"].cost)
        assert usages["dear"].cost == pytest.approx(2e-5)
        assert {(r.json["model"], r.json["temperature"]) for r in server.requests} == {
            ("cheap", 0.1),
            ("dear", 0.9),
        }


class TestProviders:
    CONFIG = LLMConfig(primary_model="gpt-4o")

    def test_azure_goes_first(self) -> None:
        environment = {
            "AZURE_OPENAI_API_KEY": KEY,
            "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
            "OPENAI_API_KEY": KEY,
        }
        assert choose_provider(self.CONFIG, environment)[0].startswith("azure at https://")

    def test_an_empty_azure_key_is_none(self) -> None:
        assert (
            choose_provider(self.CONFIG, {"AZURE_OPENAI_API_KEY": " ", "OPENAI_API_KEY": KEY})[0].split()[0]
            == "openai"
        )

    def test_no_key_says_what_to_do(self) -> None:
        with pytest.raises(UserError) as caught:
            choose_provider(self.CONFIG, {"OPENAI_API_KEY": ""})
        for hint in (
            "OPENAI_API_KEY",
            "AZURE_OPENAI_API_KEY",
            "AZURE_OPENAI_ENDPOINT",
            "--offline",
            "--demo",
        ):
            assert hint in str(caught.value)

    @pytest.mark.parametrize("host", ["localhost:11434", "127.0.0.1:80", "[::1]:1", "10.0.0.7", "gpu-server"])
    def test_a_local_server_needs_no_key(self, host: str) -> None:
        config = self.CONFIG.model_copy(update={"api_base": f"http://{host}/v1"})
        assert choose_provider(config, {})[0].startswith("openai at http://")

    @pytest.mark.parametrize("host", ["api.openai.com", "8.8.8.8", "localhost.example.com"])
    def test_a_public_server_needs_one(self, host: str) -> None:
        config = self.CONFIG.model_copy(update={"api_base": f"https://{host}/v1"})
        with pytest.raises(UserError, match="expected an API key"):
            choose_provider(config, {})

    def test_a_key_in_the_config_goes_first(self) -> None:
        with ReplyServer([Reply("code")]) as server:
            ask(connect(server, api_key=" sk-own \n"))
        assert server.requests[0].headers["authorization"] == "Bearer sk-own"

    def test_no_model(self) -> None:
        with pytest.raises(UserError, match=r"llm\.primary_model"):
            choose_provider(LLMConfig(), {"OPENAI_API_KEY": KEY})

    @pytest.mark.parametrize(
        "address", ["localhost:8000/v1", "ftp://x/v1", "", None, "http://[", "http://x:99999"]
    )
    def test_a_bad_address(self, address: str | None) -> None:
        config = self.CONFIG.model_copy(update={"api_base": address})
        with pytest.raises(UserError, match=r"llm\.api_base: expected an address such as"):
            choose_provider(config, {"OPENAI_API_KEY": KEY})

    @pytest.mark.parametrize("name", ["timeout", "retries", "retry_delay"])
    def test_limits_may_not_be_null(self, name: str) -> None:
        config = self.CONFIG.model_copy(update={name: None})
        with pytest.raises(UserError, match=f"llm.{name}"):
            choose_provider(config, {"OPENAI_API_KEY": KEY})

    @pytest.mark.parametrize("endpoint", [{}, {"AZURE_OPENAI_ENDPOINT": ""}])
    def test_azure_without_an_endpoint(self, endpoint: dict[str, str]) -> None:
        with pytest.raises(UserError, match="expected AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT"):
            choose_provider(self.CONFIG, {"AZURE_OPENAI_API_KEY": KEY, **endpoint})

    def test_azure_with_a_bad_endpoint(self) -> None:
        environment = {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "name.openai.azure.com"}
        with pytest.raises(UserError, match="AZURE_OPENAI_ENDPOINT: expected an address"):
            choose_provider(self.CONFIG, environment)

    def test_azure_deployment_and_version(self) -> None:
        with ReplyServer([Reply("code")]) as server:
            environment = credentials(server) | {
                "AZURE_OPENAI_DEPLOYMENT": "mine",
                "AZURE_OPENAI_API_VERSION": "2024-10-21",
            }
            ask(build_azure_language_model(LLMConfig(primary_model="o3"), environment))
        (request,) = server.requests
        assert request.path == "/openai/deployments/mine/chat/completions"
        assert request.query["api-version"] == ["2024-10-21"]
        assert "max_completion_tokens" in request.json

    def test_one_azure_deployment_serves_one_model(self) -> None:
        environment = {
            "AZURE_OPENAI_API_KEY": KEY,
            "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com",
            "AZURE_OPENAI_DEPLOYMENT": "mine",
        }
        config = LLMConfig(primary_model="a", secondary_model="b")
        with pytest.raises(UserError, match="expected one model, found 2"):
            choose_provider(config, environment)
