"""Azure OpenAI, if AZURE_OPENAI_API_KEY is set; else OpenAI (``openevolve.llm.azure``)."""

from openevolve.llm.azure import choose_provider

__all__ = ["choose_provider"]
