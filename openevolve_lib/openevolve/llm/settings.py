"""Checks of models, keys and addresses before any client is built."""

import ipaddress
from urllib.parse import urlsplit

from openevolve.errors import UserError
from openevolve.settings.models import Config, LLMConfig, ModelConfig
from openevolve.settings.registry import find
from openevolve.settings.secrets import without_credentials


class NoApiKey(UserError):
    """Neither the config nor the environment holds a key for a server that needs one."""


def named_models(config: LLMConfig) -> list[ModelConfig]:
    """The models of the ensemble with every setting filled in. Raises UserError where none is named."""
    models = config.ensemble()
    if not models:
        raise UserError(
            "llm: expected at least one language model, found none; set llm.primary_model or llm.models"
        )
    return models


def asks_models(config: Config) -> bool:
    """Whether the run's proposer asks the models of ``llm``."""
    return bool(getattr(find("proposer", config.proposer), "asks_models", False))


def without_models(config: Config) -> str:
    """Who writes programs where the proposer asks no model, in words."""
    origin = getattr(find("proposer", config.proposer), "origin", "offline")
    return f"{origin} ({config.proposer}), no language model"


def check_budget(config: Config) -> None:
    """Raises UserError for a limit that could not be kept: a price or the length of a reply is not known."""
    models = [*named_models(config.llm), *config.llm.reviewers().ensemble()]
    endless = sorted({model.name for model in models if model.max_tokens is None})
    if endless and (config.budget.dollars is not None or config.budget.tokens is not None):
        raise UserError(
            "budget.dollars, budget.tokens: expected llm.max_tokens, by which a reply counts that does not "
            f"say its usage, found null for {', '.join(endless)}"
        )
    unknown = sorted({model.name for model in models} - config.llm.prices.keys())
    if config.budget.dollars is not None and unknown:
        raise UserError(
            f"budget.dollars: expected a price for every model in llm.prices, found none for "
            f"{', '.join(unknown)}; add it (dollars for a million tokens), or set budget.tokens instead"
        )


def checked_address(address: str | None, setting: str) -> str:
    """An HTTP address without credentials in it. Raises UserError that names ``setting``."""
    shown = without_credentials(address or "none")
    problem = f"{setting}: expected an address such as http://localhost:8000/v1, found {shown}"
    try:
        parts = urlsplit(address or "")
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or address is None:
        raise UserError(problem)
    if parts.username is not None or parts.query:
        raise UserError(f"{setting}: expected an address without a user name, password or query, found one")
    return address


def checked_key(key: str | None, setting: str) -> str | None:
    """The key without white space around it; None where it is empty. Raises UserError without the key."""
    key = (key or "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"{setting}: expected a key of printable ASCII characters, found others in it")
    return key or None


def is_local(address: str) -> bool:
    """Whether the host is this machine or one of a private network, by its name or number."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private  # loopback included
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
