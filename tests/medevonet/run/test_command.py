"""The entry point from end to end: real training on synthetic data, real processes, a real server."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import PROJECT
from tests.support.evolution import REPLY, SMALL, environment, journal, run, scores, values
from tests.support.llm_server import Behaviour, Reply, ReplyServer, Status


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, str]:
    """The folder and the output of a short demo."""
    folder = tmp_path_factory.mktemp("demo")
    done = run(folder, cache, "--demo", "--iterations", "3", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_run_directory_is_as_documented(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    latest = folder / "runs/mnist/latest"
    assert latest.is_symlink()
    assert re.fullmatch(r"\d{8}_\d{6}_local", latest.resolve().name)
    info = json.loads((latest / "run_info.json").read_text())
    assert info["provider"].startswith("offline")
    assert info["device"] == "cpu"
    assert info["isolation"].startswith("strict: walls around files, network")
    assert info["config"]["task"]["datasets"] == ["demo-breastmnist", "demo-dermamnist"]
    assert info["sources"]["--set"] == ["task.datasets", "task.epochs"]
    assert info["sources"]["--iterations"] == ["max_iterations"]
    assert "task.batch_size" in info["sources"]["--demo"]
    assert "task.max_lr" in info["sources"][str(PROJECT / "config.yaml")]
    evaluated = [
        e["outcome"]["program_id"]
        for e in journal(folder)
        if e["event"] == "measured" and e["outcome"]["failure"] is None
    ]
    names = {path.name for path in (latest / "artifacts").iterdir()}
    assert names >= {f"{program}{suffix}" for program in evaluated for suffix in (".json", ".npz")}
    assert (latest / "openevolve/best/best_program.py").is_file()
    assert list((latest / "openevolve/logs").glob("openevolve_*.log"))


def test_the_end_tells_seed_and_best_and_what_to_do_next(demo: tuple[Path, str]) -> None:
    folder, output = demo
    found = values(output)
    assert found["status"] == "completed"
    assert found["iterations"] == "3"
    assert float(found["best_mean_val_auc"]) >= float(found["seed_mean_val_auc"])
    assert found["seed_params"] == "1701383"
    for line in ("[0/3]", "[3/3]", "demo-dermamnist", "mean"):
        assert line in output
    best = found["evaluate"].split("train.py ")[1].split()[0]
    assert (folder / best).read_text() == (folder / found["best_program"]).read_text()
    assert "--resume" in found["resume"]


def test_the_score_in_the_journal_is_that_of_the_probabilities_in_the_artifact(
    demo: tuple[Path, str],
) -> None:
    from medmnist.evaluator import getAUC

    folder, _ = demo
    for event in journal(folder):
        if event["event"] == "measured" and event["outcome"]["failure"] is None:
            outcome = event["outcome"]
            arrays = np.load(folder / f"runs/mnist/latest/artifacts/{outcome['program_id']}.npz")
            for name, task in (("demo-breastmnist", "binary-class"), ("demo-dermamnist", "multi-class")):
                auc = getAUC(arrays[f"{name}_val_labels"], arrays[f"{name}_val_probs"], task)
                assert outcome["metrics"][f"{name}_val_auc"] == pytest.approx(auc, abs=1e-12)


def test_nothing_of_the_test_split_is_in_the_journal(demo: tuple[Path, str]) -> None:
    text = (demo[0] / "runs/mnist/latest/openevolve/journal.jsonl").read_text()
    assert not re.search(r"test_auc|_test_|test_probs", text)


def test_the_same_seed_gives_the_same_programs_and_scores(
    demo: tuple[Path, str], cache: Path, tmp_path: Path
) -> None:
    again = run(tmp_path, cache, "--demo", "--iterations", "3", *SMALL)
    assert again.returncode == 0
    assert scores(tmp_path) == scores(demo[0])
    other = run(tmp_path, cache, "--demo", "--iterations", "1", "--seed", "7", *SMALL)
    assert other.returncode == 0
    assert scores(tmp_path)[1] != scores(demo[0])[1]


def test_a_killed_run_resumes_to_the_same_end(demo: tuple[Path, str], cache: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "run_evolution.py"), "--demo", "--iterations", "3", *SMALL],
        cwd=tmp_path, env=environment(cache), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    path = tmp_path / "runs/mnist/latest/openevolve/journal.jsonl"
    deadline = time.monotonic() + 120
    while not path.exists() or b'"measured"' not in path.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = run(tmp_path, cache, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert scores(tmp_path) == scores(demo[0])
    more = run(tmp_path, cache, "--resume", "latest", "--iterations", "4")
    assert values(more.stdout)["iterations"] == "4"
    assert scores(tmp_path)[:4] == scores(demo[0])
    info = json.loads((tmp_path / "runs/mnist/latest/run_info.json").read_text())
    assert info["config"]["max_iterations"] == 4  # also when it is resumed again
    assert len(info["resumed"]) == 2
    both = run(tmp_path, cache, "--resume", "--config", "config.yaml")
    assert both.returncode == 2
    assert "expected --config or --resume, found both" in both.stderr
    other = run(tmp_path, cache, "--resume", "--iterations", "5", "--set", "task.epochs=4")
    assert other.returncode == 2
    assert "task.epochs is 1, not 4" in other.stderr


def test_a_demo_that_is_done_does_not_go_on_by_surprise(demo: tuple[Path, str], cache: Path) -> None:
    folder, _ = demo
    before = journal(folder)
    again = run(folder, cache, "--resume", "--demo")
    assert again.stdout == (
        "nothing to do: 3 iterations are done, 3 were asked for; --iterations 13 adds ten\n"
    )
    assert again.returncode == 0
    assert journal(folder) == before


@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_a_language_model_writes_programs(provider: str, cache: Path, tmp_path: Path) -> None:
    programs = [Reply(REPLY.format(width=width)) for width in (8, 16, 24)]
    script: list[Behaviour] = [programs[0], Reply("No code today."), programs[1], Status(500), programs[2]]
    with ReplyServer(script) as server:
        keys = {"OPENAI_API_KEY": "sk-planted-key"}
        if provider == "azure":
            keys |= {"AZURE_OPENAI_API_KEY": "sk-planted-key", "AZURE_OPENAI_ENDPOINT": server.endpoint}
        done = run(
            tmp_path, cache, "--iterations", "3", *SMALL, "--set", "task.size=28", "--set", "task.threads=1",
            "--set", f"llm.api_base={server.api_base}", "--set", "llm.primary_model=m",
            "--set", "llm.prices={m: {prompt: 1, completion: 1}}", "--set", "llm.retry_delay=0.01",
            "--set", "proposals_ahead=0", keys=keys,
        )  # fmt: skip
        paths = {request.path for request in server.requests}
        prompts = [json.dumps(request.json["messages"]) for request in server.requests]
    assert done.returncode == 0, done.stderr
    assert all(("/deployments/m/" in path) == (provider == "azure") for path in paths)
    assert float(values(done.stdout)["cost_dollars"]) > 0
    assert (
        len([e for e in journal(tmp_path) if e["event"] == "measured" and e["outcome"]["failure"] is None])
        == 4
    )
    assert "No code today." in json.dumps([e for e in journal(tmp_path) if e["event"] == "replied"])
    assert all("mean_val_auc" in prompt and "test_auc" not in prompt for prompt in prompts)
    for path in (tmp_path / "runs").rglob("*"):
        if path.is_file():
            assert b"sk-planted-key" not in path.read_bytes()
    assert "sk-planted-key" not in done.stdout + done.stderr


def test_a_seed_that_failed_is_tried_again_on_resume(tmp_path: Path, cache: Path) -> None:
    options = ("--iterations", "1", *SMALL)
    failed = run(tmp_path, cache, "--demo", *options, "--set", "evaluator.timeout=0.1")
    assert failed.returncode == 2
    assert "expected an initial program with a score, found timeout" in failed.stderr
    resumed = run(tmp_path, cache, "--resume", "--set", "evaluator.timeout=120")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert values(resumed.stdout)["status"] == "completed"
