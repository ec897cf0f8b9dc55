"""Any command line as a language model: real processes, their workspaces, and how they end."""

import asyncio
import json
import random
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from openevolve.errors import UserError
from openevolve.llm.base import CompletionFailed, ProviderRejected
from openevolve.llm.command import CommandModel
from tests.support.processes import processes_of, wait_until

READ = "import json, os, sys, time, subprocess\nasked = json.load(sys.stdin)\n"


def command(folder: Path, body: str) -> str:
    """A command line that runs these lines of Python."""
    path = folder / "worker.py"
    path.write_text(READ + body)
    return shlex.join([sys.executable, str(path)])


def ask(line: str, asked: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    model = CommandModel(line, **({"timeout": 30.0} | settings))
    request = {"mutable_file": "model.py", "current_model": "x = 1\n"} if asked is None else asked
    messages = [{"role": "user", "content": json.dumps(request)}]
    completion = asyncio.run(model.complete(messages, random.Random(0)))
    found: dict[str, Any] = json.loads(completion.text)
    return found


def test_it_is_told_the_request_and_its_workspace(tmp_path: Path) -> None:
    body = "asked['files'] = os.listdir('.'); asked['here'] = os.getcwd(); print(json.dumps(asked))"
    found = ask(command(tmp_path, body))
    assert found["files"] == ["model.py"]
    assert found["here"] == found["rp_path"]
    assert not Path(found["rp_path"]).exists()
    assert found["current_model"] == "x = 1\n"


def test_an_edit_of_the_file_is_an_answer(tmp_path: Path) -> None:
    body = "open('model.py', 'a').write('y = 2\\n'); print('Done:', json.dumps({'mutation_summary': 'more'}))"
    assert ask(command(tmp_path, body)) == {"mutation_summary": "more", "model_py": "x = 1\ny = 2\n"}


def test_the_files_of_a_problem_lie_beside_it_and_stay_as_they_are(tmp_path: Path) -> None:
    problem = tmp_path / "problem"
    problem.mkdir()
    (problem / "goal_prompt.md").write_text("smaller")
    (problem / "model.py").write_text("the first")
    reads = "print(json.dumps({'goal': open('goal_prompt.md').read(), 'model': open('model.py').read()}))"
    assert ask(command(tmp_path, reads), problem=problem) == {"goal": "smaller", "model": "x = 1\n"}
    writes = "open('goal_prompt.md', 'w').write('larger'); print('{}')"
    with pytest.raises(CompletionFailed, match=r"changes of model\.py alone, found goal_prompt\.md"):
        ask(command(tmp_path, writes), problem=problem)
    assert (problem / "goal_prompt.md").read_text() == "smaller"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("print('I would rather not')", "expected a JSON object on its output, found 'I would rather not'"),
        ("print('[1, 2]')", "expected a JSON object"),
        ("sys.exit('no credit left')", "expected exit status 0, found 1: no credit left"),
        ("os.kill(os.getpid(), 9)", "expected exit status 0, found -9: nothing said"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, body: str, problem: str) -> None:
    with pytest.raises(CompletionFailed, match=problem) as caught:
        ask(command(tmp_path, body))
    assert [attempt.status for attempt in caught.value.attempts] == ["refused"]


def test_a_command_that_hangs_ends_with_its_children(tmp_path: Path) -> None:
    body = f"subprocess.Popen(['sleep', '1000'], cwd={str(tmp_path)!r}); time.sleep(1000)"
    with pytest.raises(CompletionFailed, match=r"expected an answer within 0\.8 s"):
        ask(command(tmp_path, body), timeout=0.8)
    assert wait_until(lambda: processes_of(tmp_path) == [])


def test_a_call_that_is_given_up_ends_the_command(tmp_path: Path) -> None:
    model = CommandModel(command(tmp_path, "open('/dev/null'); time.sleep(1000)"), 1000.0)

    async def give_up() -> None:
        task = asyncio.create_task(model.complete([{"role": "user", "content": "{}"}], random.Random(0)))
        while not await asyncio.to_thread(processes_of, tmp_path):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(give_up())
    assert processes_of(tmp_path) == []


def test_a_command_that_is_not_there_stops_the_run() -> None:
    with pytest.raises(ProviderRejected, match="cannot start 'no-such-command-here'"):
        ask("no-such-command-here")


@pytest.mark.parametrize("line", ["", "  ", "echo 'open"])
def test_what_is_no_command_line_is_refused(line: str) -> None:
    with pytest.raises(UserError, match="expected a command line"):
        CommandModel(line, 1.0)
