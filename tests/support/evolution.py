"""``run_evolution.py`` as a user starts it, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from openevolve.state.journal import Event, read_journal
from tests import PROJECT

SMALL = ("--set", "task.datasets=[demo-breastmnist, demo-dermamnist]", "--set", "task.epochs=1")


REPLY = """A smaller network with global pooling.

```python
import torch
from torch import nn


def create_model(num_classes=7):
    return nn.Sequential(
        nn.Conv2d(3, {width}, 3, stride=2, padding=1), nn.BatchNorm2d({width}), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear({width}, num_classes),
    )
```
"""


def environment(cache: Path, keys: Mapping[str, str] | None = None) -> dict[str, str]:
    """No key but those given, wherever the tests run; a .env above the folder is not read then."""
    none = {"OPENAI_API_KEY": "", "AZURE_OPENAI_API_KEY": ""}
    return {**os.environ, "MEDEVONET_CACHE": str(cache), **none, **(keys or {})}


def run(
    folder: Path, cache: Path, *options: str, keys: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "run_evolution.py"), *options],
        cwd=folder, env=environment(cache, keys), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def journal(folder: Path) -> list[Event]:
    return list(read_journal(folder / "runs/mnist/latest/openevolve/journal.jsonl"))


def scores(folder: Path) -> list[tuple[object, ...]]:
    """Programs and validation metrics by iteration."""
    events = journal(folder)
    codes = {e["program"]["iteration"]: e["program"]["code"] for e in events if e["event"] == "proposed"}
    results = {e["iteration"]: e["outcome"] for e in events if e["event"] == "measured"}
    return [(codes[i], results[i]["metrics"], results[i]["failure"]) for i in sorted(results)]


def values(output: str) -> dict[str, str]:
    """The ``key: value`` block at the end."""
    return dict(line.split(": ", 1) for line in output.rpartition("\n---\n")[2].splitlines())
