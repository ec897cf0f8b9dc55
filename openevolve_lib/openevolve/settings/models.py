"""Every setting of a run, as pydantic models (``settings.files`` reads them from YAML and ``--set``).

The keys of OpenEvolve keep their names and meaning. Nothing is accepted and ignored.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from openevolve.settings.axes import FeatureBins as FeatureBins
from openevolve.settings.settled import Settled

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Operator = Literal["explore", "refine", "simplify", "mate", "fix", "target"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Section(Settled, BaseModel):
    """A part of the config: unknown keys are refused and values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Price(Section):
    """US dollars for a million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]


class ModelSettings(Section):
    """What can be set for all models at once and again for each; None inherits from ``llm``."""

    api_base: str | None = None
    api_key: SecretStr | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Fraction | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    timeout: Positive | None = None  # seconds for one proposal, retries included
    retries: Annotated[int, Field(ge=0)] | None = None
    retry_delay: Annotated[float, Field(ge=0)] | None = None  # seconds, doubled at each retry
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class ModelConfig(ModelSettings):
    """One language model of the ensemble, drawn in proportion to its weight."""

    name: str
    weight: Annotated[float, Field(ge=0)] = 1.0


class LLMConfig(ModelSettings):
    """The language models that write proposals."""

    api_base: str | None = "https://api.openai.com/v1"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    max_tokens: Annotated[int, Field(ge=1)] | None = 8192
    timeout: Positive | None = 180
    retries: Annotated[int, Field(ge=0)] | None = 3
    retry_delay: Annotated[float, Field(ge=0)] | None = 5
    patience: Annotated[float, Field(ge=0)] = 14400  # seconds to wait for models that answer no more
    models: list[ModelConfig] = []
    evaluator_models: list[ModelConfig] = []  # they review programs that got a score
    primary_model: str | None = None
    primary_model_weight: Annotated[float, Field(ge=0)] = 1.0
    secondary_model: str | None = None
    secondary_model_weight: Annotated[float, Field(ge=0)] = 0.2
    prices: dict[str, Price] = {}

    def ensemble(self) -> list[ModelConfig]:
        """The models to draw from, each with every setting filled in."""
        named = list(self.models)
        if self.primary_model:
            named.append(ModelConfig(name=self.primary_model, weight=self.primary_model_weight))
        if self.secondary_model:
            named.append(ModelConfig(name=self.secondary_model, weight=self.secondary_model_weight))
        return [self._filled_in(model) for model in named]

    def reviewers(self) -> "LLMConfig":
        """These settings with ``evaluator_models`` as the models to draw from."""
        update = {"models": self.evaluator_models, "primary_model": None, "secondary_model": None}
        return self.model_copy(update=update)

    def served_at(self, api_base: str) -> "LLMConfig":
        """These settings with every model at one address."""
        models, judges = (
            [model.model_copy(update={"api_base": None}) for model in group]
            for group in (self.models, self.evaluator_models)
        )
        update = {"api_base": api_base, "models": models, "evaluator_models": judges}
        return self.model_copy(update=update)

    def _filled_in(self, model: ModelConfig) -> ModelConfig:
        inherited = [key for key in ModelSettings.model_fields if getattr(model, key) is None]
        return model.model_copy(update={key: getattr(self, key) for key in inherited})


class PromptConfig(Section):
    """What a proposal's prompt holds."""

    system_message: str = "You improve programs. Answer with code that runs and scores higher."
    num_top_programs: Annotated[int, Field(ge=0)] = 3
    num_diverse_programs: Annotated[int, Field(ge=0)] = 2
    num_failures: Annotated[int, Field(ge=0)] = 2
    num_tried: Annotated[int, Field(ge=0)] = 0  # rows of each table of what was tried; 0: no such sections
    facts: list[str] = []  # how programs are measured, a line each
    section_tokens: Annotated[int, Field(ge=50)] | None = None  # of a section that can be left out, about
    max_tokens: Annotated[int, Field(ge=500)] | None = None  # of a prompt, about
    # Metrics and artifacts that no prompt shows: words of their names (test is one of mean_test_auc), or
    # patterns with * for whole names.
    held_out: list[Annotated[str, StringConstraints(min_length=1)]] = []
    include_artifacts: bool = True
    max_artifact_bytes: Annotated[int, Field(ge=0)] = 20_480
    template_dir: Path | None = None  # this engine's templates or OpenEvolve's, by their file names
    template_variations: dict[str, Annotated[list[str], Field(min_length=1)]] = {}  # drawn for each prompt
    evaluator_system_message: str | None = None  # of evaluator.use_llm_feedback
    # Other programs are shown by a description of their changes, which every reply has to bring up to date:
    programs_as_changes_description: bool = False
    system_message_changes_description: str | None = None
    initial_changes_description: str = "The initial program."


class DatabaseConfig(Section):
    """The population: islands, their archives and how parents are drawn from them."""

    population_size: Annotated[int, Field(ge=1)] = 1000
    archive_size: Annotated[int, Field(ge=1)] = 100
    num_islands: Annotated[int, Field(ge=1)] = 5
    elite_selection_ratio: Fraction = 0.1
    exploration_ratio: Fraction = 0.2
    exploitation_ratio: Fraction = 0.7
    feature_dimensions: list[str] = ["complexity", "diversity"]
    feature_bins: Annotated[int, Field(ge=1)] | dict[str, Annotated[int, Field(ge=1)]] = 10
    migration_interval: Annotated[int, Field(ge=1)] = 50  # generations of an island
    migration_rate: Fraction = 0.1
    # A proposal that shares this much of its lines with a program it was shown is refused; 1 is off.
    similarity_threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    fitness_metric: str = "combined_score"
    tie_break_metric: str | None = None  # lower is better

    @model_validator(mode="after")
    def _ratios_leave_room(self) -> "DatabaseConfig":
        total = self.exploration_ratio + self.exploitation_ratio
        if total > 1 + 1e-9:
            raise ValueError(f"expected exploration_ratio + exploitation_ratio <= 1, found {total:g}")
        return self


class EvaluatorConfig(Section):
    """How programs are evaluated."""

    timeout: Positive = 300  # seconds of wall clock for one evaluation
    max_retries: Annotated[int, Field(ge=0)] = 0  # of an evaluation that crashed or ran out of memory
    memory_limit_mb: Annotated[int, Field(ge=64)] | None = None  # resident, over the process group
    # With fidelity: full, where the evaluator defines evaluate_stage1, _stage2, _stage3:
    cascade_evaluation: bool = True
    cascade_thresholds: list[float] = [0.5, 0.75, 0.9]
    parallel_evaluations: Annotated[int, Field(ge=1)] = 1
    # strict: walls around files, network, processes; process: none, but no keys; none: keys too
    isolation: Literal["strict", "process", "none"] = "strict"
    devices: list[str] = []  # slots take them in turn, as CUDA_VISIBLE_DEVICES
    preload: list[str] = []  # modules imported once, before evaluations are forked
    pass_environment: list[str] = []  # variables that evaluations get beside the short, keyless list
    read: list[Path] = []  # folders and files that walls let evaluations read, beside the evaluator's own
    # A language model grades programs that got a score; combined_score is then 70% score, 30% grade:
    use_llm_feedback: bool = False
    llm_feedback_weight: Annotated[float, Field(ge=0)] = 0.1  # of the grades among the metrics

    def device(self, slot: int) -> str | None:
        """CUDA_VISIBLE_DEVICES of a slot's evaluations, from 0; None: slots are bound to none."""
        return self.devices[slot % len(self.devices)] if self.devices else None


class LadderConfig(Section):
    """When a program that did poorly on a cheap rung is not evaluated in full (``fidelity`` has the rule)."""

    min_full: Annotated[int, Field(ge=3)] = 4  # full evaluations before any program is rejected
    top_share: Fraction = 0.1  # of the scores of a rung: these go on, whatever is predicted
    audit_share: Fraction = 0.05  # of the rejected: evaluated in full all the same, to test the rule
    confidence: Annotated[float, Field(gt=0, le=1)] = 0.5  # quantile of earlier errors taken as the margin
    empty_cell: Fraction = 0.7  # quantile of the final scores that is expected of a program in an empty cell


class SearchConfig(Section):
    """Which strategies a search follows, by name."""

    preset: str | None = None  # settings that go below the user's own (``settings.presets``)
    population: str = "map-elites"
    parents: str = "explore-exploit"
    gates: list[str] = ["duplicate", "similarity"]
    operators: list[Operator] = []  # one for each prompt, drawn by what it has brought; none: no such section


class BudgetConfig(Section):
    """Limits at which a run stops taking new iterations; None is no limit."""

    dollars: Positive | None = None
    tokens: Annotated[int, Field(gt=0)] | None = None
    hours: Positive | None = None
    evaluations: Annotated[int, Field(gt=0)] | None = None


class Config(Section):
    """A whole run. ``task`` belongs to the evaluator: the engine carries it unread."""

    max_iterations: Annotated[int, Field(ge=0)] = 100
    checkpoint_interval: Annotated[int, Field(ge=1)] = 10
    log_level: LogLevel = "INFO"
    tracking: Literal["none", "tensorboard", "mlflow", "wandb"] = "none"  # each needs an extra of its name
    random_seed: Annotated[int, Field(ge=0)] = 42
    deterministic: bool = False  # commit results in iteration order: equal seeds, equal run
    proposer: str = "llm"
    reflection: str | None = None  # None: review where llm.evaluator_models names a model, else none
    executor: str = "local"
    search: SearchConfig = SearchConfig()
    strategies: dict[str, dict[str, Any]] = {}  # settings of strategies by their names
    # Deterministic mode: so many iterations are chosen before the results of those before them count.
    lag: Annotated[int, Field(ge=0)] = 2
    proposals_ahead: Annotated[int, Field(ge=0)] = 1  # iterations under way beside one for each slot
    diff_based_evolution: bool = True
    max_code_length: Annotated[int, Field(ge=1)] = 10_000
    language: Annotated[str, StringConstraints(to_lower=True)] = "python"
    file_suffix: str = ".py"
    target_score: float | None = None  # of the fitness metric: reached, the run is done
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    convergence_threshold: Annotated[float, Field(ge=0)] = 0.001
    early_stopping_metric: str | None = None  # None: database.fitness_metric
    features: dict[str, FeatureBins] = {}
    llm: LLMConfig = LLMConfig()
    prompt: PromptConfig = PromptConfig()
    database: DatabaseConfig = DatabaseConfig()
    evaluator: EvaluatorConfig = EvaluatorConfig()
    # full, settings of the ladder (rungs, by evaluate_rungs of the evaluator), or another allocation
    fidelity: str | LadderConfig = "full"
    # Of the cost of evaluations, where the evaluator offers units: to measure the best afresh at the end...
    final_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    further_share: Annotated[float, Field(ge=0, lt=1)] = 0.0  # ...and, meanwhile, what may be the best
    budget: BudgetConfig = BudgetConfig()
    task: dict[str, Any] = {}
    _notes: tuple[str, ...] = PrivateAttr(())
    _origins: Mapping[str, str] = PrivateAttr({})

    @property
    def notes(self) -> tuple[str, ...]:
        """What happens with settings that were read and have no counterpart here, a line each."""
        return self._notes

    @property
    def origins(self) -> Mapping[str, str]:
        """The file, preset or option that a setting comes from, by its dotted name; defaults are left out."""
        return self._origins

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Config":
        """The settings of a YAML file. Raises UserError."""
        from openevolve.settings.files import load_config  # it needs these models

        return load_config(Path(path))

    def with_notes(self, notes: Sequence[str]) -> "Config":
        copied = self.model_copy()
        copied._notes = (*self._notes, *notes)
        return copied

    def with_origins(self, origins: Mapping[str, str]) -> "Config":
        copied = self.model_copy()
        copied._origins = dict(origins)
        return copied

    @field_validator("features", mode="before")
    @classmethod
    def _features_is_a_mapping(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _axes_declared_once(self) -> "Config":
        default = DatabaseConfig.model_fields["feature_dimensions"].default
        if self.features and self.database.feature_dimensions != default:
            raise ValueError("expected features or database.feature_dimensions, found both")
        return self

    @model_validator(mode="after")
    def _descriptions_come_with_edits(self) -> "Config":
        if self.prompt.programs_as_changes_description and not self.diff_based_evolution:
            raise ValueError(
                "expected diff_based_evolution: true with prompt.programs_as_changes_description, since a "
                "reply has to edit the description too, found false"
            )
        return self
