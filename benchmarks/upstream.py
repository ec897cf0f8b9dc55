"""Which of OpenEvolve's own examples run here unchanged: each of their configs, loaded and run.

    uv run python benchmarks/upstream.py FOLDER [--only TEXT] [--seconds N] [--load-only]

FOLDER is the ``examples`` folder of OpenEvolve's repository, which is not part of this one. Every config
is loaded; then a copy of its example runs for one iteration through ``openevolve-run``, as a user would run
it, with a language model on loopback that changes one line of the program. A line says what came of it:

    runs     the initial program and its child were evaluated; with the initial program's score
    scores   the initial program has a score; the child has none, and why
    refused  the config is not taken, and why
    failed   the initial program has no score, and why
    no run   the config is not one of ``openevolve-run``: its example starts with a script of its own
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.upstream_examples.discovery import Example, configs  # noqa: E402
from benchmarks.upstream_examples.running import Verdict, load, run  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="TEXT", help="configs with TEXT in their path")
    parser.add_argument("--seconds", type=float, default=180, help="for one example")
    parser.add_argument("--load-only", action="store_true", help="read the configs and run nothing")
    options = parser.parse_args()
    found = [config for config in configs(options.folder) if options.only in config.name]
    if not found:
        print(f"{options.folder}: expected configs of OpenEvolve's examples, found none", file=sys.stderr)
        return 2
    loaded = 0
    counts: Counter[str] = Counter()
    for example, verdict in verdicts(found, options.seconds, load_only=options.load_only):
        counts[verdict.word] += not options.load_only or not verdict.loads
        loaded += verdict.loads
        print(f"{example.name:<66} {verdict.word:<8} {verdict.why}", flush=True)
    print("---")
    print(f"configs: {len(found)}")
    print(f"load: {loaded}")
    for word, count in sorted((+counts).items()):
        print(f"{word}: {count}")
    return 0


def verdicts(
    examples: list[Example], seconds: float, *, load_only: bool
) -> Iterator[tuple[Example, Verdict]]:
    """Each example with what came of it; it runs in a copy of its folder."""
    for example in examples:
        verdict = load(example)
        if verdict.loads and not load_only:
            folder = Path(tempfile.mkdtemp(prefix="upstream-"))
            try:
                verdict = run(example, folder, seconds)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        yield example, verdict


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_API_KEY", "not-needed")
    sys.exit(main())
