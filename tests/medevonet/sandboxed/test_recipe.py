"""The fixed recipe on tensors: optimizer and schedule, batches, predictions, kept weights."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medevonet.label_kind import LabelKind
from medevonet.sandboxed.optimizer import OneCycleAdamW, one_cycle
from medevonet.sandboxed.recipe import Recipe, Training, part_of, to_rgb

RECIPE = Recipe(
    epochs=3, batch_size=16, evaluation_batch=32, max_lr=0.01, weight_decay=0.01, precision="fp32"
)


def small_network(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, outputs)
    )


def cases(count: int, kind: LabelKind = "multi-class", channels: int = 1) -> tuple[Tensor, Tensor]:
    """Images (count, 8, 8[, 3]) and labels of three classes or labels."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, 8, 8) if channels == 1 else (count, 8, 8, 3)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    if kind == "multi-label":
        return images, torch.randint(0, 2, (count, 3), generator=generator)
    return images, torch.randint(0, 3, (count, 1), generator=generator)


def training(count: int = 33, kind: LabelKind = "multi-class", **changes: Any) -> Training:
    images, labels = cases(count, kind)
    return Training(small_network(), images, labels, kind, 3, replace(RECIPE, **changes), seed=1)


def equal(first: nn.Module, second: nn.Module) -> bool:
    return all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 90])
def test_the_optimizer_is_adamw_under_one_cycle(steps: int) -> None:
    ours, theirs = small_network(), small_network()
    optimizer = OneCycleAdamW(ours.parameters(), 0.01, 0.05, steps)
    reference = torch.optim.AdamW(theirs.parameters(), weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(reference, 0.01, total_steps=steps)
    for step in range(steps):
        images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for network in (ours, theirs):
            network(images).square().mean().backward()
        lr, beta1 = one_cycle(step, steps)
        assert lr * 0.01 == pytest.approx(reference.param_groups[0]["lr"], rel=1e-12)
        assert beta1 == pytest.approx(reference.param_groups[0]["betas"][0], rel=1e-12)
        optimizer.step()
        reference.step()
        reference.zero_grad()
        if step + 1 < steps:
            schedule.step()
    assert all(parameter.grad is None for parameter in ours.parameters())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-7)


def test_parameters_without_a_gradient_stay_as_they_are() -> None:
    network = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    unused = copy.deepcopy(network[1])
    optimizer = OneCycleAdamW(network.parameters(), 0.1, 0.1, 2)
    network[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert equal(network[1], unused)


@given(st.integers(1, 500))
def test_the_rate_rises_to_the_peak_and_falls(steps: int) -> None:
    rates = [one_cycle(step, steps)[0] for step in range(steps)]
    peak = int(np.argmax(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] <= max(rates) <= 1


def test_an_epoch_sees_every_image_once_but_never_one_alone() -> None:
    run = training(count=33)
    first, second = run._batches(), run._batches()
    assert [len(batch) for batch in first] == [16, 16]  # of 33: the last would be alone
    assert [len(batch) for batch in training(count=34)._batches()] == [16, 16, 2]
    assert [len(batch) for batch in training(count=1)._batches()] == [1]
    seen = torch.cat(first).tolist()
    assert len(set(seen)) == 32
    assert seen != torch.cat(second).tolist()


def test_the_loss_is_the_mean_over_images_and_falls() -> None:
    images, labels = cases(36)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3))
    with torch.no_grad():
        expected = nn.functional.cross_entropy(network(to_rgb(images, torch.channels_last)), labels[:, 0])
    recipe = replace(RECIPE, max_lr=1e-12, weight_decay=0)
    standing = Training(network, images, labels, "multi-class", 3, recipe, seed=1)
    assert standing.epoch() == pytest.approx(expected.item(), rel=1e-5)
    moving = training(count=48)
    assert moving.epoch() > moving.epoch() > moving.epoch()


@pytest.mark.parametrize("kind", ["multi-class", "multi-label"])
def test_predictions_are_probabilities_whatever_the_batch(kind: LabelKind) -> None:
    run = training(kind=kind)
    run.epoch()
    images, _ = cases(33, kind)
    together, apart = run.predict(images), run.predict(images, batch_size=1)
    assert (together.shape, together.dtype) == ((33, 3), torch.float32)
    assert torch.allclose(together, apart, rtol=0, atol=1e-6)
    assert ((together >= 0) & (together <= 1)).all()
    sums = together.sum(dim=1)
    assert torch.allclose(sums, torch.ones(33)) == (kind == "multi-class")


def test_kept_weights_come_back() -> None:
    run = training()
    images, _ = cases(33)
    run.epoch()
    run.keep()
    kept = run.predict(images)
    run.epoch()
    assert not torch.equal(run.predict(images), kept)
    run.restore()
    assert torch.equal(run.predict(images), kept)


class Remembering(nn.Module):
    """A network whose output rests on what it has seen, in a buffer that no ``state_dict`` holds."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3))
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen = self.seen + x.detach().abs().mean()
        out: Tensor = self.inner(x) * (1 + self.seen)
        return out


def test_buffers_that_no_state_holds_are_kept_with_the_weights() -> None:
    images, labels = cases(33)
    run = Training(Remembering(), images, labels, "multi-class", 3, RECIPE, seed=1)
    run.epoch()
    run.keep()
    kept = run.predict(images)
    run.epoch()
    run.restore()
    assert torch.equal(run.predict(images), kept)
    run.epoch()
    run.restore()  # what was kept has not been trained on
    assert torch.equal(run.predict(images), kept)


def test_predictions_can_be_asked_for_in_float32() -> None:
    images, _ = cases(33)
    low, high = training(precision="bf16"), training(precision="fp32")
    assert not torch.equal(low.predict(images), high.predict(images))
    assert torch.equal(low.predict(images, precision="fp32"), high.predict(images))


def test_equal_seeds_train_equally_whatever_a_program_draws() -> None:
    first, second = training(), training()
    losses = [first.epoch(), first.epoch()]
    torch.rand(7)
    assert second.epoch() == losses[0]
    torch.manual_seed(5)
    assert second.epoch() == losses[1]


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_grey_images_equal_rgb_ones_of_equal_planes(memory_format: torch.memory_format) -> None:
    grey, _ = cases(5)
    rgb = grey[..., None].expand(-1, -1, -1, 3)
    images = to_rgb(grey, memory_format)
    assert images.shape == (5, 3, 8, 8)
    assert images.is_contiguous(memory_format=memory_format)
    assert torch.equal(images, to_rgb(rgb, memory_format))
    assert torch.equal(images[:, 1], grey.float() / 127.5 - 1)


@pytest.mark.parametrize("shape", [(600, 12, 12), (3, 12, 12, 3)])
def test_downsampled_images_are_means_of_squares(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    small = part_of(images, torch.arange(len(images)), 3)
    assert torch.equal(part_of(images, torch.tensor([2, 0]), 3), small[[2, 0]])
    assert (small.shape, small.dtype) == ((shape[0], 4, 4, *shape[3:]), torch.uint8)
    for row, column in ((0, 0), (3, 2)):
        square = images[-1, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].float()
        assert torch.equal(small[-1, row, column].float(), square.mean(dim=(0, 1)).round())


class Cramped(nn.Module):
    """A network whose memory runs out beyond so many images at once."""

    def __init__(self, network: nn.Module, images: int) -> None:
        super().__init__()
        self.network = network
        self.images = images
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > self.images:
            raise torch.OutOfMemoryError("expected in this test")
        out: Tensor = self.network(x)
        return out


def linear_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3))


@pytest.mark.parametrize(("room", "micro_batch"), [(16, 16), (15, 8), (8, 8), (5, 4), (3, 3)])
def test_where_memory_runs_out_a_batch_is_worked_through_in_parts(room: int, micro_batch: int) -> None:
    """The gradients are those of the whole batch, for a network that looks at no batch."""
    images, labels = cases(35)
    whole, cramped = (
        Training(network, images, labels, "multi-class", 3, RECIPE, seed=1)
        for network in (linear_network(), Cramped(linear_network(), room))
    )
    for _ in range(2):
        assert cramped.epoch() == pytest.approx(whole.epoch(), rel=1e-5)
    assert (whole.micro_batch, cramped.micro_batch) == (16, micro_batch)
    for one, other in zip(whole.network.parameters(), cramped.network.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert torch.allclose(whole.predict(images), cramped.predict(images), atol=1e-6)


@given(st.integers(2, 200), st.integers(3, 70))
def test_no_part_of_a_batch_is_larger_than_what_fitted_or_of_one_alone(count: int, room: int) -> None:
    images, labels = cases(count)
    network = Cramped(linear_network(), room)
    run = Training(network, images, labels, "multi-class", 3, replace(RECIPE, batch_size=64), seed=1)
    run.epoch()
    fitted = [size for size in network.seen if size <= room]
    assert run.micro_batch == 64 or max(fitted) <= run.micro_batch
    assert min(fitted) > 1
    assert sum(size > room for size in network.seen) <= 5  # once for every halving from 64


def test_memory_that_holds_no_three_images_is_too_little() -> None:
    images, labels = cases(8)
    run = Training(Cramped(linear_network(), 1), images, labels, "multi-class", 3, RECIPE, seed=1)
    with pytest.raises(torch.OutOfMemoryError):
        run.epoch()
    assert run.predict(images).shape == (8, 3)
    with pytest.raises(torch.OutOfMemoryError):
        run.predict(images, batch_size=4)
