"""Faults that a search must survive, brought about for real, and counted.

    python benchmarks/faults.py [--kills 160] [--model-kills 40] [--candidates 500] [--proposals 500]

    kill -9      runners are killed within writes to the journal, within exports, while programs are
                 evaluated, while the model writes and at any moment; each run is resumed until it is
                 complete, and its programs, outcomes, best program and checkpoints must equal those of a
                 run that nothing disturbed
    candidates   three in ten fail, in every manner in turn, on four slots: each must get its kind of failure
    model        a server on loopback answers three requests in five with a fault: hangs, floods, HTML,
                 refusals, rate limits; calls, tokens and time must stay within their bounds

The machinery is that of tests/faults, where the same is done in small. Exits with 1 if anything did not hold.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from tests.faults import candidates, kills, models

Row = tuple[str, int, int]  # fault, tries, held


@contextmanager
def quiet_folder() -> Iterator[Path]:
    """A fresh folder, and no line for each iteration meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
    ):
        yield Path(folder)


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def killed_runners(total: int, by_model: int, notes: list[str]) -> list[Row]:
    model = {name: kill for name, kill in kills.KILLS.items() if kill is kills.in_a_call_of_the_model}
    others = {name: kill for name, kill in kills.KILLS.items() if name not in model}
    rows = []
    for chosen, count in ((others, total), (model, by_model)):
        with quiet_folder() as folder:
            tally = kills.campaign(folder, chosen, count, seed=1)
        notes += tally.broken
        notes.append(f"kill -9: {tally.kills.total()} kills in {tally.runs} runs, each resumed to its end")
        rows += [(f"kill -9 {name}", tries, tally.held[name]) for name, tries in tally.kills.items()]
    return rows


def failing_candidates(total: int, notes: list[str]) -> list[Row]:
    start = time.monotonic()
    with quiet_folder() as folder:
        account = candidates.search(folder, total, total * 3 // 10, seed=1)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(account.kinds.items()))
    notes += [
        *account.wrong,
        f"candidates: {account.result.reason} in {time.monotonic() - start:.0f} s: {kinds}",
    ]
    return [
        (f"candidates, 30% faulty in {len(candidates.FAULTY)} manners", total, total - len(account.wrong))
    ]


def failing_model(proposals: int, notes: list[str]) -> list[Row]:
    with quiet_folder() as folder:
        account = models.search(folder, proposals, seed=1)
    faulty = account.served.total() - account.served["program"]
    bound = proposals * models.PROPOSAL_SECONDS
    notes += [
        *account.wrong,
        f"model: {account.result.reason}; {account.served.total()} requests, {faulty} answered with a fault "
        f"of {len(models.FAULTS)} kinds; attempts: {listed(account.statuses)}",
        f"model: {account.seconds:.0f} s, at most {bound:.0f} s allowed; "
        f"{account.result.state.usage.tokens:,} tokens recorded",
    ]
    return [
        (
            f"proposals of a model with {len(models.FAULTS)} kinds of faults",
            proposals,
            proposals - len(account.wrong),
        )
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=160, help="of runners with a scripted proposer")
    parser.add_argument("--model-kills", type=int, default=40, help="of runners that wait for the model")
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--proposals", type=int, default=500)
    options = parser.parse_args()
    os.environ["no_proxy"] = "127.0.0.1"
    notes: list[str] = []
    start = time.monotonic()
    rows = [
        *killed_runners(options.kills, options.model_kills, notes),
        *failing_candidates(options.candidates, notes),
        *failing_model(options.proposals, notes),
    ]
    print(f"{date.today()}; {machine.hardware()}; python {platform.python_version()}")
    print(f"machine's load: {machine.load()}; {time.monotonic() - start:.0f} s in all\n")
    print(f"{'fault':60} {'tries':>6} {'held':>6}")
    for fault, tries, held in rows:
        print(f"{fault:60} {tries:6} {held:6}")
    print("", *notes, sep="\n")
    return int(any(tries != held for _, tries, held in rows))


if __name__ == "__main__":
    sys.exit(main())
