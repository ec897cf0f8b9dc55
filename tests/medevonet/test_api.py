"""MedEvoNet from Python: the notebook of docs/ in a real kernel, threads, event loops and hostile texts."""

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import medevonet
from medevonet import confirm, evaluate, evaluate_async, open_run
from openevolve.engine.threads import without_loop
from openevolve.errors import UserError
from openevolve.inspect.views import html_table
from tests import PROJECT
from tests.support import programs
from tests.support.tiny_task import write_datasets


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The notebook, run in a folder of its own, and its cells of code."""
    folder = tmp_path_factory.mktemp("notebook")
    book = nbformat.read(PROJECT / "docs/notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    kernel = {"metadata": {"path": str(folder)}}
    patch = pytest.MonkeyPatch()
    patch.setenv("MEDEVONET_CACHE", str(folder / "cache"))
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    try:
        NotebookClient(book, timeout=240, resources=kernel).execute()
    finally:
        patch.undo()
    return folder, [cell for cell in book.cells if cell.cell_type == "code"]


def shown(cell: Any, mime: str) -> str:
    """What a cell's value shows itself as."""
    (value,) = [output for output in cell.outputs if output.output_type == "execute_result"]
    return str(value.data[mime])


def test_the_notebook_shows_what_it_says(read: tuple[Path, list[Any]]) -> None:
    _, cells = read
    by_source = {cell.source.splitlines()[-1]: cell for cell in cells}
    assert "3 of 3 iterations" in shown(by_source["run"], "text/html")
    assert "<table>" in shown(by_source["run"], "text/html")
    assert "fitness" in shown(cells[2], "text/html")
    assert shown(by_source['open_run().status["standing"]'], "text/plain") == "'completed'"
    assert "mean validation AUC" in shown(by_source["score"], "text/html")
    assert "test" not in shown(by_source["score"], "text/html")
    assert any("[3/3]" in output.get("text", "") for output in by_source["run"].outputs)  # progress


def test_a_run_has_a_frame_and_a_figure(read: tuple[Path, list[Any]]) -> None:
    run = open_run(read[0] / "runs/mnist/latest")
    frame = run.frame()
    assert list(frame["iteration"]) == [0, 1, 2, 3]
    assert frame["metrics.mean_val_auc"].max() == max(row["fitness"] or 0 for row in run.programs)
    scored = [row for row in run.programs if row["status"] == "scored"]
    alike = [row["fitness"] for row in scored if row["estimate"] == run.best["estimate"]]
    assert run.best["fitness"] == max(alike)
    points, line = run.figure().data
    assert list(line.y) == sorted(line.y)
    assert len(points.x) == len(line.x) == sum(row["status"] == "scored" for row in run.programs)
    assert not [name for name in frame.columns if "test" in name]
    assert "def create_model" in run.code(0)
    assert run.refresh().standing == "completed"


def test_a_notebook_counts_no_look_it_did_not_take(read: tuple[Path, list[Any]]) -> None:
    assert not (read[0] / "runs/artifacts/looks.json").exists()
    info = json.loads((read[0] / "runs/mnist/latest/run_info.json").read_text())
    assert not info.get("looks_at_test_split")


def settings(folder: Path) -> list[str]:
    datasets = [dataset.model_dump(mode="json") for dataset in write_datasets(folder)[:1]]
    return [
        f"task.datasets={json.dumps(datasets)}", "task.size=16", "task.batch_size=32", "task.epochs=1",
        "task.device=cpu", "task.threads=1", "task.precision=fp32", "task.bootstrap_replicates=100",
        "evaluator.isolation=process",
    ]  # fmt: skip


def test_a_program_is_scored_in_a_thread_under_a_loop_and_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDEVONET_CACHE", str(tmp_path / "cache"))
    given = settings(tmp_path)
    found: list[float] = []
    thread = threading.Thread(
        target=lambda: found.append(evaluate(programs.SOUND, settings=given, progress=False).mean_val_auc)
    )
    thread.start()
    thread.join()

    async def under_a_loop() -> tuple[float, float]:
        here = evaluate(programs.SOUND, settings=given, progress=False)
        there = await evaluate_async(programs.SOUND, settings=given, progress=False, test=True)
        assert "test_auc" in there.rows[0]
        assert "test_auc" not in here.rows[0]
        assert [trace.name for trace in there.figure().data] == ["val", "test"]
        return here.mean_val_auc, there.mean_val_auc

    assert asyncio.run(under_a_loop()) == (found[0], found[0])
    looks = json.loads((tmp_path / "runs/artifacts/looks.json").read_text())["looks_at_test_split"]
    assert [look["by"] for look in looks] == ["medevonet.evaluate"]


def test_an_interrupt_asks_the_work_to_end_and_waits_for_it() -> None:
    ended = threading.Event()
    asked: list[str] = []

    def work() -> str:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), 2)).start()  # Ctrl-C
        assert ended.wait(30)
        return "done"

    def interrupted() -> None:
        asked.append("stop")
        ended.set()

    async def under_a_loop() -> str:
        return without_loop(work, interrupted)

    # The loop's own handler of SIGINT would cancel the task: a notebook's kernel has Python's.
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(under_a_loop()) == "done"
    finally:
        loop.close()
    assert asked == ["stop"]


def test_texts_of_programs_are_no_markup() -> None:
    text = html_table("<b>", ("<i>",), [("<script>alert(1)</script>\x1b[31m",)])
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_run_that_is_none_is_not_confirmed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a run directory"):
        confirm(tmp_path / "none")


def test_without_pandas_a_frame_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from openevolve.inspect.views import frame_of, graphics

    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(UserError, match=r"install medevonet\[notebook\]"):
        frame_of([])
    with pytest.raises(UserError, match=r"install medevonet\[notebook\]"):
        graphics()


def test_the_names_are_there_and_no_others() -> None:
    assert all(callable(getattr(medevonet, name)) for name in medevonet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'find'"):
        medevonet.find  # noqa: B018
