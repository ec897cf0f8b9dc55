"""A confirmation by real trainings: frozen list, paired fresh seeds, one look, nothing trained twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medevonet.referee.evaluation import Limits
from medevonet.run.confirm import Listed, freeze, fresh_seed, train_all
from medevonet.run.confirm_plan import plan_text
from medevonet.run.confirm_report import conclude, written
from medevonet.run.folder import create_run
from medevonet.run.info import write_run_info
from medevonet.run.looks import looks
from medevonet.run.views import ConfirmationView
from openevolve.errors import UserError
from tests.support import programs
from tests.support.tiny_task import TinyTask

SEEDS = 2
SEED = Listed("00000000-0000-4000-8000-000000000001", 0, 0.90, 0.90, 2000, programs.SOUND)
SAME = Listed("00000000-0000-4000-8000-000000000002", 4, 0.95, 0.92, 1000, programs.SOUND)
BROKEN = Listed(
    "00000000-0000-4000-8000-000000000003",
    7,
    0.99,
    0.93,
    500,
    "def create_model(num_classes=7):\n    raise ValueError\n",
)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory, tiny: TinyTask) -> Path:
    """A run whose seed program was submitted again under another name, and a program that fails."""
    run = create_run(tmp_path_factory.mktemp("runs"))
    write_run_info(run, {}, {})
    listed = freeze(run, lambda: [SEED, SAME, BROKEN], SEEDS)
    train_all(run, listed, SEEDS, tiny.config(epochs=1, max_lr=0.004), Limits(60), "process", 1)
    assert looks(run) == []
    conclude(run, [vars(program) for program in listed], SEEDS)
    return run


def test_the_same_program_is_not_claimed_to_be_better(confirmed: Path) -> None:
    found = json.loads((confirmed / "confirmation.json").read_text())
    same, broken = found["programs"]
    assert same["screen"] == "passed"
    assert same["validation"]["mean"]["difference"] == same["test"]["mean"]["difference"] == 0  # paired seeds
    assert same["survived"] == 0
    assert [a["p_holm"] for a in same["test"]["mean"]["answers"].values()] == [1, 1]
    assert broken["screen"] == "a training failed"
    assert "test" not in broken
    assert "better" not in written(confirmed)
    assert (confirmed / "confirmation.svg").read_text().startswith("<svg")
    assert sorted(row["name"] for row in found["beside"]) == [
        "iteration 4",
        "the seed program",
    ]  # data of its own


def test_the_test_split_is_opened_once_and_for_those_that_passed(confirmed: Path) -> None:
    (look,) = looks(confirmed)
    assert look["by"] == "run_evolution.py confirm"
    assert look["programs"] == [SEED.id, SAME.id]


def test_nothing_is_trained_twice(confirmed: Path, tiny: TinyTask) -> None:
    paths = sorted((confirmed / "confirmation").glob("seed_*/*"))
    before = {path: path.stat().st_mtime_ns for path in paths}
    listed = freeze(confirmed, lambda: pytest.fail("the list is frozen"), SEEDS)
    train_all(confirmed, listed, SEEDS, tiny.config(epochs=1), Limits(60), "process", 1)
    assert {path: path.stat().st_mtime_ns for path in paths} == before


def test_a_list_that_was_changed_is_refused(tmp_path: Path) -> None:
    freeze(tmp_path, lambda: [SEED, SAME], SEEDS)
    assert freeze(tmp_path, lambda: [BROKEN], SEEDS) == [SEED, SAME]
    with pytest.raises(UserError, match="expected --seeds 2, with which this confirmation began, found 3"):
        freeze(tmp_path, lambda: [], 3)
    path = tmp_path / "confirmation" / "list.json"
    written = path.read_text()
    for damaged in (written.replace(SAME.id, BROKEN.id), written[:-20], "{", "[]", "\0"):
        path.write_text(damaged)
        with pytest.raises(UserError, match="found one that its hash does not fit"):
            freeze(tmp_path, lambda: [], SEEDS)


def test_a_gain_that_validation_does_not_show_leaves_the_test_split_closed(
    confirmed: Path, tmp_path: Path
) -> None:
    run = create_run(tmp_path)
    write_run_info(run, {}, {})
    (run / "confirmation").symlink_to(confirmed / "confirmation")
    larger = replace(SAME, params=SEED.params)
    found = conclude(run, [vars(SEED), vars(larger)], SEEDS)
    assert found["programs"][0]["screen"] == "no gain on validation"
    assert looks(run) == []


def test_the_plan_says_what_can_be_shown_and_opens_nothing(confirmed: Path) -> None:
    text = plan_text(confirmed)
    assert "any number" in text
    assert "unknown" not in text  # the confirmation's own trainings tell how training varies
    assert len(looks(confirmed)) == 1


def test_fresh_seeds_are_none_of_the_searchs() -> None:
    seeds = {fresh_seed(seed, repeat) for seed in range(3) for repeat in range(5)}
    assert len(seeds) == 15
    assert seeds.isdisjoint(range(100))


def test_a_notebook_shows_gains_and_answers(confirmed: Path) -> None:
    found = json.loads((confirmed / "confirmation.json").read_text())
    view = ConfirmationView(found, (confirmed / "confirmation.svg").read_text())
    answers = list(found["programs"][0]["test"]["mean"]["answers"])
    assert [row.get("question") for row in view.rows] == [*answers, None]
    assert view.rows[-1]["screen"] == "a training failed"
    assert view.frame()["test_gain"].dropna().eq(0).all()
    assert [trace.name for trace in view.figure().data] == answers
    assert "<svg" in view._repr_html_()
