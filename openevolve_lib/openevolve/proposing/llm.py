"""Programs written by a language model."""

from typing import Self

from openevolve.llm.base import LanguageModel, Models
from openevolve.proposing.asking import applied_to, ask
from openevolve.proposing.desk import Desk
from openevolve.proposing.prompts import build_prompt, check_prompt_settings
from openevolve.records.program import Context, Proposal
from openevolve.settings.models import Config
from openevolve.settings.registry import NoSettings, strategy


@strategy("proposer", "llm")
class LLMProposer:
    """Asks a model for a child of the context's parent, and once more where its reply is no use."""

    asks_models = True

    def __init__(self, model: LanguageModel, config: Config) -> None:
        """Raises UserError for settings that no prompt can be built from."""
        check_prompt_settings(config)
        self.model = model
        self.config = config

    @classmethod
    def build(cls, config: Config, settings: NoSettings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        return cls(models(config.llm), config)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        """Raises ProviderRejected where no call can succeed, and as ``Proposer.propose`` does."""
        messages = build_prompt(context, self.config)
        read = applied_to(context.parent.program, self.config)
        return await ask(desk, self.model, messages, self.config, read, Proposal(None, "llm"))
