"""Gradients of a batch as a CUDA graph: the kernels of a small network are launched at once, not one by one.

A graph repeats what the device did while it was recorded, and nothing that Python did. So two batches
are watched first, and only what leaves no trace in Python and never waits for the device is recorded.

Runs beside untrusted code; needs PyTorch and NumPy alone.
"""

import pickle
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._ops import OpOverload

from medevonet.dispatch import observed

Backward = Callable[[Tensor], Tensor]  # indices of a batch to its mean loss; leaves gradients behind

_WATCHED = 2  # batches


class GraphedBackward:
    """Calls ``backward``, and from the third full batch on replays it, where that does the same."""

    def __init__(self, network: nn.Module, backward: Backward, batch_size: int) -> None:
        self._network = network
        self._backward = backward
        self._batch_size = batch_size
        self._seen: list[list[str]] = []  # operations of each batch watched
        self._graph: torch.cuda.CUDAGraph | None = None
        self.obstacle = ""  # why nothing is recorded, once that is known

    @property
    def recorded(self) -> bool:
        return self._graph is not None

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch's mean loss, (). Raises torch.OutOfMemoryError; nothing is recorded any more then."""
        if self.obstacle or len(batch) != self._batch_size:
            return self._backward(batch)
        try:
            if len(self._seen) < _WATCHED:
                return self._watch(batch)
            if self._graph is None:
                self._record(batch)
            return self._backward(batch) if self._graph is None else self._replay(batch)
        except torch.OutOfMemoryError:
            self._graph, self.obstacle = None, "memory ran out"
            raise

    def _watch(self, batch: Tensor) -> Tensor:
        with beside_the_current_stream(), watched(self._network) as trace:
            loss = self._backward(batch)
        self._seen.append(trace.operations)
        self.obstacle = trace.obstacle
        if not self.obstacle and self._seen[0] != trace.operations:
            self.obstacle = "one batch is computed otherwise than another"
        return loss

    def _record(self, batch: Tensor) -> None:
        self._batch = batch.clone()
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph):
                self._loss = self._backward(self._batch)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            torch.cuda.set_stream(
                stream
            )  # PyTorch leaves its own in place where the end of a recording fails
            self.obstacle = f"recording failed: {error}"
            return
        self._graph = graph
        # Their memory is the graph's own: every replay writes the gradients anew.
        self._gradients = [(p, p.grad) for p in self._network.parameters() if p.grad is not None]

    def _replay(self, batch: Tensor) -> Tensor:
        assert self._graph is not None
        self._batch.copy_(batch)
        self._graph.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return self._loss.clone()


@contextmanager
def beside_the_current_stream() -> Iterator[None]:
    """A CUDA stream of its own, as recording needs of what runs before it; nothing where there is no GPU."""
    if not torch.cuda.is_initialized():
        yield
        return
    stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


@dataclass
class Trace:
    """What was dispatched to the device, and what stands against repeating it without Python."""

    operations: list[str] = field(default_factory=list)
    obstacle: str = ""

    def add(self, function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        numbers = [arg for arg in args if isinstance(arg, (bool, int, float))]
        self.operations.append(f"{function} {numbers}")
        if function is torch.ops.aten._local_scalar_dense.default:  # item(), bool(), ...
            self.obstacle = "a number is read back from the device"


@contextmanager
def watched(network: nn.Module) -> Iterator[Trace]:
    """Watch one pass through a network, forward and backward."""
    before = _python_state(network)
    trace = Trace()
    with _warnings_of_waiting() as waits, observed(trace.add):
        yield trace
    after = _python_state(network)
    changed = [name for name in after if name not in before or after[name] != before[name]]
    if waits:
        trace.obstacle = f"the device is waited for: {waits[0].message}"
    elif changed:
        trace.obstacle = f"it changes {changed[0]}"


@contextmanager
def _warnings_of_waiting() -> Iterator[list[warnings.WarningMessage]]:
    """What CUDA says of calls that wait for the device."""
    if not torch.cuda.is_initialized():
        yield []
        return
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        waits: list[warnings.WarningMessage] = []
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            waits += [each for each in caught if "synchroniz" in str(each.message)]


def _python_state(network: nn.Module) -> dict[str, object]:
    """All that a pass might leave behind outside the device: random generators, attributes, globals."""
    state: dict[str, object] = {
        "Python's random generator": random.getstate(),
        "NumPy's random generator": pickle.dumps(np.random.get_state()),
        "the CPU's random generator": torch.get_rng_state().numpy().tobytes(),
    }
    for name, module in network.named_modules():
        for key, value in (*vars(module).items(), *module._buffers.items()):
            state[f"{name}.{key}".lstrip(".")] = _fingerprint(value)
    program = sys.modules.get(type(network).__module__)
    for key, value in vars(program).items() if program else ():
        state[f"the global {key}"] = _fingerprint(value)
    return state


def _fingerprint(value: object) -> object:
    """Equal for values that are the same as before, as far as a look from outside tells."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Sized) and not isinstance(value, (Tensor, nn.Module)):
        return id(value), len(value)
    return id(value)
