"""Guided Evolution's operators (Morris, Jurado and Zutty, 2024, arXiv 2403.11446)."""

from functools import partial
from itertools import product
from typing import Self

from openevolve.llm.base import CompletionFailed, LanguageModel, Message, Models, at_temperature
from openevolve.proposing.asking import ask
from openevolve.proposing.desk import Desk
from openevolve.proposing.edits import apply_block
from openevolve.proposing.edits.genome import Genome, genome
from openevolve.proposing.prompts import check_prompt_settings
from openevolve.proposing.prompts.quoting import encodable, fenced, metrics_line
from openevolve.proposing.prompts.template_files import load_templates
from openevolve.records.program import Context, Elite, Proposal
from openevolve.search.guided_evolution import (
    CREATE,
    MATE,
    MATE_BACK,
    THOUGHT,
    GuidedEvolutionSettings,
)
from openevolve.settings.models import Config
from openevolve.settings.registry import strategy

PERSONAS = ("", "authority", "inventor", "bungler")
INTENTS = (
    "change_parameters", "unusual_parameters", "more_complex", "fewer_parameters", "uncommon", "significant",
)  # fmt: skip
ROLES = tuple(product(PERSONAS, INTENTS))  # Character Role Play: 3 personas x 6 intents, and 6 without one


@strategy("proposer", "guided-evolution")
class GuidedEvolutionProposer:
    """Rewrites one block of the parent, by the operator that selection chose.

    - Character Role Play: one of 24 roles, drawn uniformly; now and then the model puts its task in other
      words first (the paper paraphrases a few templates each generation).
    - Evolution of Thought: a block of an elite that differs from the initial program's; why the change helped
      is to be explained, and its principle applied to a block of the parent, usually another.
    - Mating: the first block that differs between two programs is merged by the model.

    What cannot be done with the programs at hand (nothing differs) becomes role play.
    """

    Settings = GuidedEvolutionSettings
    asks_models = True

    def __init__(self, model: LanguageModel, config: Config, settings: GuidedEvolutionSettings) -> None:
        """Raises UserError for settings that no prompt can be built from."""
        check_prompt_settings(config)
        self.model = model
        self.config = config
        self.settings = settings
        self.templates = load_templates(config.prompt.template_dir)

    @classmethod
    def build(cls, config: Config, settings: GuidedEvolutionSettings, models: Models) -> Self:
        """Raises UserError where no model can be asked."""
        return cls(models(config.llm), config, settings)

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        """Raises as ``Proposer.propose`` does."""
        parent = self._genome(context.parent)
        model = at_temperature(self.model, context.rng.uniform(*self._temperatures(context.operator)))
        asked = self._mate(context, parent) or self._thought(context, parent)
        if asked is None:
            asked = await self._role(context, parent, desk, model)
        operator, key, user = asked
        others = context.inspirations if operator in (MATE, THOUGHT) else ()
        ids = (context.parent.id, *(other.id for other in others))
        read = partial(
            apply_block, parent=parent, key=key,
            max_code_length=self.config.max_code_length, language=self.config.language,
        )  # fmt: skip
        draft = Proposal(None, f"guided/{operator}", parent_ids=ids)
        return await ask(desk, model, self._messages(user), self.config, read, draft, self._rules)

    def _mate(self, context: Context, parent: Genome) -> tuple[str, str, str] | None:
        """The operator, the block and the request; None where it is not to be, or nothing differs."""
        if context.operator not in (MATE, MATE_BACK) or not context.inspirations:
            return None
        mate = context.inspirations[0]
        blocks = self._genome(mate).blocks
        key = next((k for k, text in parent.blocks.items() if k in blocks and blocks[k] != text), None)
        if key is None:
            return None
        request = self.templates["guided_mate"].render(
            metrics=self._metrics(context.parent),
            block=self._fenced(parent.blocks[key]),
            mate_metrics=self._metrics(mate),
            mate_block=self._fenced(blocks[key]),
            rules=self._rules,
        )
        return MATE, key, request

    def _thought(self, context: Context, parent: Genome) -> tuple[str, str, str] | None:
        if context.operator != THOUGHT or not context.inspirations or context.initial is None:
            return None
        elite = context.inspirations[0]
        before, after = self._genome(context.initial).blocks, self._genome(elite).blocks
        changed = [key for key, text in after.items() if key in before and before[key] != text]
        if not changed:
            return None
        source, key = context.rng.choice(changed), context.rng.choice(list(parent.blocks))
        request = self.templates["guided_thought"].render(
            initial_metrics=self._metrics(context.initial),
            initial_block=self._fenced(before[source]),
            elite_metrics=self._metrics(elite),
            elite_block=self._fenced(after[source]),
            metrics=self._metrics(context.parent),
            block=self._fenced(parent.blocks[key]),
            rules=self._rules,
        )
        return THOUGHT, key, request

    async def _role(
        self, context: Context, parent: Genome, desk: Desk, model: LanguageModel
    ) -> tuple[str, str, str]:
        persona, intent = context.rng.choice(ROLES)
        key = context.rng.choice(list(parent.blocks))
        task = self.templates[f"intent_{intent}"].render()
        if context.rng.random() < self.settings.paraphrase:
            task = await self._paraphrased(task, desk, model)
        who = self.templates[f"persona_{persona}"].render() if persona else ""
        request = self.templates["guided_role"].render(
            persona=f"# Who you are\n\n{who}\n\n" if who else "",
            metrics=self._metrics(context.parent),
            block=self._fenced(parent.blocks[key]),
            intent=task,
            rules=self._rules,
        )
        return "-".join(filter(None, ("role", persona, intent))), key, request

    async def _paraphrased(self, task: str, desk: Desk, model: LanguageModel) -> str:
        """In other words; as it is where the model gives none."""
        request = self.templates["guided_paraphrase"].render(task=task)
        try:
            found = await desk.complete(model, self._messages(request))
        except CompletionFailed:
            return task
        words = " ".join(found.text.split())
        return words if 0 < len(words) <= 4 * len(task) and "```" not in words else task

    def _temperatures(self, operator: str) -> tuple[float, float]:
        if operator in (MATE, MATE_BACK):
            return self.settings.crossover_temperature
        creates = operator == CREATE
        return self.settings.creation_temperature if creates else self.settings.mutation_temperature

    def _messages(self, user: str) -> list[Message]:
        system = self.templates["system"].render(system_message=self.config.prompt.system_message.strip())
        return [
            {"role": "system", "content": encodable(system)},
            {"role": "user", "content": encodable(user)},
        ]

    @property
    def _rules(self) -> str:
        return self.templates["guided_rules"].render(language=self.config.language)

    def _genome(self, elite: Elite) -> Genome:
        return genome(elite.program.code, self.config.language)

    def _metrics(self, elite: Elite) -> str:
        return metrics_line(elite.metrics, self.config)

    def _fenced(self, block: str) -> str:
        return fenced(block.strip("\n"), self.config.language)
