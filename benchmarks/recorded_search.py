"""A whole search over real proposals without a provider: recorded replies, served on loopback.

    uv run python benchmarks/recorded_search.py REPLIES [--azure] [--iterations N] [-- OPTIONS]

OPTIONS are those of run_evolution.py. REPLIES is a folder with ``good/``: replies of a language model,
each with a full program. They are served in their order by an HTTP server that speaks the API of OpenAI
and of Azure OpenAI; the search runs as a user would run it, with all that it prints. On two real data
sets at 28 px, for example:

    MEDMNIST_ROOT=... uv run python benchmarks/recorded_search.py REPLIES --iterations 27 -- \\
        --set 'task.datasets=[breastmnist, pneumoniamnist]' --set task.size=28
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from tests.support.llm_server import ReplyServer, good_replies  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("replies", type=Path, metavar="REPLIES")
    parser.add_argument("--azure", action="store_true", help="through the Azure client")
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("passed_on", nargs="*", metavar="OPTIONS", help="after --, to run_evolution.py")
    options = parser.parse_intermixed_args()
    with ReplyServer(good_replies(options.replies)) as server:
        environment = dict(os.environ) | keys(server, options.azure)
        command = [
            sys.executable, str(PROJECT / "run_evolution.py"), "--iterations", str(options.iterations),
            "--set", f"llm.api_base={server.api_base}", "--set", "llm.primary_model=recorded",
            "--set", "llm.prices={recorded: {prompt: 0, completion: 0}}",
            *options.passed_on,
        ]  # fmt: skip
        done = subprocess.run(command, env=environment, check=False)
        print(f"requests: {len(server.requests)}")
    return done.returncode


def keys(server: ReplyServer, azure: bool) -> dict[str, str]:
    """The variables that choose the provider; .env does not override what is set, empty or not."""
    if azure:
        return {"AZURE_OPENAI_API_KEY": "recorded", "AZURE_OPENAI_ENDPOINT": server.endpoint}
    return {"AZURE_OPENAI_API_KEY": "", "OPENAI_API_KEY": "recorded"}


if __name__ == "__main__":
    sys.exit(main())
