"""Prompt templates: text files with ``{placeholders}``; ``{{`` and ``}}`` stand for braces."""

import functools
import logging
import string
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from openevolve.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Template:
    """A template cut into literal texts, each with the placeholder that follows it, if any."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def placeholders(self) -> set[str]:
        return {name for _, name in self.parts if name is not None}

    def render(self, **values: str) -> str:
        """The values stand as they are: braces in a program are not placeholders."""
        return "".join(literal + (values[name] if name else "") for literal, name in self.parts)


Templates = Mapping[str, Template]

MESSAGES = ("diff_user", "full_rewrite_user")
_OF_MESSAGES = {
    "artifacts", "current_program", "evolution_history", "feature_coords", "feature_dimensions",
    "fitness_score", "improvement_areas", "language", "metrics",
}  # fmt: skip
_OF_PROGRAMS = {"language", "program_number", "program_snippet", "score"}

# The file names of OpenEvolve's templates without .txt, and the placeholders that it fills in.
OPENEVOLVE: Mapping[str, set[str]] = {
    "diff_user": _OF_MESSAGES,
    "full_rewrite_user": _OF_MESSAGES,
    "evaluation": {"current_program", "feature_dimensions", "language"},
    "evolution_history": {"previous_attempts", "top_programs", "inspirations_section"},
    "previous_attempt": {"attempt_number", "changes", "performance", "outcome"},
    "top_program": _OF_PROGRAMS | {"key_features"},
    "inspirations_section": {"inspiration_programs"},
    "inspiration_program": _OF_PROGRAMS | {"program_type", "unique_features"},
    "system_message": set(),
}


@functools.cache
def load_templates(folder: Path | None, words: frozenset[str] = frozenset()) -> Templates:
    """The templates that come with this package, by name, each replaced by its namesake in ``folder``.

    The folder may hold OpenEvolve's templates as well, under its file names; ``words`` are further
    placeholders of its messages (``prompt.template_variations``).

    Raises:
        UserError: no such folder, a file that no template is named after, or an unknown placeholder.
    """
    packaged = resources.files(__package__) / "templates"
    templates = {
        Path(file.name).stem: _parsed(file.read_text(encoding="utf-8"), file.name)
        for file in packaged.iterdir()
        if file.name.endswith(".txt")
    }
    if folder is None:
        return templates
    if not folder.is_dir():
        raise UserError(f"prompt.template_dir: expected a folder, found none at {folder}")
    for path in sorted(folder.glob("*.txt")):
        templates[path.stem] = _override(path, templates, words)
    if (folder / "fragments.json").is_file():
        log.warning("%s: not read: no prompt here has such fragments", folder / "fragments.json")
    return templates


def _override(path: Path, templates: Templates, words: frozenset[str]) -> Template:
    name = path.stem
    if name not in templates and name not in OPENEVOLVE:
        names = sorted({*templates, *OPENEVOLVE})
        raise UserError(f"{path}: expected one of {', '.join(f'{name}.txt' for name in names)}")
    try:
        template = _parsed(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a readable text in UTF-8, found: {error}") from None
    known = templates[name].placeholders if name in templates else set[str]()
    known = known | OPENEVOLVE.get(name, set()) | (words if name in MESSAGES else set())
    if unknown := template.placeholders - known:
        raise UserError(
            f"{path}: expected placeholders among {_listed(known)}, found {_listed(unknown)}; "
            "write {{ and }} for braces"
        )
    return template


def _parsed(text: str, source: str) -> Template:
    try:
        fields = list(string.Formatter().parse(text.rstrip("\n")))
    except ValueError as error:
        raise UserError(
            f"{source}: expected {{placeholders}}, found: {error}; write {{{{ and }}}} for braces"
        ) from None
    if any(spec or conversion for _, _, spec, conversion in fields):
        raise UserError(f"{source}: expected plain {{placeholders}}, found one with ':' or '!'")
    return Template(tuple((literal, name) for literal, name, _, _ in fields))


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "none"
