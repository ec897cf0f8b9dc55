"""The figures of a report as files for a paper: drawn by Chromium from the page itself, offline.

Needs the extra ``figures`` (playwright's Python package) and a Chromium on the PATH.
"""

import shutil
import tempfile
from pathlib import Path

from openevolve.errors import UserError
from openevolve.inspect.clean import clean
from openevolve.inspect.reading import Run
from openevolve.inspect.report import report

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SCALE = 3  # pixels of a PNG for one of the page's
# The page's drawings in their own file: what its style sheet says of them goes into each element.
_STANDALONE = """(drawing) => {
    const names = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
        "stroke-linecap", "font-family", "font-size", "font-weight", "opacity"];
    const copy = drawing.cloneNode(true);
    const from = [drawing, ...drawing.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
    from.forEach((element, i) => {
        const style = getComputedStyle(element);
        for (const name of names) to[i].setAttribute(name, style.getPropertyValue(name));
        for (const name of ["class", "tabindex", "role", "data-iteration"]) to[i].removeAttribute(name);
    });
    const box = drawing.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    return new XMLSerializer().serializeToString(copy);
}"""


def write_figures(run: Run, kind: str, folder: Path | None = None) -> list[Path]:
    """A file for each drawing of the page, named by its section, in ``figures/`` of the run's folder.

    ``kind``: ``svg`` or ``png``; on white, whatever the machine's theme. Raises UserError.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise UserError(
            f"--figures: expected the extra figures, found: {error}; "
            "install it: pip install 'openevolve-medevonet[figures]'"
        ) from None
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise UserError(
            f"--figures: expected one of {', '.join(_PROGRAMS)} on the PATH, found none; "
            "install it (Debian: apt-get install chromium)"
        )
    target = folder or run.folder / "figures"
    written = []
    with tempfile.TemporaryDirectory() as scratch:
        page_file = Path(scratch) / "report.html"
        page_file.write_text(report(run), encoding="utf-8")
        try:
            target.mkdir(parents=True, exist_ok=True)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                context = browser.new_context(
                    viewport={"width": 1440, "height": 900}, device_scale_factor=_SCALE, offline=True,
                    color_scheme="light", bypass_csp=True,
                )  # fmt: skip
                page = context.new_page()
                page.goto(page_file.as_uri())
                page.wait_for_selector("body.ready")
                for section in page.locator("#content .block:has(svg)").all():
                    drawing = section.locator("svg").first
                    path = target / f"{section.get_attribute('id')}.{kind}"
                    if kind == "svg":
                        path.write_text(clean(drawing.evaluate(_STANDALONE)) + "\n", encoding="utf-8")
                    else:
                        drawing.screenshot(path=path)
                    written.append(path)
                browser.close()
        except (Error, OSError) as error:
            raise UserError(f"{target}: expected figures, found: {error}") from None
    if not written:
        raise UserError(f"{run.folder}: expected a run with something to draw, found none yet")
    return written
