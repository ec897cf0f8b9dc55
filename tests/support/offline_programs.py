"""Programs that the offline operators vary, and the checks that their children have to pass."""

from random import Random

import torch
from torch import nn

from medevonet.mutation import mutate
from openevolve.proposing.offline import Mutation
from tests import PROJECT

SEED = (PROJECT / "seed_program.py").read_text()

BRANCHED = '''\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Residual(nn.Module):
    """Not the helper of the same name."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride=stride, padding=1)
        self.short = nn.Conv2d(cin, cout, 1, stride=stride)

    def forward(self, x):
        return F.relu(self.conv(x) + self.short(x))


class Branched(nn.Module):
    def __init__(self, num_classes=7, widths=(24, 48), depth=2):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),  # the stem
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 5, padding=2),
        )
        blocks, last = [], 16
        for width in widths:
            blocks += [Residual(last, width, 2)] + [Residual(width, width, 1) for _ in range(depth - 1)]
            last = width
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(2 * last, num_classes)

    def forward(self, x):
        x = self.pool(self.blocks(self.stem(x)))
        z = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        return self.fc(self.drop(z))


def create_model(num_classes=7):
    return Branched(num_classes)
'''


def build(code: str, num_classes: int = 7) -> nn.Module:
    """The network that a program makes."""
    namespace: dict[str, object] = {"__name__": "candidate"}
    exec(compile(code, "candidate.py", "exec"), namespace)
    create_model = namespace["create_model"]
    assert callable(create_model)
    model = create_model(num_classes)
    assert isinstance(model, nn.Module)
    return model


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def assert_trains(code: str, batches: tuple[int, ...] = (2, 1)) -> None:
    """Gives finite logits and gradients for batches of 28 px, and ends in a Linear."""
    torch.manual_seed(0)
    model = build(code)
    order: list[nn.Module] = []
    for module in model.modules():
        if not any(module.children()):
            module.register_forward_hook(lambda leaf, _input, _output: order.append(leaf))
    for batch in batches:
        logits = model(torch.randn(batch, 3, 28, 28))
        assert logits.shape == (batch, 7)
        assert torch.isfinite(logits).all()
        assert isinstance(order[-1], nn.Linear)
        logits.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def lineage(code: str, seed: int, generations: int) -> list[Mutation]:
    """A child, its child, and so on."""
    rng, children = Random(seed), []
    for _ in range(generations):
        children.append(mutate(code, rng))
        code = children[-1].code
    return children
