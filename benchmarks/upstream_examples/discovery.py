"""Finding configs, programs and evaluators in a folder of OpenEvolve's examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

_SECTIONS = {"llm", "database", "evaluator", "prompt"}
_PROGRAMS = ("initial_program.*", "init_program.*", "initial_prompt.txt", "initial_content*")


@dataclass(frozen=True)
class Example:
    """A config and what is run with it; None where its folder has no such file."""

    root: Path  # OpenEvolve's examples
    config: Path
    program: Path | None
    evaluator: Path | None

    @property
    def name(self) -> str:
        return str(self.config.relative_to(self.root))

    @property
    def folder(self) -> Path:
        """What has to be copied for a run: the first folder below the root."""
        return self.root / self.config.relative_to(self.root).parts[0]


def configs(root: Path) -> Iterator[Example]:
    """Every YAML file below ``root`` that has a section of OpenEvolve's settings, in order of names."""
    root = root.resolve()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".yaml", ".yml")):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(values, dict) and len(_SECTIONS & values.keys()) >= 2:
            yield Example(
                root, path, _nearest(root, path, _PROGRAMS), _nearest(root, path, ("evaluator*.py",))
            )


def _nearest(root: Path, config: Path, patterns: tuple[str, ...]) -> Path | None:
    """The first file of these names beside the config or in a folder above it."""
    folder = config.parent
    while folder != root:
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                if path.is_file():
                    return path
        folder = folder.parent
    return None
