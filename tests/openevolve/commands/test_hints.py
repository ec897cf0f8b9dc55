"""Commands as they are typed here."""

import pytest

from openevolve.commands.hints import python, typed_here


def test_uv_is_named_only_where_it_started_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert python() == "uv run python"
    assert typed_here("uv run python train.py") == "uv run python train.py"
    monkeypatch.delenv("UV")
    assert python() == "python"
    assert typed_here("uv run python train.py") == "python train.py"
    assert typed_here(None) == ""
