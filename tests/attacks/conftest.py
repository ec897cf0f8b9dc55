"""One arena for all attacks: importing PyTorch takes seconds, and the next one meets what one leaves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from medevonet.referee.walls import candidate_walls
from openevolve.evaluating.isolation import Walls
from tests.attacks.arena import SECRET, Arena


def with_a_gpu(*arguments: Any) -> Walls:
    return replace(candidate_walls(*arguments), gpu=True)


# Scores and evaluators have nothing to do with what the walls let in.
_WITH_A_GPU_TOO = ("test_limits", "test_network", "test_processes", "test_reading", "test_writing")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "arena" in metafunc.fixturenames:
        kinds = [False, True] if metafunc.module.__name__.endswith(_WITH_A_GPU_TOO) else [False]
        ids = ["walls", "walls with a GPU"][: len(kinds)]
        metafunc.parametrize("arena", kinds, indirect=True, scope="session", ids=ids)


@pytest.fixture(scope="session")
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Of walls as they are around a program that trains on a CPU, and as they let CUDA start."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr("medevonet.referee.starting.candidate_walls", with_a_gpu)
        folder = tmp_path_factory.mktemp("arena")
        patch.setenv("MEDEVONET_CACHE", str(folder / "cache"))
        patch.setenv("OPENAI_API_KEY", SECRET)
        with Arena(folder, request.param) as arena:
            yield arena
