"""The identity of the code that measures, so that machines with different code never share a run."""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Libraries whose versions shape a score; others are the evaluator's own affair.
_LIBRARIES = ("numpy", "torch", "torchvision", "scipy", "scikit-learn", "pandas")


def code_identity(evaluator: Path) -> dict[str, str]:
    """Digests of the evaluator, the packages beside it that it imports and this one; versions of libraries.

    A build's suffix (``2.8.0+cpu``) does not count: machines with and without a GPU may share a run.
    """
    found = {"python": ".".join(map(str, sys.version_info[:2])), "openevolve": _digest(_own_package())}
    found[evaluator.name] = _digest([evaluator] if evaluator.is_file() else [])
    for name in _imported(evaluator):
        if name not in found and (files := _files_of(name, evaluator.parent)):
            found[name] = _digest(files)
    for name in _LIBRARIES:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
    return found


def _own_package() -> list[Path]:
    return sorted(Path(__file__).parents[2].rglob("*.py"))


def _imported(path: Path) -> Iterator[str]:
    """Names of top-level modules that a file imports anywhere; none where it cannot be read or parsed."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _files_of(name: str, folder: Path) -> list[Path]:
    """The sources of a module of the user's own: beside the evaluator, or installed from a folder."""
    if (folder / name).is_dir():
        return sorted((folder / name).rglob("*.py"))
    if (file := folder / f"{name}.py").is_file():
        return [file]
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or not origin.is_file() or _is_installed(origin):
        return []
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


def _is_installed(path: Path) -> bool:
    library = Path(importlib.util.__file__).parent.parent
    return path.is_relative_to(library) or any(part.endswith("-packages") for part in path.parts)


def _digest(files: list[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        found.update(f"{file.parent.name}/{file.name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]
