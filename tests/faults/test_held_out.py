"""What nobody may see: held-out labels in a candidate, test figures during a search.

The candidate looks for the labels itself, in all the memory it can write to; a control shows that the
search would find them. These tests fail if someone lets a label or a test figure through.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medevonet.data.dataset import DatasetConfig, load_datasets
from medevonet.referee import candidate_process
from medevonet.run.train_command import evaluate_program
from medevonet.wire import send
from openevolve.evaluating.isolation import Child, Launcher, Request
from tests.faults.searches import WRITER, Search, run_search
from tests.support import programs
from tests.support.tiny_task import TinyTask


class Recording(Launcher):
    """A launcher that keeps what it was asked to start."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self.requests: list[Request] = []

    def start(self, request: Request) -> Child:
        self.requests.append(request)
        return self._launcher.start(request)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Every message that the referee sends."""
    messages: list[Mapping[str, Any]] = []

    def recording_send(channel: Any, header: Mapping[str, Any], payload: Any = None) -> None:
        assert payload is None, "the referee sends no arrays"
        messages.append(header)
        send(channel, header)

    monkeypatch.setattr(candidate_process, "send", recording_send)
    return messages


def test_nothing_that_a_candidate_is_told_leads_to_held_out_labels(
    tiny: TinyTask, sent: list[Mapping[str, Any]]
) -> None:
    launcher, task = Recording(tiny.launcher), tiny.config()
    evaluate_program(tiny.write(programs.SOUND), task, tiny.folder / "artifacts", launcher=launcher)
    told = json.dumps([[request.to_json() for request in launcher.requests], sent])
    for dataset in load_datasets(task.datasets, task.size):
        for split in ("val", "test"):
            file = dataset.labels[split].resolve()
            assert str(dataset.images[split]) in told
            assert str(file) not in told
            assert str(dataset.labels[split]) not in told
            for request in launcher.requests:
                assert request.walls is not None
                assert not any(file.is_relative_to(path) for path in request.walls.readable)
            for labels in (dataset.load_labels(split), dataset.load_labels(split).ravel()):
                assert json.dumps(labels[:12].tolist())[1:-1] not in told
    for config in tiny.datasets:
        assert str(config.path) not in told  # it holds all labels


# Takes a copy of its memory first, and only then turns digits into what it looks for.
SCANNER = """
import numpy as np
import torch
from torch import nn

LABELS = {labels}


def found():
    with open("/proc/self/maps") as maps:
        spans = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw")]
    memory = []
    with open("/proc/self/mem", "rb", buffering=0) as mem:
        for low, high in spans:
            try:
                mem.seek(int(low, 16))
                memory.append(mem.read(int(high, 16) - int(low, 16)))
            except (OSError, ValueError):
                pass
    return [split for split, digits in LABELS.items() if any(is_in(digits, part) for part in memory)]


def is_in(digits, part):
    labels = np.array([int(digit) for digit in digits])
    return any(labels.astype(width).tobytes() in part for width in ("u1", "<i4", "<i8", "<f4", "<f8"))


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(3, num_classes)
        self.looked = False

    def forward(self, x):
        if not self.training and len(x) == {batch} and not self.looked:
            self.looked = True
            raise RuntimeError("SEEN " + " ".join(found()) + " END")
        return self.head(x.mean((2, 3)))


def create_model(num_classes=7):
    return Net(num_classes)
"""


@pytest.fixture
def random_labels(tmp_path: Path) -> DatasetConfig:
    """A data set whose labels are random, long and alike nowhere else."""
    rng = np.random.default_rng(20)
    arrays: dict[str, Any] = {}
    for split, count in {"train": 200, "val": 120, "test": 130}.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 16, 16), dtype=np.uint8)
        arrays[f"{split}_labels"] = rng.permutation(np.arange(count) % 5).astype(np.uint8)[:, None]
    np.savez(tmp_path / "random.npz", **arrays)
    return DatasetConfig(name="random", path=tmp_path / "random.npz", label_kind="multi-class")


def test_held_out_labels_are_nowhere_in_a_candidates_memory(
    tiny: TinyTask, random_labels: DatasetConfig
) -> None:
    arrays = np.load(random_labels.path)
    labels = {
        split: "".join(map(str, arrays[f"{split}_labels"][:64, 0])) for split in ("train", "val", "test")
    }
    code = SCANNER.replace("{labels}", repr(labels)).replace("{batch}", "64")
    failure = tiny.failure(code, datasets=[random_labels.model_dump()], batch_size=32)
    seen = re.search(r"SEEN (.*) END", str(failure))
    assert seen is not None, failure
    assert seen.group(1).split() == ["train"]  # the labels it trains on: the search does find labels


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    return run_search(tmp_path_factory.mktemp("search"), [WRITER.format(width=width) for width in (4, 8)])
