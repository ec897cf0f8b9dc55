"""Two programs, two runs: differences, errors and p-values."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.inspect.comparing import compare, compare_runs, sign_flips
from openevolve.inspect.parts import curves, parts_of
from openevolve.inspect.reading import Run, read_run
from openevolve.records.program import Program
from tests.support import scripted
from tests.support.inspected import Writer

FITNESS = "database.fitness_metric=mean_auc"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three programs on two data sets, the last of them without a score."""
    folder = tmp_path_factory.mktemp("measured")
    write = Writer(folder, FITNESS)
    write.begin("X = 1.0\n")
    for number, (one, two) in enumerate([(0.7, 0.8), (0.8, 0.9)]):
        program = Program(f"{number}-program", f"X = {number}.0\n", number, 0, ("0-program",)[:number])
        write.proposed(program, "initial")
        mean = (one + two) / 2
        metrics = {"mean_auc": mean, "one_auc": one, "two_auc": two, "mean_auc_se": 0.03, "size": 0.1}
        write.scored(program, metrics, {})
    failed = Program("2-program", "X = 2.0\n", 2, 0, ("0-program",))
    write.proposed(failed, "offline")
    write.failed(failed, "crashed", "it crashed", "")
    write.journal.close()
    return read_run(str(folder))


def test_two_programs(measured: Run) -> None:
    answer = compare(measured, "1", "0")
    assert answer["difference"] == pytest.approx(0.1)
    assert answer["error"] == pytest.approx(0.03 * 2**0.5)
    assert answer["p_value"] == pytest.approx(0.0184, abs=1e-4)  # of |z| = 2.357
    assert [(row["part"], round(row["difference"], 9)) for row in answer["parts"]] == [
        ("one", 0.1),
        ("two", 0.1),
    ]
    assert answer["paired"] == {
        "count": 2,
        "mean": pytest.approx(0.1),
        "p_value": 0.5,
        "smallest_possible": 0.5,
    }
    assert compare(measured, "0", "1")["difference"] == -answer["difference"]
    with pytest.raises(UserError, match="2: expected a program with a score, found one that is failed"):
        compare(measured, "2", "0")


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_sign_flips_are_a_p_value_of_both_sides(differences: list[float]) -> None:
    found = sign_flips(differences)
    assert found is not None
    assert found["smallest_possible"] <= found["p_value"] <= 1
    turned = sign_flips([-value for value in differences])
    assert turned is not None
    assert turned["p_value"] == found["p_value"]


def test_sign_flips_keep_their_level() -> None:
    """Where nothing differs, p ≤ 0.1 comes in at most a tenth of all cases."""
    rng = random.Random(1)
    found = [sign_flips([rng.gauss(0, 1) for _ in range(6)]) for _ in range(2000)]
    below = sum(each["p_value"] <= 0.1 for each in found if each)
    assert 120 <= below <= 220  # 3 of 32 pairs of signs: 187.5 are expected


def test_too_few_and_too_many_parts_have_no_exact_test() -> None:
    assert sign_flips([0.1]) is None
    assert sign_flips([0.1] * 15) is None


def test_two_runs_and_the_settings_that_differ(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 2)):
        scripted.run_walk(tmp_path / name, scripted.settings("max_iterations=5", f"random_seed={seed}"))
        runs.append(read_run(str(tmp_path / name / "out")))
    answer = compare_runs(*runs)
    best = [run.state.population.best()[0].metrics["combined_score"] for run in runs]
    assert answer["difference"] == pytest.approx(best[0] - best[1])
    assert answer["settings"] == [{"name": "random_seed", "first": 1, "second": 2}]


def test_runs_of_another_fitness_are_not_compared(measured: Run, tmp_path: Path) -> None:
    scripted.run_walk(tmp_path, scripted.settings("max_iterations=2"))
    with pytest.raises(UserError, match="expected two runs with one fitness, found mean_auc and combined_"):
        compare_runs(measured, read_run(str(tmp_path / "out")))


def test_parts_are_what_a_mean_is_the_mean_of() -> None:
    names = ["mean_val_auc", "a_val_auc", "b-c_val_auc", "mean_val_auc_se", "params", "a_test_auc"]
    assert parts_of("mean_val_auc", names) == {"a_val_auc": "a", "b-c_val_auc": "b-c"}
    assert parts_of("combined_score", names) == {}


@given(st.text(alphabet="ab: .0-9\nby epoch", max_size=200))
def test_curves_of_any_text(text: str) -> None:
    for curve in curves({"training": text}):
        assert curve["values"]


def test_curves() -> None:
    text = "one: loss 0.6 to 0.2; AUC by epoch 0.8475 0.9487 0.9615; best epoch 3\ntwo: no epochs"
    assert curves({"training": text}) == [{"name": "one", "values": [0.8475, 0.9487, 0.9615]}]
