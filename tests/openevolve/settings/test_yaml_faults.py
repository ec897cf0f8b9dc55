"""YAML that cannot be read, or says two things: told in plain words, all of it at once."""

from pathlib import Path

import pytest

from openevolve.errors import UserError
from openevolve.settings.files import load_config


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_config(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).split("\n")]


def test_a_key_that_is_there_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    text = "llm:\n  temperature: 0.1\n  top_p: 1\n  temperature: 0.9\nlag: 1\nllm: {}\n"
    assert sorted(faults(tmp_path, text)) == [
        "llm.temperature: expected one value, found two, on lines 2 and 4; delete one",
        "llm: expected one value, found two, on lines 1 and 6; delete one",
    ]


def test_a_key_may_be_in_each_of_several_mappings(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "shared: &shared {temperature: 0.5}\nllm: {models: [{name: a}, {name: b}]}\n".replace(
            "shared: &shared {temperature: 0.5}\n", ""
        ),
        encoding="utf-8",
    )
    assert len(load_config(path).llm.models) == 2


def test_all_values_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, "task: {a: .inf, b: 2026-01-01}\nllm: {api_key: '${NO_SUCH_KEY}'}\n")
    assert [line.split(":")[0] for line in found] == ["task.a", "task.b", "llm.api_key"]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\n  b: 2", "a second colon", 2),
        ("a: 1\nb\n", "a line that is neither 'key: value'", 3),
        ("llm:\n    top_p: 1\n  lag: 2\n", "a line that is indented otherwise than its neighbours", 3),
        ("a: 'text\n", "a quote that is not closed", 2),
        ("a: @text", "text that begins with @", 1),
        ("a: {b: 1", "a mapping that opens with {", 1),
        ("a: *name", "text that begins with *", 1),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(tmp_path: Path, text: str, words: str, line: int) -> None:
    [found] = faults(tmp_path, text)
    assert found.startswith(f"expected YAML, found {words}")
    assert f"(line {line}, column" in found
