"""``openevolve-run``: one clear line for a user's mistake, and nothing is lost or spent."""

from pathlib import Path

import pytest

from tests.support.trio import EVALUATOR, INITIAL, evaluated, exit_code, summary


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
