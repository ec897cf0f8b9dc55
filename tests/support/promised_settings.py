"""Config files for tests, above all one with every key that OpenEvolve's users may keep."""

from pathlib import Path
from typing import Any

from openevolve.settings.files import load_config
from openevolve.settings.models import Config

KEY = "sk-planted-0123456789"

# Each has another value than the default.
PROMISED = f"""
max_iterations: 7
checkpoint_interval: 3
log_level: DEBUG
random_seed: 5
diff_based_evolution: false
max_code_length: 5000
early_stopping_patience: 12
convergence_threshold: 0.01
early_stopping_metric: accuracy
llm:
  api_base: http://127.0.0.1:8000/v1
  api_key: {KEY}
  models:
    - {{name: large, weight: 0.5, api_base: "http://127.0.0.1:9000/v1", api_key: {KEY}, temperature: 0.1}}
  evaluator_models:
    - {{name: judge, weight: 1.0}}
  primary_model: small
  primary_model_weight: 0.8
  secondary_model: tiny
  secondary_model_weight: 0.3
  temperature: 0.9
  top_p: 0.95
  max_tokens: 100
  timeout: 30
  retries: 1
  retry_delay: 2
  reasoning_effort: low
prompt:
  system_message: Improve the program.
  num_top_programs: 1
  num_diverse_programs: 1
  include_artifacts: false
  max_artifact_bytes: 100
  template_dir: templates
database:
  population_size: 50
  archive_size: 20
  num_islands: 3
  elite_selection_ratio: 0.2
  exploration_ratio: 0.3
  exploitation_ratio: 0.6
  feature_dimensions: [complexity, accuracy]
  feature_bins: {{complexity: 5, accuracy: 8}}
  migration_interval: 20
  migration_rate: 0.2
  similarity_threshold: 0.9
evaluator:
  timeout: 60
  max_retries: 1
  memory_limit_mb: 1024
  cascade_evaluation: false
  cascade_thresholds: [0.5, 0.75]
  parallel_evaluations: 4
"""


def load(folder: Path, text: str, *overrides: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def leaves(values: Any, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """All values below mappings, by their place."""
    if not isinstance(values, dict):
        return {place: values}
    return {p: leaf for key, item in values.items() for p, leaf in leaves(item, (*place, key)).items()}
