"""The entry point where something is amiss: keys, data, budgets, settings, and what ``--check`` says."""

import json
from pathlib import Path

import pytest

from tests.support.evolution import SMALL, run, values
from tests.support.llm_server import Reply, ReplyServer, Status
from tests.support.tiny_task import write_datasets


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
