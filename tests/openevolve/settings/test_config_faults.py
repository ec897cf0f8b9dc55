"""Settings that are refused: every fault gets one line with its key, what was expected and what found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.settings.files import check, load_config, public_settings
from openevolve.settings.models import Config
from tests.support.promised_settings import KEY, PROMISED, leaves, load

NUMBER = "27182818284590"  # a key that YAML reads as a number


def faults(folder: Path, text: str, *overrides: str) -> list[str]:
    """The lines of the error, without the name of the file."""
    with pytest.raises(UserError) as caught:
        load(folder, text, *overrides)
    return [line.removeprefix(f"{folder / 'config.yaml'}: ") for line in str(caught.value).split("\n")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("max_iterations: many", "max_iterations: expected a whole number, found 'many'"),
        ("max_iterations: 1e3", "max_iterations: expected a whole number, found '1e3'"),  # text in YAML 1.1
        ("max_iterations: 1.5", "max_iterations: expected a whole number, found 1.5"),
        ("max_iterations: -1", "max_iterations: expected at least 0, found -1"),
        ("max_iterations:", "max_iterations: expected a whole number, found nothing"),
        ("deterministic: perhaps", "deterministic: expected true or false, found 'perhaps'"),
        (
            "log_level: warn",
            "log_level: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, found 'warn'",
        ),
        ("evaluator: {timeout: 0}", "evaluator.timeout: expected more than 0, found 0"),
        ("fidelity: {min_full: 2}", "fidelity.min_full: expected at least 3, found 2"),
        ("fidelity: {confidence: 0}", "fidelity.confidence: expected more than 0, found 0"),
        ("llm:", "llm: expected a mapping, found nothing"),
        ("llm: [a]", "llm: expected a mapping, found a list"),
        ("llm: {models: [gpt]}", "llm.models.0: expected a mapping, found 'gpt'"),
        ("llm: {models: {name: a}}", "llm.models: expected a list, found a mapping"),
        ("llm: {models: [{weight: 1}]}", "llm.models.0.name: expected a value, found none"),
        ("llm: {prices: {a: {prompt: 1}}}", "llm.prices.a.completion: expected a value, found none"),
        ("prompt: {system_message: 5}", "prompt.system_message: expected text, found 5"),
        ("prompt: {template_dir: 5}", "prompt.template_dir: expected a path, found 5"),
        ("database: {feature_bins: few}",
         "database.feature_bins: expected a whole number or a mapping, found 'few'"),
        ("database: {feature_bins: {a: few}}",
         "database.feature_bins.a: expected a whole number, found 'few'"),
        ("database: {exploration_ratio: 0.8}",
         "database: expected exploration_ratio + exploitation_ratio <= 1, found 1.5"),
        ("features: {a: {low: 0, high: 1}}",
         "features.a: expected edges, or all three of low, high and count"),
        ("features: {a: {low: 1, high: 0, count: 3}}", "features.a: expected low < high, found 1.0 and 0.0"),
        ("features: {a: {edges: [2, 1]}}", "features.a: expected edges that rise, found [2.0, 1.0]"),
        ("features: {a: {edges: [1], count: 2}}",
         "features.a: expected either edges or low, high and count, found both"),
        ("{features: {a: {edges: [1]}}, database: {feature_dimensions: [b]}}",
         "expected features or database.feature_dimensions, found both"),
        ('task: {"two\\nlines": .inf}',
         r"task.'two\nlines': expected text, a finite number, true, false, a list or a mapping, "
         "found inf; text that looks like something else needs quotes"),
        ("task: {limit: .inf}",
         "task.limit: expected text, a finite number, true, false, a list or a mapping, "
         "found inf; text that looks like something else needs quotes"),
        ("task: {day: [2026-05-12]}",
         "task.day.0: expected text, a finite number, true, false, a list or a mapping, "
         "found datetime.date(2026, 5, 12); text that looks like something else needs quotes"),
    ],
)  # fmt: skip
def test_a_bad_value_gives_its_key_what_was_expected_and_what_found(
    tmp_path: Path, text: str, line: str
) -> None:
    assert faults(tmp_path, text) == [line]


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("max_iteration: 5", "max_iteration", "max_iterations"),
        ("llm: {temprature: 1}", "llm.temprature", "llm.temperature"),
        ("llm: {models: [{name: a, wieght: 1}]}", "llm.models.0.wieght", "llm.models.0.weight"),
        ("features: {a: {lo: 0}}", "features.a.lo", "features.a.low"),
        ("fidelity: {topshare: 0.3}", "fidelity.topshare", "fidelity.top_share"),
        ("temperature: 1", "temperature", "llm.temperature"),  # right, but for another section
        ("llm: {num_islands: 3}", "llm.num_islands", "database.num_islands"),
        ("evaluator: {use_feedback: false}", "evaluator.use_feedback", "evaluator.use_llm_feedback"),
        ("1: 2", "1", "task"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path, text: str, unknown: str, nearest: str
) -> None:
    [line] = faults(tmp_path, text)
    assert line.startswith(f"unknown key {unknown}; the nearest known one is ")
    if unknown not in ("evaluator.use_llm_feedback", "1"):  # nothing is near these
        assert line.endswith(f" {nearest}")


def test_each_of_several_faults_has_a_line(tmp_path: Path) -> None:
    text = (
        "max_iterations: no way\nllm: {tempreature: 1, top_p: 2}\nevaluator: {cascade_thresholds: [a, 1, b]}"
    )
    assert faults(tmp_path, text) == [
        "max_iterations: expected a whole number, found 'no way'",
        "llm.top_p: expected at most 1, found 2",
        "unknown key llm.tempreature; the nearest known one is llm.temperature",
        "evaluator.cascade_thresholds.0: expected a number, found 'a'",
        "evaluator.cascade_thresholds.2: expected a number, found 'b'",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n- b", "expected a mapping of settings, found a list"),
        ("text", "expected a mapping of settings, found 'text'"),
        ("a: b: c",
         "expected YAML, found a second colon: text that holds ': ' needs quotes (line 1, column 5)"),
        ("a: [1,\nb: 2",
         "expected YAML, found a list that opens with [ and is not closed by ] (line 2, column 5)"),
        ("\tmax_iterations: 3",
         "expected YAML, found a tab where a value begins: indent with spaces (line 1, column 1)"),
        ("a: !!python/object:os.system {}",
         "expected YAML, found text that begins with !: it needs quotes (line 1, column 4)"),
        ("a: 2026-99-99",
         "expected YAML, found a date that does not exist: text that looks like one needs quotes"),
        ("a: &a [*a]", "expected YAML, found more than 100,000 values"),
        ("a: " + "[" * 1000, "expected YAML, found brackets within brackets, too deep to be settings"),
        ("a: \x01", "expected YAML, found a control character"),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_file_that_is_no_mapping_in_yaml(tmp_path: Path, text: str, line: str) -> None:
    [found] = faults(tmp_path, text)
    assert found.startswith(line)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a readable YAML file, found: .*No such file"):
        load_config(tmp_path / "absent.yaml")
    with pytest.raises(UserError, match=r"expected a readable YAML file, found: .*Is a directory"):
        load_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(UserError, match=r"expected a readable YAML file, found: .*can't decode"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("temperature", "--set: expected key=value such as llm.temperature=0.2, found 'temperature'"),
        ("=3", "--set: expected key=value such as llm.temperature=0.2, found '=3'"),
        ("llm..x=3", "--set: expected key=value such as llm.temperature=0.2, found 'llm..x=3'"),
        ("llm.x=[", "--set llm.x: expected YAML, found a bracket or a comma where a value should be"),
        ("llm.x=2026-99-99", "--set llm.x: expected YAML, found a date that does not exist"),
        ("task.a=.nan", "--set task.a: expected text, a finite number"),
        ("llm.tokens=3", "--set: unknown key llm.tokens; the nearest known one is llm.max_tokens"),
        ("max_iterations.x=3", "--set: max_iterations: expected a whole number, found a mapping"),
    ],
)
def test_an_override_that_cannot_be_set(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(None, [override])
    assert str(caught.value).startswith(message)


def test_a_variable_that_is_not_set_is_named_with_its_key(tmp_path: Path) -> None:
    assert faults(tmp_path, "llm: {api_key: '${NO_SUCH_KEY}'}") == [
        "llm.api_key: expected the environment variable NO_SUCH_KEY (for ${NO_SUCH_KEY}), found none"
    ]


def test_an_override_below_a_value(tmp_path: Path) -> None:
    assert faults(tmp_path, "llm: 3", "llm.temperature=1") == [
        "--set llm.temperature: expected llm to be a section, found a value"
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"llm: {{api_key: [{KEY}]}}",
        f"llm: {{api_key: {NUMBER}}}",
        f"llm: {{models: {{name: a, api_key: {KEY}}}}}",
        f"llm: [{{api_key: {KEY}}}]",
        f"llm: {{apikey: {KEY}}}",
        f"llm: {{api_key: {KEY}, top_p: 7}}",
        f"llm: {{api_key: {KEY}: x}}",
        f"llm: {{api_key: '{KEY}}}",
        f"api_key: {KEY}",
    ],
)
def test_no_error_repeats_a_key(tmp_path: Path, text: str) -> None:
    assert not any(KEY in line or NUMBER in line for line in faults(tmp_path, text))


def promised_with(changes: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """The promised settings with other values at some places."""
    values: dict[str, Any] = yaml.safe_load(PROMISED)
    for (*sections, key), value in changes.items():
        target = values
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    return values


PLACES = [*leaves(yaml.safe_load(PROMISED)), ("task", "any"), ("features",), ("llm", "prices"), ("budget",)]
KEYS = st.sampled_from(sorted({part for place in PLACES for part in place})) | st.integers() | st.text()
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=5) | st.just("${HOME}")
)
ODD = PLAIN | st.floats() | st.dates() | st.binary() | st.just("${NO_SUCH_VARIABLE}")


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)

    return st.recursive(scalars, containers, max_leaves=12)


SETTINGS = st.one_of(
    st.dictionaries(KEYS, nested(ODD), max_size=5),
    st.dictionaries(st.sampled_from(PLACES), nested(ODD), max_size=3).map(promised_with),
    nested(PLAIN).map(lambda value: promised_with({("task", "any"): value})),
)


def outcome(load: Callable[[], Config]) -> Config | str:
    """What loading gives: settings, or the text of the error that a user sees. Nothing else is raised."""
    try:
        return load()
    except UserError as error:
        return str(error)


@given(values=SETTINGS)
def test_any_yaml_is_a_config_or_one_clear_error(
    values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    found = outcome(lambda: load_config(path))
    if isinstance(found, str):
        assert all(line.startswith(f"{path}: ") for line in found.split("\n"))
    else:
        snapshot = json.loads(json.dumps(public_settings(found), allow_nan=False))
        assert public_settings(check(Config, snapshot, "run")) == snapshot


@given(override=st.text() | st.builds("{}={}".format, st.sampled_from(PLACES).map(".".join), nested(ODD)))
def test_any_override_is_set_or_refused(override: str) -> None:
    found = outcome(lambda: load_config(None, [override]))
    if isinstance(found, str):
        assert "expected" in found or "unknown key" in found
    else:
        assert "=" in override
