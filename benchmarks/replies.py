"""Programs in recorded replies of a language model."""

from pathlib import Path

from medevonet.run.folder import PROJECT
from openevolve.proposing.edits import apply_reply

LONGEST = 20_000  # characters of a program


def seed_program() -> str:
    return (PROJECT / "seed_program.py").read_text(encoding="utf-8")


def program_of(reply: Path) -> str:
    """The program that a reply to the seed program proposes. Raises EditError."""
    return apply_reply(reply.read_text(encoding="utf-8"), seed_program(), max_code_length=LONGEST).code
