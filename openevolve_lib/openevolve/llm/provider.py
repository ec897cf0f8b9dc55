"""The language model of a run: Azure OpenAI if AZURE_OPENAI_API_KEY is set, else OpenAI's API."""

import os
from collections.abc import Mapping, Sequence

from openevolve.errors import UserError
from openevolve.llm import build_language_model
from openevolve.llm.base import LanguageModel
from openevolve.llm.command import CommandModel
from openevolve.llm.settings import NoApiKey, checked_address, checked_key, named_models
from openevolve.settings.commands import CommandLLM
from openevolve.settings.models import LLMConfig, ModelConfig

API_VERSION = "2025-04-01-preview"  # the last dated one; reasoning models need 2024-12-01-preview or later


def choose_provider(config: LLMConfig, environment: Mapping[str, str]) -> tuple[str, LanguageModel]:
    """The provider in words ("openai at ...: its models") and its language model.

    Raises UserError where no key is set, no model is named, or an address or key is malformed.
    """
    if environment.get("AZURE_OPENAI_API_KEY", "").strip():
        model = build_azure_language_model(config, environment)
        return _described("azure", [environment["AZURE_OPENAI_ENDPOINT"].strip()], config), model
    addresses = [str(model.api_base) for model in config.ensemble()]
    try:
        return _described("openai", addresses, config), build_language_model(config, environment)
    except NoApiKey as error:
        raise UserError(
            f"{error}; or set AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT. "
            "Keys go into the environment or into .env; --offline and --demo need none"
        ) from None


def _described(provider: str, addresses: Sequence[str], config: LLMConfig) -> str:
    models = ", ".join(f"{model.name} (weight {model.weight:g})" for model in config.ensemble())
    return f"{provider} at {' and '.join(dict.fromkeys(addresses))}: {models}"


def build_azure_language_model(config: LLMConfig, environment: Mapping[str, str]) -> LanguageModel:
    """The configured ensemble on one Azure OpenAI resource; ``llm.api_base`` and ``api_key`` are not read.

    A model's name is its deployment's name, unless AZURE_OPENAI_DEPLOYMENT names one: then the
    model's name only says which parameters it takes and what it costs.

    Raises:
        UserError: no key, endpoint or model, or one deployment for several models.
    """
    # Late, because the SDK takes more than a second to import and runs without an LLM never need it.
    from openai import AsyncAzureOpenAI

    from openevolve.llm.bounded_http import bounded_http_client
    from openevolve.llm.openai_client import ensemble_of_clients

    key = checked_key(environment.get("AZURE_OPENAI_API_KEY"), "AZURE_OPENAI_API_KEY")
    endpoint = environment.get("AZURE_OPENAI_ENDPOINT", "").strip()
    if not key or not endpoint:
        raise UserError(
            "Azure OpenAI: expected AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT (such as "
            f"https://NAME.openai.azure.com), found no {'endpoint' if key else 'key'}; set both, or neither "
            "and OPENAI_API_KEY to use OpenAI"
        )
    version = environment.get("AZURE_OPENAI_API_VERSION", "").strip() or API_VERSION
    deployment = environment.get("AZURE_OPENAI_DEPLOYMENT", "").strip()
    models = named_models(config)
    if deployment and len(models) > 1:
        raise UserError(
            f"AZURE_OPENAI_DEPLOYMENT: expected one model, found {len(models)}; "
            "unset it and give each model its deployment's name"
        )

    def connect(model: ModelConfig) -> AsyncAzureOpenAI:
        return AsyncAzureOpenAI(
            api_key=key,
            azure_endpoint=checked_address(endpoint, "AZURE_OPENAI_ENDPOINT"),
            azure_deployment=deployment or model.name,
            api_version=version,
            max_retries=0,
            http_client=bounded_http_client(),
        )

    return ensemble_of_clients(models, connect, config)


def models_of_environment(config: LLMConfig) -> LanguageModel:
    """The language model that the settings and the environment's keys give. Raises UserError."""
    if isinstance(config, CommandLLM):
        return CommandModel(config.command, config.timeout or 600.0, config.mutable_file, config.problem)
    return choose_provider(config, os.environ)[1]
