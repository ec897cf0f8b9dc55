"""``openevolve-run`` with a language model behind a real HTTP server."""

import json
import subprocess
from pathlib import Path

from tests.support.commands import run
from tests.support.llm_calls import error_body
from tests.support.llm_server import Behaviour, Close, Reply, ReplyServer, Status, html

EVALUATOR = """
import runpy

def evaluate(program_path):
    return {"combined_score": runpy.run_path(program_path)["X"]}
"""

CONFIG = """
checkpoint_interval: 50
proposals_ahead: 0
database: {num_islands: 1, feature_dimensions: [complexity]}
llm: {primary_model: m, retry_delay: 0.01, max_tokens: 1000, prices: {m: {prompt: 1, completion: 100}}}
"""


def programs(usage: tuple[int, int] | None) -> list[Behaviour]:
    return [Reply(f"```python\nX = {number}.0\n```", usage=usage) for number in range(20, 60)]


def evolve(
    folder: Path, script: list[Behaviour], *options: str, trial: Behaviour | None = None
) -> subprocess.CompletedProcess[str]:
    (folder / "initial_program.py").write_text("X = 10.0\n")
    (folder / "evaluator.py").write_text(EVALUATOR)
    (folder / "config.yaml").write_text(CONFIG)
    with ReplyServer(script, trial) as server:
        command = "openevolve-run initial_program.py evaluator.py -c config.yaml -o out"
        address = f"--set llm.api_base={server.api_base}"
        return run(folder, " ".join([command, address, *options]), no_proxy="127.0.0.1")


class TestBudgets:
    """A reply of at most 1,000 tokens costs at most 10 cents, and a prompt much less."""

    def test_replies_without_usage_use_up_a_budget_in_dollars(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs(usage=None), "-i 30 --set budget.dollars=0.35")
        assert ended.returncode == 3
        assert "status: budget.dollars reached: " in ended.stdout
        assert "$0.00 known, at most $0.4" in ended.stdout
        assert "for 4 calls without usage" in ended.stdout
        assert "iterations: 4" in ended.stdout
        assert ended.stderr.count("m does not say what a call took") == 1

    def test_and_one_in_tokens(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs(usage=None), "-i 30 --set budget.tokens=6000")
        assert ended.returncode == 3
        assert "status: budget.tokens reached: " in ended.stdout

    def test_known_costs_are_counted_beside_them(self, tmp_path: Path) -> None:
        script = [*programs(usage=None)[:1], *programs(usage=(0, 1000))[1:]]
        ended = evolve(tmp_path, script, "-i 30 --set budget.dollars=0.35")
        assert ended.returncode == 3
        assert "$0.30 known, at most $0.1" in ended.stdout


def test_a_temperature_that_a_model_does_not_take_is_said_on_the_terminal_and_in_the_log(
    tmp_path: Path,
) -> None:
    ended = evolve(tmp_path, programs((1, 1)), "-i 2 --set llm.primary_model=gpt-5-mini")
    line = "gpt-5-mini samples in its own way: llm.temperature (0.7) is not sent to it"
    assert ended.returncode == 0
    assert ended.stderr.count(line) == 1
    [log] = (tmp_path / "out/logs").iterdir()
    assert log.read_text().count(line) == 1


def test_pages_in_the_place_of_replies_are_an_outage(tmp_path: Path) -> None:
    """A proxy's sign-in page with status 200, from a server that has answered before."""
    script = [programs((1, 1))[0], *[html()] * 50]
    ended = evolve(tmp_path, script, "-i 6 --set llm.retries=0 --set llm.patience=0.2")
    assert ended.returncode == 3
    assert (
        "expected the language model to answer again within 0.2 s (llm.patience), found: m: no"
        in ended.stderr
    )
    assert "expected a chat completion, found <!doctype html>" in ended.stderr


class TestTrial:
    """A model is tried before the initial program is evaluated."""

    def test_a_budget_that_cannot_be_kept(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs((1, 1)), "--set budget.dollars=1 --set llm.primary_model=other")
        assert ended.returncode == 2
        assert "expected a price for every model in llm.prices, found none for other" in ended.stderr
        assert not (tmp_path / "out").exists()

    def test_a_wrong_key(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs((1, 1)), "-i 2", trial=Status(401, error_body("Incorrect API key")))
        assert ended.returncode == 2
        assert ended.stderr == "error: m: HTTP 401: Incorrect API key (check the API key)\n"
        assert not (tmp_path / "out").exists()

    def test_a_page(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs((1, 1)), "-i 2", trial=html())
        assert ended.returncode == 3
        assert "most end in /v1" in ended.stderr
        assert not (tmp_path / "out").exists()

    def test_an_overloaded_server_is_waited_for_by_the_run(self, tmp_path: Path) -> None:
        ended = evolve(tmp_path, programs((1, 1)), "-i 2", trial=Status(503))
        assert ended.returncode == 0
        assert "a run would wait for it (llm.patience)" in ended.stderr


def test_a_model_that_falls_silent_before_its_first_reply_ends_the_run(tmp_path: Path) -> None:
    ended = evolve(tmp_path, [Close()], "-i 20 --set llm.retries=0")
    assert ended.returncode == 3
    assert "expected an answer from the language model, found none to 3 calls" in ended.stderr
    assert "resume: run the same command again" in ended.stderr


def test_recorded_replies_take_the_place_of_the_model_also_under_another_preset(tmp_path: Path) -> None:
    serial = "--set deterministic=true --set lag=0"
    assert evolve(tmp_path, programs((1, 1)), f"-i 6 {serial}").returncode == 0
    for name, options, expected in (
        ("again", serial, "replayed: 6 same prompt, 0 same parent, 0 refused"),
        ("other", "--set search.preset=best-of-n --set prompt.system_message=Other.", " 0 same prompt, "),
    ):
        files = f"initial_program.py evaluator.py -c config.yaml -o {name}"
        done = run(tmp_path, f"openevolve-run {files} -i 6 --replay out {options}")
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        compared = done.stdout.partition("compared: ")[2]
        assert compared.startswith(
            "all " if name == "again" else "3 events equal, the first that differs is selected of iteration 1"
        ), compared
    tables = [run(tmp_path, f"openevolve leaderboard --json {name}").stdout for name in ("out", "again")]
    first, second = ([row["fitness"] for row in json.loads(table)] for table in tables)
    assert first == second != []


def test_a_run_without_replies_cannot_be_replayed(tmp_path: Path) -> None:
    evolve(tmp_path, programs((1, 1)), "-i 1 --offline")
    done = run(tmp_path, "openevolve-run initial_program.py evaluator.py -o other --replay out")
    assert done.returncode == 2
    assert "expected replies of a language model, found none to replay" in done.stderr
