"""What is found afresh stands before what a search claimed, wherever the best of many is told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from openevolve.inspect import questions, single, tables, texts
from openevolve.inspect.afresh import confirmation_of, final_of
from openevolve.inspect.description import describe, verdict
from openevolve.inspect.facts import facts
from openevolve.inspect.markdown import markdown
from openevolve.inspect.reading import Run, read_run
from openevolve.inspect.report import write_report
from openevolve.search.final import scores_of_best
from tests.support.finals import start
from tests.support.inspected import Writer
from tests.support.walks import wait_for_events


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("held")
    with start(folder) as process:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    return read_run(str(folder / "out"))


def test_the_winner_comes_first_with_the_scores_that_best_has(held: Run) -> None:
    info = json.loads((held.folder / "best/best_program_info.json").read_text())
    assert info["scores"] == scores_of_best(held.state)
    first = questions.leaderboard(held)[0]
    assert first["id"] == info["id"] == questions.status(held)["best"]["id"] == questions.best_id(held)
    assert first["final"] == {
        "score": info["scores"]["final"],
        "error": info["scores"]["final_standard_error"],
        "measurements": info["scores"]["final_measurements"],
        "claimed": info["scores"]["claimed"],
        "estimated": info["scores"]["estimated"],
        "won": True,
    }
    assert [row["final"]["won"] for row in facts(held) if row["final"]].count(True) == 1
    assert single.show(held, first["id"])["final"] == first["final"]


def test_every_text_that_names_the_best_says_what_was_found_afresh(held: Run) -> None:
    best = questions.leaderboard(held)[0]
    score = f"{best['final']['score']:.4f} ± {best['final']['error']:.4f}"
    shown = texts.program(single.show(held, best["id"]))
    for text in (tables.status(questions.status(held)), tables.ranking([best]), shown, markdown(held)):
        assert score in text
    assert f"the search claimed {best['fitness']:.4f}" in shown
    over = final_of(held.state)
    assert over is not None
    assert over["over"]
    assert f"over, after {len(held.state.looks)} fresh measurements" in tables.status(questions.status(held))


def test_a_gain_is_that_of_fresh_measurements(held: Run) -> None:
    ranked = questions.ranked(facts(held))
    found = verdict(ranked)
    first = next(row for row in ranked if row["iteration"] == 0)
    assert found is not None
    assert found["afresh_gain"] == pytest.approx(ranked[0]["final"]["score"] - first["fitness"])
    assert found["gain"] == pytest.approx(ranked[0]["fitness"] - first["fitness"])


def test_a_final_that_was_killed_is_told_as_far_as_it_went(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        wait_for_events(tmp_path / "out/journal.jsonl", "looked", 2)
        process.kill()
    run = read_run(str(tmp_path / "out"))
    answer = questions.status(run)
    assert not answer["final"]["over"]
    assert answer["final"]["lacking"] > 0
    assert "lacking in this round" in tables.status(answer)
    assert not any(row["final"]["won"] for row in facts(run) if row["final"])
    assert "afresh_gain" not in (verdict(questions.ranked(facts(run))) or {})


def test_the_page_tells_the_final(page: Page, held: Run) -> None:
    page.goto(write_report(held).as_uri())
    page.wait_for_selector("body.ready")
    best = questions.leaderboard(held)[0]
    heading = page.locator("h1").inner_text()
    assert f"{best['final']['score']:.4f}" in heading
    assert "measured afresh" in heading
    assert page.locator("#final circle.record").count() == sum(bool(row["final"]) for row in facts(held))
    page.locator("#final [data-iteration]").first.click()
    assert f"iteration {best['iteration']}" in page.locator("#panel .which").inner_text()
    assert "it won the final" in page.locator("#panel").inner_text()


CONFIRMATION: dict[str, Any] = {
    "split": "test", "trainings": 5, "margin": 0.01, "looks_at_test_split": 1, "seed": {"id": "seed"},
    "programs": [
        {"id": "ID", "params": 10, "claimed": 0.9, "estimate": 0.88, "claimed_gain": 0.05, "smaller": True,
         "screen": "passed", "validation": {"mean": {"difference": 0.03}}, "survived": 0.4,
         "test": {"mean": {"difference": 0.02, "answers": {
             "new patients": {"ci95": [-0.01, 0.05], "p": 0.1, "p_holm": 0.2}}}}},
        {"id": "<img src=x onerror='window.hit=1'>", "params": 10, "claimed": 0.9, "estimate": 0.88,
         "claimed_gain": 0.04, "smaller": False, "screen": "no gain on validation",
         "validation": {"mean": {"difference": -0.01}}},
    ],
    "beside": [{"name": "<b>ResNet</b>", "parameters": None, "auc": 0.91, "source": "a paper"}],
}  # fmt: skip


def test_the_page_tells_the_confirmation(page: Page, held: Run, tmp_path: Path) -> None:
    content = json.dumps(CONFIRMATION).replace("ID", questions.best_id(held))
    (held.folder / "confirmation.json").write_text(content)
    try:
        page.goto(write_report(held, tmp_path / "report.html").as_uri())
        page.wait_for_selector("body.ready")
    finally:
        (held.folder / "confirmation.json").unlink()
    text = page.locator("#confirmation").inner_text()
    assert re.search(r"new patients p = 0\.20", text)
    assert "no gain on validation" in text
    assert re.search(r"<b>ResNet</b>\s+\?\s+0\.9100\s+a paper", text)
    assert page.evaluate("window.hit") is None
    assert "only the confirmation" in page.locator("footer").inner_text()
    assert describe(held)["confirmation"] is None


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "{", '{"trainings": 1}', '{"trainings": 1, "looks_at_test_split": 1, "programs": 5}'],
)
def test_what_is_no_confirmation_is_none(tmp_path: Path, content: str) -> None:
    Writer(tmp_path).begin("X = 1.0\n")
    (tmp_path / "confirmation.json").write_text(content)
    assert confirmation_of(tmp_path) is None
    assert describe(read_run(str(tmp_path)))["confirmation"] is None
