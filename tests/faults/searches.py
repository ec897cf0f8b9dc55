"""A real search on small data with a model on loopback, and everything that it wrote, sent or printed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import PROJECT
from tests.support.llm_server import Behaviour, Reply, ReplyServer, Request
from tests.support.tiny_task import SIZE, write_datasets

WRITER = """Global pooling.

```python
import torch
from torch import nn


def create_model(num_classes=7):
    return nn.Sequential(
        nn.Conv2d(3, {width}, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear({width}, num_classes),
    )
```
"""


@dataclass(frozen=True)
class Search:
    """A search that has ended, early or not."""

    folder: Path
    done: "subprocess.CompletedProcess[str]"
    requests: tuple[Request, ...]

    @property
    def run(self) -> Path:
        return self.folder / "runs/mnist/latest"

    @cached_property
    def texts(self) -> dict[str, str]:
        """All files but the artifacts, every prompt, and what was printed."""
        found = {"stdout": self.done.stdout, "stderr": self.done.stderr}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and "artifacts" not in path.parts and path.suffix != ".npz":
                found[str(path.relative_to(self.folder))] = path.read_text(errors="replace")
        for number, request in enumerate(self.requests):
            found[f"prompt {number}"] = json.dumps(request.json)
        return found

    def figures(self, split: str) -> set[str]:
        """Every AUC of a split in the artifacts, to four digits; not those that validation has too."""
        return self._aucs(split) - (self._aucs("val") if split != "val" else set())

    def _aucs(self, split: str) -> set[str]:
        found = set()
        for path in (self.run / "artifacts").glob("*.json"):
            record = json.loads(path.read_text())
            for part in (record["mean"], *record["datasets"].values()):
                found.add(f"{part[split]['auc']:.4f}")
        return found - {"1.0000", "0.5000"}

    def numbers_in(self, name: str) -> set[str]:
        [text] = [text for path, text in self.texts.items() if path.endswith(name)]
        return self.numbers(text)

    @staticmethod
    def numbers(text: str) -> set[str]:
        """Every number with four digits or more behind the point, rounded to four."""
        return {f"{float(number):.4f}" for number in re.findall(r"\b0\.\d{4,}\b", text)}


def run_search(
    folder: Path,
    replies: Sequence[str | Behaviour],
    *options: str,
    keys: Mapping[str, str] | None = None,
    environment_file: str = "",
) -> Search:
    """Run run_evolution.py until its budget is spent, so that it ends as a search that can go on."""
    datasets = [config.model_dump(mode="json") for config in write_datasets(folder)[:2]]
    (folder / ".env").write_text(environment_file)
    script = [Reply(reply) if isinstance(reply, str) else reply for reply in replies]
    with ReplyServer(script) as server:
        settings: dict[str, Any] = {
            "task.datasets": datasets, "task.size": SIZE, "task.epochs": 2, "task.batch_size": 32,
            "task.device": "cpu", "task.threads": 1, "task.bootstrap_replicates": 100,
            "llm.api_base": server.api_base, "llm.primary_model": "m", "llm.retry_delay": 0.01,
            "fidelity": "full", "log_level": "DEBUG", "checkpoint_interval": 1,
            "budget.evaluations": 3, "proposals_ahead": 0,
        }  # fmt: skip
        overrides = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
        none = {"OPENAI_API_KEY": "", "AZURE_OPENAI_API_KEY": "", "no_proxy": "127.0.0.1"}
        if environment_file:
            del none["OPENAI_API_KEY"]  # an empty one would go before the file's
        inherited = {name: value for name, value in os.environ.items() if name not in ("OPENAI_API_KEY",)}
        variables = inherited | none | {"MEDEVONET_CACHE": str(folder / "cache")} | dict(keys or {})
        done = subprocess.run(
            [sys.executable, str(PROJECT / "run_evolution.py"), *overrides, *options],
            cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return Search(folder, done, server.requests)
