"""Where attacks take place: planted secrets around an evaluation, and a look at what each has left.

After every attack no process is left, nothing outside the scratch folder has changed, and an honest
program scores as before, to the last bit.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Any, Self

from medevonet.data.dataset import load_datasets
from medevonet.run.folder import PROJECT
from medevonet.run.train_command import Limits, evaluate_program
from openevolve.evaluating.isolation import ForkServer, Level
from openevolve.evaluating.isolation.watch import descendants
from openevolve.evaluation_result import EvaluationFailed, EvaluationResult
from tests.support import programs
from tests.support.tiny_task import SIZE, TinyTask

SECRET = "sk-planted-3f9a1c"
MARK = f"medevonet-attack-{os.getpid()}"  # the name of what an attack leaves where other tests look too


@dataclass(frozen=True)
class Ended:
    """How an attack ended: with a score (``kind`` is empty) or as a failure."""

    kind: str
    message: str = ""
    output: str = ""  # the end of what it printed
    result: EvaluationResult | None = None
    bits: str = ""  # digest of every probability, validation and test

    @property
    def score(self) -> float:
        """Raises AssertionError where there is none."""
        assert self.result is not None, self
        return self.result.metrics["combined_score"]


class Arena:
    """Evaluates hostile programs one after the other, through one fork server."""

    def __init__(self, folder: Path, gpu: bool) -> None:
        """``folder`` gets a home with keys, a run, a dataset folder and the cache with the labels.

        ``gpu``: whether the walls let CUDA start.
        """
        self.gpu = gpu
        self.folder = folder
        self.home, self.runs, self.data = folder / "home", folder / "runs", folder / "data"
        self._plant()
        self.data.mkdir()
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONPATH": str(PROJECT)}
        self.server = ForkServer(["medevonet.sandboxed.session"], environment)
        self.tiny = TinyTask(self.data, self.server)
        entry = self.tiny.datasets[0]
        (dataset,) = load_datasets([entry], SIZE, cache=folder / "cache")
        self.labels = dataset.labels["val"]
        self._buffer = ctypes.create_string_buffer(SECRET.encode())  # in the referee's memory
        self._open_labels = self.labels.open("rb")  # and among its descriptors
        self._neighbour = subprocess.Popen(["sleep", "3600"], env={"OPENAI_API_KEY": SECRET})

    def _plant(self) -> None:
        planted = {
            self.home / ".env": f"OPENAI_API_KEY={SECRET}\n",
            self.runs / "run_info.json": f'{{"config": {{"api_key": "{SECRET}"}}}}\n',
            self.runs / "openevolve/journal.jsonl": f'{{"event": "run_started", "key": "{SECRET}"}}\n',
        }
        for path, text in planted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def restore(self) -> None:
        """Plant again what an attack without walls has changed."""
        for folder in (self.home, self.runs):
            shutil.rmtree(folder)
        self._plant()

    def places(self) -> str:
        """The head of every attack: where everything is that it wants."""
        values = {
            "HOME": self.home, "RUNS": self.runs, "DATA": self.data, "LABELS": self.labels,
            "PROJECT": PROJECT, "ARTIFACTS": self.data / "artifacts", "MARK": MARK,
        }  # fmt: skip
        numbers = {
            "REFEREE": os.getpid(), "SERVER": self.server_pid, "NEIGHBOUR": self.neighbour_pid,
            "ADDRESS": ctypes.addressof(self._buffer), "LABELS_FD": self._open_labels.fileno(),
        }  # fmt: skip
        lines = [f"{name} = {str(value)!r}" for name, value in values.items()]
        return "\n".join([*lines, *(f"{name} = {value}" for name, value in numbers.items())])

    @property
    def server_pid(self) -> int:
        return self.server._process.pid

    @property
    def neighbour_pid(self) -> int:
        return self._neighbour.pid

    def attack(
        self,
        before: str = "",
        init: str = "",
        forward: str = "",
        *,
        seconds: float = 60,
        memory_mb: int = 2000,
    ) -> Ended:
        """Evaluate a program with these lines before its network, in ``__init__`` and in ``forward``.

        All that must hold after any attack is asserted.
        """
        code = programs.sound(f"{self.places()}\n{dedent(before)}", init, forward)
        before_it = self._snapshot()
        honest = self.honest  # before the attack: the first of all must have something to compare with
        ended = self.evaluate(code, seconds=seconds, memory_mb=memory_mb)
        after_it = self._snapshot()
        assert [path for path in {**before_it, **after_it} if before_it.get(path) != after_it.get(path)] == []
        assert self._left_over() == []
        assert self.evaluate(programs.SOUND) == honest
        return ended

    def without_walls(self, before: str) -> Ended:
        """The same attack where nothing holds it: it must get what it wants there, or it proves nothing."""
        try:
            return self.evaluate(programs.sound(f"{self.places()}\n{dedent(before)}"), level="process")
        finally:
            self.restore()

    @functools.cached_property
    def honest(self) -> Ended:
        """What an honest program scores."""
        return self.evaluate(programs.SOUND)

    def evaluate(
        self, code: str, *, seconds: float = 60, memory_mb: int | None = None, level: Level = "strict"
    ) -> Ended:
        try:
            evaluation = evaluate_program(
                self.tiny.write(code),
                self.tiny.config(datasets=self.tiny.one, epochs=1),
                self.data / "artifacts",
                limits=Limits(seconds, memory_mb),
                launcher=self.server,
                level=level,
            )
        except EvaluationFailed as failure:
            return Ended(failure.kind.value, str(failure), failure.output_tail)
        digest = hashlib.sha256()
        for run in evaluation.runs:
            for split in (run.predictions.val, run.predictions.test):
                digest.update(split.probabilities.tobytes())
        return Ended("", result=evaluation.result(), bits=digest.hexdigest())

    def _left_over(self) -> list[int]:
        """Processes below the fork server; what is being reaped may take a moment to go."""
        deadline = time.monotonic() + 10
        while (left := descendants(self.server_pid)[1:]) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def _snapshot(self) -> dict[Path, tuple[Any, ...]]:
        """Content, mode and times of all that is planted, and of the project's own files.

        Not of the project's folders: tools and other tests keep their caches there, at the same time.
        """
        planted = [path for root in (self.home, self.runs, self.folder / "cache") for path in root.rglob("*")]
        shared = Path("/dev/shm").glob(f"{MARK}*")
        own = (path for path in PROJECT.iterdir() if path.is_file())
        return {path: _state(path) for path in (*planted, *self.data.glob("*.npz"), *own, *shared)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._neighbour.kill()
        self._neighbour.wait()
        self._open_labels.close()
        self.server.close()


def _state(path: Path) -> tuple[Any, ...]:
    status = path.lstat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return status.st_mode, status.st_uid, status.st_mtime_ns, status.st_size, status.st_nlink, content
