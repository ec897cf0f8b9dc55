"""Classes that a program gets when a layer needs them. They are text: the operators never import PyTorch."""

import ast
from collections.abc import Sequence

RESIDUAL = '''\
class Residual(nn.Module):
    """Adds the input, projected where the shape changes, to what the body makes of it."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x):
        return self.shortcut(x) + self.body(x)
'''

SQUEEZE_EXCITATION = '''\
class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the mean of all channels."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, kernel_size=1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, kernel_size=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.gate(x)
'''

HELPERS = {"SqueezeExcitation": SQUEEZE_EXCITATION, "Residual": RESIDUAL}
"""Source of every helper class, in the order in which they are written."""

_DUMPS = {name: ast.dump(ast.parse(text).body[0]) for name, text in HELPERS.items()}


def defined_helpers(body: Sequence[ast.stmt]) -> frozenset[str]:
    """Helpers that the program defines exactly as written here; the same name with other code is not one."""
    classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name in HELPERS]
    return frozenset(node.name for node in classes if ast.dump(node) == _DUMPS[node.name])
