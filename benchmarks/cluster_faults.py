"""``kill -9`` of drivers and workers (``executor=workers``) in random order, each started again, and counted.

    python benchmarks/cluster_faults.py [--kills 200] [--workers 2] [--seed 1]

Each run must end with the programs, outcomes, best program and checkpoints of a local run that nothing
disturbed. The machinery is that of tests/faults/remote.py. Exits with 1 if anything did not hold.
"""

import argparse
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from tests.faults.remote import LEASE, campaign


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cluster-faults-") as folder:
        tally = campaign(Path(folder), options.kills, options.seed, options.workers)
    print(f"{date.today()}; {machine.hardware()}; python {platform.python_version()}")
    print(f"machine's load: {machine.load()}; {time.monotonic() - start:.0f} s in all")
    print(f"{options.workers} workers, a lease of {LEASE:g} s, seed {options.seed}\n")
    print(f"kills: {tally.kills.total()} ({', '.join(f'{n} {who}' for who, n in tally.kills.items())})")
    print(f"runs, each resumed to its end: {tally.runs}")
    print(f"results that were there at a kill: {tally.finished}; lost: {len(tally.lost)}")
    print(f"doubled in a journal: {len(tally.doubled)}")
    print(f"measurements begun again, for a kill had cut them off: {tally.again}")
    print(f"processes or scratch folders left: {len(tally.orphans)}")
    print(f"runs that ended otherwise than an undisturbed one: {len(tally.broken)}")
    print(*tally.lost, *tally.doubled, *tally.orphans, *tally.broken, sep="\n")
    return int(not tally.held)


if __name__ == "__main__":
    sys.exit(main())
