"""A language model on loopback whose reply depends on what it is asked alone, whatever the order."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.llm_server import Exchange, Reply

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Keyed:
    """A behaviour for ``ReplyServer``: ``answer`` gets random numbers that the request determines."""

    answer: Callable[[Messages, random.Random], str]

    def serve(self, exchange: Exchange) -> None:
        messages = exchange.asked.json["messages"]
        asked = [str(exchange.asked.json.get("temperature")), *(message["content"] for message in messages)]
        rng = random.Random("\n".join(asked))
        Reply(self.answer(messages, rng)).serve(exchange)
