"""Settings under the names and in the place that OpenEvolve's users know."""

from typing import TYPE_CHECKING

from openevolve.instead import absent_names
from openevolve.settings.files import load_config
from openevolve.settings.models import (
    Config,
    DatabaseConfig,
    EvaluatorConfig,
    LLMConfig,
    ModelConfig,
    PromptConfig,
)

LLMModelConfig = ModelConfig

__all__ = [
    "Config",
    "DatabaseConfig",
    "EvaluatorConfig",
    "LLMConfig",
    "LLMModelConfig",
    "PromptConfig",
    "load_config",
]

if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
