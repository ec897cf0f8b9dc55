"""Which names speak of held-out data."""

import fnmatch
import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def is_held_out(name: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern is a word of the name or, with ``*``, matches the whole of it; case does not count.

    ``test`` is a word of ``mean_test_auc`` and of ``testAuc``, and none of ``latest``.
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return any(
        pattern.lower() in words or fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns
    )
