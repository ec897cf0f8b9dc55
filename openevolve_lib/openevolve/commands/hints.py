"""Commands that are shown to be typed."""

import os


def python() -> str:
    """How to start Python here: through uv where that started this one."""
    return "uv run python" if os.environ.get("UV") else "python"


def typed_here(text: str | None) -> str:
    """A help text with commands as they are typed here."""
    return (text or "").replace("uv run python", python())
