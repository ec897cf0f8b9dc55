"""Candidate processes of one program: where they run, with which limits, from which fork server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medevonet.data.dataset import Dataset
from medevonet.referee.candidate_process import Candidate, candidate_argument
from medevonet.referee.walls import candidate_walls
from medevonet.task import TaskConfig
from openevolve.evaluating.isolation import ForkServer, Launcher, Level, Request, scratch_folder
from openevolve.evaluating.isolation.level import environment_of


@dataclass(frozen=True)
class CandidateStarter:
    """Starts a fresh process, in a folder of its own, for each training of one program."""

    source: bytes  # of the program
    task: TaskConfig
    memory_mb: int | None  # resident memory of a candidate
    deadline: float | None  # a time of ``time.monotonic``
    level: Level  # strict: within walls
    launcher: Launcher
    folder: Path | None  # where candidates' folders go; None: the system's
    # CUDA_VISIBLE_DEVICES of candidates; None: all. By default that of this process, which the run binds.
    gpus: str | None = field(default_factory=lambda: os.environ.get("CUDA_VISIBLE_DEVICES"))

    @contextmanager
    def start(self, dataset: Dataset) -> Iterator[Candidate]:
        with scratch_folder("candidate-", self.folder) as folder:
            copy = folder / "program.py"
            copy.write_bytes(self.source)
            request = Request(
                target="medevonet.sandboxed.session:main",
                argument=candidate_argument(copy, self.task, dataset),
                directory=folder,
                environment={} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": self.gpus},
                memory_limit_mb=self.memory_mb,
                walls=candidate_walls(copy, self.task, dataset) if self.level == "strict" else None,
            )
            with Candidate(self.launcher, request, dataset, self.deadline) as candidate:
                yield candidate


@contextmanager
def launcher_for(launcher: Launcher | None, level: Level) -> Iterator[tuple[Launcher, Path | None]]:
    """What starts candidates, and where their folders go so that they never outlive this process.

    ``launcher`` if there is one; else that of the run; outside a run one of its own.
    """
    if launcher is not None:
        yield launcher, None
    elif inherited := Launcher.inherited():
        with inherited:
            yield inherited, Path.cwd()  # the run removes it with the evaluation
    else:
        with ForkServer(["medevonet.sandboxed.session"], environment_of(level)) as server:
            yield server, server.scratch
