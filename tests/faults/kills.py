"""``kill -9`` of a runner at planned and at random instants, resumed each time."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from openevolve.state.journal import Event, read_journal
from tests.faults.problem import (
    complete_lines,
    endings,
    final_state,
    journal_of,
    reply_to,
    start_runner,
)
from tests.support.llm_server import Exchange, Reply, ReplyServer
from tests.support.processes import processes_of, wait_until

Process = subprocess.Popen[str]

SESSION_SECONDS = 120  # after which a session counts as hung


class Model:
    """A deterministic model that can kill the client it is answering, after a share of the reply."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._victim: int | None = None
        self._requests = 0
        self._share = 0.0

    def arm(self, victim: int, requests: int, share: float) -> None:
        """Kill this process while it waits for the answer to that request from now on."""
        with self._lock:
            self._victim, self._requests, self._share = victim, requests, share

    def serve(self, exchange: Exchange) -> None:
        with self._lock:
            self._requests -= 1
            victim = self._victim if self._requests == 0 else None
        if victim is not None:
            exchange.begin()
            exchange.wfile.write(b'{"id": "chatcmpl-1", "choices": [{"index": 0, '[: round(46 * self._share)])
            os.kill(victim, signal.SIGKILL)
            return
        Reply(reply_to(exchange.asked.json["messages"])).serve(exchange)


@dataclass
class Tally:
    """Kills by the place that they were to hit; those held whose run then ended as it should."""

    kills: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    broken: list[str] = field(default_factory=list)


class Search:
    """One run directory, its runners one after the other, and what may never change in it."""

    def __init__(self, folder: Path, model: Model | None = None, server: ReplyServer | None = None) -> None:
        self.folder = folder
        self.model = model
        self._variables = {"FAULTS_API_BASE": server.api_base} if server else {}
        self._kept = b""

    def start(self, **variables: str) -> Process:
        return start_runner(self.folder, variables=self._variables | variables)

    def check_after(self, process: Process) -> bool:
        """Wait for the end of a session, check what must hold, and say whether the run is complete."""
        output, _ = process.communicate(timeout=SESSION_SECONDS)
        assert process.returncode in (0, -signal.SIGKILL), output
        assert wait_until(lambda: not processes_of(self.folder), 20), processes_of(self.folder)
        assert not list((self.folder / "tmp").iterdir()), "a scratch folder is left"
        lines = complete_lines(self.folder)
        assert lines.startswith(self._kept), "what was in the journal is gone"
        self._kept = lines
        if lines:
            self._check_evaluations(list(read_journal(journal_of(self.folder))))
        return process.returncode == 0

    def _check_evaluations(self, events: Sequence[Event]) -> None:
        """Every iteration has at most one outcome, and none is begun again that has one."""
        ended: set[int] = set()
        for event in events:
            if event["event"] in ("measured", "measuring"):
                assert event["iteration"] not in ended, event
            if event in endings([event]):
                ended.add(event["iteration"])

    def is_evaluating(self) -> bool:
        path = journal_of(self.folder)
        events = list(read_journal(path)) if path.exists() else []
        begun = {e["iteration"] for e in events if e["event"] == "measuring"}
        return bool(begun - {e["iteration"] for e in endings(events)})


def in_a_journal_write(search: Search, rng: random.Random) -> Process:
    return search.start(FAULTS_KILL=f"journal {rng.randint(1, 25)} {rng.random()}")


def in_an_export(search: Search, rng: random.Random) -> Process:
    """Within a write of the best program or of a checkpoint."""
    return search.start(FAULTS_KILL=f"export {rng.randint(1, 40)} {rng.random()}")


def in_an_evaluation(search: Search, rng: random.Random) -> Process:
    process = search.start()
    before = len(complete_lines(search.folder))
    wait_until(lambda: process.poll() is not None or len(complete_lines(search.folder)) > before)
    time.sleep(rng.uniform(0, 0.3))
    wait_until(lambda: process.poll() is not None or search.is_evaluating())
    time.sleep(rng.uniform(0, 0.02))
    process.kill()
    return process


def in_a_call_of_the_model(search: Search, rng: random.Random) -> Process:
    assert search.model is not None
    process = search.start()
    search.model.arm(process.pid, rng.randint(1, 8), rng.random())
    return process


def at_any_time(search: Search, rng: random.Random) -> Process:
    """Starting up included."""
    process = search.start()
    time.sleep(rng.uniform(0.1, 2.5))
    process.kill()
    return process


Kill = Callable[[Search, random.Random], Process]

KILLS: dict[str, Kill] = {
    "within a write to the journal": in_a_journal_write,
    "within a write of best or checkpoint": in_an_export,
    "during an evaluation": in_an_evaluation,
    "during a call of the model": in_a_call_of_the_model,
    "at any moment, start-up included": at_any_time,
}


def campaign(root: Path, kills: Mapping[str, Kill], total: int, seed: int) -> Tally:
    """Kill runners ``total`` times, each kind as often, and resume each time.

    Every run must end like one that nothing disturbed. Proposals come from the model on loopback where
    a kill needs it.
    """
    with ExitStack() as stack:
        model, server = None, None
        if in_a_call_of_the_model in kills.values():
            model = Model()
            server = stack.enter_context(ReplyServer([model]))
        expected, tally, rng = undisturbed(root / "undisturbed", server), Tally(), random.Random(seed)
        while tally.kills.total() < total:
            folder = root / f"run-{tally.runs}"
            before = tally.kills.copy()
            try:
                _survive(Search(folder, model, server), kills, total, rng, tally.kills)
                assert final_state(folder) == expected, "the run ended in another state"
                tally.held += tally.kills - before
            except AssertionError as error:
                tally.broken.append(f"{folder.name}: {error}")
            tally.runs += 1
    return tally


def _survive(
    search: Search, kills: Mapping[str, Kill], total: int, rng: random.Random, done: Counter[str]
) -> None:
    """Kill and resume until the run is complete, at most until ``total`` kills are ``done``."""
    complete = False
    while not complete:
        if done.total() == total:
            complete = search.check_after(search.start())
            continue
        name = min(kills, key=lambda name: done[name])
        process = kills[name](search, rng)
        complete = process.wait(SESSION_SECONDS) == 0
        done[name] += not complete
        search.check_after(process)


def undisturbed(folder: Path, server: ReplyServer | None) -> dict[str, object]:
    """The final state of a run that nothing disturbs."""
    search = Search(folder, None, server)
    assert search.check_after(search.start())
    return final_state(folder)
