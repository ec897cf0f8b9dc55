"""One program's evaluation: a candidate process for each training, in rungs from cheap to full.

Every training has a process of its own, which imports the program afresh: nothing that a program learns,
counts or changes can pass from one data set to the next.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from medevonet.data.dataset import Dataset, load_datasets
from medevonet.referee import scoring as referee
from medevonet.referee.candidate_process import Candidate, Network
from medevonet.referee.kept import KeptTrainings
from medevonet.referee.results import Evaluation, RungResult, metrics_of
from medevonet.referee.rungs import Brief, Rung, downsampling_factor, plan_rungs
from medevonet.referee.scoring import DatasetRun, OnEpoch, TrainingRun, training_seed
from medevonet.referee.starting import CandidateStarter, launcher_for
from medevonet.referee.telling import images_of, telling
from medevonet.statistics.artifacts import write_artifact
from medevonet.statistics.summaries import bootstrap_statistics, without_test
from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.evaluating.cores import available_cores
from openevolve.evaluating.isolation import Launcher, Level
from openevolve.evaluation_result import EvaluationFailed, EvaluationResult
from openevolve.records.program import FailureKind


@dataclass(frozen=True)
class Limits:
    """What one evaluation may take; None is no limit."""

    seconds: float | None = None
    memory_mb: int | None = None  # resident memory of a candidate


def ignore(dataset: Dataset, report: referee.EpochReport) -> None:
    """Nobody watches."""


def evaluate_program(
    program: Path,
    task: TaskConfig,
    artifacts: Path,
    *,
    limits: Limits | None = None,
    level: Level = "strict",
    launcher: Launcher | None = None,
    on_epoch: OnEpoch = ignore,
) -> Evaluation:
    """Train on every data set of the task, write the artifact pair and return everything.

    ``level`` strict puts candidates within walls. ``launcher`` starts them; by default that of the run, and
    outside a run one of its own.

    Raises:
        EvaluationFailed: the program is at fault; its ``kind`` says how.
        UserError: the task, the data or the device is.
    """
    with _session(program, task, artifacts, limits or Limits(), level, launcher, on_epoch) as session:
        return session.finish()


def evaluate_in_rungs(
    program: Path,
    task: TaskConfig,
    artifacts: Path,
    *,
    limits: Limits | None = None,
    level: Level = "strict",
    launcher: Launcher | None = None,
) -> Iterator[RungResult | Evaluation]:
    """As ``evaluate_program``, with the results of lower rungs first; closing the iterator stops there.

    Before any, one batch is learned by heart: a program that cannot do that fails within seconds.
    """
    with _session(program, task, artifacts, limits or Limits(), level, launcher, ignore) as session:
        yield from session.rungs()
        yield session.finish()


def measure_training(
    program: Path,
    task: TaskConfig,
    repeat: int,
    artifacts: Path,
    *,
    level: Level = "strict",
    launcher: Launcher | None = None,
) -> EvaluationResult:
    """One training on the task's only data set, from the seed of that repeat; its artifact pair is kept.

    Raises as ``evaluate_program`` does.
    """
    with _session(program, task, artifacts, Limits(), level, launcher, ignore, keep=False) as session:
        return session.look(repeat)


@contextmanager
def _session(
    program: Path,
    task: TaskConfig,
    artifacts: Path,
    limits: Limits,
    level: Level,
    launcher: Launcher | None,
    on_epoch: OnEpoch,
    *,
    keep: bool = True,
) -> Iterator["_Session"]:
    """``keep``: finished trainings, for as long as the evaluation lasts."""
    started = time.monotonic()
    try:
        source = program.read_bytes()
    except OSError as error:
        raise UserError(
            f"{program}: expected a Python file that defines create_model(), found: {error.strerror}"
        ) from None
    task = task.model_copy(update={"threads": task.threads or available_cores()})
    datasets = load_datasets(task.datasets, task.size, root=task.data_root, download=task.download)
    deadline = None if limits.seconds is None else started + limits.seconds
    with launcher_for(launcher, level) as (launcher, folder):
        starter = CandidateStarter(source, task, limits.memory_mb, deadline, level, launcher, folder)
        uuid = _uuid_of(program)
        kept = KeptTrainings.of(artifacts, uuid or "", source, task) if keep and uuid else None
        with kept or nullcontext():
            yield _Session(starter, datasets, artifacts, uuid or str(uuid4()), on_epoch, started, kept)


@dataclass
class _Session:
    """The trainings of one program, done and to be done."""

    starter: CandidateStarter
    datasets: Sequence[Dataset]
    artifacts: Path
    uuid: str
    on_epoch: OnEpoch
    started: float
    kept: KeptTrainings | None  # of programs that a run has named
    network: Network | None = None  # as the first candidate found it
    cost: int = 0  # images trained on, of full size
    done: dict[tuple[str, int], TrainingRun] = field(default_factory=dict)  # by data set and repeat
    brief: dict[str, float] = field(default_factory=dict)  # validation AUC by data set

    @property
    def task(self) -> TaskConfig:
        return self.starter.task

    def rungs(self) -> Iterator[RungResult]:
        """The rungs below the full evaluation (``rungs.plan_rungs``), each after what it adds."""
        counts = {dataset.name: dataset.count("train") for dataset in self.datasets}
        downsampling = self._bottom_rung(min(self.datasets, key=lambda dataset: counts[dataset.name]))
        for rung in plan_rungs(counts, self.task, downsampling):
            yield self._climb(rung)

    def _bottom_rung(self, dataset: Dataset) -> int:
        """Within seconds: does the network learn one batch? What may brief trainings divide the size by?"""
        factor = downsampling_factor(self.task)
        with self._candidate(dataset) as (candidate, _):
            referee.check_that_one_batch_fits(candidate, training_seed(self.task.seed, dataset.name))
            try:
                accepted = factor == 1 or candidate.accepts(self.task.size // factor)
            except EvaluationFailed:  # it does not have to, and may even crash
                accepted = False
        return factor if accepted else 1

    def _climb(self, rung: Rung) -> RungResult:
        for dataset in self.datasets:
            for repeat in range(self.task.repeats(dataset.name)):
                if (dataset.name, repeat) in rung.trainings:
                    self._train(dataset, repeat)
            if dataset.name in rung.brief:
                self._train_briefly(dataset, rung.brief[dataset.name])
        assert self.network is not None  # a rung has at least one training
        runs = [run for run in map(self._run, self.datasets) if run.trainings]
        known = self.brief | {run.dataset.name: run.val_auc for run in runs}
        val_aucs = {dataset.name: known[dataset.name] for dataset in self.datasets if dataset.name in known}
        self._write("rung", self.network, {"rung": {"val_auc": val_aucs}}, runs)
        trainings = {run.dataset.name: run.val_aucs for run in runs}
        return RungResult(self.network, val_aucs, self.cost, trainings)

    def finish(self) -> Evaluation:
        """Every training that has not been done yet, and what all of them say."""
        for dataset in self.datasets:
            for repeat in range(self.task.repeats(dataset.name)):
                if (dataset.name, repeat) not in self.done:
                    self._train(dataset, repeat)
        assert self.network is not None  # there is at least one data set
        runs = tuple(map(self._run, self.datasets))
        predictions = {run.dataset.name: run.predictions for run in runs}
        statistics = bootstrap_statistics(predictions, self.task.seed, self.task.bootstrap_replicates)
        path = self._write("ok", self.network, without_test(statistics), runs)
        return Evaluation(self.network, runs, statistics, self.cost, time.monotonic() - self.started, path)

    def look(self, repeat: int) -> EvaluationResult:
        """One training, from the seed of that repeat."""
        (dataset,) = self.datasets
        self._train(dataset, repeat, dataset.count("train"))
        assert self.network is not None
        run = DatasetRun(dataset, (self.done[dataset.name, repeat],))
        name = f"{self.uuid}-{dataset.name}-{repeat}"
        self._write("look", self.network, {"look": {"repeat": repeat, "val_auc": run.val_auc}}, [run], name)
        return EvaluationResult(metrics_of(self.network, run.val_auc, {dataset.name: run.val_auc}, self.cost))

    @contextmanager
    def _candidate(self, dataset: Dataset) -> Iterator[tuple[Candidate, Network]]:
        """A process that has loaded the program, and the network it found.

        The first checks the heads of all data sets; later ones must find the same network.
        """
        with self.starter.start(dataset) as candidate:
            checked = self.datasets if self.network is None else [dataset]
            found = candidate.load(sorted({each.outputs for each in checked}), self.task.precision)
            if self.network is not None and found.device != self.network.device:
                raise UserError(
                    f"task.device: expected {self.network.device} for every training, found {found.device}: "
                    "is a GPU gone? Look at nvidia-smi, and go on with --resume"
                )
            if self.network is not None and found != self.network:
                raise candidate.failure(
                    FailureKind.FORBIDDEN,
                    "expected the same network at every import of the program, "
                    f"found {self.network} and then {found}",
                )
            self._check_size(candidate, found)
            self.network = found
            yield candidate, found

    def _check_size(self, candidate: Candidate, network: Network) -> None:
        """A limit in work ends a search in the same way on every machine, as one in seconds would not."""
        most = self.task.max_multiply_adds
        if most is not None and network.multiply_adds > most:
            raise candidate.failure(
                FailureKind.TIMEOUT,
                f"expected at most {most:,} multiply-adds of one image (task.max_multiply_adds), "
                f"found {network.multiply_adds:,}",
            )

    def _train(self, dataset: Dataset, repeat: int, images: int | None = None) -> None:
        """``images``: of an epoch of all that is to be trained; by default of a full evaluation."""
        seed = training_seed(self.task.seed, dataset.name, repeat)
        images = images or images_of(self.datasets, self.task)
        told = telling(dataset, repeat, self.task, tuple(self.done.values()), images, self.on_epoch)
        found = self.kept.take(dataset, repeat, seed) if self.kept else None
        if found is not None and self.network in (None, found[1]):
            run, self.network = found
        else:
            with self._candidate(dataset) as (candidate, network):
                run = referee.train(candidate, self.task, seed, network.precision, told)
            if self.kept:
                self.kept.keep(run, repeat, network)
        self.cost += dataset.count("train") * self.task.epochs
        self.done[dataset.name, repeat] = run

    def _train_briefly(self, dataset: Dataset, brief: Brief) -> None:
        seed = training_seed(self.task.seed, dataset.name)
        with self._candidate(dataset) as (candidate, _):
            self.brief[dataset.name] = referee.train_briefly(candidate, seed, brief)
        self.cost += brief.cost

    def _run(self, dataset: Dataset) -> DatasetRun:
        """The trainings on a data set that have been done."""
        repeats = range(self.task.repeats(dataset.name))
        found = (self.done.get((dataset.name, repeat)) for repeat in repeats)
        return DatasetRun(dataset, tuple(run for run in found if run is not None))

    def _write(
        self,
        status: str,
        network: Network,
        facts: Mapping[str, Any],
        runs: Sequence[DatasetRun],
        name: str = "",
    ) -> Path:
        """Write the artifact pair of what is known so far, as ``name`` or that of the program.

        A later call of that name replaces it.
        """
        statistics = facts.get("datasets", {})
        record = {
            "status": status,
            "program": self.starter.source.decode(errors="replace"),
            **asdict(network),
            **facts,
            "datasets": {
                run.dataset.name: run.to_json() | statistics.get(run.dataset.name, {}) for run in runs
            },
            "task": self.task.model_dump(mode="json"),
            "isolation": self.starter.level,
            "cost": self.cost,
            "seconds": time.monotonic() - self.started,
        }
        predictions = {run.dataset.name: run.predictions for run in runs}
        try:
            return write_artifact(self.artifacts, name or self.uuid, record, predictions)
        except OSError as error:  # not the program's failure
            raise UserError(
                f"{self.artifacts}: expected a folder that can be written, found: {error.strerror}. "
                "Free some space there, or make it writable, and go on."
            ) from None


def _uuid_of(program: Path) -> str | None:
    """The artifact's name: the program's, where a run has named it by a UUID."""
    try:
        return str(UUID(program.stem))
    except ValueError:
        return None
