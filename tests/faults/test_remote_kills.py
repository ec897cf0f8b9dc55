"""Drivers and workers killed at instants drawn from a seed; benchmarks/cluster_faults.py kills 200."""

import signal
from pathlib import Path

from openevolve.state.journal import read_journal
from tests.faults.problem import endings, journal_of
from tests.faults.remote import Cluster, campaign
from tests.support.processes import wait_until


def test_nothing_finished_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    tally = campaign(tmp_path, total=12, seed=1)
    assert tally.held, tally
    assert tally.kills.total() == 12
    assert tally.kills.keys() == {"driver", "worker"}
    assert tally.finished > 0


def test_a_worker_that_comes_back_after_its_lease_doubles_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "run", 2)
    workers = tmp_path / "run/out/workers"
    try:
        paused = cluster.workers["worker 0"]
        claim = f"-{paused.pid}-"
        assert wait_until(lambda: any(claim in path.name for path in (workers / "claimed").glob("*")))
        paused.send_signal(signal.SIGSTOP)
        log = next((tmp_path / "run/out/logs").iterdir())
        assert wait_until(lambda: "no sign of life" in log.read_text(), 30)
        paused.send_signal(signal.SIGCONT)
        assert cluster.driver.wait(60) == 0
        assert [worker.wait(20) for worker in cluster.workers.values()] == [0, 0]
    finally:
        cluster.end()
    events = list(read_journal(journal_of(tmp_path / "run")))
    measured = [event["iteration"] for event in endings(events)]
    assert sorted(measured) == list(range(25))
    assert not list((workers / "claimed").iterdir())
