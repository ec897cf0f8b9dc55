"""Gradients of a batch as a CUDA graph: the kernels of a small network are launched at once, not one by one.

A graph repeats what the device did while it was recorded, and nothing that Python did. So two batches are
watched first (medevonet/sandboxed/tracing.py), and only what leaves no trace in Python is recorded.

Runs beside untrusted code; needs PyTorch and NumPy alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from medevonet.sandboxed.tracing import changes, state_of, watched

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
        """The batch's mean loss, (). Raises torch.OutOfMemoryError, after which nothing is recorded."""
        if not self.obstacle and len(batch) == self._batch_size:
            try:
                if len(self._seen) < _WATCHED:
                    return self._watch(batch)
                if self._graph is None:
                    self._record(batch)
            except torch.OutOfMemoryError:
                self.obstacle = "memory ran out"
                raise
            if self._graph is not None:
                return self._replay(batch)
        return self._backward(batch)

    def begin_epoch(self) -> None:
        """Forget the graph where the program has since changed something that it does not repeat."""
        if self._graph is not None:
            changed = changes(self._state, state_of(self._network))
            if changed:
                self._graph, self.obstacle = None, f"between epochs it changes {changed[0]}"

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
        except RuntimeError as error:  # for want of memory too: a graph needs some of its own
            torch.cuda.set_stream(stream)  # where the end of a recording fails PyTorch leaves its own
            for parameter in self._network.parameters():
                parameter.grad = None  # never computed
            torch.cuda.empty_cache()
            self.obstacle = f"recording failed: {error}"
            return
        self._graph = graph
        self._state = state_of(self._network)
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
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        current.wait_stream(stream)
