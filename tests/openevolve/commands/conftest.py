"""A problem in the working directory, for all tests of commands."""

from pathlib import Path

import pytest

from tests.support.trio import CONFIG, EVALUATOR, INITIAL


@pytest.fixture
def trio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments for a problem in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("initial_program.py").write_text(INITIAL)
    Path("evaluator.py").write_text(EVALUATOR)
    Path("config.yaml").write_text(CONFIG)
    return ["initial_program.py", "evaluator.py", "-c", "config.yaml"]
