"""What an evaluator will import: packages that the fork server can import once for all evaluations."""

import ast
import importlib.util
from pathlib import Path

# Slow to import, and as good in a forked process as in a fresh one. Those that start threads are not here.
_BEAR_A_FORK = {"networkx", "numpy", "pandas", "PIL", "scipy", "sklearn", "sympy", "torch", "yaml"}


def preloadable(evaluator: Path) -> list[str]:
    """Such packages that a file imports anywhere, in order; none where it cannot be read or parsed."""
    try:
        tree = ast.parse(evaluator.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= dict.fromkeys(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module.split(".")[0]] = None
    return [name for name in found if name in _BEAR_A_FORK and importlib.util.find_spec(name) is not None]
