"""Azure OpenAI, if AZURE_OPENAI_API_KEY is set; else OpenAI (``openevolve.llm.provider``)."""

from openevolve.llm.provider import choose_provider

__all__ = ["choose_provider"]
