"""The entry point from end to end: real training on synthetic data, real processes, a real server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from openevolve.state.journal import Event, read_journal
from tests import PROJECT
from tests.support.llm_server import Behaviour, Reply, ReplyServer, Status
from tests.support.tiny_task import write_datasets

SMALL = ("--set", "task.datasets=[demo-breastmnist, demo-dermamnist]", "--set", "task.epochs=1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo data is generated once for all tests of this file."""
    return tmp_path_factory.mktemp("cache")


def environment(cache: Path, keys: Mapping[str, str] | None = None) -> dict[str, str]:
    """No key but those given, wherever the tests run; a .env above the folder is not read then."""
    none = {"OPENAI_API_KEY": "", "AZURE_OPENAI_API_KEY": ""}
    return {**os.environ, "MEDEVONET_CACHE": str(cache), **none, **(keys or {})}


def run(
    folder: Path, cache: Path, *options: str, keys: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "run_evolution.py"), *options],
        cwd=folder, env=environment(cache, keys), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def journal(folder: Path) -> list[Event]:
    return list(read_journal(folder / "runs/mnist/latest/openevolve/journal.jsonl"))


def scores(folder: Path) -> list[tuple[object, ...]]:
    """Programs and validation metrics by iteration."""
    events = journal(folder)
    codes = {e["program"]["iteration"]: e["program"]["code"] for e in events if e["event"] == "proposed"}
    results = {e["iteration"]: e["outcome"] for e in events if e["event"] == "measured"}
    return [(codes[i], results[i]["metrics"], results[i]["failure"]) for i in sorted(results)]


def values(output: str) -> dict[str, str]:
    """The ``key: value`` block at the end."""
    return dict(line.split(": ", 1) for line in output.rpartition("\n---\n")[2].splitlines())


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


REPLY = """A smaller network with global pooling.

```python
import torch
from torch import nn


def create_model(num_classes=7):
    return nn.Sequential(
        nn.Conv2d(3, {width}, 3, stride=2, padding=1), nn.BatchNorm2d({width}), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear({width}, num_classes),
    )
```
"""


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


def test_a_wrong_key_stops_at_once_with_the_providers_message(cache: Path, tmp_path: Path) -> None:
    body = json.dumps({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
    with ReplyServer([Reply("code")], trial=Status(401, body)) as server:
        options = ("--set", f"llm.api_base={server.api_base}", "--set", "task.size=28", *SMALL)
        keys = {"OPENAI_API_KEY": "sk-wrong"}
        done = run(tmp_path, tmp_path / "cache", "--iterations", "3", *options, keys=keys)
        checked = run(tmp_path, cache, "--check", *options, keys=keys)
    assert done.returncode == 2
    assert "Incorrect API key provided" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # before data are made and the seed is trained
    assert checked.returncode == 2
    assert "Incorrect API key provided" in values(checked.stdout)["problem"]
    assert values(checked.stdout)["ready"] == "no"


def test_check_finds_that_nobody_answers(cache: Path, tmp_path: Path) -> None:
    with ReplyServer([Reply("code")]) as server:
        pass
    done = run(
        tmp_path,
        cache,
        "--check",
        *SMALL,
        "--set",
        "task.size=28",
        "--set",
        f"llm.api_base={server.api_base}",
    )
    assert done.returncode == 2
    assert values(done.stdout)["problem"].endswith("Is the address right, does the server run?")
    assert values(done.stdout)["ready"] == "no"


def test_check_reports_and_touches_nothing(cache: Path, tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": "sk-planted-key"}
    with ReplyServer([Reply("code")]) as server:
        address = f"llm.api_base={server.api_base}"
        done = run(tmp_path, cache, "--check", *SMALL, "--set", "task.size=28", "--set", address, keys=keys)
    assert done.returncode == 0, done.stderr
    assert len(server.trials) == 1
    for line in (
        "proposals: openai",
        "model: gpt-5-mini answers (13 tokens, $0.00)",
        "model: gpt-5-mini samples in its own way: llm.temperature (0.8) is not sent to it",
        "data: demo-breastmnist",
        "limits: 100 iterations",
        "device: ",
        "time: ",
        "rungs: ",
    ):
        assert f"\n{line}" in f"\n{done.stdout}"
    assert "cost: about $" in done.stdout
    assert "def create_model" in done.stdout  # the first prompt
    assert "sk-planted-key" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_check_names_every_problem(cache: Path, tmp_path: Path) -> None:
    options = ("--set", "task.datasets=[breastmnist]", "--set", f"task.data_root={tmp_path}")
    done = run(tmp_path, cache, "--check", *options, "--set", "task.download=false", "--set", "task.size=28")
    assert done.returncode == 2
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 2
    assert "OPENAI_API_KEY" in problems[0]
    assert "breastmnist.npz" in problems[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--iterations", "1"), "--offline and --demo need none"),
        (("--offline", "--set", "database.num_island=2"), "nearest known one is database.num_islands"),
        (("--offline", "--set", "task.epoch=2"), "nearest known one is task.epochs"),
        (("--offline", "--config", "nowhere.yaml"), "nowhere.yaml: expected a readable YAML file"),
        (("--resume",), "there is no run in"),
        (("--resume", ""), "there is no run in"),
        (("--offline", "--set", "task.datasets=[catmnist]"), "expected one of"),
        (
            ("--offline", "--set", "task.download=false", "--set", "task.data_root=nowhere"),
            "expected a folder, found none at",
        ),
    ],
)
def test_bad_input_gets_one_clear_error(
    options: tuple[str, ...], message: str, cache: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, cache, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_users_own_file_may_be_named_from_the_folder_of_the_run(tmp_path: Path, cache: Path) -> None:
    write_datasets(tmp_path)
    own = "task.datasets=[{name: mine, path: two.npz, label_kind: binary}]"
    options = ("--set", own, "--set", "task.size=16", "--set", "task.epochs=1", "--set", "task.device=cpu")
    done = run(tmp_path, cache, "--offline", "--iterations", "1", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert values(done.stdout)["status"] == "completed"
    assert [path.name for path in cache.iterdir() if path.name == "lock"]  # MEDEVONET_CACHE was used


def test_a_budget_in_dollars_needs_prices(tmp_path: Path, cache: Path) -> None:
    options = ("--set", "llm.primary_model=my-deployment", "--set", "budget.dollars=5", *SMALL)
    done = run(tmp_path, cache, *options, keys={"OPENAI_API_KEY": "some-key"})
    assert done.returncode == 2
    assert (
        "budget.dollars: expected a price for every model in llm.prices, found none for my-dep" in done.stderr
    )
    assert not (tmp_path / "runs").exists()


def test_a_time_limit_that_the_seed_cannot_meet_is_a_problem_before_the_run(
    tmp_path: Path, cache: Path
) -> None:
    options = ("--demo", "--check", "--set", "task.epochs=100000", "--set", "evaluator.timeout=60")
    done = run(tmp_path, cache, *options)
    assert done.returncode == 2
    assert "problem: evaluator.timeout: expected at least the" in done.stdout


def test_a_seed_that_failed_is_tried_again_on_resume(tmp_path: Path, cache: Path) -> None:
    options = ("--iterations", "1", *SMALL)
    failed = run(tmp_path, cache, "--demo", *options, "--set", "evaluator.timeout=0.1")
    assert failed.returncode == 2
    assert "expected an initial program with a score, found timeout" in failed.stderr
    resumed = run(tmp_path, cache, "--resume", "--set", "evaluator.timeout=120")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert values(resumed.stdout)["status"] == "completed"
