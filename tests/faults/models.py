"""Searches whose language model shows every fault that real servers show, at random."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from openevolve.commands.display import PlainDisplay
from openevolve.engine.plan import Plan
from openevolve.engine.run import Result, execute
from openevolve.llm import build_language_model
from openevolve.proposing.asking import MAX_REPLIES
from openevolve.proposing.llm import LLMProposer
from openevolve.state.journal import read_journal
from tests.faults.problem import journal_of, reply_to, settings, write_problem
from tests.openevolve.llm.test_llm_faults import FINAL, TRANSIENT
from tests.support.llm_calls import ask, connect, error_body
from tests.support.llm_server import Behaviour, Drip, Exchange, Hang, Reply, ReplyServer, Status

TIMEOUT, RETRIES = 1.0, 2
PROPOSAL_SECONDS = MAX_REPLIES * TIMEOUT
SLACK = 2.0  # seconds for all that surrounds a call on a busy machine

FAULTS: dict[str, tuple[Behaviour, str]] = {
    **TRANSIENT,
    **FINAL,
    "hang": (Hang(), "timeout"),
    "drip": (Drip(), "timeout"),
    "prose": (Reply("I would rather talk about the weather."), "ok"),
    "broken code": (Reply("```python\nX = = 3\n```"), "ok"),
    "cut off": (Reply("```python\nX = 3", finish_reason="length"), "truncated"),
    "wait": (Status(429, error_body("slow down"), {"Retry-After": "0.1"}), "rate_limited"),
    "wait for an hour": (Status(429, error_body("slow down"), {"Retry-After": "3600"}), "rate_limited"),
}


class FaultyModel:
    """Answers three requests in five with a fault, the others with a program."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.served: Counter[str] = Counter()

    def serve(self, exchange: Exchange) -> None:
        with self._lock:
            name = self._rng.choice(list(FAULTS)) if self._rng.random() < 0.6 else "program"
            self.served[name] += 1
        good = Reply(reply_to(exchange.asked.json["messages"]))
        (FAULTS[name][0] if name in FAULTS else good).serve(exchange)


@dataclass(frozen=True)
class Account:
    """What the faults of a model cost a search."""

    result: Result
    served: Counter[str]  # requests by what they were answered with
    statuses: Counter[str]  # attempts in the journal
    seconds: float
    wrong: tuple[str, ...]  # calls that took more requests or time than they may


def search(folder: Path, proposals: int, seed: int) -> Account:
    """Propose through the real client, and compare what was served with what the journal has."""
    initial, evaluator = write_problem(folder)
    model = FaultyModel(seed)
    with ReplyServer([Reply("code")]) as server:
        ask(connect(server))  # the SDK's first call in a process takes seconds on a busy machine
    with ReplyServer([model]) as server:
        config = settings(
            f"max_iterations={proposals}", "deterministic=false", "proposals_ahead=6",
            "checkpoint_interval=100", f"llm.timeout={TIMEOUT}", f"llm.retries={RETRIES}",
            f"llm.api_base={server.api_base}",
        )  # fmt: skip
        proposer = LLMProposer(build_language_model(config.llm, {}), config)
        start = time.monotonic()
        result = execute(Plan(config, initial, evaluator, folder / "out", proposer=proposer), PlainDisplay())
        seconds = time.monotonic() - start
    statuses: Counter[str] = Counter()
    wrong = []
    for event in read_journal(journal_of(folder)):
        if event["event"] in ("replied", "provider_failed"):
            calls = event["attempts"]
            statuses.update(call["status"] for call in calls)
            taken = sum(call["seconds"] for call in calls)
            if len(calls) > 1 + RETRIES or taken > TIMEOUT + SLACK:
                wrong.append(f"{event['iteration']}: {len(calls)} requests, {taken:.1f} s")
    # An attempt may meet its deadline before its request is served; no request goes unrecorded.
    if not 0 <= statuses.total() - model.served.total() <= statuses["timeout"]:
        wrong.append(f"{model.served.total()} requests were served, {statuses.total()} are in the journal")
    return Account(result, model.served, statuses, seconds, tuple(wrong))
