"""Programs for tests of the evaluation: sound ones, wrong ones and hostile ones, as text."""

from textwrap import dedent

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"


def network(init: str, forward: str, before: str = "") -> str:
    """A program whose network has these lines in ``__init__`` and ``forward``; C outputs."""
    return (
        f"{HEAD}{dedent(before)}\n\nclass Network(nn.Module):\n    def __init__(self, C):\n"
        f"        super().__init__()\n{_indented(init)}\n    def forward(self, x):\n{_indented(forward)}\n\n"
        "def create_model(num_classes=7):\n    return Network(num_classes)\n"
    )


def sound(before: str = "", init: str = "", forward: str = "") -> str:
    """A small network that learns, with lines added before it, to its making and to its forward pass."""
    return network(
        "self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)\nself.norm = nn.BatchNorm2d(8)\n"
        f"self.head = nn.Linear(32, C)\n{dedent(init)}",
        f"{dedent(forward)}\nx = F.adaptive_avg_pool2d(F.relu(self.norm(self.conv(x))), 2)\n"
        "return self.head(x.flatten(1))",
        before,
    )


def _indented(lines: str) -> str:
    return "".join(f"        {line}\n" for line in dedent(lines).splitlines())


SOUND = sound()

WITHOUT_ARGUMENT = SOUND.replace("num_classes=7", "").replace("Network(num_classes)", "Network(7)")

LAZY = network(
    "self.conv = nn.LazyConv2d(8, 3)\nself.norm = nn.LazyBatchNorm2d()\nself.head = nn.LazyLinear(C)",
    "return self.head(F.relu(self.norm(self.conv(x))).mean((2, 3)))",
)

# Registered first, called last: the order of forward says which layer is the output layer.
HEAD_REGISTERED_FIRST = network(
    "self.head = nn.Linear(16, C)\nself.conv = nn.Conv2d(3, 8, 3)\nself.hidden = nn.Linear(8, 16)",
    "return self.head(F.relu(self.hidden(F.relu(self.conv(x)).mean((2, 3)))))",
)

TWO_HEADS = network(
    "self.conv = nn.Conv2d(3, 8, 3)\nself.late = nn.Linear(8, C)\nself.early = nn.Linear(8, C)",
    "x = self.conv(x).mean((2, 3))\nearly = self.early(x)\nreturn early + self.late(F.relu(x))",
)

TUPLE_IN_TRAINING = sound(
    init="self.aux = nn.Linear(3, C)",
    forward="if self.training:\n    return self.head(torch.zeros(len(x), 32)), self.aux(x.mean((2, 3)))",
)

FUNCTIONAL_HEAD = network(
    "self.hidden = nn.Linear(3, 16)\nself.weight = nn.Parameter(torch.randn(C, 16))",
    "return F.linear(F.relu(self.hidden(x.mean((2, 3)))), self.weight)",
)

CONVOLUTIONAL_HEAD = network("self.conv = nn.Conv2d(3, C, 3)", "return self.conv(x).mean((2, 3))")

ONLY_AT_224 = network(
    "self.conv = nn.Conv2d(3, 4, 16, stride=16)\nself.head = nn.Linear(4 * 14 * 14, C)",
    "return self.head(self.conv(x).flatten(1))",
)

VIEWED = network(
    "self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)\nself.head = nn.Linear(512, C)",
    "x = self.conv(x)\nreturn self.head(x.view(x.size(0), -1))",
)

STRIDED_POINTWISE = network(
    "self.conv = nn.Conv2d(3, 8, 1, stride=2)\nself.head = nn.Linear(8, C)",
    "return self.head(self.conv(x).mean((2, 3)))",
)

UNSET_PARAMETER = sound(init="self.scale = nn.Parameter(torch.empty(1))", forward="x = x * self.scale")

NOT_A_NUMBER = sound(forward="x = x * float('nan')")

# Finite until it has been trained on, so that no check before training can see it.
DIVERGES_IN_TRAINING = sound(
    init="self.steps = 0",
    forward="if self.training and torch.is_grad_enabled():\n    self.steps += 1\n"
    "    x = x * (float('inf') if self.steps > 2 else 1)",
)

SQUEEZED = network(
    "self.conv = nn.Conv2d(3, 8, 3)\nself.head = nn.Linear(8, C)",
    "return self.head(F.adaptive_avg_pool2d(self.conv(x), 1).squeeze())",
)

BATCH_STATISTICS = sound(init="self.norm = nn.BatchNorm2d(8, track_running_stats=False)")

DROPOUT_IN_EVALUATION = sound(forward="x = F.dropout(x, 0.3)")

# From its second epoch on (3 steps each on the tiny data) it answers the opposite.
BEST_AT_FIRST = sound(
    init="self.register_buffer('steps', torch.zeros(()))",
    forward="if self.training:\n    self.steps += 1\nelif self.steps > 8:\n    x = -x",
)

TRANSFORMER = network(
    "self.patch = nn.Conv2d(3, 32, 4, stride=4)\n"
    "self.block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)\nself.head = nn.Linear(32, C)",
    "return self.head(self.block(self.patch(x).flatten(2).transpose(1, 2)).mean(1))",
)

GLOBAL_STATE = sound(
    """
    import random
    import numpy
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    torch.set_deterministic_debug_mode("default")
    torch.set_float32_matmul_precision("medium")
    random.seed(1)
    numpy.random.seed(1)
    """
)


def patched(method: str, body: str) -> str:
    """A program that replaces a method of ``torch.Tensor`` by ``lambda self, *a, **k: <body>``."""
    return sound(f"original = torch.Tensor.{method}\ntorch.Tensor.{method} = lambda self, *a, **k: {body}\n")
