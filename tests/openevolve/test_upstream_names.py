"""Every name that the users of OpenEvolve's library import works, or says what to use instead."""

import importlib
import importlib.util
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

import openevolve
from openevolve.config import Config
from openevolve.instead import MODULES, NAMES
from openevolve.proposing.edits import EditError
from openevolve.utils.code_utils import apply_diff, extract_diffs, parse_evolve_blocks, parse_full_rewrite

# Imports in the examples, tests and docs of OpenEvolve 0.4.
PRESENT = [
    "openevolve:OpenEvolve openevolve:run_evolution openevolve:evolve_function openevolve:evolve_code",
    "openevolve:evolve_algorithm openevolve:EvolutionResult openevolve:__version__",
    "openevolve.api:run_evolution openevolve.api:evolve_function openevolve.api:EvolutionResult",
    "openevolve.cli:main openevolve.controller:OpenEvolve openevolve.database:Program",
    "openevolve.config:Config openevolve.config:load_config openevolve.config:DatabaseConfig",
    "openevolve.config:EvaluatorConfig openevolve.config:LLMConfig openevolve.config:LLMModelConfig",
    "openevolve.config:PromptConfig openevolve.evaluation_result:EvaluationResult",
    "openevolve.utils.code_utils:apply_diff openevolve.utils.code_utils:extract_diffs",
    "openevolve.utils.code_utils:parse_evolve_blocks openevolve.utils.code_utils:parse_full_rewrite",
]
ABSENT = [
    "openevolve.config:EvolutionTraceConfig openevolve.database:ProgramDatabase",
    "openevolve.embedding:EmbeddingClient openevolve.evaluator:Evaluator",
    "openevolve.evolution_trace:EvolutionTracer openevolve.iteration:run_iteration_with_shared_db",
    "openevolve.llm.base:LLMInterface openevolve.llm.ensemble:LLMEnsemble openevolve.llm.openai:OpenAILLM",
    "openevolve.novelty_judge:x openevolve.process_parallel:ProcessParallelController",
    "openevolve.prompt.sampler:PromptSampler openevolve.prompt.templates:TemplateManager",
    "openevolve.utils.async_utils:TaskPool openevolve.utils.code_utils:calculate_edit_distance",
    "openevolve.utils.format_utils:format_metrics_safe openevolve.utils.metrics_utils:get_fitness_score",
    "openevolve.utils.trace_export_utils:load_traces",
]
DIFF = "<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize("name", " ".join(PRESENT).split())
def test_a_name_of_the_same_use_is_there(name: str) -> None:
    module, _, attribute = name.partition(":")
    assert getattr(importlib.import_module(module), attribute) is not None


@pytest.mark.parametrize("name", " ".join(ABSENT).split())
def test_any_other_says_what_to_use(name: str) -> None:
    module, _, attribute = name.partition(":")
    with pytest.raises(ImportError, match=r"this engine has no such (module|name); use \S+"):
        exec(f"from {module} import {attribute}")


@pytest.mark.parametrize(
    "text", [*MODULES.values(), *(use for names in NAMES.values() for use in names.values())]
)
def test_what_is_named_instead_exists(text: str) -> None:
    for word in text.replace("(", " ").replace(",", " ").replace(")", " ").replace(";", " ").split():
        if word.startswith("openevolve."):
            package, _, attribute = word.rpartition(".")
            try:
                importlib.import_module(word)
            except ImportError:
                assert hasattr(importlib.import_module(package), attribute), word


def test_other_names_fail_as_python_has_it() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'openevolve\.nothing'"):
        importlib.import_module("openevolve.nothing")
    assert importlib.util.find_spec("openevolve.nothing") is None
    assert not hasattr(importlib.import_module("openevolve.llm.base"), "nothing")
    assert openevolve.__version__ == version("openevolve-medevonet")


def test_settings_say_how_to_set_them() -> None:
    config = Config()
    with pytest.raises(AttributeError, match=r"max_iterations: .* such as Config\(max_iterations=...\)"):
        config.max_iterations = 5
    with pytest.raises(AttributeError, match=r"LLMConfig\(api_base=...\)"):
        config.llm.api_base = "http://localhost"
    assert config.with_notes(["said"]).notes == ("said",)


def test_edits_work_under_the_names_that_are_known() -> None:
    assert extract_diffs(f"Better.\n{DIFF}") == [("x = 1", "x = 2")]
    assert apply_diff("a = 0\nx = 1\n", DIFF) == "a = 0\nx = 2\n"
    with pytest.raises(EditError, match="was not found"):
        apply_diff("a = 0\n", DIFF)
    assert parse_full_rewrite("So:\n```python\nx = 3\n```\n") == "x = 3\n"
    assert parse_full_rewrite("No program here.") is None


@given(st.lists(st.lists(st.sampled_from(["a = 1", "", "  b"]), max_size=3), min_size=2, max_size=6))
def test_blocks_are_where_their_markers_are(parts: list[list[str]]) -> None:
    """Parts are outside and inside of blocks in turn."""
    outside, inside = parts[::2], parts[1::2]
    lines: list[str] = []
    for number, block in enumerate(inside):
        lines += [*outside[number], "# EVOLVE-BLOCK-START", *block, "# EVOLVE-BLOCK-END"]
    found = parse_evolve_blocks("\n".join(lines))
    assert [text for _, _, text in found] == ["\n".join(block) for block in inside]
    for start, end, text in found:
        assert (lines[start], lines[end]) == ("# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END")
        assert "\n".join(lines[start + 1 : end]) == text
    assert parse_evolve_blocks("x = 1\n") == []
