"""One arena for all attacks: importing PyTorch takes seconds, and the next one meets what one leaves."""

from collections.abc import Iterator

import pytest

from tests.attacks.arena import SECRET, Arena


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("arena")
        patch.setenv("MEDEVONET_CACHE", str(folder / "cache"))
        patch.setenv("OPENAI_API_KEY", SECRET)
        with Arena(folder) as arena:
            yield arena
