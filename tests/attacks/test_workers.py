"""Programs on a worker: walls as on the driver's machine, and neither orders nor results within reach."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from openevolve.engine.plan import Plan
from openevolve.engine.run import evaluation_walls
from openevolve.evaluating.executor import Site
from openevolve.evaluating.isolation.watch import descendants
from openevolve.evaluating.workers import WorkersExecutor
from openevolve.records.program import Outcome, Program
from openevolve.settings.models import Config
from tests.attacks.test_evaluator import EVALUATOR, FORBIDDEN, HONEST, SECRET
from tests.support.processes import wait_until

# Each raises LookupError with what it got, or fails by what the walls say.
OF_WORKERS = {
    "its own order, and so others'": (
        "name = os.listdir(f'{SHARED}/claimed')[0]\n"
        "raise LookupError(open(f'{SHARED}/claimed/{name}').read())"
    ),
    "its order away from its worker": (
        "name = os.listdir(f'{SHARED}/claimed')[0]\n"
        "os.rename(f'{SHARED}/claimed/{name}', f'{SHARED}/queue/{name}')\nraise LookupError('moved')"
    ),
    "the protocol": "raise LookupError(open(f'{SHARED}/protocol.json').read())",
    "a result of its own": "open(f'{SHARED}/results/forged', 'w').write('1')\nraise LookupError('written')",
    "a result through a link": (
        "os.symlink(f'{SHARED}/results', 'way')\nopen('way/forged', 'w').write('1')\n"
        "raise LookupError('written')"
    ),
    "the end of another's lease": "os.unlink(f'{SHARED}/workers/{WORKER}')\nraise LookupError('gone')",
    "the driver's life": "os.rename(f'{SHARED}/driver.json', f'{SHARED}/away')\nraise LookupError('gone')",
    "the worker's environment": "raise LookupError(open(f'/proc/{PID}/environ').read())",
    "the worker's memory": "raise LookupError(open(f'/proc/{PID}/mem', 'rb').read(1))",
    "the worker's descriptors": "raise LookupError(os.listdir(f'/proc/{PID}/fd'))",
    "the network": (
        "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\nraise LookupError('connected')"
    ),
    "writing beside it": "open(f'{FOLDER}/helper.py', 'a').write('#')\nraise LookupError('written')",
}
ATTACKS = {**FORBIDDEN, **OF_WORKERS}


class Place:
    """An evaluator in a folder with a key and a run in it, and a worker for that run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "openevolve_output"
        self.output.mkdir()
        (folder / "evaluator.py").write_text(EVALUATOR)
        (folder / "helper.py").write_text("def checked(metrics):\n    return metrics\n")
        (folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}")
        (self.output / "journal.jsonl").write_text(SECRET)
        self.shared = folder / "shared"
        config = Config.model_validate({
            "executor": "workers", "evaluator": {"timeout": 30},
            "strategies": {"workers": {"folder": str(self.shared)}},
        })  # fmt: skip
        evaluator = folder / "evaluator.py"
        walls = evaluation_walls(Plan(config, folder / "initial.py", evaluator, self.output))
        site = Site(config.evaluator, evaluator, self.output, walls=walls)
        self.executor = WorkersExecutor(site, WorkersExecutor.Settings(folder=self.shared, lease=20))
        command = [str(Path(sys.executable).with_name("openevolve")), "worker", str(self.shared)]
        self.worker = subprocess.Popen(command, env={"OPENAI_API_KEY": SECRET}, stdout=subprocess.PIPE)
        assert wait_until(lambda: bool(self.executor._roll.alive()), 30)
        [self.beat] = (self.shared / "workers").iterdir()

    def outcome(self, body: str) -> Outcome:
        places = {"FOLDER": str(self.folder), "SHARED": str(self.shared), "WORKER": self.beat.name}
        head = "".join(f"{name} = {value!r}\n" for name, value in places.items())
        code = (
            f"import os, subprocess\n{head}PID = {self.worker.pid}\ndef result():\n{indent(body, '    ')}\n"
        )
        return asyncio.run(self.executor.evaluate(Program("program", code, iteration=1, island=0)))

    def close(self) -> None:
        self.executor.close()
        self.worker.communicate(timeout=20)
        assert self.worker.returncode == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("place"))
    yield place
    place.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_a_worker_fails_and_leaves_it_as_it_was(place: Place, name: str) -> None:
    held = place.outcome(ATTACKS[name])
    assert held.failure in ("forbidden", "crashed"), held
    assert not held.message.startswith("LookupError"), held  # it got nothing
    assert SECRET not in held.message + held.output_tail
    server = descendants(place.worker.pid)
    assert wait_until(lambda: len(descendants(place.worker.pid)) <= 2, 10), server
    assert place.outcome(HONEST).metrics == {"score": 1.0}
    assert (place.folder / "helper.py").read_text() == "def checked(metrics):\n    return metrics\n"
    assert not (place.shared / "results/forged").exists()
    assert place.beat.exists()


def test_a_worker_without_walls_takes_no_work(tmp_path: Path) -> None:
    """Where the kernel gives none: here, in a process whose probe is told so."""
    place = tmp_path / "run"
    site = Site(Config().evaluator, tmp_path / "evaluator.py", place)
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    executor = WorkersExecutor(site, WorkersExecutor.Settings(lease=5))
    without = (
        "import openevolve.evaluating.isolation.landlock as landlock, sys\nlandlock.abi = lambda: 0\n"
        f"from openevolve.commands.worker import main\nsys.exit(main([{str(place)!r}, *sys.argv[1:]]))"
    )
    try:
        done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, timeout=30)
        unsafe = subprocess.run(
            [sys.executable, "-c", without, "--allow-unsafe"], capture_output=True, text=True, timeout=30
        )
    finally:
        executor.close()
    for refused in (done, unsafe):  # a run with walls never gets a worker without
        assert refused.returncode == 2
        assert "expected walls around programs, found that this machine does not give them" in refused.stderr
    assert not list((place / "workers/workers").iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "expected version 1 of what driver and workers say, found 99"),
        ({"engine": "0.0.1"}, "engine: expected the driver's version, 0.0.1"),
        ({"sources": {"openevolve": "0"}}, "expected the driver's version"),
        ({"evaluator": "/nowhere/evaluator.py"}, "expected the run's evaluator, found no file"),
        (
            {"command": "another worker"},
            "expected a run for openevolve worker, found one for: another worker",
        ),
        ({"extra": 1}, "expected a protocol, found in extra"),
    ],
)
def test_versions_that_differ_refuse(tmp_path: Path, change: dict[str, object], words: str) -> None:
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    site = Site(Config().evaluator, tmp_path / "evaluator.py", tmp_path / "run")
    executor = WorkersExecutor(site, WorkersExecutor.Settings(lease=5))
    protocol = tmp_path / "run/workers/protocol.json"
    protocol.write_text(json.dumps({**json.loads(protocol.read_text()), **change}))
    command = [str(Path(sys.executable).with_name("openevolve")), "worker", str(tmp_path / "run")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    finally:
        executor.close()
    assert done.returncode == 2
    assert words in done.stderr
