"""``openevolve-run``: exit codes, the summary, resuming."""

import asyncio
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.llm_server import Reply, ReplyServer
from tests.support.trio import COMMAND, CONFIG, EVALUATOR, evaluated, events, exit_code, summary


def test_a_run_that_is_done_exits_with_0_and_a_summary(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code([*trio, "-i", "4", "--offline"]) == 0
    output = capsys.readouterr().out
    best = json.loads(Path("openevolve_output/best/best_program_info.json").read_text())
    assert summary(output) == {
        "status": "completed",
        "iterations": "4",
        "best_combined_score": f"{best['metrics']['combined_score']:.6g}",
        "best_program": "openevolve_output/best/best_program.py",
        "report": "openevolve_output/report.html",
    }
    assert Path("openevolve_output/report.html").is_file()
    notice, *lines = output.splitlines()
    assert notice.startswith("isolation: strict: walls around files, network")
    assert [line.split("]")[0] for line in lines[:5]] == [f"[{i}/4" for i in range(5)]


def test_the_same_command_again_does_nothing_twice_and_more_iterations_go_on(trio: list[str]) -> None:
    assert exit_code([*trio, "-i", "3", "--offline"]) == 0
    done = evaluated()
    assert exit_code([*trio, "-i", "3", "--offline"]) == 0
    assert evaluated() == done
    assert exit_code([*trio, "-i", "5", "--offline"]) == 0
    assert evaluated() == [*done, 4, 5]


def test_a_checkpoint_names_the_run_that_goes_on(trio: list[str]) -> None:
    assert exit_code([*trio, "-i", "4", "--offline", "-o", "mine"]) == 0
    first = Path("mine/checkpoints/checkpoint_2/metadata.json").read_text()
    assert exit_code([*trio, "-i", "2", "--offline", "--checkpoint", "mine/checkpoints/checkpoint_2"]) == 0
    assert evaluated("mine") == [0, 1, 2, 3, 4, 5, 6]
    assert Path("mine/checkpoints/checkpoint_2/metadata.json").read_text() == first
    assert Path("mine/checkpoints/checkpoint_6/metadata.json").is_file()
    assert not Path("openevolve_output").exists()


def test_settings_come_from_the_command_line_before_the_file(trio: list[str]) -> None:
    assert (
        exit_code([*trio, "--set", "max_iterations=9", "-i", "1", "--set", "proposer=llm", "--offline"]) == 0
    )
    settings = events()[0]["settings"]
    assert (settings["max_iterations"], settings["proposer"], settings["random_seed"]) == (1, "offline", 3)


def test_without_a_config_the_defaults_hold(trio: list[str]) -> None:
    assert exit_code([*trio[:2], "-i", "1", "--offline"]) == 0
    assert events()[0]["settings"]["checkpoint_interval"] == 10


def test_a_run_that_stops_early_exits_with_3_and_says_how_to_go_on(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code([*trio, "-i", "9", "--offline", "--set", "budget.evaluations=3"]) == 3
    found = summary(capsys.readouterr().out)
    assert found["status"] == "budget.evaluations reached: 3 of 3"
    assert found["resume"] == "run the same command again"
    assert exit_code([*trio, "-i", "9", "--offline"]) == 0
    assert evaluated() == list(range(10))


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["--help"]) == 0
    text = capsys.readouterr().out
    for option in (
        "-c",
        "-o",
        "-i",
        "--config",
        "--output",
        "--iterations",
        "--checkpoint",
        "--offline",
        "--set",
    ):
        assert option in text


def test_ctrl_c_exits_with_130_and_says_how_to_go_on(trio: list[str]) -> None:
    slow = EVALUATOR.replace("    print", "    __import__('time').sleep(0.1)\n    print")
    Path("evaluator.py").write_text(slow)
    process = subprocess.Popen(
        [COMMAND, *trio, "-i", "500", "--offline"], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.splitlines()[-1] == "resume: run the same command again"
    assert "status: interrupted" in output
    assert events()[-1]["event"] == "run_finished"


def test_a_run_has_a_folder_of_its_own_which_programs_cannot_read(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(Path.cwd().iterdir())
    assert exit_code([*trio, "--offline", "-i", "1", "-o", "."]) == 2
    assert "expected a folder of its own for the run, found that of the evaluator" in capsys.readouterr().err
    assert set(Path.cwd().iterdir()) == before


def test_models_and_their_server_can_be_named_on_the_command_line(
    trio: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Path("config.yaml").write_text(
        CONFIG + "llm: {models: [{name: other, api_base: 'http://127.0.0.1:9/v1'}], patience: 0}\n"
    )
    reply = Reply("Higher.\n\n```python\nX = 20.0\n```\n")
    with ReplyServer([reply]) as server:
        options = ["--api-base", server.api_base, "--primary-model", "large", "--log-level", "DEBUG"]
        assert exit_code([*trio, "-i", "1", *options]) == 0
        assert {request.json["model"] for request in server.requests} == {"large"}
        assert exit_code([*trio, "-i", "1", "-o", "second", "--api-base", server.api_base]) == 0
        assert server.requests[-1].json["model"] == "other"
        Path("config.yaml").write_text(CONFIG)
        monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
        assert exit_code([*trio, "-i", "1", "-o", "third", "--secondary-model", "small"]) == 0
        assert server.requests[-1].json["model"] == "small"
    assert events()[0]["settings"]["log_level"] == "DEBUG"


def test_a_run_that_is_done_says_so_and_begins_nothing(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code([*trio, "-i", "3", "--offline"]) == 0
    before = events()
    capsys.readouterr()
    for asked in ("3", "2"):
        assert exit_code([*trio, "-i", asked, "--offline"]) == 0
        said = f"nothing to do: 3 iterations are done, {asked} were asked for; --iterations 13 adds ten\n"
        assert capsys.readouterr().out == said
    assert events() == before


@pytest.mark.parametrize("deterministic", ["true", "false"])
def test_a_limit_of_evaluations_is_what_is_evaluated(trio: list[str], deterministic: str) -> None:
    limits = ["--set", "budget.evaluations=2", "--set", f"deterministic={deterministic}"]
    several = ["--set", "evaluator.parallel_evaluations=3", "--set", "lag=5"]
    assert exit_code([*trio, "-i", "9", "--offline", *limits, *several]) == 3
    assert len([event for event in events() if event["event"] == "measuring"]) == 2


def test_the_command_may_be_called_under_an_event_loop_and_in_a_thread(trio: list[str]) -> None:
    async def under_a_loop() -> int:
        return exit_code([*trio, "-i", "1", "--offline", "-o", "loop"])

    assert asyncio.run(under_a_loop()) == 0
    found: list[int] = []
    work = threading.Thread(
        target=lambda: found.append(exit_code([*trio, "-i", "1", "--offline", "-o", "thread"]))
    )
    work.start()
    work.join()
    assert found == [0]
