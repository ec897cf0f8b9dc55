"""Files, presets and options over one another: the uppermost value counts, and it is known whose it is."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medevonet.task import TaskConfig
from openevolve.errors import UserError
from openevolve.settings.files import load_config
from openevolve.settings.layers import Layer, Layered, Location, Override, by_source, origin

VALUES = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=12
)
SETTINGS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def laid(*layers: dict[str, Any]) -> Layered:
    whole = Layered()
    for number, values in enumerate(layers):
        whole.lay(Layer(str(number), values))
    return whole


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@given(SETTINGS, SETTINGS)
def test_the_upper_layer_counts(low: dict[str, Any], high: dict[str, Any]) -> None:
    both = laid(low, high).values
    assert laid(low, {}).values == low == laid({}, low).values == laid(low, low).values
    assert both.items() >= {key: v for key, v in high.items() if not isinstance(v, dict)}.items()
    assert both.items() >= {key: v for key, v in low.items() if key not in high}.items()
    assert set(both) == {*low, *high}
    assert laid(both, high).values == both
    assert laid(low, high, high).values == both


@given(st.lists(SETTINGS, max_size=4))
def test_every_value_is_known_to_be_of_the_uppermost_layer_that_has_it(layers: list[dict[str, Any]]) -> None:
    whole = laid(*layers)
    assert set(whole.origins) == set(leaves_of(whole.values))
    for place, source in whole.origins.items():
        values = [(n, leaves_of(layer)[place]) for n, layer in enumerate(layers) if place in leaves_of(layer)]
        assert str(values[-1][0]) == source or leaves_of(whole.values)[place] == {}
        if leaves_of(whole.values)[place] != {}:
            assert values[-1][1] == leaves_of(whole.values)[place]


def leaves_of(values: dict[str, Any]) -> dict[Location, Any]:
    """All values that are no mappings, and empty mappings, by their place."""
    found: dict[Location, Any] = {}
    for key, value in values.items():
        inner = leaves_of(value) if isinstance(value, dict) and value else {(): value}
        found |= {(key, *place): leaf for place, leaf in inner.items()}
    return found


def test_a_file_lies_over_the_one_below_and_options_over_both(tmp_path: Path) -> None:
    below = file(tmp_path, "below.yaml", "llm: {temperature: 0.1, top_p: 0.2, max_tokens: 10}\nlag: 4\n")
    above = file(tmp_path, "above.yaml", "llm: {top_p: 0.3, max_tokens: 20}\n")
    config = load_config(above, ["llm.max_tokens=30", Override("lag=5", "--lag")], below=below)
    assert (config.llm.temperature, config.llm.top_p, config.llm.max_tokens, config.lag) == (0.1, 0.3, 30, 5)
    assert by_source(config.origins) == {
        str(below): ["llm.temperature"], str(above): ["llm.top_p"], "--set": ["llm.max_tokens"],
        "--lag": ["lag"],
    }  # fmt: skip


def test_who_names_axes_names_them_all(tmp_path: Path) -> None:
    below = file(tmp_path, "below.yaml", "features: {a: {low: 0, high: 1, count: 3}, b: {edges: [1]}}\n")
    above = file(tmp_path, "above.yaml", "features: {a: {edges: [2]}}\n")
    config = load_config(above, below=below)
    assert {name: axis.inner_edges() for name, axis in config.features.items()} == {"a": (2.0,)}
    named = file(tmp_path, "named.yaml", "database: {feature_dimensions: [complexity]}\n")
    config = load_config(named, below=below)
    assert (config.features, config.database.feature_dimensions) == ({}, ["complexity"])


@pytest.mark.parametrize(
    ("below", "above", "models"),
    [
        ("{primary_model: a, secondary_model: b}", "{models: [{name: c}]}", ["c"]),
        ("{models: [{name: c}]}", "{primary_model: a}", ["a"]),
        ("{models: [{name: c}]}", "{primary_model: null, temperature: 1}", ["c"]),
        ("{primary_model: a, models: [{name: c}]}", "{temperature: 1}", ["c", "a"]),
    ],
)
def test_a_file_that_names_models_does_not_add_to_those_below(
    tmp_path: Path, below: str, above: str, models: list[str]
) -> None:
    config = load_config(
        file(tmp_path, "above.yaml", f"llm: {above}"), below=file(tmp_path, "below.yaml", f"llm: {below}")
    )
    assert [model.name for model in config.llm.ensemble()] == models


def test_upstreams_place_of_the_system_message_counts_over_a_lower_file(tmp_path: Path) -> None:
    below = file(tmp_path, "below.yaml", "prompt: {system_message: theirs}\n")
    above = file(tmp_path, "above.yaml", "llm: {system_message: mine}\n")
    assert load_config(above, below=below).prompt.system_message == "mine"


def test_a_fault_is_told_of_the_file_or_option_that_it_comes_from(tmp_path: Path) -> None:
    below = file(tmp_path, "below.yaml", "llm: {top_p: 2}\nmax_iteration: 5\n")
    above = file(tmp_path, "above.yaml", "database: {exploration_ratio: 0.9}\ntask: {size: 1}\n")
    with pytest.raises(UserError) as caught:
        load_config(
            above, ["lag=x", "epochs=4", Override("max_iterations=-1", "--iterations")],
            below=below, sections={"task": TaskConfig},
        )  # fmt: skip
    assert set(str(caught.value).split("\n")) == {
        f"{below}: llm.top_p: expected at most 1, found 2",
        f"{below}: unknown key max_iteration; the nearest known one is max_iterations",
        f"{above}: database: expected exploration_ratio + exploitation_ratio <= 1, found 1.6",
        f"{above}: task.size: expected at least 16, found 1",
        "--set: lag: expected a whole number, found 'x'",
        "--set: unknown key epochs; the nearest known one is task.epochs",
        "--iterations: max_iterations: expected at least 0, found -1",
    }


def test_of_a_section_the_origin_is_who_set_something_in_it_last() -> None:
    whole = laid({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    assert origin(whole.origins, ("a",)) == "1"
    assert origin(whole.origins, ("a", "c")) == origin(whole.origins, ("a", "c", "inner")) == "0"
    assert origin({}, ("a",)) is None
