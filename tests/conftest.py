"""Fixtures that find real data and recorded replies, or skip with the reason."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from openevolve.evaluating.isolation import ForkServer
from tests import PROJECT
from tests.support.tiny_task import TinyTask

# Machines that run tests are shared: a slow example is no failure.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

SHARED = PROJECT.parent / "shared"


@pytest.fixture(scope="session")
def medmnist_root() -> Path:
    """The folder with the real ``breastmnist.npz`` and ``pneumoniamnist.npz`` (28 px)."""
    candidates = [Path(os.environ["MEDMNIST_ROOT"])] if os.environ.get("MEDMNIST_ROOT") else []
    candidates.append(SHARED / "medmnist")
    for folder in candidates:
        if (folder / "breastmnist.npz").is_file() and (folder / "pneumoniamnist.npz").is_file():
            return folder.resolve()
    pytest.skip("real MedMNIST files not found: set MEDMNIST_ROOT to a folder that holds them")


@pytest.fixture(scope="session")
def replies_dir() -> Path:
    """The folder with recorded replies of a language model (``good`` and ``messy``)."""
    folder = Path(os.environ.get("MEDEVONET_REPLIES", SHARED / "replies"))
    if not (folder / "good" / "index.json").is_file():
        pytest.skip(
            "recorded replies not found: set MEDEVONET_REPLIES to a folder that holds good/ and messy/"
        )
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyTask]:
    """Evaluations on tiny data sets, through one fork server (which takes seconds to import PyTorch)."""
    with ForkServer(["medevonet.sandboxed.session"]) as server:
        yield TinyTask(tmp_path_factory.mktemp("tiny"), server)
