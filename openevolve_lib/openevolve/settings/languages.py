"""The language of a run, where its config names none: that of the initial program."""

from pathlib import Path

from openevolve.settings.models import Config

_BY_SUFFIX = {
    ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cu": "cuda", ".f90": "fortran", ".go": "go", ".hs": "haskell",
    ".java": "java", ".jl": "julia", ".js": "javascript", ".kt": "kotlin", ".lua": "lua", ".metal": "metal",
    ".mlir": "mlir", ".php": "php", ".py": "python", ".r": "r", ".rb": "ruby", ".rs": "rust",
    ".scala": "scala", ".sh": "bash", ".sql": "sql", ".swift": "swift", ".ts": "typescript",
}  # fmt: skip


def with_language_of(config: Config, program: Path) -> Config:
    """The config with ``language`` and ``file_suffix`` of the initial program, as far as it sets neither.

    A suffix that is not known is that of a text.
    """
    suffix = program.suffix or config.file_suffix
    found = {"file_suffix": suffix, "language": _BY_SUFFIX.get(suffix.lower(), "text")}
    missing = {key: value for key, value in found.items() if key not in config.model_fields_set}
    return config.model_copy(update=missing)
