"""What the tests of whole runs share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo data is generated once for all tests of runs."""
    return tmp_path_factory.mktemp("cache")
