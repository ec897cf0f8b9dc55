"""The example of an external worker, as its README says, with a script in the place of an agent."""

import shlex
import shutil
import sys
from pathlib import Path

from tests import PROJECT
from tests.support.commands import events, run, scores

AGENT = r"""
import random, re, sys
prompt = sys.stdin.read()
program = re.findall(r"```python\n(.*?)```", prompt, re.DOTALL)[-1]
rng = random.Random(prompt)
numbers = list(re.finditer(r"(?<![\w.])\d+\.\d+(?![\w.])", program))
if numbers:
    chosen = rng.choice(numbers)
    other = f"{float(chosen.group()) * rng.uniform(0.7, 1.4):.4f}"
    program = program[: chosen.start()] + other + program[chosen.end() :]
print("Another number.\n\n```python\n" + program + "```")
"""


def test_a_script_becomes_the_author(tmp_path: Path) -> None:
    for name in ("bin_packing", "external_worker"):
        shutil.copytree(PROJECT / "examples" / name, tmp_path / name)
    (tmp_path / "agent.py").write_text(AGENT)
    worker = f"strategies.command.mutate={sys.executable} ../external_worker/worker.py"
    command = (
        "openevolve-run initial_program.py evaluator.py -c config.yaml -i 8 --set search.preset=evolyth "
        f"--set proposer=command --set {shlex.quote(worker)}"
    )
    agent = shlex.join([sys.executable, str(tmp_path / "agent.py")])
    done = run(tmp_path / "bin_packing", command, AGENT=agent)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "bin_packing/openevolve_output"
    assert len(scores(output)) > 1
    proposed = [event for event in events(output) if event["event"] == "proposed"][1:]
    assert {event["model"] for event in proposed} == {f"command:{Path(sys.executable).name}"}
    assert any(event["proposer"] == "command/agent" for event in proposed)
