"""The report: one offline file, safe whatever programs say, read in a real browser."""

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from openevolve.errors import UserError
from openevolve.inspect import questions, single
from openevolve.inspect import report as reports
from openevolve.inspect.decisions import decisions
from openevolve.inspect.description import describe
from openevolve.inspect.reading import Run, read_run
from openevolve.inspect.report import LIMIT, leave_report, report, write_report
from openevolve.records.program import Program, Usage
from tests.support.inspected import XSS, Writer, hostile_run
from tests.support.walks import finished


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(str(finished(tmp_path_factory.mktemp("walk"))))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(str(hostile_run(tmp_path_factory.mktemp("hostile"))))


def show(page: Page, run: Run) -> None:
    page.goto(write_report(run).as_uri())
    page.wait_for_selector("body.ready")


def embedded(text: str) -> dict[str, Any]:
    found = re.search(r'id="data">([^<]*)</script>', text)
    assert found is not None
    description: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return description


def test_the_page_holds_the_run_and_nothing_from_elsewhere(walk: Run) -> None:
    text = report(walk)
    told, expected = embedded(text), describe(walk)
    assert told.pop("written") <= expected.pop("written")
    assert told == json.loads(json.dumps(expected))
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)|@import|url\(""", text)


def test_the_policy_names_the_page_own_texts_alone(walk: Run) -> None:
    text = report(walk)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    assert policy is not None
    assert style is not None
    assert script is not None
    assert "unsafe" not in policy[1]
    assert "connect-src" not in policy[1]  # and by default nothing may be asked for
    for kind, found in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]


def test_modules_share_one_scope() -> None:
    """They are joined into one: no name may be declared twice."""
    folder = Path(reports.__file__).parent / "page"
    assert {path.stem for path in folder.glob("*.js")} == set(reports.MODULES)
    names = Counter(
        name
        for path in folder.glob("*.js")
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:function|const|let) (\w+)", path.read_text(), re.M
        )
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_of_the_test_split_is_in_it(hostile: Run) -> None:
    told = json.dumps(embedded(report(hostile)))
    assert "0.987654" not in told
    assert "0.999" not in told
    assert XSS not in report(hostile)


def test_from_the_tree_to_a_diff_by_mouse(page: Page, walk: Run) -> None:
    show(page, walk)
    best = walk.state.population.best()[0].program
    page.locator(".node.top").click()
    assert page.locator("#panel .which").inner_text().endswith(best.id[:8])
    page.get_by_role("tab", name="Diff").click()
    parent = walk.state.programs[walk.state.iterations[best.parent_ids[0]]]
    assert page.locator(".diff .less").all_inner_texts() == [parent.code.strip()]
    assert page.locator(".diff .more").all_inner_texts() == [best.code.strip()]
    page.get_by_role("tab", name="Code").click()
    assert page.locator("#view pre").inner_text().strip() == best.code.strip()
    page.get_by_role("tab", name="Overview").click()
    page.locator(".family .link").first.click()
    assert page.locator("#panel .which").inner_text().endswith(parent.id[:8])


def test_the_keyboard_alone(page: Page, walk: Run) -> None:
    show(page, walk)
    page.locator(".tree [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    first_child = page.evaluate("document.activeElement.dataset.iteration")
    assert walk.state.programs[int(first_child)].parent_ids[0] == walk.state.programs[0].id
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    assert page.evaluate("location.hash") == f"#{first_child}"
    page.get_by_role("tab", name="Overview").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "Diff"
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()
    assert page.evaluate("document.activeElement.dataset.iteration") == first_child


def test_a_link_leads_to_a_program(page: Page, walk: Run) -> None:
    page.goto(f"{write_report(walk).as_uri()}#3")
    page.wait_for_selector("#panel:not([hidden])")
    assert "iteration 3" in page.locator("#panel .which").inner_text()


def test_searching_and_sorting(page: Page, walk: Run) -> None:
    show(page, walk)
    best = walk.state.population.best()[0].program
    page.get_by_role("searchbox").fill(best.code.strip())
    assert str(best.iteration) in page.locator(".board tbody tr td:nth-child(2)").all_inner_texts()
    page.get_by_role("searchbox").fill("no such program")
    assert page.locator(".board tbody tr").count() == 0
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="iteration", exact=True).click()
    shown = [int(text) for text in page.locator(".board tbody tr td:nth-child(2)").all_inner_texts()]
    assert shown == sorted(shown)


def test_what_was_not_measured_is_not_what_failed(page: Page, tmp_path: Path) -> None:
    write = Writer(tmp_path, "database.fitness_metric=mean_auc")
    write.begin("X = 1.0\n")
    metrics = {"mean_auc": 0.75, "one_auc": 0.7, "two_auc": 0.8, "size": 0.1}
    programs = [Program(f"{n}-program", f"X = {n}.0\n", n, 0, ("0-program",)[:n]) for n in range(3)]
    write.proposed(programs[0], "initial")
    write("measuring", iteration=0, program_id="0-program")
    write.scored(programs[0], metrics, {"training": "one: loss; AUC by epoch 0.5 0.7 0.6; best epoch 2"})
    write.proposed(programs[1], "offline")
    write.stopped(programs[1], 1, {"mean_auc": 0.6, "one_auc": 0.6, "size": 0.1})
    write.proposed(programs[2], "offline")
    write.failed(programs[2], "crashed", "it crashed", "")
    write.journal.close()
    show(page, read_run(str(tmp_path)))
    rows = {
        row.get_attribute("data-iteration"): [
            (cell.get_attribute("class") or "", cell.inner_text()) for cell in row.locator("td").all()[1:]
        ]
        for row in page.locator(".heat tbody tr").all()
    }
    assert rows["0"] == [("s6", "0.7000"), ("s6", "0.8000")]
    assert rows["1"] == [("lower", "0.6000"), ("unmeasured", "")]
    assert rows["2"] == [("crossed", "\N{MULTIPLICATION SIGN}")] * 2
    assert page.locator(".endings .ended").count() == 3
    assert page.locator("#timeline .span").count() == 1
    page.locator(".heat tbody tr").first.press("Enter")
    assert page.locator(".curves figcaption").inner_text().split("\n") == ["one", "0.7000 at epoch 2 of 3"]


def test_decisions_can_be_told_by_kind(page: Page, walk: Run) -> None:
    show(page, walk)
    buttons = page.get_by_role("group", name="Decisions")
    buttons.get_by_role("button", name="kept").click()
    assert set(page.locator(".decided .verdict").all_inner_texts()) == {"kept"}
    latest = int(page.locator(".decided tr").first.get_attribute("data-iteration") or "")
    why = decisions(walk, str(latest))[-1]
    assert (why["kind"], page.locator(".decided .why").first.inner_text()) == ("kept", why["why"])


def test_hostile_texts_are_shown_and_do_nothing(page: Page, hostile: Run) -> None:
    show(page, hostile)
    for iteration in hostile.state.programs:
        page.locator(f'.node[data-iteration="{iteration}"]').dispatch_event("click")
        for tab in page.get_by_role("tab").all():
            tab.click()
            assert XSS in page.locator("#panel").inner_text()
    assert page.evaluate("window.hit") is None
    assert page.locator("#content img, #panel img, #content script, #panel script").count() == 0


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(
    browser: Browser, walk: Run, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    show(page, walk)
    page.locator(".board tbody tr").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".view").evaluate("view => view.scrollWidth <= view.clientWidth")
    page.close()


def test_a_run_without_a_score(page: Page, tmp_path: Path) -> None:
    write = Writer(tmp_path)
    write.begin("X = 1.0\n")
    write.proposed(Program("first", "X = 1.0\n", 0, 0), "initial")
    write("measuring", iteration=0, program_id="first")
    write.journal.close()
    show(page, read_run(str(tmp_path)))
    assert page.locator("h1").inner_text() == "No program has a score yet"
    assert page.locator(".node.measuring").count() == 1


def test_a_large_run_stays_below_the_limit_and_says_what_it_left_out(tmp_path: Path) -> None:
    """Conversations that no compression makes small: 300 replies of 60 KB of random letters."""
    large = tmp_path / "large"
    _talkative(large, replies=300)
    text = report(read_run(str(large)))
    assert len(text) <= LIMIT
    told = embedded(text)
    assert len(told["programs"]) == 301
    replies = [entry for entry in told["texts"] if len(entry) > 1000]
    assert len(replies) == 300
    assert all("[... 60000 bytes in all ...]" in reply for reply in replies)


def test_texts_of_the_best_and_their_ancestors_alone(page: Page, walk: Run) -> None:
    told = describe(walk, best=2, conversations=False)
    assert "the best 2 programs and their ancestors" in told["left_out"]
    with_code = {row["iteration"] for row in told["programs"] if row["details"]["code"]}
    wanted = {
        step["iteration"]
        for row in questions.leaderboard(walk, top=2)
        for step in single.lineage(walk, row["id"])
    }
    assert with_code == wanted
    (walk.folder / "small.html").write_text(reports.assembled(told))
    page.goto((walk.folder / "small.html").as_uri())
    page.wait_for_selector("body.ready")
    page.locator(".node.top").click()
    assert page.get_by_role("tab").all_inner_texts()[:3] == ["Overview", "Diff", "Code"]
    other = next(row["iteration"] for row in told["programs"] if row["iteration"] not in wanted)
    page.locator(f'.node[data-iteration="{other}"]').dispatch_event("click")
    expect(page.locator("#panel .which")).to_contain_text(f"iteration {other} ")
    assert set(page.get_by_role("tab").all_inner_texts()) <= {"Overview", "Compare"}


def _talkative(folder: Path, replies: int) -> None:
    write = Writer(folder)
    write.begin("X = 1.0\n")
    parent = Program("first", "X = 1.0\n", 0, 0)
    write.proposed(parent, "initial")
    write.scored(parent, {"combined_score": 0.5, "size": 0.1}, {})
    for number in range(1, replies + 1):
        write.selected(number, "first")
        seed = hashlib.shake_256(str(number).encode()).hexdigest(30_000)
        write("replied", iteration=number, purpose="proposal", text=seed, model="m", problem="",
              messages=[], attempts=[], usage=Usage(1, 1).__dict__)  # fmt: skip
        child = Program(f"child-{number}", f"X = {number}.0\n", number, 0, ("first",), 1, "")
        write.proposed(child, "llm/full", "m")
        write.scored(child, {"combined_score": 0.5 + number / 1e4, "size": 0.1}, {})
    write.journal.close()


def test_a_report_that_fails_fails_no_run(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    assert leave_report(tmp_path) == f"report: {tmp_path / 'report.html'}"
    (tmp_path / "run_info.json").write_text("{")
    (tmp_path / "journal.jsonl").write_text("nothing\n")
    assert leave_report(tmp_path).startswith("report: none: ")


def test_a_folder_that_takes_no_file(walk: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected room for a report, found: No such file or directory"):
        write_report(walk, tmp_path / "missing" / "report.html")
