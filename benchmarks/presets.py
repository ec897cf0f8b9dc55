"""Each way of searching from end to end on real images: killed, resumed, and replayed without a model.

    MEDMNIST_ROOT=... uv run python benchmarks/presets.py REPLIES [PRESET ...] [--iterations 40]

REPLIES is a folder with ``good/``: replies of a language model, each with a full program. A server on
loopback answers each prompt with one of them, which the prompt determines; where a block is asked for, with
that block and another number in it. A run of each preset on BreastMNIST at 28 px (one epoch: what is shown is
that the ways work, not what they find) is ended by SIGKILL after half of its iterations, resumed to its end,
and replayed with ``--replay``. Every event of the replay (choices, programs, scores, reviews) has to be that
of the run, byte for byte, but for times. Prints a line for each preset; exits with 1 where one differs.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import hardware, load  # noqa: E402
from openevolve.proposing.edits.fences import fenced_blocks  # noqa: E402
from openevolve.state.comparing import same_search  # noqa: E402
from openevolve.state.journal import read_journal  # noqa: E402
from tests.support.keyed_model import Keyed, Messages  # noqa: E402
from tests.support.llm_server import ReplyServer  # noqa: E402
from tests.support.preset_runs import varied  # noqa: E402
from tests.support.walks import wait_for_events  # noqa: E402

PRESETS = (
    "medevonet", "openevolve", "guided-evolution", "evoprompting", "evolyth",
    "best-of-n", "sequential", "random-parents", "hill-climbing",
)  # fmt: skip
SETTINGS = (
    "deterministic=true", "lag=0", "task.datasets=[breastmnist]", "task.size=28", "task.epochs=1",
    "task.seeds={}", "task.threads=1", "task.bootstrap_replicates=100", "fidelity=full",
    "evaluator.parallel_evaluations=1", "llm.primary_model=recorded", "database.num_islands=1",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("replies", type=Path, metavar="REPLIES")
    parser.add_argument("presets", nargs="*", metavar="PRESET", default=PRESETS)
    parser.add_argument("--iterations", type=int, default=40)
    options = parser.parse_args()
    texts = [path.read_text(encoding="utf-8") for path in sorted((options.replies / "good").glob("*.md"))]
    print(f"{hardware()}; load {load()}")
    print(f"{'preset':<18} scored  failed  refused  calls  seconds  replay")
    differ = False
    with ReplyServer([Keyed(answers(texts))]) as server:
        for preset in options.presets:
            with tempfile.TemporaryDirectory(prefix="presets-") as folder:
                same = trial(Path(folder), preset, options.iterations, server)
            differ |= not same
    return int(differ)


def answers(texts: Sequence[str]) -> Callable[[Messages, Random], str]:
    """What the scripted model says: a whole recorded program or, where a block is asked for, another one."""

    def answer(messages: Messages, rng: Random) -> str:
        if "the whole new block" not in messages[-1]["content"]:
            return rng.choice(texts)
        shown = fenced_blocks(messages[1]["content"])[-2]  # the last is a pattern of the answer
        return f"Another number.\n\n```python\n{varied(shown.text, rng)}```\n"

    return answer


def trial(folder: Path, preset: str, iterations: int, server: ReplyServer) -> bool:
    """Whether the replay of a run that was killed and resumed is that run."""
    settings = [*SETTINGS, f"search.preset={preset}", f"llm.api_base={server.api_base}"]
    asked_before, began = len(server.requests), time.monotonic()
    process = subprocess.Popen(
        command("--iterations", str(iterations), *options_of(settings)),
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    journal = folder / "runs/mnist/latest/openevolve/journal.jsonl"
    while not journal.exists():
        if process.poll() is not None:
            raise SystemExit(f"{preset}: the run ended with status {process.returncode} before it began")
        time.sleep(0.1)
    wait_for_events(journal, "committed", iterations // 2, seconds=600)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = journal.resolve().parent.parent
    finish(folder, "--resume", str(run))
    calls = len(server.requests) - asked_before
    finish(folder, "--iterations", str(iterations), "--replay", str(run), *options_of(settings))
    seconds = time.monotonic() - began
    equal, differs = same_search(run / "openevolve/journal.jsonl", journal)
    ends = Counter(
        str(event["outcome"]["failure"])
        for event in read_journal(journal)
        if event["event"] == "measured" and event["iteration"]
    )
    all_there = sum(ends.values()) == iterations
    invalid, scored = ends.pop("proposal_invalid", 0), ends.pop("None", 0)
    verdict = f"differs at {differs}" if differs else f"all {equal} events equal"
    counts = f"{scored:>6}  {sum(ends.values()):>6}  {invalid:>7}  {calls:>5}  {seconds:>7.0f}"
    print(f"{preset:<18} {counts}  {verdict}", flush=True)
    return not differs and all_there


def options_of(settings: list[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def command(*options: str) -> list[str]:
    return [sys.executable, str(PROJECT / "run_evolution.py"), *options]


def finish(folder: Path, *options: str) -> None:
    """Run to the end."""
    done = subprocess.run(
        command(*options), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stdout[-2000:] + done.stderr[-2000:]
        raise SystemExit(f"{' '.join(options)}: status {done.returncode}\n{said}")


def environment() -> Mapping[str, str]:
    keys = {"AZURE_OPENAI_API_KEY": "", "OPENAI_API_KEY": "recorded"}
    return dict(os.environ) | keys | {"no_proxy": "127.0.0.1"}


if __name__ == "__main__":
    sys.exit(main())
