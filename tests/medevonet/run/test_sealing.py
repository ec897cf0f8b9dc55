"""The test split of a real run, looked for by every path: no prompt, file, verb or page tells a test AUC.

A model is asked, programs are trained within walls; then all that the run left and all who can be asked
about it are searched for the AUCs that its programs have on the test split. ``compare`` knows them, counts.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from medevonet import open_run
from medevonet.run.compare_command import main as compare
from medevonet.run.looks import looks
from medevonet.statistics.artifacts import load_predictions
from medevonet.statistics.auc import auc
from openevolve.commands.inspect_run import VERBS
from openevolve.commands.inspect_run import main as openevolve
from openevolve.inspect.server.app import application
from openevolve.inspect.server.shelf import Shelf
from tests import PROJECT
from tests.support.evolution import REPLY, environment
from tests.support.llm_server import Reply, ReplyServer
from tests.support.serving import served

# What verbs and routes are asked with; one that needs more fails until it stands here.
ASKED = {
    "id": "1", "other": "0", "words": "conv", "question": "SELECT * FROM {table}", "OTHER_RUN": "{run}",
    "name": "sealed~run", "iteration": "1", "text": "conv", "program": "1",
}  # fmt: skip
WRITES = {"idea"}


@dataclass(frozen=True)
class Sealed:
    """A run, and what was said in it."""

    run: Path
    prompts: str
    output: str
    test: dict[str, float]  # AUC on the test split by program id
    val: dict[str, float]

    def told_in(self, text: str) -> list[str]:
        """Which programs' test AUCs stand in a text: rounded to four digits, or with more."""
        known = {f"{value:.4f}" for value in self.val.values()}
        found = []
        for program, value in self.test.items():
            rounded = f"{value:.4f}"
            exact = repr(value)[:9] in text
            if exact or (rounded not in known and re.search(rf"(?<![\d.]){rounded}(?!\d)", text)):
                found.append(program)
        return found


def noisy(path: Path) -> dict[str, str]:
    """Three classes that hardly differ: AUCs without round figures, none of them 1."""
    rng = np.random.default_rng(3)
    arrays: dict[str, Any] = {}
    for split, count in {"train": 96, "val": 41, "test": 47}.items():
        labels = np.arange(count) % 3
        pixels = rng.normal(100, 40, (count, 16, 16)) + 6 * labels[:, None, None]
        arrays |= {f"{split}_images": pixels.clip(0, 255).astype(np.uint8)}
        arrays |= {f"{split}_labels": labels[:, None].astype(np.uint8)}
    np.savez(path, **arrays)
    return {"name": "noisy", "path": str(path), "label_kind": "multi-class"}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    data = noisy(folder / "noisy.npz")
    dataset = json.dumps([data])
    with ReplyServer([Reply(REPLY.format(width=width)) for width in (8, 12)]) as server:
        settings = [
            f"task.datasets={dataset}", "task.size=16", "task.epochs=1", "task.threads=1",
            f"llm.api_base={server.api_base}", "llm.primary_model=m", "proposals_ahead=0",
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(PROJECT / "run_evolution.py"), "--iterations", "2", "--output", "sealed/run"]
            + [word for setting in settings for word in ("--set", setting)],
            cwd=folder, env=environment(folder / "cache", {"OPENAI_API_KEY": "sk-some"}),
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        prompts = json.dumps([request.json for request in server.requests])
    assert done.returncode == 0, done.stdout + done.stderr
    run = folder / "sealed/run"
    aucs: dict[str, dict[str, float]] = {"val": {}, "test": {}}
    for path in (run / "artifacts").glob("*.npz"):
        predictions = load_predictions(path)["noisy"]
        for split, known in aucs.items():
            cases = predictions["val" if split == "val" else "test"]
            known[path.stem] = auc(cases.probabilities, cases.labels, predictions.label_kind)
    assert len(aucs["test"]) == 3
    assert all(len(repr(value)) > 10 for value in aucs["test"].values())
    return Sealed(run, prompts, done.stdout + done.stderr, aucs["test"], aucs["val"])


def test_neither_prompts_nor_display_nor_summary_tell_it(sealed: Sealed) -> None:
    assert any(f"{value:.4f}" in sealed.prompts for value in sealed.val.values())
    assert sealed.told_in(sealed.prompts) == sealed.told_in(sealed.output) == []
    assert "test_auc" not in sealed.prompts + sealed.output


def test_no_file_of_the_run_tells_it_but_the_probabilities(sealed: Sealed) -> None:
    openevolve_report(sealed.run)
    searched = [
        path
        for path in sealed.run.rglob("*")
        if path.is_file() and path.suffix not in {".npz", ".lock", ".gz"}
    ]
    names = {path.name for path in searched}
    assert names >= {"journal.jsonl", "run_info.json", "report.html", "report.md", "best_program.py"}
    assert sum(path.parent.name == "artifacts" for path in searched) == 3
    for path in searched:
        text = path.read_bytes().decode("utf-8", "replace")
        assert sealed.told_in(text) == [], path
        assert "test_auc" not in text or path.suffix in {".html", ".py"}, path


def openevolve_report(run: Path) -> None:
    for form in ("html", "md"):
        with pytest.raises(SystemExit) as ended:
            openevolve(["report", str(run), "--format", form, "-o", str(run / f"report.{form}")])
        assert not ended.value.code


@pytest.mark.parametrize("verb", [*sorted(set(VERBS) - WRITES), "runs", "tail"])
def test_no_verb_tells_it(sealed: Sealed, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in questions(sealed.run, verb):
        with pytest.raises(SystemExit) as ended:
            openevolve(arguments)
        said = "".join(capsys.readouterr())
        assert not ended.value.code, said
        assert sealed.told_in(said) == [], arguments
        assert "test_auc" not in said


def questions(run: Path, verb: str) -> Iterator[list[str]]:
    """A verb with all that it needs, as text and as JSON; a question of SQL to every table."""
    if verb in {"runs", "tail"}:
        yield ["runs"] if verb == "runs" else ["tail", "--lines", "1000", str(run)]
        return
    needed = [
        ASKED[str(settings.get("metavar")) if str(settings.get("metavar")) in ASKED else flag]
        for flag, settings in VERBS[verb].arguments
        if not flag.startswith("-")
    ]
    for table in ("programs", "measurements", "replies"):
        words = [word.format(table=table, run=run) for word in needed]
        for form in ([], ["--json"]):
            yield [verb, *words, str(run), *form]


def test_no_page_of_the_server_tells_it(sealed: Sealed) -> None:
    shelf = Shelf(sealed.run.parent.parent)
    paths = [str(getattr(route, "path", "")) for route in application(shelf).routes if _is_read(route)]
    paths = [path for path in paths if not path.startswith(("/docs", "/redoc"))]
    assert len(paths) > 10
    with (
        served(sealed.run.parent.parent) as address,
        httpx.Client(base_url=address, trust_env=False, timeout=60) as client,
    ):
        for template in paths:
            if template.endswith("/events"):
                continue  # sizes of the journal, without an end
            query = {"run": "sealed~run", "text": "conv", "program": "1"}
            with_names = {"other": "sealed~run"} if "{other}" in template else {}
            path = template.format(**(ASKED | with_names))
            response = client.get(path, params=query)
            assert response.status_code == 200, (path, response.text)
            assert sealed.told_in(response.text) == [], path


def _is_read(route: object) -> bool:
    return "GET" in (getattr(route, "methods", None) or ())


def test_no_object_of_a_notebook_tells_it(sealed: Sealed) -> None:
    view = open_run(sealed.run)
    frame = view.frame()
    text = (
        frame.to_json()
        + repr(view)
        + view._repr_html_()
        + json.dumps(view.figure().to_plotly_json(), default=str)
    )
    assert sealed.told_in(text) == []
    assert not [name for name in frame.columns if "test" in name]


def test_who_compares_is_told_and_counted(sealed: Sealed, capsys: pytest.CaptureFixture[str]) -> None:
    """The search of the other tests finds what there is to be found."""
    assert looks(sealed.run) == []
    first, second, _ = sorted(sealed.test)
    paths = [str(sealed.run / "artifacts" / f"{program}.npz") for program in (first, second)]
    assert compare(["compare", *paths, "--split", "val"]) == 0
    assert sealed.told_in(capsys.readouterr().out) == []
    assert looks(sealed.run) == []
    assert compare(["compare", *paths]) == 0
    told = sealed.told_in(capsys.readouterr().out)
    assert told == [program for program in sealed.test if program in (first, second)]
    assert compare(["compare", *paths, "--json"]) == 0
    assert set(sealed.told_in(capsys.readouterr().out)) >= set(told)
    assert len(looks(sealed.run)) == 2
