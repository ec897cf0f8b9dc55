"""Settings that are accepted: promised keys, defaults, overrides, variables, snapshots."""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from medevonet.task import TaskConfig
from openevolve.settings.files import check, load_config, public_settings
from openevolve.settings.models import Config, LadderConfig
from tests import PROJECT
from tests.support.promised_settings import KEY, PROMISED, leaves, load

EXAMPLES = sorted(path.relative_to(PROJECT) for path in PROJECT.glob("examples/*/config.yaml"))


def test_every_promised_key_is_accepted_and_kept(tmp_path: Path) -> None:
    config = load(tmp_path, PROMISED)
    defaults = leaves(Config().model_dump(mode="json"))
    loaded = leaves(config.model_dump(mode="json"))
    for place, value in leaves(yaml.safe_load(PROMISED)).items():
        assert loaded.get(place) != defaults.get(place), place
        if isinstance(value, int | float | str) and place[-1] not in ("api_key", "template_dir"):
            assert loaded[place] == value
    assert config.llm.api_key is not None
    assert config.llm.api_key.get_secret_value() == KEY


def test_models_inherit_what_they_do_not_set(tmp_path: Path) -> None:
    models = load(tmp_path, PROMISED).llm.ensemble()
    own, shared = "http://127.0.0.1:9000/v1", "http://127.0.0.1:8000/v1"
    assert [(model.name, model.weight, model.temperature, model.api_base) for model in models] == [
        ("large", 0.5, 0.1, own), ("small", 0.8, 0.9, shared), ("tiny", 0.3, 0.9, shared),
    ]  # fmt: skip
    assert {model.max_tokens for model in models} == {100}


def test_a_template_folder_stands_beside_the_file_that_names_it(tmp_path: Path) -> None:
    assert load(tmp_path, "prompt: {template_dir: mine}").prompt.template_dir == tmp_path / "mine"
    assert load(tmp_path, "prompt: {template_dir: /mine}").prompt.template_dir == Path("/mine")
    assert load(tmp_path, "", "prompt.template_dir=mine").prompt.template_dir == Path("mine")


@pytest.mark.parametrize("text", ["", "# nothing", "---", "{}"])
def test_no_settings_are_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == load_config() == Config()


@pytest.mark.parametrize("path", [Path("config.yaml"), *EXAMPLES], ids=str)
def test_the_config_files_of_this_project_load(path: Path) -> None:
    load_config(PROJECT / path)


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("max_iterations=3", "max_iterations", 3),
        ("llm.temperature=0.2", "llm.temperature", 0.2),
        ("llm.primary_model=a=b", "llm.primary_model", "a=b"),
        ("llm.primary_model='7'", "llm.primary_model", "7"),
        ("llm.temperature=", "llm.temperature", None),
        ("database.feature_dimensions=[complexity]", "database.feature_dimensions", ["complexity"]),
        ("llm.models=[{name: a}, {name: b}]", "llm.models.1.name", "b"),
        ("task.epochs.last=4", "task.epochs.last", 4),
    ],
)
def test_an_override_sets_one_value(override: str, place: str, value: object) -> None:
    found: Any = load_config(None, [override]).model_dump()
    for part in place.split("."):
        found = found[int(part) if isinstance(found, list) else part]
    assert found == value


def test_overrides_go_before_the_file_and_later_ones_before_earlier(tmp_path: Path) -> None:
    text = "llm: {temperature: 0.1, top_p: 0.5}"
    config = load(tmp_path, text, "llm.temperature=0.2", "llm.temperature=0.3")
    assert (config.llm.temperature, config.llm.top_p) == (0.3, 0.5)


def test_variables_of_the_environment_stand_for_keys_and_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_HOST", "127.0.0.1")
    text = "llm: {api_key: '${MY_KEY}', models: [{name: '${MY_HOST}', api_base: 'http://${MY_HOST}:80/v1'}]}"
    llm = load(tmp_path, text, "llm.api_base=http://${MY_HOST}:90/v1").llm
    assert llm.api_key is not None
    assert llm.api_key.get_secret_value() == KEY
    assert (llm.api_base, llm.models[0].api_base) == ("http://127.0.0.1:90/v1", "http://127.0.0.1:80/v1")
    assert llm.models[0].name == "${MY_HOST}"


def test_braces_in_a_prompt_are_text(tmp_path: Path) -> None:
    text = r"prompt: {system_message: 'Pack $n$ circles: $\sum_{i} r_i \le ${R}^{2}$, not ${NO_SUCH}'}"
    assert load(tmp_path, text).prompt.system_message.endswith("${R}^{2}$, not ${NO_SUCH}")


def test_the_snapshot_is_a_config_again_without_keys(tmp_path: Path) -> None:
    config = load(tmp_path, PROMISED)
    assert KEY not in repr(config)
    snapshot = public_settings(load(tmp_path, f"{PROMISED}\ntask: {{sets: [{{api_key: {KEY}}}]}}"))
    text = json.dumps(snapshot, allow_nan=False)
    assert KEY not in text
    again = check(Config, json.loads(text), "run")
    assert public_settings(again) == snapshot
    assert again.database == config.database
    assert again.evaluator == config.evaluator
    assert again.llm.models[0].temperature == 0.1
    assert again.llm.api_key is None


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), count=st.integers(1, 200))
def test_bins_of_a_range_are_equal_and_within_it(low: float, width: float, count: int) -> None:
    config = check(Config, {"features": {"a": {"low": low, "high": low + width, "count": count}}}, "test")
    edges = config.features["a"].inner_edges()
    assert len(edges) == count - 1
    assert all(low < edge < low + width for edge in edges)
    assert all(
        math.isclose(after - before, width / count, rel_tol=1e-3, abs_tol=1e-9)
        for before, after in pairwise(edges)
    )


_OF_OTHER_PROBLEMS = {
    "language", "file_suffix", "target_score", "llm.api_key", "llm.models", "llm.primary_model_weight",
    "prompt.include_artifacts", "prompt.max_artifact_bytes", "prompt.template_variations",
    "prompt.evaluator_system_message", "prompt.programs_as_changes_description",
    "prompt.system_message_changes_description", "prompt.initial_changes_description",
    "evaluator.read", "evaluator.use_llm_feedback", "evaluator.llm_feedback_weight",
    "database.feature_dimensions",
    "database.feature_bins", "database.similarity_threshold", "evaluator.cascade_evaluation",
    "evaluator.cascade_thresholds",
}  # fmt: skip


def _missing(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of the model's settings that are not among the values."""
    for name, field in model.model_fields.items():
        if name not in values:
            yield f"{prefix}{name}"
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _missing(field.annotation, values[name], f"{prefix}{name}.")


def test_config_yaml_holds_every_setting() -> None:
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    assert set(_missing(Config, values)) == _OF_OTHER_PROBLEMS
    assert set(_missing(TaskConfig, values["task"])) == set()
    assert set(_missing(LadderConfig, values["fidelity"])) == set()
    assert TaskConfig.model_validate(values["task"]) == TaskConfig()
