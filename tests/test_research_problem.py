"""The example of a research problem, as its README says, and what is said of a folder that is none."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests import PROJECT
from tests.support.commands import events, run
from tests.support.copies import copy_of
from tests.test_external_worker import AGENT

FAST = "import json, os, model\nfolder = os.environ['ACR_ARTIFACT_DIR']\n"


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    return copy_of(PROJECT / "examples/research_problem", tmp_path / "research_problem")


def metrics(folder: Path) -> list[dict[str, float]]:
    return [
        event["outcome"]["metrics"]
        for event in events(folder / "openevolve_output")
        if event["event"] == "measured" and event["outcome"]["failure"] is None
    ]


def failures(folder: Path) -> list[str]:
    found = [
        event["outcome"] for event in events(folder / "openevolve_output") if event["event"] == "measured"
    ]
    return [outcome["message"] for outcome in found if outcome["failure"]]


def test_the_first_command_of_the_readme_improves_on_the_first_model(problem: Path) -> None:
    done = run(problem, "openevolve-run --problem . -i 4 --offline")
    assert done.returncode == 0, done.stderr
    found = metrics(problem)
    assert 0.8 < found[0]["score"] < found[0]["val_acc"] < 1
    assert len(found) + len(failures(problem)) == 5
    asked = [
        event["messages"] for event in events(problem / "openevolve_output") if event["event"] == "replied"
    ]
    assert asked == []


def test_a_worker_sees_the_folder_and_the_goal_and_a_smoke_test_is_passed_on(
    problem: Path, tmp_path: Path
) -> None:
    copy_of(PROJECT / "examples/external_worker", tmp_path / "external_worker")
    seen = tmp_path / "seen.json"
    saves = f"import os, json\njson.dump([sorted(os.listdir()), prompt], open({str(seen)!r}, 'w'))\n"
    (tmp_path / "agent.py").write_text(AGENT.replace("program = re", f"{saves}program = re", 1))
    worker = f"strategies.command.mutate={sys.executable} ../external_worker/worker.py"
    command = (
        "openevolve-run --problem . -i 2 --set proposer=command --set 'task.arguments=[--smoke]' "
        f"--set {shlex.quote(worker)}"
    )
    agent = shlex.join([sys.executable, str(tmp_path / "agent.py")])
    done = run(problem, command, AGENT=agent)
    assert done.returncode == 0, done.stderr
    files, prompt = json.loads(seen.read_text())
    assert {"goal_prompt.md", "model.py", "train_eval.py"} <= set(files)
    assert "openevolve_output" not in files
    assert (problem / "goal_prompt.md").read_text().splitlines()[0] in prompt
    assert metrics(problem)[0]["val_acc"] < 0.9  # ninety images do not teach much
    assert len(metrics(problem)) + len(failures(problem)) == 3


def test_a_loop_is_tried_out_without_any_change(problem: Path) -> None:
    done = run(
        problem,
        "openevolve-run --problem . -i 2 --set proposer=no-op --set 'search.gates=[]' "
        "--set 'task.arguments=[--smoke]'",
    )
    assert done.returncode == 0, done.stderr
    found = [m["score"] for m in metrics(problem)]
    assert found == [found[0]] * 3


def test_each_run_has_its_id_and_a_folder_for_what_it_leaves(problem: Path) -> None:
    (problem / "train_eval.py").write_text(
        FAST + "name = os.environ['ACR_RUN_ID']\n"
        "open(folder + '/notes.md', 'w').write('run ' + name)\n"
        "found = {'score': 0.5, 'params': 9, 'name': name, 'ok': True}\n"
        "json.dump(found, open(folder + '/metrics.json', 'w'))\n"
    )
    done = run(problem, "openevolve-run --problem . -i 1 --set proposer=offline")
    assert done.returncode == 0, done.stderr
    found = [
        event["outcome"] for event in events(problem / "openevolve_output") if event["event"] == "measured"
    ]
    assert [outcome["artifacts"] for outcome in found] == [
        {"notes.md": f"run {outcome['program_id']}"} for outcome in found
    ]
    assert set(scores_of(found)) == {0.5}


def scores_of(outcomes: list[dict[str, dict[str, float]]]) -> list[float]:
    return [outcome["metrics"]["score"] for outcome in outcomes]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no data')", "expected exit status 0, found 1: ValueError: no data"),
        ("pass", "expected metrics.json in the folder ACR_ARTIFACT_DIR, found none"),
        (
            "open(folder + '/metrics.json', 'w').write('[1]')",
            "expected a mapping in metrics.json, found list",
        ),
        ("open(folder + '/metrics.json', 'w').write('{')", "expected JSON in metrics.json"),
        ("json.dump({'acc': 1}, open(folder + '/metrics.json', 'w'))", "expected a number `score`"),
        (
            "json.dump({'score': 1, 'status': 'failed'}, open(folder + '/metrics.json', 'w'))",
            "its metrics.json says status failed",
        ),
    ],
)
def test_what_is_wrong_with_a_training_is_said(problem: Path, body: str, message: str) -> None:
    (problem / "train_eval.py").write_text(FAST + body + "\n")
    done = run(problem, "openevolve-run --problem . -i 1 --offline")
    assert done.returncode == 2
    assert message in done.stdout + done.stderr


def test_a_folder_that_is_no_research_problem_is_refused(problem: Path) -> None:
    (problem / "goal_prompt.md").unlink()
    done = run(problem, "openevolve-run --problem .")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "expected a folder with goal_prompt.md, model.py, train_eval.py, found no goal_prompt.md"
        in done.stderr
    )


def test_a_program_beside_a_research_problem_is_refused(problem: Path) -> None:
    done = run(problem, "openevolve-run model.py train_eval.py --problem .")
    assert done.returncode == 2
    assert "--problem: expected no other program or evaluator, found model.py" in done.stderr


def test_neither_a_program_nor_a_problem_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "openevolve-run -i 1")
    assert done.returncode == 2
    assert "expected INITIAL_PROGRAM and EVALUATION_FILE, or --problem DIR, found neither" in done.stderr


def test_the_programs_of_a_run_are_not_among_what_a_training_reads(problem: Path) -> None:
    (problem / "train_eval.py").write_text(
        FAST + "found = sorted(os.listdir('.'))\n"
        "home = os.path.dirname(os.path.realpath('goal_prompt.md'))\n"
        "try:\n    open(home + '/openevolve_output/journal.jsonl').read(); read = 1\n"
        "except OSError:\n    read = 0\n"
        "json.dump({'score': 0.5, 'params': 9, 'read': read}, open(folder + '/metrics.json', 'w'))\n"
        "open(folder + '/found.txt', 'w').write(' '.join(found))\n"
    )
    done = run(problem, "openevolve-run --problem . -i 1 --offline")
    assert done.returncode == 0, done.stderr
    assert {m["read"] for m in metrics(problem)} == {0.0}
    [first, *_] = [e["outcome"] for e in events(problem / "openevolve_output") if e["event"] == "measured"]
    assert first["artifacts"]["found.txt"].split() == [
        "README.md", "config.yaml", "goal_prompt.md", "model.py", "train_eval.py",
    ]  # fmt: skip
