"""Figures for a paper, drawn from the page."""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.inspected import hostile_run
from tests.support.walks import finished

chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not there")


def figures(folder: Path, kind: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("openevolve")), "report", str(folder), "--figures", kind]
    return subprocess.run(command, capture_output=True, text=True, env=environment or None, check=False)


@chromium
def test_each_drawing_stands_alone(tmp_path: Path) -> None:
    for run in (finished(tmp_path / "walk"), hostile_run(tmp_path / "hostile")):
        done = figures(run, "svg")
        assert (done.returncode, done.stderr) == (0, "")
        paths = [Path(line) for line in done.stdout.splitlines()]
        assert {path.stem for path in paths} >= {"progress", "front", "tree", "archive"}
        for path in paths:
            assert path.parent == run / "figures"
            root = ET.parse(path).getroot()
            assert float(root.attrib["width"]) > 100
            names = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert names <= {"svg", "g", "path", "line", "circle", "rect", "text", "tspan"}
            for element in root.iter():
                assert not {"class", "style", "onclick"} & set(element.attrib)
                assert "var(" not in str(element.attrib)


@chromium
def test_as_pictures(tmp_path: Path) -> None:
    run = finished(tmp_path, "max_iterations=5")
    done = figures(run, "png")
    assert done.returncode == 0
    content = (run / "figures/progress.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") > 1500  # pixels across


def test_without_a_browser_it_says_what_to_do(tmp_path: Path) -> None:
    done = figures(hostile_run(tmp_path), "svg", PATH="/nowhere", HOME=str(tmp_path))
    assert done.returncode == 2
    assert "expected one of chromium, chromium-browser" in done.stderr
    assert "apt-get install chromium" in done.stderr
