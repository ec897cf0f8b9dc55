"""OpenEvolve's settings: each is taken, said in one line, or refused by name with what to do."""

from pathlib import Path

import pytest

from openevolve.errors import UserError
from openevolve.settings.files import load_config, public_settings
from openevolve.settings.languages import with_language_of
from openevolve.settings.models import Config
from tests.support.promised_settings import load

# Keys and values as they stand in configs of OpenEvolve's examples.
AS_IN_EXAMPLES = """
max_iterations: 200
allow_full_rewrites: true
parallel_evaluations: 1
max_program_length: 55000
early_stopping_patience: -1
algotune: {num_trials: 5, data_size: 100, timeout: 300, num_runs: 3, warmup_runs: 1}
novelty: {enabled: true, similarity_threshold: 0.95}
evolution_trace: {enabled: true, format: jsonl, buffer_size: 10}
llm:
  provider: openai
  system_message: You write Rust.
  primary_model: large
  primary_model_weight: null
  models: [{name: small, weight: 0.2, provider: null, max_budget_usd: 1.0}]
prompt: {use_template_stochasticity: true, suggest_simplification_after_chars: 60000}
database: {db_path: ./archive, in_memory: true, random_seed: 7, feature_dimensions: [score, complexity]}
evaluator: {use_llm_feedback: false, enable_artifacts: true, cpu_limit: null}
"""


def test_settings_without_a_counterpart_are_said_in_one_line_each(tmp_path: Path) -> None:
    config = load(tmp_path, AS_IN_EXAMPLES)
    said = [note.split(":")[0] for note in config.notes]
    assert sorted(said) == sorted(
        [
            "allow_full_rewrites", "parallel_evaluations", "max_program_length", "algotune", "novelty",
            "evolution_trace", "llm.provider", "llm.models.0.provider", "llm.models.0.max_budget_usd",
            "prompt.use_template_stochasticity", "prompt.suggest_simplification_after_chars",
            "database.db_path", "database.in_memory", "database.random_seed", "evaluator.enable_artifacts",
            "evaluator.cpu_limit",
        ]
    )  # fmt: skip
    assert all("\n" not in note and len(note) < 160 for note in config.notes)
    assert config.prompt.system_message == "You write Rust."
    assert (config.early_stopping_patience, config.random_seed) == (None, 7)
    assert [model.name for model in config.llm.ensemble()] == ["small", "large"]


def test_notes_are_no_settings(tmp_path: Path) -> None:
    config = load(tmp_path, AS_IN_EXAMPLES)
    assert "notes" not in str(public_settings(config))
    assert Config().notes == ()


@pytest.mark.parametrize("patience", ["-1", "0", "null"])
def test_early_stopping_is_off(tmp_path: Path, patience: str) -> None:
    assert load(tmp_path, f"early_stopping_patience: {patience}").early_stopping_patience is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("llm: {provider: claude_code}", "llm.provider: 'claude_code'"),
        ("llm: {models: [{name: a, provider: copilot_cli}]}", "llm.models.0.provider: 'copilot_cli'"),
        ("llm: {manual_mode: true}", "llm.manual_mode: True"),
        ("database: {embedding_model: text-embedding-3-small}", "database.embedding_model: "),
        (r"diff_pattern: '<<<\n(.*?)>>>'", "diff_pattern: "),
    ],
)
def test_what_would_change_a_run_is_refused_by_name(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert key in str(caught.value)
    assert "is not built here; " in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, "llm: {provider: claude_code, temprature: 1}\nmax_iterations: many")
    assert len(str(caught.value).split("\n")) == 3


def test_a_description_of_changes_needs_edits() -> None:
    overrides = ["prompt.programs_as_changes_description=true", "diff_based_evolution=false"]
    with pytest.raises(UserError, match="expected diff_based_evolution: true"):
        load_config(None, overrides)


def test_templates_are_found_beside_the_config_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "prompts").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load(tmp_path / "configs", "prompt: {template_dir: prompts}")
    assert config.prompt.template_dir == tmp_path / "prompts"
    (tmp_path / "configs" / "prompts").mkdir()
    config = load(tmp_path / "configs", "prompt: {template_dir: prompts}")
    assert config.prompt.template_dir == tmp_path / "configs" / "prompts"


@pytest.mark.parametrize(
    ("program", "language"), [("sort.rs", "rust"), ("fit.R", "r"), ("prompt.txt", "text"), ("a.py", "python")]
)
def test_language_and_suffix_are_those_of_the_initial_program(program: str, language: str) -> None:
    config = with_language_of(load_config(None, []), Path(program))
    assert (config.language, config.file_suffix) == (language, Path(program).suffix)
    config = with_language_of(load_config(None, ["language=text", "file_suffix=.md"]), Path(program))
    assert (config.language, config.file_suffix) == ("text", ".md")
