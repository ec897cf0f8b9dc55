"""Drivers and workers killed at instants drawn from a seed; benchmarks/cluster_faults.py kills 200."""

from pathlib import Path

from tests.faults.remote import campaign


def test_nothing_finished_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    tally = campaign(tmp_path, total=12, seed=1)
    assert tally.held, tally
    assert tally.kills.total() == 12
    assert tally.kills.keys() == {"driver", "worker"}
    assert tally.finished > 0
