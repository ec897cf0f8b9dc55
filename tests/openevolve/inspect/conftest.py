"""A real browser; where there is none, tests that need it are skipped with the reason."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Debian's chromium not found: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, *, offline: bool) -> Iterator[Page]:
    """Any error of the page's script, and anything that its policy blocks, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=offline)
    page, problems = context.new_page(), list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched(browser, offline=True) as page:
        yield page


@pytest.fixture
def online(browser: Browser) -> Iterator[Page]:
    with watched(browser, offline=False) as page:
        yield page
