"""What calls cost: known where the provider says it, with an upper bound where it does not."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.llm.answers import Tokens
from openevolve.llm.prices import most_tokens, usage_of
from openevolve.llm.settings import check_budget
from openevolve.records.program import Usage
from openevolve.settings.files import load_config
from openevolve.settings.models import Price
from tests.support.llm_calls import MESSAGES, ask, connect, error_body, failure
from tests.support.llm_server import Behaviour, Close, CutOff, Hang, Raw, Reply, ReplyServer, Status, html

CHARACTERS = sum(len(text) for message in MESSAGES for text in message.values())

usages = st.builds(
    Usage,
    *[st.integers(0, 10**9)] * 2, st.integers(0, 2**20).map(float), *[st.integers(0, 10**9)] * 2,
    st.integers(0, 2**20).map(float), st.integers(0, 10**9),
)  # fmt: skip


@given(st.lists(usages))
def test_sums_keep_the_known_and_the_unknown_apart(parts: list[Usage]) -> None:
    total = sum(parts, Usage())
    assert total.cost == sum(part.cost for part in parts)
    assert total.bound_cost == sum(part.bound_cost for part in parts)
    assert total.cost_at_most == sum(part.cost_at_most for part in parts)
    assert total.tokens_at_most == sum(part.tokens_at_most for part in parts)
    assert total == sum(reversed(parts), Usage())


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 100), st.floats(0, 100))
def test_cost_is_per_million_tokens(prompt: int, completion: int, p: float, c: float) -> None:
    usage = usage_of(Tokens(prompt, completion), Price(prompt=p, completion=c))
    assert usage.cost == pytest.approx(prompt / 1e6 * p + completion / 1e6 * c)


@given(st.lists(st.text(), max_size=5), st.integers(1, 10**6))
def test_the_bound_holds_for_an_encoding_with_a_token_for_every_byte(texts: list[str], most: int) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    bound = most_tokens(messages, most)
    assert bound.prompt >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    assert bound.completion == most


def test_a_reply_without_usage_counts_with_what_it_takes_at_most(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "openevolve"), ReplyServer([Reply("code", usage=None)]) as server:
        usage = ask(connect(server, max_tokens=1000)).usage
    assert (usage.tokens, usage.cost, usage.calls_without_usage) == (0, 0, 1)
    assert CHARACTERS + 1000 <= usage.bound_tokens <= CHARACTERS + 1000 + 100
    assert usage.bound_cost == pytest.approx(((usage.bound_tokens - 1000) * 2.5 + 1000 * 10) / 1e6)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("gpt-4o does not say what a call took: each of these counts with what it takes at")


def test_missing_usage_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "openevolve"), ReplyServer([Reply("", usage=None)]) as server:
        assert failure(connect(server, retries=2)).usage.calls_without_usage == 3
    assert len(caplog.records) == 1


def test_one_reply_without_usage_does_not_hide_the_cost_of_the_others() -> None:
    with ReplyServer([Reply("", usage=None), Reply("code", usage=(1000, 200))]) as server:
        usage = ask(connect(server)).usage
    assert usage.cost == pytest.approx(0.0045)
    assert usage.tokens == 1200
    assert usage.cost_at_most > usage.cost


MAY_COST: dict[str, Behaviour] = {
    "hang": Hang(),
    "cut off": CutOff(),
    "closed": Close(),
    "broken completion": Raw(b'{"choices": ['),
}
COSTS_NOTHING: dict[str, Behaviour] = {
    "error": Status(500, error_body("internal")),
    "rate limit": Status(429),
    "page": html(),
    "no body": Raw(b""),
    "error with 200": Status(200, error_body("backend gone")),
}


@pytest.mark.parametrize("fault", MAY_COST.values(), ids=MAY_COST.keys())
def test_a_request_that_was_sent_and_not_answered_in_full_may_have_cost(fault: Behaviour) -> None:
    with ReplyServer([fault]) as server:
        usage = failure(connect(server, timeout=0.6, retries=0)).usage
    assert (usage.calls_without_usage, usage.cost) == (1, 0)
    assert usage.bound_cost > 0


@pytest.mark.parametrize("fault", COSTS_NOTHING.values(), ids=COSTS_NOTHING.keys())
def test_what_is_no_completion_costs_nothing(fault: Behaviour) -> None:
    with ReplyServer([fault]) as server:
        assert failure(connect(server, retries=1)).usage == Usage()


def test_a_server_that_is_not_there_costs_nothing() -> None:
    with ReplyServer([Reply("code")]) as server:
        pass
    assert failure(connect(server)).usage == Usage()


def test_a_model_without_a_price_has_tokens_and_no_cost() -> None:
    with ReplyServer([Reply("code", usage=(5, 7)), Reply("code", usage=None)]) as server:
        model = connect(server, prices={}, max_tokens=100)
        assert ask(model).usage == Usage(5, 7, calls_without_price=1)
    with ReplyServer([Reply("code", usage=None)]) as server:
        usage = ask(connect(server, prices={}, max_tokens=100)).usage
    assert usage == Usage(calls_without_usage=1, bound_tokens=usage.bound_tokens, calls_without_price=1)
    assert usage.bound_tokens > 100


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(), "no tokens"),
        (Usage(1000, 200, 1.2), "1,200 tokens, $1.20"),
        (
            Usage(1000, 200, 1.2, calls_without_usage=2, bound_tokens=9000, bound_cost=0.35),
            "1,200 tokens, $1.20 known, at most $0.35 for 2 calls without usage",
        ),
        (Usage(1000, 200, calls_without_price=4), "1,200 tokens, price unknown"),
        (Usage(1000, 200, 1.2, calls_without_price=1), "1,200 tokens, $1.20 known, price unknown for 1 call"),
        (
            Usage(calls_without_usage=1, bound_tokens=9000, calls_without_price=1),
            "0 tokens, price unknown, at most 9,000 tokens for 1 call without usage",
        ),
    ],
)
def test_in_words(usage: Usage, words: str) -> None:
    assert usage.in_words() == words


@pytest.mark.parametrize("limit", ["dollars", "tokens"])
def test_a_budget_needs_a_limit_of_replies(limit: str) -> None:
    config = load_config(
        None,
        ["llm.primary_model=m", "llm.prices={m: {prompt: 1, completion: 1}}", f"budget.{limit}=5"],
    )
    check_budget(config)
    endless = config.llm.model_copy(update={"max_tokens": None})
    with pytest.raises(UserError, match=r"expected llm\.max_tokens.*null for m"):
        check_budget(config.model_copy(update={"llm": endless}))
