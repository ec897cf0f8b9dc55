"""A candidate process as the referee sees it: commands in, checked answers out.

What comes over the channel is whatever an untrusted program chose to send. Every answer is bounded
and checked here, and whatever goes wrong becomes one EvaluationFailed with the failure's kind.
"""

import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from medevonet.data.dataset import Dataset
from medevonet.sandboxed.hardware import gpu_drivers
from medevonet.task import TaskConfig
from medevonet.wire import ProtocolError, receive, send
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Launcher, Request
from openevolve.evaluation_result import EvaluationFailed
from openevolve.records.program import FailureKind

Floats = NDArray[np.float32]
Precision = Literal["fp32", "bf16"]

_TAIL_BYTES = 4096
_MESSAGE_CHARACTERS = 4000
_EXIT_SECONDS = 10  # from the end of a channel to the end of its process
_GRACE_SECONDS = 1.0  # between the signals that a batch scheduler sends to the processes of one job
_ROUNDING = 1e-4  # of a sum of float32 probabilities
# What a candidate may report of itself; the other kinds are found out, not told.
_REPORTED = {"import_error", "wrong_shape", "diverged", "out_of_memory", "crashed", "forbidden"}


@dataclass(frozen=True)
class Network:
    """What a candidate says of its network and of what it runs on."""

    params: int
    multiply_adds: int  # of one image
    head: str  # name of the output layer that is swapped
    memory_format: str
    precision: Precision
    device: str
    torch: str  # version


def candidate_argument(program: Path, task: TaskConfig, dataset: Dataset) -> dict[str, Any]:
    """All that a candidate is told: no path of a validation or test label is in it."""
    shared = ("epochs", "batch_size", "max_lr", "weight_decay", "cuda_graphs")
    recipe = {name: getattr(task, name) for name in shared}
    return {
        "program": str(program),
        "size": task.size,
        "device": task.device,
        "gpu_expected": task.device == "auto" and bool(gpu_drivers()),
        "threads": task.threads,
        "recipe": recipe | {"evaluation_batch": evaluation_batch(task)},
        "dataset": {
            "label_kind": dataset.label_kind,
            "outputs": dataset.outputs,
            "images": {split: str(path) for split, path in dataset.images.items()},
            "train_labels": str(dataset.labels["train"]),
        },
    }


def evaluation_batch(task: TaskConfig) -> int:
    """How many images are predicted at once: without a backward pass, twice the batch of training fits."""
    return 2 * task.batch_size


class Candidate:
    """A candidate process. Its methods raise EvaluationFailed for whatever goes wrong in it."""

    def __init__(
        self, launcher: Launcher, request: Request, dataset: Dataset, deadline: float | None
    ) -> None:
        """Start the process for a data set; ``deadline`` is a time of ``time.monotonic``."""
        self.dataset = dataset
        self.folder = request.directory
        self._device = request.argument["device"]
        self._deadline = deadline
        self._epochs = 0
        self._doing = "starting"
        self._child = launcher.start(request)
        self._output = request.output.open("rb")  # now: later a program may have put something else there

    def load(self, outputs: Sequence[int], precision: Precision | Literal["auto"]) -> Network:
        """Load the program and check its network with each number of outputs.

        ``auto`` is bf16 where the device has it natively. Raises UserError where there is no such device, and
        where programs find no GPU although a driver knows of one.
        """
        greeting, _ = self._receive(0)
        if "device_error" in greeting:
            raise UserError(
                f"task.device: expected auto, cpu or a GPU such as cuda:0, found {self._device!r}: "
                f"{greeting['device_error']}"
            )
        if "no_gpu" in greeting:
            raise UserError(
                "task.device: expected the GPU that a driver knows of, found that programs get the CPU: "
                f"{str(greeting['no_gpu'])[:_MESSAGE_CHARACTERS]}. Mend that, or train on the CPU with "
                "--set task.device=cpu"
            )
        if precision == "auto":
            precision = "bf16" if greeting.get("bf16") else "fp32"
        facts, _ = self._ask("load", "loading the program", outputs=list(outputs), precision=precision)
        return Network(
            params=self._count(facts, "params"),
            multiply_adds=self._count(facts, "multiply_adds"),
            head=str(facts.get("head")),
            memory_format=str(facts.get("memory_format")),
            precision=precision,
            device=str(greeting.get("device")),
            torch=str(greeting.get("torch")),
        )

    def fit_one_batch(self, seed: int, steps: int) -> tuple[float, float]:
        """Train on a single batch: the loss of the first step and of the last."""
        situation = f"{self.dataset.name}: fitting one batch in {steps} steps"
        facts, _ = self._ask("fit_one_batch", situation, seed=seed, steps=steps)
        return self._loss(facts, "first_loss"), self._loss(facts, "last_loss")

    def accepts(self, size: int) -> bool:
        """Whether the network also runs on images of so many pixels."""
        facts, _ = self._ask("accepts", f"trying images of {size} pixels", size=size)
        return facts.get("accepted") is True

    def start(
        self, seed: int, images: int | None = None, epochs: int | None = None, downsampling: int = 1
    ) -> None:
        """Make a fresh network, to be trained on that many images for that many epochs (None: all).

        Training and validation images have their height and width divided by ``downsampling``.
        """
        self._epochs = 0
        situation = f"{self.dataset.name}: making the network"
        self._ask("start", situation, seed=seed, images=images, epochs=epochs, downsampling=downsampling)

    def epoch(self) -> tuple[float, int, Floats]:
        """Train for an epoch.

        Returns the mean training loss, how many images were trained on at once (fewer than a batch where
        memory ran out), and the validation split's probabilities (N, C).
        """
        self._epochs += 1
        rows = self.dataset.count("val")
        header, numbers = self._ask("epoch", f"{self.dataset.name}: epoch {self._epochs}", rows)
        loss = self._loss(header, "train_loss")
        return loss, self._count(header, "micro_batch"), self._probabilities(numbers, rows)

    def keep(self) -> None:
        """Let it remember the weights as they are now."""
        self._ask("keep", f"{self.dataset.name}: keeping the weights")

    def restore(self) -> None:
        """Let it go back to the weights of the last ``keep``."""
        self._ask("restore", f"{self.dataset.name}: restoring the weights")

    def predict(
        self,
        split: str,
        samples: Sequence[int] | None = None,
        batch_size: int | None = None,
        precision: Precision | None = None,
    ) -> Floats:
        """Probabilities (N, C) of a split, or of some samples in the order asked for.

        In batches of the usual size and in the precision of training, but for what is said otherwise.
        """
        rows = self.dataset.count(split) if samples is None else len(samples)
        situation = f"{self.dataset.name}: predicting {split}"
        fields = {"split": split, "samples": samples, "batch_size": batch_size, "precision": precision}
        return self._probabilities(self._ask("predict", situation, rows, **fields)[1], rows)

    def save(self, onnx: bool) -> None:
        """Let it write its weights, and an ONNX model, into its ``folder``: the last to be asked."""
        self._ask("save", f"{self.dataset.name}: saving the network", onnx=onnx)

    def failure(self, kind: FailureKind | str, message: str) -> EvaluationFailed:
        """A failure in what is being done now, with the last that the process printed."""
        size = os.fstat(self._output.fileno()).st_size
        self._output.seek(max(0, size - _TAIL_BYTES))
        tail = self._output.read(_TAIL_BYTES).decode("utf-8", "replace")
        return EvaluationFailed(kind, f"{self._doing}: {message}", tail)

    def close(self) -> None:
        """End the process and all that it started."""
        self._child.kill()
        with suppress(TimeoutError, ConnectionError):  # the latter: its end has been reported before
            self._child.wait(_EXIT_SECONDS)
        self._child.close()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, command: str, situation: str, rows: int = 0, **fields: object
    ) -> tuple[dict[str, Any], Floats]:
        """The answer to a command: its header, and ``rows`` probabilities for each output."""
        self._doing = situation
        try:
            send(self._child.channel, {"command": command, **fields})
        except OSError:
            raise self._ended() from None
        floats = rows * self.dataset.outputs if rows else 0
        header, numbers = self._receive(floats)
        if len(numbers) != floats:
            raise self.failure(FailureKind.FORBIDDEN, f"expected {floats} numbers in the answer, found none")
        return header, numbers

    def _receive(self, floats: int) -> tuple[dict[str, Any], Floats]:
        try:
            header, numbers = receive(self._child.channel, floats, self._deadline)
        except EOFError:
            raise self._ended() from None
        except TimeoutError:
            raise self.failure(
                FailureKind.TIMEOUT, "expected an end within the time limit, found none"
            ) from None
        except ProtocolError as error:
            raise self.failure(
                FailureKind.FORBIDDEN,
                f"{error}; a program must not write to descriptors that it has not opened",
            ) from None
        if "failure" in header:
            reported = str(header["failure"])
            kind = reported if reported in _REPORTED else FailureKind.CRASHED
            raise self.failure(kind, str(header.get("message"))[:_MESSAGE_CHARACTERS])
        return header, numbers

    def _ended(self) -> EvaluationFailed:
        """Why a candidate that closed its channel did so."""
        try:
            ended = self._child.wait(_EXIT_SECONDS)
        except TimeoutError:
            return self.failure(FailureKind.CRASHED, "expected an answer, found that it closed its channel")
        if ended.reason:
            return self.failure(ended.reason, ended.detail)
        if ended.asked_to_end:
            time.sleep(_GRACE_SECONDS)  # a batch scheduler signals whole jobs: this process may be next
        how = f"exit code {ended.code}"
        if ended.code < 0:
            how = f"signal {-ended.code} ({signal.strsignal(-ended.code)})"
        return self.failure(FailureKind.CRASHED, f"expected an answer, found an end by {how}")

    def _loss(self, facts: dict[str, Any], name: str) -> float:
        loss = facts.get(name)
        if not isinstance(loss, float) or not math.isfinite(loss):
            raise self.failure(FailureKind.DIVERGED, f"expected a finite {name}, found {loss!r}")
        return loss

    def _count(self, facts: dict[str, Any], name: str) -> int:
        value = facts.get(name)
        if type(value) is not int or not 0 < value < 2**53:
            raise self.failure(
                FailureKind.FORBIDDEN, f"expected {name} to be a whole number above 0, found {value!r}"
            )
        return value

    def _probabilities(self, numbers: Floats, rows: int) -> Floats:
        probabilities = numbers.reshape(rows, self.dataset.outputs)
        if not np.isfinite(probabilities).all():
            raise self.failure(FailureKind.DIVERGED, "expected probabilities, found NaN or infinity")
        low, high = probabilities.min(), probabilities.max()
        if low < 0 or high > 1 + _ROUNDING:
            raise self.failure(
                FailureKind.FORBIDDEN, f"expected probabilities from 0 to 1, found {low:g} to {high:g}"
            )
        sums = probabilities.sum(axis=1)
        if self.dataset.label_kind != "multi-label" and np.abs(sums - 1).max() > _ROUNDING:
            raise self.failure(
                FailureKind.FORBIDDEN,
                "expected probabilities that add up to 1 for each image, "
                f"found sums from {sums.min():g} to {sums.max():g}",
            )
        return probabilities
