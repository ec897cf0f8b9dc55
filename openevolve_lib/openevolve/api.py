"""The engine as a library: evolve programs, functions and classes from Python, in a script or a notebook.

Every call blocks until its run has ended, also where an event loop is running or in a thread of its own;
``OpenEvolve.run`` is a coroutine.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import Any

from openevolve.engine.plan import Plan
from openevolve.engine.run import Clock, Result, execute
from openevolve.engine.threads import without_loop
from openevolve.errors import UserError
from openevolve.evaluating.isolation import establish
from openevolve.evaluating.isolation.scratch import scratch_folder
from openevolve.evaluating.sources import evaluator_source
from openevolve.llm import try_language_models
from openevolve.records.request import Request, Wish
from openevolve.search.final import best_of
from openevolve.settings.files import load_config
from openevolve.settings.languages import with_language_of
from openevolve.settings.models import Config
from openevolve.state.journal import Event
from openevolve.state.requests import Requests
from openevolve.state.state import State

Evaluate = Callable[[str], Any]


@dataclass(frozen=True)
class BestProgram:
    """The best program of a run."""

    id: str
    code: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    iteration: int = 0
    artifacts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvolutionResult:
    """What came of a run; ``best_score`` is the fitness of the best program."""

    best_program: BestProgram
    best_score: float
    best_code: str
    metrics: Mapping[str, float]
    output_dir: str | None  # None where the run's files are gone
    reason: str = "completed"

    def __repr__(self) -> str:
        return f"EvolutionResult(best_score={self.best_score:.4f}, reason={self.reason!r})"


def run_evolution(
    initial_program: str | Path | Sequence[str],
    evaluator: str | Path | Evaluate,
    config: str | Path | Config | None = None,
    iterations: int | None = None,
    output_dir: str | Path | None = None,
    cleanup: bool = True,
    target_score: float | None = None,
) -> EvolutionResult:
    """Evolve a program and return the best one.

    ``initial_program`` is a path, the program's text or its lines. ``evaluator`` is a path, the text of an
    evaluator or a function of a program's path that returns metrics: it runs in another process, so its
    source must do without what surrounds it, but for modules, functions and plain values. Without
    ``output_dir`` the run's files are removed, unless ``cleanup`` is false; a run in ``output_dir`` is
    continued.

    Raises:
        UserError: bad settings, no language model, an initial program that fails.
    """
    with ExitStack() as stack:
        problem = stack.enter_context(scratch_folder("openevolve-"))
        if output_dir is not None or not cleanup:
            folder = Path(output_dir or tempfile.mkdtemp(prefix="openevolve-run-"))
        else:
            folder = stack.enter_context(scratch_folder("openevolve-run-"))
        kept = None if output_dir is None and cleanup else str(folder)
        program = _program_file(initial_program, problem)
        plan = Plan(
            config=_settings(config, program, iterations, target_score),
            initial_program=program,
            evaluator=_evaluator_file(evaluator, problem),
            folder=folder,
        )
        return _evolved(_executed(plan), kept)


def evolve_code(
    initial_code: str, evaluator: Evaluate, iterations: int = 100, **options: Any
) -> EvolutionResult:
    """``run_evolution`` for a program's text and a function that scores the file it is written to."""
    return run_evolution(initial_code, evaluator, iterations=iterations, **options)


def evolve_function(
    func: Callable[..., Any], test_cases: Sequence[tuple[Any, Any]], iterations: int = 100, **options: Any
) -> EvolutionResult:
    """Evolve a function until it gives the expected results: the score is the share of cases that it does.

    A case is an argument and the result; both have to be values that Python can write down and read again.
    """
    cases = repr(list(test_cases))
    evaluator = (
        f"import copy\nimport runpy\n\nCASES = {cases}\n\n\ndef evaluate(program_path):\n"
        f"    function = runpy.run_path(program_path)[{func.__name__!r}]\n"
        "    right, wrong = 0, []\n    for argument, expected in CASES:\n        try:\n"
        "            found = function(copy.deepcopy(argument))\n        except Exception as error:\n"
        "            found = error\n        if isinstance(found, Exception) or found != expected:\n"
        '            wrong.append(f"{argument!r}: expected {expected!r}, found {found!r}")\n'
        "        else:\n            right += 1\n"
        '    score = right / len(CASES)\n    return {"combined_score": score, "pass_rate": score,\n'
        '            "wrong": "\\n".join(wrong[:3])}\n'
    )
    return run_evolution(dedent(getsource(func)), evaluator, iterations=iterations, **options)


def evolve_algorithm(
    algorithm_class: type, benchmark: Callable[[Any], Any], iterations: int = 100, **options: Any
) -> EvolutionResult:
    """Evolve a class; ``benchmark`` takes an instance and returns its score, or metrics with a ``score``."""
    evaluator = (
        f"{evaluator_source(benchmark, '_benchmark')}\nimport runpy\n\n\ndef evaluate(program_path):\n"
        f"    instance = runpy.run_path(program_path)[{algorithm_class.__name__!r}]()\n"
        "    metrics = _benchmark(instance)\n"
        "    metrics = dict(metrics) if hasattr(metrics, 'keys') else {'score': metrics}\n"
        "    if 'score' in metrics:\n        metrics.setdefault('combined_score', metrics['score'])\n"
        "    return metrics\n"
    )
    return run_evolution(dedent(getsource(algorithm_class)), evaluator, iterations=iterations, **options)


class OpenEvolve:
    """A run over files, started by awaiting ``run``."""

    def __init__(
        self,
        initial_program_path: str | Path,
        evaluation_file: str | Path,
        config_path: str | Path | None = None,
        config: Config | None = None,
        output_dir: str | Path | None = None,
    ) -> None:
        """Raises UserError for a config that cannot be read."""
        self.initial_program_path = Path(initial_program_path)
        self.evaluation_file = Path(evaluation_file)
        self.config = config or load_config(Path(config_path) if config_path else None)
        self.output_dir = Path(output_dir or self.initial_program_path.parent / "openevolve_output")

    async def run(self, iterations: int | None = None, target_score: float | None = None) -> BestProgram:
        """The best program, once the run has ended. Raises UserError."""
        result = await asyncio.to_thread(
            run_evolution, self.initial_program_path, self.evaluation_file, self.config, iterations,
            self.output_dir, target_score=target_score,
        )  # fmt: skip
        return result.best_program


class _Unwatched:
    """Nobody looks on."""

    def observe(self, event: Event, state: State) -> None:
        """The journal has it."""

    def watch(self, state: State, elapsed: Clock) -> None:
        """Nothing is shown."""


def _settings(
    config: str | Path | Config | None, program: Path, iterations: int | None, target_score: float | None
) -> Config:
    if not isinstance(config, Config):
        config = load_config(Path(config) if config is not None else None)
    config = with_language_of(config, program)
    if "api_base" not in config.llm.model_fields_set and (address := os.environ.get("OPENAI_API_BASE")):
        config = config.model_copy(update={"llm": config.llm.served_at(address)})
    given = {"max_iterations": iterations, "target_score": target_score}
    return config.model_copy(update={key: value for key, value in given.items() if value is not None})


def _program_file(program: str | Path | Sequence[str], folder: Path) -> Path:
    if isinstance(program, Path) or (isinstance(program, str) and _is_file(program)):
        return Path(program)
    path = folder / "initial_program.py"
    path.write_text(dedent(program if isinstance(program, str) else "\n".join(program)), encoding="utf-8")
    return path


def _evaluator_file(evaluator: str | Path | Evaluate, folder: Path) -> Path:
    if isinstance(evaluator, Path) or (isinstance(evaluator, str) and _is_file(evaluator)):
        return Path(evaluator)
    text = dedent(evaluator) if isinstance(evaluator, str) else evaluator_source(evaluator, "evaluate")
    if "def evaluate" not in text and "evaluate =" not in text:
        raise UserError(
            "evaluator: expected a file, or code that defines evaluate(program_path), found neither"
        )
    path = folder / "evaluator.py"
    path.write_text(text, encoding="utf-8")
    return path


def _is_file(text: str) -> bool:
    return "\n" not in text and len(text) < 4096 and Path(text).is_file()


def _executed(plan: Plan) -> Result:
    """The run, in a thread of its own where this one has an event loop that is running."""
    level = establish(plan.config.evaluator.isolation, allow_unsafe=False, processes=True).level
    evaluator = plan.config.evaluator.model_copy(update={"isolation": level})
    plan = replace(plan, config=plan.config.model_copy(update={"evaluator": evaluator}))
    journal = plan.folder / "journal.jsonl"
    return without_loop(lambda: _run(plan), lambda: Requests(journal).put(Request(Wish.STOP)))


def _run(plan: Plan) -> Result:
    try_language_models(plan.config, plan.models)
    return execute(plan, _Unwatched())


def _evolved(result: Result, kept: str | None) -> EvolutionResult:
    population = result.state.population
    elite = best_of(result.state)
    assert elite is not None  # the initial program has a score
    program = elite.program
    best = BestProgram(program.id, program.code, elite.metrics, program.iteration, elite.artifacts)
    score = population.fitness(elite.metrics)
    return EvolutionResult(best, score, best.code, best.metrics, kept, result.reason)
