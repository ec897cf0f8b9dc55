"""EvoPrompting's prompts (Chen, Dohan and So, 2023, arXiv 2302.14838)."""

import re
from typing import Self

from openevolve.llm.base import LanguageModel, Message, Models, at_temperature
from openevolve.population.axes import declared_axes
from openevolve.population.database import Database
from openevolve.proposing.asking import applied_to, ask
from openevolve.proposing.desk import Desk
from openevolve.proposing.prompts import check_prompt_settings
from openevolve.proposing.prompts.quoting import encodable, fenced
from openevolve.proposing.prompts.template_files import load_templates
from openevolve.records.program import Context, Elite, Proposal
from openevolve.search.evoprompting import EvoPromptingSettings, Objective
from openevolve.settings.models import Config
from openevolve.settings.registry import strategy

_OPENING = re.compile(r"^(?:class|def|async def|func|function|fn|struct)\b.*$", re.MULTILINE)


@strategy("proposer", "evoprompting")
class EvoPromptingProposer:
    """Shows the parents with their metrics as docstrings, and then the docstring of the wanted program.

    Its target metrics are ``target_size`` of the parents' smallest size, to the nearest 100, and
    ``target_score`` of their best score, to the nearest 0.1%. The temperature is drawn for each call.
    """

    Settings = EvoPromptingSettings
    asks_models = True

    def __init__(self, model: LanguageModel, config: Config, settings: EvoPromptingSettings) -> None:
        """Raises UserError for settings that no prompt can be built from."""
        check_prompt_settings(config)
        self.model = model
        self.config = config
        self.settings = settings
        self.objective = Objective(config, settings)
        self.population = Database(config.database, declared_axes(config))
        self.templates = load_templates(config.prompt.template_dir)

    @classmethod
    def build(cls, config: Config, settings: EvoPromptingSettings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        return cls(models(config.llm), config, settings)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        """Raises as ``Proposer.propose`` does."""
        parents = (context.parent, *context.inspirations)
        model = at_temperature(self.model, context.rng.choice(self.settings.temperatures))
        draft = Proposal(None, "evoprompting", parent_ids=tuple(parent.id for parent in parents))
        read = applied_to(context.parent.program, self.config)
        return await ask(desk, model, self.messages(parents), self.config, read, draft, self._answer_format())

    def messages(self, parents: tuple[Elite, ...]) -> list[Message]:
        """A system and a user message."""
        target = self._docstring(*self.target(parents))
        opening = _OPENING.search(parents[0].program.code)
        wanted = "\n".join(filter(None, (target, opening and opening.group())))
        user = self.templates["evoprompting"].render(
            language=self.config.language,
            programs="\n\n".join(
                fenced(f"{self._shown(parent)}\n{parent.program.code}", self.config.language)
                for parent in parents
            ),
            wanted=fenced(wanted, self.config.language),
            answer_format=self._answer_format(),
        )
        system = self.templates["evoprompting_system"].render(
            system_message=self.config.prompt.system_message.strip()
        )
        return [
            {"role": "system", "content": encodable(system)},
            {"role": "user", "content": encodable(user)},
        ]

    def target(self, parents: tuple[Elite, ...]) -> tuple[float, float]:
        """The size and the score that are asked for."""
        smallest = min(map(self.objective.size, parents))
        best = max(map(self._score, parents))
        size = round(self.settings.target_size * smallest, -2) or round(self.settings.target_size * smallest)
        score = best + (self.settings.target_score - 1) * abs(best)
        return size, min(round(score, 3), max(best, self.settings.perfect))

    def _shown(self, parent: Elite) -> str:
        return self._docstring(self.objective.size(parent), self._score(parent))

    def _docstring(self, size: float, score: float) -> str:
        metrics = f"{{'{self.objective.size_name}': {size:.10g}, '{self._fitness}': {score:.5g}}}"
        return f'"""Metrics:\n{metrics}\n"""' if self.config.language == "python" else f"Metrics: {metrics}"

    @property
    def _fitness(self) -> str:
        return self.config.database.fitness_metric

    def _score(self, parent: Elite) -> float:
        return self.population.fitness(parent.metrics)

    def _answer_format(self) -> str:
        return self.templates["answer_rewrite"].render(
            language=self.config.language, max_code_length=str(self.config.max_code_length)
        )
