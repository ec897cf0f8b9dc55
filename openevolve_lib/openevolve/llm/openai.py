"""The client, in the place that OpenEvolve's users know."""

from typing import TYPE_CHECKING

from openevolve.instead import absent_names
from openevolve.llm.openai_client import OpenAIClient

__all__ = ["OpenAIClient"]

if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
