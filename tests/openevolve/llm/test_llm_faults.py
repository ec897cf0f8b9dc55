"""Clients of language models against every fault that a real server shows."""

import asyncio
import email.utils
import gzip
import random
import time
import traceback

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.llm import build_language_model
from openevolve.llm.answers import read_error
from openevolve.llm.base import CompletionFailed, ProviderRejected
from openevolve.settings.models import LLMConfig
from tests.support.llm_calls import (
    GUARD,
    KEY,
    MESSAGES,
    Build,
    ask,
    ask_all,
    both_providers,
    connect,
    error_body,
    failure,
    statuses,
)
from tests.support.llm_server import (
    Behaviour,
    Close,
    CutOff,
    Drip,
    Flood,
    Hang,
    Raw,
    Reply,
    ReplyServer,
    Status,
    html,
)

TRANSIENT: dict[str, tuple[Behaviour, str]] = {
    "rate_limited": (Status(429, error_body("slow down", code="rate_limit_exceeded")), "rate_limited"),
    "overloaded": (Status(503, error_body("overloaded")), "server_error"),
    "internal": (Status(500), "server_error"),
    "html_502": (html(502), "server_error"),
    "html_200": (html(), "bad_reply"),
    "invalid_json": (Raw(b'{"choices": ['), "bad_reply"),
    "not_utf8": (Raw(b'{"choices": "\xff"}'), "bad_reply"),
    "deep_json": (Raw(b"[" * 100_000), "bad_reply"),
    "no_body": (Raw(b""), "bad_reply"),
    "no_choices": (Status(200, {"choices": [], "usage": {}}), "bad_reply"),
    "error_with_200": (Status(200, error_body("backend gone")), "bad_reply"),
    "wrong_schema": (Status(200, {"choices": [{"message": "hello"}]}), "bad_reply"),
    "compressed": (
        Raw(
            gzip.compress(b'{"choices": [{"message": {"content": "code"}}]}'),
            headers={"Content-Encoding": "gzip"},
        ),
        "bad_reply",
    ),
    "endless": (Flood(), "bad_reply"),
    "empty": (Reply(""), "empty"),
    "blank": (Reply(" \n"), "empty"),
    "reasoning_only": (Reply(None), "empty"),
    "closed": (Close(), "connection_error"),
    "cut_off_body": (CutOff(), "connection_error"),
}
transient = pytest.mark.parametrize(("fault", "status"), TRANSIENT.values(), ids=TRANSIENT.keys())


class TestFaultsThatPass:
    @both_providers
    @transient
    def test_asked_again(self, build: Build, fault: Behaviour, status: str) -> None:
        with ReplyServer([fault, Reply("code")]) as server:
            completion = ask(connect(server, build))
        assert completion.text == "code"
        assert statuses(completion) == [status, "ok"]
        assert len(server.requests) == 2

    @transient
    def test_given_up_after_all_retries(self, fault: Behaviour, status: str) -> None:
        with ReplyServer([fault]) as server:
            failed = failure(connect(server, retries=2))
        assert statuses(failed) == [status] * 3
        assert len(server.requests) == 3
        assert status in str(failed)

    def test_no_server(self) -> None:
        with ReplyServer([Reply("code")]) as server:
            pass
        assert statuses(failure(connect(server))) == ["connection_error"] * 3

    def test_tokens_of_unusable_replies_count(self) -> None:
        with ReplyServer([Reply("", usage=(100, 5)), Reply("code", usage=(100, 10))]) as server:
            usage = ask(connect(server)).usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (200, 15)
        assert usage.cost == pytest.approx((200 * 2.5 + 15 * 10) / 1e6)

    def test_tokens_of_a_reply_with_the_wrong_schema_count(self) -> None:
        billed = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        with ReplyServer([Status(200, billed)]) as server:
            assert failure(connect(server, retries=0)).usage.tokens == 7

    @settings(max_examples=20, deadline=None)
    @given(names=st.lists(st.sampled_from(sorted(TRANSIENT)), max_size=4), retries=st.integers(0, 3))
    def test_any_series_of_faults(self, names: list[str], retries: int) -> None:
        faults = [TRANSIENT[name][0] for name in names]
        with ReplyServer([*faults, Reply("code")]) as server:
            model = connect(server, retries=retries)
            result = ask(model) if len(names) <= retries else failure(model)
        expected = [TRANSIENT[name][1] for name in names] + ["ok"]
        assert statuses(result) == expected[: retries + 1]
        assert len(server.requests) == len(result.attempts)

    def test_faults_leave_the_callers_random_numbers_alone(self) -> None:
        drawn = []
        for faults in (0, 2):
            rng = random.Random(7)
            with ReplyServer([Status(500)] * faults + [Reply("code")]) as server:
                ask(connect(server), rng=rng)
            drawn.append(rng.random())
        assert drawn[0] == drawn[1]


FINAL: dict[str, tuple[Behaviour, str]] = {
    "refusal": (Reply(None, refusal="I cannot help with that."), "refused"),
    "filtered_reply": (Reply("partly", finish_reason="content_filter"), "refused"),
    "azure_filtered_prompt": (
        Status(400, error_body("filtered", code="content_filter", param="prompt")),
        "refused",
    ),
    "context_length": (
        Status(400, error_body("too many tokens", code="context_length_exceeded")),
        "prompt_too_long",
    ),
    "context_length_vllm": (
        Status(400, error_body("This model's maximum context length is 4096 tokens.", code=400)),
        "prompt_too_long",
    ),
    "payload_too_large": (html(413), "prompt_too_long"),
    "all_tokens_spent_on_reasoning": (Reply("", finish_reason="length"), "truncated"),
}


@both_providers
@pytest.mark.parametrize(("fault", "status"), FINAL.values(), ids=FINAL.keys())
def test_failures_that_asking_again_would_repeat(build: Build, fault: Behaviour, status: str) -> None:
    with ReplyServer([fault]) as server:
        failed = failure(connect(server, build))
    assert statuses(failed) == [status]
    assert len(server.requests) == 1
    if isinstance(fault, Reply):
        assert failed.usage.tokens == 110


REJECTED: dict[str, tuple[Behaviour, str]] = {
    "wrong_key": (Status(401, error_body("Incorrect API key provided")), "Incorrect API key provided"),
    "no_access": (Status(403, error_body("Project has no access")), "Project has no access"),
    "no_money": (Status(429, error_body("You exceeded your quota", code="insufficient_quota")), "your quota"),
    "no_balance": (Status(402, error_body("Insufficient balance")), "balance"),
    "unknown_model": (Status(404, error_body("no such model", code="model_not_found")), "no such model"),
    "unknown_model_400": (Status(400, error_body("bad model", code="model_not_found")), "bad model"),
    "error_as_text": (Status(404, {"error": "model 'x' not found, try pulling it"}), "try pulling it"),
    "not_an_api": (html(404), "check the model's name and the server's address"),
    "unknown_parameter": (
        Status(400, error_body("Unsupported value", param="temperature")),
        "change llm.temperature, or set it to null",
    ),
    "redirect": (Status(307, None, {"Location": "https://elsewhere.example/v1"}), "elsewhere.example"),
}


class TestRejections:
    @both_providers
    @pytest.mark.parametrize(("fault", "words"), REJECTED.values(), ids=REJECTED.keys())
    def test_stop_at_once_with_the_providers_words(self, build: Build, fault: Behaviour, words: str) -> None:
        with ReplyServer([fault]) as server, pytest.raises(ProviderRejected) as caught:
            ask(connect(server, build))
        assert words in str(caught.value)
        assert str(caught.value).startswith("gpt-4o: HTTP ")
        assert len(server.requests) == 1

    def test_a_bad_request_after_an_accepted_one_is_the_prompts_fault(self) -> None:
        with ReplyServer([Reply("code"), Status(400, error_body("odd prompt"))]) as server:
            assert statuses(failure(connect(server), calls=2)) == ["bad_request"]

    def test_a_key_withdrawn_later_still_stops_the_run(self) -> None:
        with ReplyServer([Reply("code"), Status(401)]) as server, pytest.raises(ProviderRejected):
            ask_all(connect(server), [random.Random(0)] * 2)


class TestDeadline:
    @both_providers
    @pytest.mark.parametrize("fault", [Hang(), Drip()], ids=["hang", "drip"])
    def test_a_reply_that_never_ends(self, build: Build, fault: Behaviour) -> None:
        with ReplyServer([fault]) as server:
            failed = failure(connect(server, build, timeout=0.6))
        assert statuses(failed) == ["timeout"]
        assert len(server.requests) == 1

    def test_covers_all_retries(self) -> None:
        with ReplyServer([Status(500)]) as server:
            failed = failure(connect(server, timeout=0.5, retries=10_000, retry_delay=0.02))
        assert 1 < len(failed.attempts) < 30

    def test_a_hang_after_other_faults(self) -> None:
        with ReplyServer([Status(500), Hang()]) as server:
            failed = failure(connect(server, timeout=0.6))
        assert statuses(failed) == ["server_error", "timeout"]

    def test_waits_double(self) -> None:
        started = time.monotonic()
        with ReplyServer([Status(500)]) as server:
            failure(connect(server, retries=3, retry_delay=0.05))
        assert time.monotonic() - started >= 0.75 * 0.05 * (1 + 2 + 4)

    def test_retry_after_is_honoured(self) -> None:
        started = time.monotonic()
        with ReplyServer([Status(429, None, {"Retry-After": "0.3"}), Reply("code")]) as server:
            ask(connect(server))
        assert time.monotonic() - started >= 0.3

    @pytest.mark.parametrize("wait", ["3600", "inf", email.utils.formatdate(4e9, usegmt=True)])
    def test_retry_after_never_passes_the_deadline(self, wait: str) -> None:
        with ReplyServer([Status(429, None, {"Retry-After": wait})]) as server:
            failed = failure(connect(server, timeout=0.6))
        assert statuses(failed) == ["rate_limited"]
        assert len(server.requests) == 1

    def test_retry_after_as_a_date(self) -> None:
        date = email.utils.formatdate(time.time() + 100, usegmt=True)
        assert retry_after(date) == pytest.approx(100, abs=10)

    @pytest.mark.parametrize("value", ["soon", "", "nan", "-5", email.utils.formatdate(0)])
    def test_no_valid_retry_after_is_no_wait(self, value: str) -> None:
        assert retry_after(value) == 0

    def test_cancelling_a_call_ends_it(self) -> None:
        async def cancelled() -> None:
            model = connect(server)
            call = asyncio.create_task(model.complete(MESSAGES, random.Random(0)))
            while not server.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await model.close()

        with ReplyServer([Hang()]) as server:
            asyncio.run(asyncio.wait_for(cancelled(), GUARD))


def retry_after(value: str) -> float:
    request = httpx.Request("POST", "http://localhost/v1/chat/completions")
    response = httpx.Response(429, headers={"Retry-After": value}, request=request)
    return read_error(openai.RateLimitError("slow down", response=response, body=None)).retry_after


class TestSecrets:
    ECHOES: tuple[Behaviour, ...] = (
        Status(401, error_body(f"Incorrect API key provided: {KEY}")),
        Status(400, error_body("x" * 270 + KEY)),  # where the text is cut
        Status(404, {"error": f"no {KEY}"}),
        Status(302, None, {"Location": "https://elsewhere.example/?key=sk-planted%2F0123456789abcdef"}),
        Status(500, error_body(f"Bearer {KEY}")),
        Status(429, error_body(KEY)),
        Raw(f"<html>{KEY}".encode(), 200),
        Raw(f"<html>{KEY}".encode(), 403),
        Reply(None, refusal=f"I will not print {KEY}"),
    )

    @both_providers
    @pytest.mark.parametrize("echo", ECHOES, ids=lambda echo: type(echo).__name__)
    def test_the_key_stays_out_of_errors(self, build: Build, echo: Behaviour) -> None:
        with ReplyServer([echo]) as server:
            model = connect(server, build)
            with pytest.raises((CompletionFailed, ProviderRejected)) as caught:
                ask(model)
        shown = "".join([*traceback.format_exception(caught.value), repr(caught.value), repr(model)])
        if isinstance(caught.value, CompletionFailed):
            shown += repr(caught.value.attempts)
        assert "planted" not in shown
        assert "0123456789" not in shown

    def test_a_malformed_key_is_not_shown(self) -> None:
        with pytest.raises(UserError) as caught:
            build_language_model(LLMConfig(primary_model="m"), {"OPENAI_API_KEY": "sk-plänted"})
        assert "OPENAI_API_KEY" in str(caught.value)
        assert "nted" not in "".join(traceback.format_exception(caught.value)).partition("Error:")[2]

    def test_a_password_in_the_address_is_refused_and_not_shown(self) -> None:
        config = LLMConfig(primary_model="m", api_base="https://user:planted@api.example/v1")
        with pytest.raises(UserError, match="without a user name") as caught:
            build_language_model(config, {"OPENAI_API_KEY": KEY})
        assert "planted" not in str(caught.value)
