"""Language models: clients with deadlines, usage and price, and ensembles of them."""

from collections.abc import Callable, Mapping

from openevolve.llm.base import LanguageModel
from openevolve.llm.settings import (
    NoApiKey,
    asks_models,
    check_budget,
    checked_address,
    checked_key,
    is_local,
    named_models,
)
from openevolve.records.program import Usage
from openevolve.settings.models import Config, LLMConfig, ModelConfig

_NO_KEY_NEEDED = "no-key-needed"  # the SDK insists on a key; local servers do not read it


def build_language_model(config: LLMConfig, environment: Mapping[str, str]) -> LanguageModel:
    """The configured ensemble at OpenAI or any server that speaks its chat completions.

    A model's ``api_key`` goes before OPENAI_API_KEY; a server on this machine or in a private
    network needs neither.

    Raises:
        NoApiKey: a public server without a key.
        UserError: no model named, or a malformed address or key.
    """
    # Late, because the SDK takes more than a second to import and runs without an LLM never need it.
    from openai import AsyncOpenAI

    from openevolve.llm.bounded_http import bounded_http_client
    from openevolve.llm.openai_client import ensemble_of_clients

    def connect(model: ModelConfig) -> AsyncOpenAI:
        address = checked_address(model.api_base, "llm.api_base")
        key = _api_key(model, address, environment)
        return AsyncOpenAI(api_key=key, base_url=address, max_retries=0, http_client=bounded_http_client())

    return ensemble_of_clients(named_models(config), connect, config)


def try_language_models(config: Config, connect: Callable[[LLMConfig], LanguageModel]) -> Usage:
    """Before anything is trained: whether the budget can be kept and every model answers; what that took.

    Raises UserError, or RunInterrupted where the same command may work later.
    """
    asks = asks_models(config)
    if not asks and not config.llm.evaluator_models:
        return Usage()
    from openevolve.llm.trial import check_models  # late, as above

    if asks:
        check_budget(config)
    return check_models(config, connect)


def _api_key(model: ModelConfig, address: str, environment: Mapping[str, str]) -> str:
    configured = model.api_key.get_secret_value() if model.api_key else None
    key = checked_key(configured, "llm.api_key")
    key = key or checked_key(environment.get("OPENAI_API_KEY"), "OPENAI_API_KEY")
    if key:
        return key
    if is_local(address):
        return _NO_KEY_NEEDED
    raise NoApiKey(
        f"{model.name} at {address}: expected an API key, found none; set OPENAI_API_KEY, "
        "or llm.api_base to a local server, which needs no key"
    )
