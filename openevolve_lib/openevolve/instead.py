"""Names of OpenEvolve's library that have no counterpart here: the error says what to use instead."""

from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import NoReturn

_JOURNAL = "the journal of a run: openevolve.inspect.reading.read_run(FOLDER), or `openevolve sql` on it"
_PROMPTS = "openevolve.proposing.prompts.build_prompt, and prompt.template_dir for templates of your own"
_EVALUATE = (
    "your evaluator's own evaluate(program_path); a run calls it in processes of its own "
    "(openevolve.evaluating.executor)"
)
_WORKERS = "executor and evaluator.parallel_evaluations in the settings (openevolve.evaluating.executor)"
_MODEL = (
    "a class with `async complete(messages, rng)`, as openevolve.llm.base.LanguageModel says, or llm.api_base"
)
_NOVELTY = "search.gates: [duplicate, similarity, novelty] in the settings (openevolve.proposing.gates)"
_METRICS = "database.fitness_metric in the settings, and `openevolve leaderboard`"

MODULES = {
    "embedding": _NOVELTY,
    "evaluator": _EVALUATE,
    "evolution_trace": _JOURNAL,
    "iteration": "openevolve.engine.iteration",
    "novelty_judge": _NOVELTY,
    "process_parallel": _WORKERS,
    "prompt": _PROMPTS,
    "utils.async_utils": "asyncio",
    "utils.format_utils": "openevolve.inspect.tables",
    "utils.metrics_utils": _METRICS,
    "utils.trace_export_utils": _JOURNAL,
}

NAMES = {
    "config": {"EvolutionTraceConfig": _JOURNAL},
    "database": {"ProgramDatabase": _JOURNAL},
    "llm.base": {"LLMInterface": _MODEL},
    "llm.ensemble": {"LLMEnsemble": "openevolve.llm.ensemble.Ensemble, or llm.models in the settings"},
    "llm.openai": {"OpenAILLM": "openevolve.llm.build_language_model(config.llm, os.environ)"},
    "utils.code_utils": {
        "calculate_edit_distance": "openevolve.population.axes.dissimilarity, which compares lines",
        "extract_code_language": "language in the settings; it follows the initial program's suffix",
        "format_diff_summary": "difflib.unified_diff, or `openevolve diff`",
    },
}


class _Absent(MetaPathFinder):
    """Asked last, for modules that nobody else has found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        package, _, module = fullname.partition(".")
        if package == __package__ and module in MODULES:
            raise ModuleNotFoundError(
                f"{fullname}: this engine has no such module; use {MODULES[module]}", name=fullname
            )
        return None


ABSENT = _Absent()


def absent_names(module: str) -> Callable[[str], NoReturn]:
    """A module's ``__getattr__``: an ImportError for OpenEvolve's names, an AttributeError for any other."""

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        use = NAMES[module.partition(".")[2]].get(name)
        if use is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise ImportError(f"{module}.{name}: this engine has no such name; use {use}", name=module)

    return __getattr__
