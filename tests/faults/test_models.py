"""A language model that fails three times in five, in every way: a search goes on and keeps account."""

from pathlib import Path

import pytest

from openevolve.commands.evolve import exit_code
from openevolve.commands.exits import EXIT_COMPLETED
from tests.faults.models import PROPOSAL_SECONDS, SLACK, search


def test_a_search_outlives_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    account = search(tmp_path, proposals=40, seed=3)
    assert account.wrong == ()
    assert exit_code(account.result) == EXIT_COMPLETED
    assert sorted(account.result.state.outcomes) == list(range(41))
    assert {"ok", "timeout", "rate_limited", "server_error", "bad_reply"} <= set(account.statuses)
    assert account.seconds < 40 * (PROPOSAL_SECONDS + SLACK)
    assert account.result.state.usage.tokens > 0
