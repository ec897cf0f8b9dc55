"""Convolutions that a CPU does badly, and that going around them changes nothing else."""

import copy

import pytest
import torch
from torch import nn

from medevonet.sandboxed.cpu_convolutions import (
    Float32Conv2d,
    avoid_slow_bf16,
    breaks_channels_last,
    is_slow_in_bf16,
)
from medevonet.sandboxed.recipe import Recipe, Training

DEPTHWISE = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)


@pytest.mark.parametrize(
    ("layer", "slow"),
    [
        (DEPTHWISE, True),
        (nn.Conv2d(8, 8, 5, groups=8), True),
        (nn.Conv2d(8, 16, 3, groups=8), True),
        (nn.Conv2d(8, 8, 3, groups=8), False),
        (nn.Conv2d(64, 64, 3, stride=2, groups=4), False),
        (nn.Conv2d(1, 8, 3, stride=2), False),
        (nn.Linear(8, 8), False),
    ],
)
def test_which_layers_are_slow_in_bf16(layer: nn.Module, slow: bool) -> None:
    assert is_slow_in_bf16(layer) == slow


def test_which_layers_break_channels_last() -> None:
    assert breaks_channels_last(nn.Conv2d(4, 8, 1, stride=2))
    assert not breaks_channels_last(nn.Conv2d(4, 8, 1))
    assert not breaks_channels_last(nn.Conv2d(16, 8, 1, stride=2))


def test_the_way_around_is_more_exact_than_bf16_and_has_its_type() -> None:
    network = nn.Sequential(copy.deepcopy(DEPTHWISE), nn.ReLU())
    images = torch.randn(4, 8, 12, 12)
    exact = network(images)
    with torch.autocast("cpu", torch.bfloat16):
        in_bf16 = network(images)
        avoid_slow_bf16(network)
        found = copy.deepcopy(network)(images)
    assert isinstance(network[0], Float32Conv2d)
    assert found.dtype == in_bf16.dtype == torch.bfloat16
    assert (found - exact).abs().max() <= (in_bf16 - exact).abs().max()
    assert torch.equal(network(images), exact), "without autocast nothing is different"
    assert network.state_dict().keys() == {"0.weight", "0.bias"}


@pytest.mark.parametrize(("precision", "expected"), [("bf16", Float32Conv2d), ("fp32", nn.Conv2d)])
def test_training_in_bf16_goes_around_them(precision: str, expected: type[nn.Module]) -> None:
    layer = copy.deepcopy(DEPTHWISE)
    network = nn.Sequential(nn.Conv2d(3, 8, 1), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    images = torch.randint(0, 256, (16, 8, 8), dtype=torch.uint8)
    labels = torch.arange(16)[:, None] % 2
    recipe = Recipe(2, 8, 16, 3e-3, 0.01, precision)  # type: ignore[arg-type]
    training = Training(network, images, labels, "binary", 2, recipe, seed=0)
    assert [type(layer) for layer in network][:2] == [nn.Conv2d, expected]
    before = layer.weight.clone()
    training.epoch()
    assert not torch.equal(layer.weight, before)
