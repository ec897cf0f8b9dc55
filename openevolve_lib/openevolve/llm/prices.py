"""What calls took, in tokens and US dollars: as the provider says, or at most."""

from collections.abc import Sequence

from openevolve.llm.answers import Tokens
from openevolve.llm.base import Message
from openevolve.records.program import Usage
from openevolve.settings.models import Price

_MARKS = 8  # tokens of a chat template around one message


def usage_of(tokens: Tokens, price: Price | None) -> Usage:
    """Tokens and their cost in US dollars. Cached prompt tokens count at the full price: an upper bound."""
    if tokens == Tokens():
        return Usage()
    if price is None:
        return Usage(tokens.prompt, tokens.completion, calls_without_price=1)
    return Usage(tokens.prompt, tokens.completion, _cost(tokens, price))


def usage_at_most(tokens: Tokens, price: Price | None) -> Usage:
    """Of a call that nobody says the usage of: at most ``tokens``."""
    return Usage(
        calls_without_usage=1,
        bound_tokens=tokens.prompt + tokens.completion,
        bound_cost=_cost(tokens, price) if price else 0.0,
        calls_without_price=0 if price else 1,
    )


def most_tokens(messages: Sequence[Message], max_tokens: int | None) -> Tokens:
    """What a request takes at most: a token is a byte or more, and each message has a few to mark it.

    Without ``max_tokens`` replies have no limit, and count as none; a budget is refused then.
    """
    prompt = sum(
        len(text.encode("utf-8", "surrogatepass")) for message in messages for text in message.values()
    )
    return Tokens(prompt + _MARKS * len(messages), max_tokens or 0)


def _cost(tokens: Tokens, price: Price) -> float:
    return (tokens.prompt * price.prompt + tokens.completion * price.completion) / 1e6
