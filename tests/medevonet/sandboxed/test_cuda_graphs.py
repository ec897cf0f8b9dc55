"""What may be recorded as a CUDA graph is found out on any device; recording and replaying need a GPU."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medevonet.sandboxed.cuda_graphs import GraphedBackward
from medevonet.sandboxed.recipe import Recipe, Training
from medevonet.sandboxed.tracing import watched

RECIPE = Recipe(3, 16, 32, 0.01, 0.01, "fp32", cuda_graphs=True)
_steps_of_the_world = 0


def body() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


class Network(nn.Module):
    """A network that does something else beside its layers."""

    of_all = 0

    def __init__(self, beside: Callable[["Network", Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = body()
        self.beside = beside
        self.steps = 0
        self.seen: list[int] = []
        self.counts: dict[str, list[int]] = {"steps": [0]}
        self.register_buffer("last", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.beside(self, images)
        logits: Tensor = self.layers(images)
        return logits


def nothing(network: Network, images: Tensor) -> None:
    pass


def count_globally(network: Network, images: Tensor) -> None:
    global _steps_of_the_world
    _steps_of_the_world += 1


def count(network: Network, images: Tensor) -> None:
    network.steps += 1


def count_deeply(network: Network, images: Tensor) -> None:
    network.counts["steps"][0] += 1


def count_in_the_class(network: Network, images: Tensor) -> None:
    Network.of_all += 1


def remember(network: Network, images: Tensor) -> None:
    network.last = images.mean()


def backward_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def backward(batch: Tensor) -> Tensor:
        loss: Tensor = network(images[batch]).square().mean()
        loss.backward()
        return loss.detach()

    return backward


@pytest.mark.parametrize(
    ("beside", "obstacle"),
    [
        (nothing, ""),
        (lambda network, images: images.mean(), ""),
        (lambda network, images: random.random(), "it changes Python's random generator"),
        (lambda network, images: np.random.rand(), "it changes NumPy's random generator"),
        (lambda network, images: torch.rand(1), "it changes the CPU's random generator"),
        (lambda network, images: images.mean().item(), "a number is read back from the device"),
        (lambda network, images: images.mean() > 0 or None, "a number is read back from the device"),
        (lambda network, images: network.seen.append(1), "it changes seen"),
        (count, "it changes steps"),
        (count_deeply, "it changes counts"),
        (count_in_the_class, "it changes Network.of_all"),
        (remember, "it changes _buffers"),
        (count_globally, "it changes tests.medevonet.sandboxed.test_cuda_graphs._steps_of_the_world"),
    ],
)
def test_what_a_graph_would_not_repeat_is_seen(
    beside: Callable[[Network, Tensor], object], obstacle: str
) -> None:
    network = Network(beside)
    backward = backward_of(network)
    with watched(network) as trace:
        backward(torch.arange(16))
    assert trace.obstacle == obstacle
    assert any("convolution" in operation for operation in trace.operations)


def test_watching_changes_no_gradient() -> None:
    plain, seen = Network(count), Network(count)
    backward_of(plain)(torch.arange(16))
    with watched(seen):
        backward_of(seen)(torch.arange(16))
    for one, other in zip(plain.parameters(), seen.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_batches_that_are_computed_otherwise_are_not_recorded() -> None:
    """The counter is hidden from a look at the network: only what it computes tells."""
    hidden = {"steps": 0}

    def scaled_ever_less(network: Network, images: Tensor) -> None:
        hidden["steps"] += 1
        images.mul_(1 / hidden["steps"])

    graphed = GraphedBackward(network := Network(scaled_ever_less), backward_of(network), 16)
    for number in range(4):
        graphed(torch.arange(16) + number)
    assert graphed.obstacle == "one batch is computed otherwise than another"
    assert not graphed.recorded


def test_a_step_that_cannot_be_recorded_and_a_part_of_a_batch_are_computed_as_ever() -> None:
    graphed = GraphedBackward(network := Network(count), backward_of(network), 16)
    other = backward_of(reference := Network(count))
    for size in (16, 5, 16, 16):
        network.zero_grad()
        reference.zero_grad()
        assert graphed(torch.arange(size)) == other(torch.arange(size))
    assert graphed.obstacle == "it changes steps"


def test_after_a_recording_that_failed_gradients_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording leaves gradients that no device has computed; there is no GPU to do that here."""

    @contextmanager
    def failing(graph: object) -> Iterator[None]:
        yield
        raise RuntimeError("capture invalidated")

    for name, stand_in in (("CUDAGraph", object), ("graph", failing)):
        monkeypatch.setattr(torch.cuda, name, stand_in)
    for name in ("current_stream", "set_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    graphed = GraphedBackward(network := Network(nothing), backward_of(network), 16)
    other = backward_of(reference := Network(nothing))
    for number in range(4):
        network.zero_grad()
        reference.zero_grad()
        assert graphed(torch.arange(16) + number) == other(torch.arange(16) + number)
        for one, same in zip(network.parameters(), reference.parameters(), strict=True):
            assert one.grad is not None
            assert same.grad is not None
            assert torch.equal(one.grad, same.grad)
    assert (graphed.recorded, graphed.obstacle) == (False, "recording failed: capture invalidated")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    ("make", "obstacle"), [(lambda: Network(nothing), ""), (lambda: Network(count), "it changes steps")]
)
def test_a_replayed_training_is_the_same_training(make: Callable[[], nn.Module], obstacle: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (100, 8, 8), dtype=torch.uint8, generator=generator).cuda()
    labels = torch.randint(0, 3, (100, 1), generator=generator).cuda()
    losses = []
    for cuda_graphs in (False, True):
        recipe = replace(RECIPE, cuda_graphs=cuda_graphs)
        training = Training(make().cuda(), images, labels, "multi-class", 3, recipe, seed=1)
        torch.cuda.manual_seed(0)
        losses.append([training.epoch() for _ in range(3)])
    assert training._graph is not None
    assert (training._graph.obstacle, training._graph.recorded) == (obstacle, obstacle == "")
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
