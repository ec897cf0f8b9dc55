"""``kill -9`` of a driver and of its workers, in an order drawn from a seed, each started again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openevolve.evaluating.remote.folder import SharedFolder
from openevolve.evaluating.remote.messages import Order, Protocol
from openevolve.records.program import Program
from openevolve.state.journal import Event, read_journal
from tests.faults.problem import endings, final_state, journal_of, start_runner
from tests.support.processes import processes_of, wait_until

Process = subprocess.Popen[str]

LEASE = 2.0
SESSION_SECONDS = 120
SETTINGS = ("executor=workers", f"strategies.workers.lease={LEASE}", "lag=4")


@dataclass
class Tally:
    """Kills by who was hit, and what did not hold."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    finished: int = 0  # results that were there when somebody was killed
    again: int = 0  # measurements that a kill cut off, and that were made again
    lost: list[str] = field(default_factory=list)  # finished, and made again
    doubled: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # all else

    @property
    def held(self) -> bool:
        return not (self.lost or self.doubled or self.orphans or self.broken)


class Cluster:
    """A driver and workers on one run."""

    def __init__(
        self, folder: Path, workers: int, settings: Sequence[str] = SETTINGS, **of_workers: str
    ) -> None:
        """``of_workers``: variables of their environment."""
        self.folder = folder
        self._settings = settings
        self._of_workers = of_workers
        folder.mkdir(parents=True)
        (folder / "slow").touch()
        self.driver = self._driver()
        self.workers = {f"worker {number}": self._worker() for number in range(workers)}

    def _driver(self) -> Process:
        return start_runner(self.folder, *self._settings, stdout=subprocess.DEVNULL)

    def _worker(self) -> Process:
        command = [str(Path(sys.executable).with_name("openevolve")), "worker", str(self.folder / "out")]
        return subprocess.Popen(
            [*command, "--allow-unsafe", "--patience", str(SESSION_SECONDS)],
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), **self._of_workers}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self, who: str, pause: float) -> None:
        """And start it again after a pause."""
        victim = self.driver if who == "driver" else self.workers[who]
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        time.sleep(pause)
        if who == "driver":
            self.driver = self._driver()
        else:
            self.workers[who] = self._worker()

    def finished(self) -> Counter[str]:
        """How often each program whose result is there was begun, by its id."""
        folder = SharedFolder(self.folder / "out/workers")
        there = {*folder.names("results"), *folder.names("taken")}
        if not there:
            return Counter()
        protocol = Protocol.read(folder.read("", "protocol.json") or b"").digest()
        programs = [
            Program.from_json(event["program"])
            for event in read_journal(journal_of(self.folder))
            if event["event"] == "proposed"
        ]
        orders = {Order.of(protocol, "evaluate", program, None, 0).id: program.id for program in programs}
        begun = self.begun()
        return Counter({orders[name]: begun[orders[name]] for name in there})

    def begun(self) -> Counter[str]:
        return Counter(_read(self.folder / "begun").split())

    def end(self) -> None:
        for process in [self.driver, *self.workers.values()]:
            if process.poll() is None:
                process.terminate()
            process.wait(20)


def campaign(root: Path, total: int, seed: int, workers: int = 2) -> Tally:
    """Kill so often; every run must end like one that nothing disturbed."""
    rng, tally = random.Random(seed), Tally()
    local = start_runner(root / "local", "lag=4", stdout=subprocess.DEVNULL)
    assert local.wait(SESSION_SECONDS) == 0
    expected = final_state(root / "local")
    while tally.kills.total() < total:
        folder = root / f"run-{tally.runs}"
        cluster = Cluster(folder, workers)
        try:
            _survive(cluster, rng, total, tally)
        finally:
            cluster.end()
        tally.runs += 1
        _check(folder, expected, tally)
    return tally


def _survive(cluster: Cluster, rng: random.Random, total: int, tally: Tally) -> None:
    known: dict[str, int] = {}
    ended = time.monotonic() + 10 * SESSION_SECONDS
    while cluster.driver.poll() is None:
        if time.monotonic() > ended:
            tally.broken.append(f"{cluster.folder.name}: does not end")
            return
        if tally.kills.total() == total:
            time.sleep(0.1)
            continue
        time.sleep(rng.uniform(0.2, 3.0))
        if cluster.driver.poll() is not None:
            break
        who = rng.choice(["driver", *cluster.workers])
        cluster.kill(who, rng.uniform(0, 1.0))
        tally.kills[who.partition(" ")[0]] += 1
        known |= {name: count for name, count in cluster.finished().items() if name not in known}
    if cluster.driver.returncode:
        tally.broken.append(f"{cluster.folder.name}: the driver ended with {cluster.driver.returncode}")
    begun = cluster.begun()
    tally.finished += len(known)
    tally.again += sum(count - 1 for count in begun.values())
    tally.lost += [f"{cluster.folder.name}: {name}" for name, count in known.items() if begun[name] > count]


def _check(folder: Path, expected: dict[str, object], tally: Tally) -> None:
    events = list(read_journal(journal_of(folder)))
    for name in ("measured", "committed"):
        counts = Counter(event["iteration"] for event in events if event["event"] == name)
        tally.doubled += [
            f"{folder.name}: iteration {i} {name} {n} times" for i, n in counts.items() if n > 1
        ]
    if final_state(folder) != expected:
        tally.broken.append(f"{folder.name}: {_difference(events, expected)}")
    wait_until(lambda: not processes_of(folder), 20)
    tally.orphans += processes_of(folder)
    wait_until(lambda: not _folders(folder / "tmp"), 20)
    tally.orphans += _folders(folder / "tmp")


def _difference(events: Sequence[Event], expected: dict[str, object]) -> str:
    outcomes = expected["outcomes"]
    assert isinstance(outcomes, dict)
    for event in endings(events):
        found, wanted = event["outcome"], outcomes.get(event["iteration"], {})
        if wanted.get("metrics") != found["metrics"] or wanted.get("failure") != found["failure"]:
            return f"iteration {event['iteration']}: expected {wanted}, found {found}"
    return "other programs or files than an undisturbed run's"


def _folders(place: Path) -> list[str]:
    """A file may be Python's own, which tries a folder for temporary files out as it starts."""
    return [str(path) for path in place.iterdir() if path.is_dir()]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
