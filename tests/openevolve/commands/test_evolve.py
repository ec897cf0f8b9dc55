"""``openevolve-run``: exit codes, the summary, resuming, and one clear line for a user's mistake."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openevolve.commands.evolve import main
from openevolve.state.journal import Event, read_journal
from tests.support.llm_server import Reply, ReplyServer

COMMAND = Path(sys.executable).with_name("openevolve-run")

INITIAL = """
# EVOLVE-BLOCK-START
X = 10.0
# EVOLVE-BLOCK-END
"""

EVALUATOR = """
import runpy

def evaluate(program_path):
    x = runpy.run_path(program_path)["X"]
    print("evaluating", x)
    return {"combined_score": -abs(x - 40), "size": x / 100}
"""

CONFIG = """
checkpoint_interval: 2
random_seed: 3
database: {num_islands: 1, feature_dimensions: [size]}
"""


@pytest.fixture
def trio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments for a problem in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("initial_program.py").write_text(INITIAL)
    Path("evaluator.py").write_text(EVALUATOR)
    Path("config.yaml").write_text(CONFIG)
    return ["initial_program.py", "evaluator.py", "-c", "config.yaml"]


def exit_code(arguments: list[str]) -> int:
    """Run the command in this process."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def events(folder: str = "openevolve_output") -> list[Event]:
    return list(read_journal(Path(folder, "journal.jsonl")))


def evaluated(folder: str = "openevolve_output") -> list[int]:
    return [
        event["iteration"]
        for event in events(folder)
        if event["event"] == "measured" and event["outcome"]["failure"] is None
    ]


def summary(output: str) -> dict[str, str]:
    """The ``key: value`` lines at the end."""
    return dict(line.split(": ", 1) for line in output.partition("\n---\n")[2].splitlines())


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


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["absent.py", "evaluator.py"], "absent.py: expected a program in UTF-8, found: "),
        (["initial_program.py", "absent.py"], "absent.py: expected an evaluator file, found none"),
        (["initial_program.py", "evaluator.py", "-c", "absent.yaml"],
         "absent.yaml: expected a readable YAML file, found: "),
        (["initial_program.py", "evaluator.py", "-i", "-1"],
         "--iterations: max_iterations: expected at least 0, found -1"),
        (["initial_program.py", "evaluator.py", "--set", "llm.temprature=1"],
         "--set: unknown key llm.temprature; the nearest known one is llm.temperature"),
        (["initial_program.py", "evaluator.py", "--set", "seed"], "--set: expected key=value such as "),
        (["unclosed.py", "evaluator.py"], "initial program: expected an EVOLVE-BLOCK-END for every "),
        (["initial_program.py", "evaluator.py", "--checkpoint", "checkpoints/checkpoint_9"],
         "--checkpoint: expected a checkpoint in a run's folder, found none at checkpoints/checkpoint_9"),
        (["initial_program.py", "evaluator.py", "--checkpoint", "."],
         "--checkpoint: expected a checkpoint in a run's folder, found none at ."),
        (["initial_program.py", "evaluator.py", "-o", "config.yaml"],
         "config.yaml/journal.jsonl: expected a run directory that can be written, found: "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_2(
    trio: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    Path("unclosed.py").write_text("# EVOLVE-BLOCK-START\nX = 1.0\n")
    assert exit_code([*arguments, "--offline"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {error}")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_checkpoint_is_not_continued_in_another_folder(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = ["--checkpoint", "openevolve_output/checkpoints/checkpoint_2"]
    assert exit_code([*trio, "-i", "2", "--offline"]) == 0
    assert exit_code([*trio, "-i", "1", "--offline", *checkpoint, "-o", "openevolve_output"]) == 0
    assert exit_code([*trio, "-i", "4", "--offline", *checkpoint, "-o", "elsewhere"]) == 2
    assert "--output: expected the folder of the checkpoint's run" in capsys.readouterr().err
    assert evaluated() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ([], "error: llm: expected at least one language model, found none; set llm.primary_model"),
        (["--set", "llm.primary_model=gpt-5"], "OPENAI_API_KEY"),
    ],
)
def test_without_a_model_or_a_key_nothing_starts(
    trio: list[str], capsys: pytest.CaptureFixture[str], settings: list[str], error: str
) -> None:
    assert exit_code([*trio, *settings]) == 2
    assert error in capsys.readouterr().err
    assert not Path("openevolve_output").exists()


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("initial_program.py", "X = 'ten'", "crashed: TypeError: unsupported operand"),
        ("evaluator.py", "import no_such_module",
         "evaluator.py: expected an evaluator that imports, found ModuleNotFoundError: No module named"),
        ("evaluator.py", "def score(path): ...",
         "evaluator.py: expected a function evaluate(program_path), found none"),
        ("evaluator.py", "def evaluate(path): return 3",
         "expected evaluate() to return a mapping of metrics or an EvaluationResult, found int"),
        ("evaluator.py", "def evaluate(path): return {'combined_score': 1}",
         "expected the metric 'size' (an axis), found ['combined_score']"),
    ],
)  # fmt: skip
def test_a_problem_that_cannot_be_scored_at_all_ends_at_once(
    trio: list[str], capsys: pytest.CaptureFixture[str], file: str, content: str, error: str
) -> None:
    Path(file).write_text(content)
    assert exit_code([*trio, "-i", "4", "--offline"]) == 2
    found = capsys.readouterr().err
    assert found.startswith("error: expected an initial program with a score, found ")
    assert error in found
    assert "openevolve/controller.py" not in found


def test_what_a_failing_initial_program_printed_is_shown(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("initial_program.py").write_text("X = 'ten'")
    exit_code([*trio, "-i", "4", "--offline"])
    assert "evaluating ten\nTraceback" in capsys.readouterr().err


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


def test_nobody_at_the_address_of_the_model_is_told_and_nothing_is_spent(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = "llm={api_base: 'http://127.0.0.1:9/v1', primary_model: none, retries: 0, retry_delay: 0}"
    assert exit_code([*trio, "-i", "20", "--set", dead]) == 3
    assert "none: no usable reply after 2 attempts; the last was connection_error" in capsys.readouterr().err
    assert not Path("openevolve_output").exists()


def test_a_folder_holds_the_run_of_one_program(trio: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([*trio, "--offline", "-i", "1"]) == 0
    Path("initial_program.py").write_text(INITIAL.replace("10.0", "12.0"))
    assert exit_code([*trio, "--offline", "-i", "2"]) == 2
    assert (
        "expected a run of initial_program.py, found one that began with another" in capsys.readouterr().err
    )
    latest = "openevolve_output/checkpoints/checkpoint_1"
    Path(latest).mkdir(parents=True, exist_ok=True)
    assert exit_code([*trio, "--offline", "-i", "2", "--checkpoint", latest]) == 0


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


def test_a_missing_combined_score_is_said_aloud(trio: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("evaluator.py").write_text(
        EVALUATOR.replace('"combined_score": -abs(x - 40)', '"close": x, "far": 2')
    )
    assert exit_code([*trio, "-i", "1", "--offline"]) == 0
    warning = "WARNING: the evaluator gives no combined_score: fitness is the mean of close, far"
    assert warning in capsys.readouterr().err


def test_a_mean_over_scales_that_differ_is_refused_until_a_metric_is_named(
    trio: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("evaluator.py").write_text(
        EVALUATOR.replace('"combined_score": -abs(x - 40)', '"accuracy": 0.9, "latency_ms": 153')
    )
    assert exit_code([*trio, "-i", "1", "--offline"]) == 2
    assert (
        "found metrics whose mean says nothing: accuracy is 0.9, latency_ms is 153" in capsys.readouterr().err
    )
    again = [*trio, "-i", "1", "--offline", "--set", "database.fitness_metric=accuracy"]
    assert exit_code(again) == 0
    assert summary(capsys.readouterr().out)["best_accuracy"] == "0.9"


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
