"""Keys and passwords stay out of everything that is kept or shown."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

_NAMES = re.compile(r"(API_?KEY|_KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_SHORTEST = 12  # characters; a shorter one is a placeholder such as "ollama", and part of many words
_MASK = "[secret]"


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """The values of the variables whose names say that they are secret."""
    return {value for name, value in environment.items() if _NAMES.search(name)}


def without_secrets(value: Any, secrets: Iterable[str]) -> Any:
    """A JSON value with every secret in its texts masked, also as addresses spell it."""
    forms = {
        form for secret in secrets if len(secret) >= _SHORTEST for form in (secret, quote(secret, safe=""))
    }
    longest_first = sorted(forms, key=len, reverse=True)

    def masked(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: masked(item) for key, item in part.items()}
        if isinstance(part, list):
            return [masked(item) for item in part]
        if isinstance(part, str):
            for form in longest_first:
                part = part.replace(form, _MASK)
        return part

    return masked(value)


def without_credentials(address: str) -> str:
    """An address, or what was meant to be one, without user name, password and query."""
    return re.sub(r"(?<=//).*@", f"{_MASK}@", address).partition("?")[0]
