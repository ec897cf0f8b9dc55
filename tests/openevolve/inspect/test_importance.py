"""What went with better programs."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page
from scipy import stats

from openevolve.inspect.comparing import compare
from openevolve.inspect.importance import importance, spearman
from openevolve.inspect.reading import Run, read_run
from openevolve.inspect.report import write_report
from openevolve.records.program import Program
from tests.support.inspected import Writer

NUMBERS = st.lists(st.tuples(st.integers(-5, 5), st.floats(-1, 1)), min_size=3, max_size=40)


@given(NUMBERS)
def test_spearman_is_scipys(pairs: list[tuple[int, float]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)
    else:
        assert spearman(first, second) == 0.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty programs: widening helps, a mere change of names does not, and depth goes with fitness."""
    folder, rng = tmp_path_factory.mktemp("importance"), random.Random(1)
    write = Writer(folder, "database.fitness_metric=mean_auc")
    write.begin("X = 1.0\n")
    for number in range(41):
        helps = number % 2 == 0
        parents = ("0-program",) if number else ()
        name = "initial" if not number else f"offline/{'widen+rename' if helps else 'rename'}"
        if number:
            write.selected(number, "0-program")
        program = Program(f"{number}-program", f"X = {number}.0\n", number, 0, parents, 1, f"change {number}")
        write.proposed(program, name)
        one, two = (0.7 + 0.1 * helps + rng.gauss(0, 0.02) for _ in range(2))
        mean = (one + two) / 2
        metrics = {"mean_auc": mean, "one_auc": one, "two_auc": two, "mean_auc_se": 0.02, "depth": mean * 10,
                   "size": rng.random()}  # fmt: skip
        write.scored(program, metrics, {})
    write.journal.close()
    return read_run(str(folder))


def test_what_helps_stands_out_with_its_error(run: Run) -> None:
    found = importance(run)
    [widen] = found["operators"]  # without "rename" there is nobody to compare with
    assert (widen["name"], widen["n"]) == ("widen", 20)
    assert widen["effect"] == pytest.approx(0.1, abs=4 * widen["error"])
    assert widen["error"] < 0.01
    metrics = {entry["name"]: entry["effect"] for entry in found["metrics"]}
    assert metrics["depth"] == pytest.approx(1.0)
    assert abs(metrics["size"]) < 0.5
    assert "mean_auc" not in metrics
    assert "mean_auc_se" not in metrics


def test_the_page_draws_them_and_compares_any_two(page: Page, run: Run, tmp_path: Path) -> None:
    page.goto(write_report(run, tmp_path / "report.html").as_uri())
    page.wait_for_selector("body.ready")
    assert page.locator("#importance .effect").count() == 1
    assert page.locator("#parallel .strand").count() == 41
    page.goto(page.url + "#4")
    page.reload()
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("Iteration", exact=True).fill("3")
    answer = compare(run, "4", "3")
    text = page.locator("#view").inner_text()
    assert f"± {answer['error']:.4f}" in text
    assert f"p = {answer['p_value']:.2g}".replace("e-0", "e-") in text.replace("e-0", "e-")
    assert f"p = {answer['paired']['p_value']:.2f} (n = 2" in text
    page.get_by_label("Iteration", exact=True).fill("999")
    assert "No program of that number." in page.locator("#view").inner_text()


def test_too_few_say_nothing(tmp_path: Path) -> None:
    write = Writer(tmp_path)
    write.begin("X = 1.0\n")
    write.journal.close()
    assert importance(read_run(str(tmp_path))) == {"operators": [], "metrics": []}
