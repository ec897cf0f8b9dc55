"""All runs of a folder in the browser: who may ask, what is answered, and pages that follow a run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from openevolve.inspect import questions
from openevolve.inspect.facts import facts
from openevolve.inspect.reading import read_run
from openevolve.inspect.server.guard import is_loopback
from tests.support.inspected import XSS, hostile_run
from tests.support.serving import served
from tests.support.walks import finished, start, wait_for_events

BAD_NAME = "<img src=x onerror=window.hit=1>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, a hostile one of a hostile name, one that is none, and one deeper than is looked."""
    folder = tmp_path_factory.mktemp("runs")
    done = finished(folder / "walks/first", "max_iterations=8")
    (done / "journal.jsonl").rename(folder / "walks/first/journal.jsonl")
    hostile_run(folder / "walks" / BAD_NAME)
    (folder / "walks/broken").mkdir()
    (folder / "walks/broken/journal.jsonl").write_text("nothing\n")
    hostile_run(folder / "a/b/deep")
    hostile_run(folder.parent / f"{folder.name}-elsewhere")
    return folder


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with served(runs) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, trust_env=False) as client:
        yield client


def answer(client: httpx.Client, path: str, **query: Any) -> Any:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    assert response.content.isascii()
    return response.json()


def test_answers_are_those_of_the_command_line(client: httpx.Client, runs: Path) -> None:
    run = read_run(str(runs / "walks/first"))
    assert answer(client, "/leaderboard", run="walks~first", top=3) == questions.leaderboard(run, top=3)
    assert answer(client, "/pareto", run="walks~first") == questions.pareto(run)
    assert answer(client, "/runs/walks~first") == questions.status(run)
    assert answer(client, "/queue", run="walks~first") == []
    assert answer(client, "/search", run="walks~f", text="X") == questions.search(run, "X")
    best = questions.ranked(facts(run))[0]
    assert answer(client, "/runs/walks~first/lineage")[-1]["id"] == best["id"]
    compared = answer(client, "/runs/walks~first/compare/walks~first")
    assert (compared["difference"], compared["settings"]) == (0.0, [])


def test_runs_that_cannot_be_read_are_listed_with_the_reason(client: httpx.Client) -> None:
    found = {run["name"]: run for run in answer(client, "/runs")}
    assert set(found) == {"walks~first", f"walks~{BAD_NAME}", "walks~broken"}
    assert "line 1: expected an event whose checksum holds" in found["walks~broken"]["problem"]
    assert client.get("/live/..%2F..%2Fetc").status_code == 404
    for path in ("/live/nothing", "/view/nothing", "/live/..~..", "/live/walks", "/live/walks~broken"):
        response = client.get(path)
        assert response.status_code == 404
        assert "expected" in response.json()["error"]


def test_nothing_of_the_test_split_is_told(client: httpx.Client) -> None:
    name = f"walks~{BAD_NAME}"
    told = [answer(client, f"/live/{name}"), answer(client, f"/live/{name}/program/3")]
    told += [answer(client, "/leaderboard", run=name), answer(client, "/runs/" + name)]
    assert XSS in json.dumps(told, ensure_ascii=False).replace("\\", "")
    assert "0.987654" not in json.dumps(told)


def test_the_api_describes_itself(client: httpx.Client) -> None:
    paths = set(answer(client, "/openapi.json")["paths"])
    wanted = {"/leaderboard", "/pareto", "/queue", "/runs/{name}", "/runs/{name}/lineage", "/search"}
    assert wanted | {"/runs/register"} <= paths


def test_what_cannot_be_asked_of_a_run(client: httpx.Client) -> None:
    path = "/runs/walks~first/ask"
    for wanted, status in (({"what": "pause"}, 404), ({"what": "explode"}, 422), ({"what": "limit"}, 404)):
        refused = client.post(path, json=wanted)
        assert refused.status_code == status
        assert "expected" in refused.text
    form = client.post(path, content='{"what": "stop"}', headers={"content-type": "text/plain"})
    assert form.status_code == 422  # what a form of another site could send


def test_a_run_is_registered_below_the_folder_alone(client: httpx.Client, runs: Path) -> None:
    made = client.post("/runs/register", json={"path": "a/b/deep"})
    assert (made.status_code, made.json()) == (201, {"name": "a~b~deep"})
    assert answer(client, "/runs/a~b~deep")["scored"] == 4
    for path in (f"../{runs.name}-elsewhere", str(runs.parent), "/etc", "walks/nothing"):
        refused = client.post("/runs/register", json={"path": path})
        assert refused.status_code == 404
        assert "expected" in refused.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:{port}"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1@evil.example:{port}"},
        {"host": "127.0.0.1:{port}.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:{port}"},  # another name than that of Host: another origin
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_other_names_and_origins_are_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=client.base_url.port) for name, value in headers.items()}
    for response in (client.get("/runs", headers=sent), client.post("/runs/register", headers=sent)):
        assert response.status_code == 403
        assert response.text.startswith("expected ")
        assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_its_own_pages_and_links_to_it_are_served(client: httpx.Client) -> None:
    port = client.base_url.port
    for headers in (
        {"host": f"localhost:{port}"},
        {"host": f"[::1]:{port}"},
        {"origin": f"http://127.0.0.1:{port}"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ):
        assert client.get("/", headers=headers).status_code == 200


def test_every_answer_carries_a_policy(client: httpx.Client) -> None:
    for path in ("/", "/view/walks~first", "/runs", "/nothing", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_beyond_loopback_a_token_is_asked_for(runs: Path) -> None:
    with served(runs, "--host", "0.0.0.0") as address, httpx.Client(trust_env=False) as client:
        plain, _, token = address.replace("0.0.0.0", "127.0.0.1").partition("?token=")
        assert len(token) >= 32
        assert client.get(plain).status_code == 403
        assert client.get(plain, params={"token": token[:-1]}).status_code == 403
        assert client.get(plain + "runs", headers={"authorization": f"Bearer {token}"}).status_code == 200
        entered = client.get(plain, params={"token": token})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert "HttpOnly; SameSite=Strict" in entered.headers["set-cookie"]
        assert client.get(plain + "runs").status_code == 200  # by its cookie


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("::1", True), ("0.0.0.0", False),
     ("10.0.0.1", False), ("localhost.evil.example", False), ("", False)],
)  # fmt: skip
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def test_from_the_list_to_a_diff(online: Page, address: str, runs: Path) -> None:
    online.goto(address)
    online.get_by_role("link", name="walks~first").click()
    online.locator(".node.top").click()
    best = questions.ranked(facts(read_run(str(runs / "walks/first"))))[0]
    expect(online.locator("#panel .which")).to_contain_text(best["id"][:8])
    online.get_by_role("tab", name="Diff").click()
    expect(online.locator(".diff .more")).to_have_count(1)
    online.keyboard.press("Escape")
    online.get_by_role("searchbox").fill("x = ")  # of the code, which the page does not hold
    expect(online.locator(".board tbody tr")).to_have_count(
        questions.status(read_run(str(runs / "walks/first")))["scored"]
    )


def test_two_runs_are_compared(online: Page, address: str) -> None:
    online.goto(address)
    online.get_by_label("Compare walks~first").check()
    online.get_by_label(f"Compare walks~{BAD_NAME}").check()
    expect(online.locator(".compared thead th")).to_have_count(3)
    assert online.evaluate("window.hit") is None


def test_hostile_texts_do_nothing(online: Page, address: str) -> None:
    online.goto(address)
    online.get_by_role("link", name=BAD_NAME).click()
    online.wait_for_selector("body.ready")
    for iteration in range(6):
        online.locator(f'.node[data-iteration="{iteration}"]').dispatch_event("click")
        expect(online.locator("#panel .which")).to_contain_text(f"iteration {iteration} ")
        for tab in online.get_by_role("tab").all():
            tab.click()
            assert XSS in online.locator("#panel").inner_text()
    assert online.evaluate("window.hit") is None
    assert online.locator("#content img, #panel img, #content script, #panel script").count() == 0


def test_a_page_follows_a_run_and_keeps_what_the_reader_does(online: Page, tmp_path: Path) -> None:
    process = start(tmp_path, "max_iterations=2000")
    wait_for_events(tmp_path / "out/journal.jsonl", "committed", 4)
    with served(tmp_path) as address:
        online.goto(f"{address}view/out")
        online.get_by_role("group", name="Decisions").get_by_role("button", name="drawn").click()
        before = online.locator(".node").count()
        expect(online.locator(".node")).not_to_have_count(before, timeout=60_000)
        online.get_by_role("button", name="Pause").click()
        expect(online.locator(".state")).to_have_text("running, paused", timeout=30_000)
        online.get_by_role("button", name="Go on").click()
        expect(online.locator(".state")).to_have_text("running", timeout=30_000)
        assert (
            online.get_by_role("group", name="Decisions").locator("[aria-pressed=true]").inner_text()
            == "drawn"
        )
        process.kill()
        process.wait()
        online.reload()
        expect(online.locator(".state")).to_contain_text("cut off")
        online.goto("about:blank")  # before the server leaves


def test_without_a_folder() -> None:
    with pytest.raises(AssertionError), served(Path("/nonexistent")):
        pass
