"""The package of examples/plugin: built as a wheel, installed, found by its entry points, held to contracts.

It is unpacked as an installer does, ``.dist-info`` included, into a folder on the path.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medevonet.data.dataset import load_dataset
from medevonet.mutation.reader import find_networks
from openevolve.errors import UserError
from openevolve.inspect.markdown import markdown
from openevolve.inspect.reading import read_run
from openevolve.inspect.report import report
from openevolve.proposing.offline import Source
from openevolve.settings.files import load_config
from openevolve.settings.registry import find, names
from openevolve.testing.executors import ExecutorContract
from openevolve.testing.parents import ParentStrategyContract
from openevolve.testing.populations import PopulationContract
from openevolve.testing.proposers import ProposerContract
from tests import PROJECT
from tests.support.commands import events

KINDS = {
    "proposer": "one-number", "parents": "ranked", "gate": "novel-lines",
    "population": "one-cell", "executor": "tallied",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PROJECT / "examples/plugin", folder / "source")
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=folder / "source", check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "site")
        yield folder / "site"
    for name in [name for name in sys.modules if name.startswith("evolution_extras")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def finished(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run under the package's preset, in a process of its own."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("initial_program.py", "evaluator.py"):
        shutil.copy(PROJECT / "examples/bin_packing" / name, folder)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("openevolve-run"), "initial_program.py", "evaluator.py",
            "-i", "8", "--set", "search.preset=extras", "--set", "evaluator.parallel_evaluations=4",
        ],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "openevolve_output"


def test_it_is_installed() -> None:
    assert version("evolution-extras") == "0.1.0"


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_every_strategy_is_found_by_its_name(kind: str, name: str) -> None:
    assert name in names(kind)
    assert find(kind, name).__module__.startswith("evolution_extras.")


def test_a_run_follows_all_of_them(finished: Path) -> None:
    found = events(finished)
    proposed = [event for event in found if event["event"] == "proposed"]
    assert len(proposed) == 9
    (log,) = finished.glob("logs/*.log")
    assert re.search(r"evaluations: \{.*'scored': \d", log.read_text())
    state = read_run(str(finished)).state
    assert type(state.population).__name__ == "OneCell"
    assert len(state.population.archive_cells) == 1
    assert state.config.strategies == {"ranked": {"pressure": 1.8}}


def test_a_preset_that_says_nothing_of_itself_is_refused(installed: Path, tmp_path: Path) -> None:
    file = installed / "evolution_extras/extras.yaml"
    whole = file.read_text()
    file.write_text("proposer: one-number\n")
    try:
        with pytest.raises(UserError, match=r"search.preset extras: expected settings with a line `about:`"):
            load_config(None, ["search.preset=extras"])
    finally:
        file.write_text(whole)


def test_both_reports_have_its_part(finished: Path) -> None:
    run = read_run(str(finished))
    text = markdown(run)
    assert "## Slowest programs" in text
    assert text.partition("## Slowest programs")[2].count("iteration ") == 3
    assert report(run).startswith("<!doctype html>")


def test_a_part_that_fails_does_not_fail_a_report(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import evolution_extras.reporting as reporting  # type: ignore[import-not-found]

    def fail(run: object) -> str:
        raise ArithmeticError("<half>")

    monkeypatch.setattr(reporting, "slowest", fail)
    assert r"This part failed: ArithmeticError: \<half\>" in markdown(read_run(str(finished)))


def test_its_data_set_is_had_by_its_name(tmp_path: Path) -> None:
    found = load_dataset("stripes", 28, root=tmp_path, cache=tmp_path / "cache")
    assert (found.name, found.count("train"), found.outputs, found.size) == ("stripes", 96, 2, 28)
    again = load_dataset("stripes", 28, root=tmp_path, cache=tmp_path / "cache")
    assert again.images == found.images


def test_its_operator_is_drawn_with_the_others(installed: Path) -> None:
    """In a process of its own: operators are gathered when they are first imported."""
    code = (
        "import json; from medevonet.mutation.operators import OPERATORS; "
        "print(json.dumps([o.name for o in OPERATORS]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "wider-head" in json.loads(done.stdout)


def test_its_operator_widens_a_hidden_layer() -> None:
    from evolution_extras.layers import WIDER_HEAD  # type: ignore[import-not-found]

    code = (PROJECT / "seed_program.py").read_text().replace("* 7, 256)", "* 7, 64)")
    source = Source.parse(code.replace("nn.Linear(256, num", "nn.Linear(64, num"), 20_000)
    (located,) = find_networks(source)
    edit = WIDER_HEAD.apply(located.network, Random(0))
    assert edit.note == "hidden layer: 64 → 256"


class TestProposer(ProposerContract):
    parent = (PROJECT / "examples/bin_packing/initial_program.py").read_text()

    @pytest.fixture(autouse=True)
    def _found(self) -> None:
        type(self).strategy = find("proposer", "one-number")


class TestParents(ParentStrategyContract):
    @pytest.fixture(autouse=True)
    def _found(self) -> None:
        type(self).strategy = find("parents", "ranked")


class TestPopulation(PopulationContract):
    @pytest.fixture(autouse=True)
    def _found(self) -> None:
        type(self).population = find("population", "one-cell")


class TestExecutor(ExecutorContract):
    def start(self, config: Any, evaluator: Path) -> Any:
        return find("executor", "tallied")(config, evaluator)
