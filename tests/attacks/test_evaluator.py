"""Walls around an evaluator that runs the program in its own process, as OpenEvolve's examples do."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from openevolve.engine.plan import Plan
from openevolve.engine.run import evaluation_walls
from openevolve.evaluating.isolation.watch import descendants
from openevolve.evaluating.local import LocalExecutor
from openevolve.proposing.desk import Desk, Proposer
from openevolve.records.program import Context, Outcome, Program, Proposal
from openevolve.settings.models import Config

SECRET = "sk-planted-3f9a1c"
EVALUATOR = """
import runpy
import helper

def evaluate(program_path):
    return helper.checked(runpy.run_path(program_path)["result"]())
"""
HONEST = "return {'score': 1.0}"


class Stage:
    """An evaluator in a folder with a key and a run in it, and programs whose ``result()`` is given."""

    def __init__(self, folder: Path, proposer: Proposer) -> None:
        self.folder = folder
        self.output = folder / "openevolve_output"
        self.output.mkdir()
        (folder / "evaluator.py").write_text(EVALUATOR)
        (folder / "helper.py").write_text("def checked(metrics):\n    return metrics\n")
        (folder / "data.txt").write_text("for the evaluator")
        (folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}")
        (self.output / "journal.jsonl").write_text(SECRET)
        config = Config.model_validate({"evaluator": {"timeout": 30}})
        evaluator = folder / "evaluator.py"
        run = Plan(config, folder / "initial.py", evaluator, self.output, proposer=proposer)
        self.executor = LocalExecutor(config.evaluator, evaluator, walls=evaluation_walls(run))
        self.unheld = LocalExecutor(config.evaluator, evaluator)

    def outcome(self, body: str, executor: LocalExecutor | None = None) -> Outcome:
        head = f"import os, sys, subprocess\nFOLDER = {str(self.folder)!r}\nRUNNER = {os.getpid()}\n"
        code = f"{head}def result():\n{indent(body, '    ')}\n"
        program = Program("program", code, iteration=1, island=0)
        return asyncio.run((executor or self.executor).evaluate(program))

    def attack(self, body: str) -> Outcome:
        """What must hold after any attack is asserted."""
        found = self.outcome(body)
        server = self.executor._server._process.pid
        deadline = time.monotonic() + 10
        while descendants(server)[1:]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert self.outcome(HONEST).metrics == {"score": 1.0}
        assert (self.output / "journal.jsonl").read_text() == SECRET
        return found


class NoProposer:
    """For runs of which only the walls are looked at."""

    async def propose(self, context: Context, desk: Desk) -> Proposal:
        raise NotImplementedError


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"), NoProposer())
    yield stage
    stage.executor.close()
    stage.unheld.close()


FORBIDDEN = {
    "a key beside the evaluator": "raise LookupError(open(f'{FOLDER}/.env').read())",
    "the journal": "raise LookupError(open(f'{FOLDER}/openevolve_output/journal.jsonl').read())",
    "a key by another program": (
        "found = subprocess.run(['cat', f'{FOLDER}/.env'], capture_output=True, text=True)\n"
        "if found.returncode:\n    raise PermissionError(13, found.stderr)\nraise LookupError(found.stdout)"
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_can_be_read_without_walls_cannot_within(stage: Stage, name: str) -> None:
    assert SECRET in stage.outcome(FORBIDDEN[name], stage.unheld).message
    held = stage.attack(FORBIDDEN[name])
    assert held.failure == "forbidden", held
    assert SECRET not in held.message + held.output_tail


@pytest.mark.parametrize(
    "body",
    [
        "import signal\nos.kill(RUNNER, signal.SIGKILL)",
        "import signal\nos.kill(os.getppid(), signal.SIGSTOP)",
        "subprocess.run(['kill', '-9', str(RUNNER)], check=False)\nos.kill(RUNNER, 9)",
        "import socket\nsocket.create_connection(('127.0.0.1', 9))",
        "os.setsid()",
        "open(f'{FOLDER}/evaluator.py', 'a')",
        "open(f'/proc/{RUNNER}/environ').read()",
        "os.environ['OPENEVOLVE_LAUNCHER_FD'] = '4'\nopen('/etc/shadow')",
    ],
)
def test_signals_sockets_and_files_are_refused(stage: Stage, body: str) -> None:
    assert stage.attack(body).failure == "forbidden"


def test_it_may_start_programs_and_use_its_folder(stage: Stage) -> None:
    found = stage.attack(
        "import tempfile\n"
        "with tempfile.NamedTemporaryFile('w', suffix='.py') as file:\n"
        "    file.write('print(6 * 7)')\n"
        "    file.flush()\n"
        "    done = subprocess.run([sys.executable, file.name], capture_output=True, text=True, timeout=20)\n"
        "assert open(f'{FOLDER}/data.txt').read() == 'for the evaluator'\n"
        "return {'score': float(done.stdout)}"
    )
    assert found.metrics == {"score": 42.0}, found


def test_a_fork_bomb_ends_and_leaves_nobody(stage: Stage) -> None:
    found = stage.attack("import time\nwhile True:\n    os.fork()\n    time.sleep(0.02)")
    assert (found.failure, "at most 64 processes started" in found.message) == ("forbidden", True), found


def test_a_daemon_ends_with_its_evaluation(stage: Stage) -> None:
    body = "import time\nif os.fork() == 0:\n    time.sleep(1000)\nreturn {'score': 2.0}"
    assert stage.attack(body).metrics == {"score": 2.0}


def test_no_child_outside_the_walls_can_be_had(stage: Stage) -> None:
    body = "return {'launcher': float('OPENEVOLVE_LAUNCHER_FD' in os.environ)}"
    assert stage.attack(body).metrics == {"launcher": 0.0}
    assert stage.outcome(body, stage.unheld).metrics == {"launcher": 1.0}


def test_output_that_becomes_a_link_shows_no_secret(stage: Stage) -> None:
    found = stage.attack(
        "os.unlink('output.txt')\nos.symlink(f'{FOLDER}/.env', 'output.txt')\nraise LookupError('over')"
    )
    assert found.failure == "crashed"
    assert SECRET not in found.output_tail + found.message
