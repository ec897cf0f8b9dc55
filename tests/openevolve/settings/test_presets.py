"""Presets: below the user's own settings, above a file where --set names them, and said."""

from pathlib import Path

import pytest

from openevolve.engine.assembly import check_strategies
from openevolve.errors import UserError
from openevolve.settings.files import load_config
from openevolve.settings.presets import names, preset


def file(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", names())
def test_every_preset_is_a_way_that_works_and_says_what_it_sets(name: str) -> None:
    config = load_config(None, [f"search.preset={name}"])
    check_strategies(config)
    assert config.search.preset == name
    about, sets = config.notes
    assert about.startswith(f"search.preset {name}: ")
    assert all(f"{key}=" in sets or f"{key}." in sets for key in preset(name))


def test_those_of_other_packages_are_found() -> None:
    assert "medevonet" in names()


def test_a_preset_in_a_file_fills_in_what_the_file_leaves_out(tmp_path: Path) -> None:
    path = file(tmp_path, "search: {preset: openevolve, gates: [duplicate]}\ndatabase: {num_islands: 2}\n")
    config = load_config(path)
    assert (config.search.gates, config.database.num_islands) == (["duplicate"], 2)
    assert (config.database.archive_size, config.prompt.num_failures) == (100, 0)
    assert (
        "leaves as set otherwise: search.gates=[duplicate] (not []), database.num_islands=2 (not 5)"
        in (config.notes[-1])
    )


def test_one_that_an_option_names_goes_before_the_file_and_other_options_before_it(tmp_path: Path) -> None:
    path = file(tmp_path, "search: {gates: [duplicate]}\ndatabase: {num_islands: 2, archive_size: 3}\n")
    config = load_config(path, ["database.archive_size=9", "search.preset=openevolve"])
    assert (config.search.gates, config.database.num_islands, config.database.archive_size) == ([], 5, 9)


def test_an_option_takes_the_files_preset_away(tmp_path: Path) -> None:
    config = load_config(file(tmp_path, "search: {preset: openevolve}\n"), ["search.preset=null"])
    assert config.model_dump() == load_config(None).model_dump()
    assert config.notes == ()


def test_an_unknown_one_is_one_clear_error() -> None:
    with pytest.raises(UserError, match=r"search\.preset: expected one of .*found 'openevo'; .* openevolve"):
        load_config(None, ["search.preset=openevo"])


def test_one_in_a_file_lies_over_the_file_below_that_one(tmp_path: Path) -> None:
    below = tmp_path / "below.yaml"
    below.write_text(
        "search: {preset: null}\ndatabase: {num_islands: 2, archive_size: 3}\n", encoding="utf-8"
    )
    path = file(tmp_path, "search: {preset: openevolve}\ndatabase: {archive_size: 9}\n")
    config = load_config(path, below=below)
    assert (config.database.num_islands, config.database.archive_size) == (5, 9)
    assert config.origins["database.num_islands"] == "preset openevolve"
