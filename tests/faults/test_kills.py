"""``kill -9`` of the runner at instants drawn from a seed; benchmarks/faults.py draws 200."""

from pathlib import Path

from tests.faults.kills import KILLS, campaign, in_a_call_of_the_model


def test_a_run_ends_the_same_however_often_it_is_killed(tmp_path: Path) -> None:
    kills = {name: kill for name, kill in KILLS.items() if kill is not in_a_call_of_the_model}
    tally = campaign(tmp_path, kills, total=16, seed=1)
    assert tally.broken == []
    assert set(tally.kills.values()) == {4}


def test_nor_does_a_kill_while_the_model_writes_matter(tmp_path: Path) -> None:
    tally = campaign(tmp_path, {"call": in_a_call_of_the_model}, total=5, seed=2)
    assert tally.broken == []
    assert tally.kills == {"call": 5}
