"""A language model whose replies are files: a person, or a model without an API, answers a search by hand.

    uv run python benchmarks/by_hand.py FOLDER

Prints an address for ``llm.api_base``, such as http://127.0.0.1:40125/v1. Each request becomes
FOLDER/001.prompt.md, 002 ..., and waits until FOLDER/001.md holds its reply; write that elsewhere and move it
there, so that it is whole. Numbers go on where the folder holds prompts already. Ends with Ctrl-C.
"""

import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from tests.support.llm_server import Exchange, Reply, ReplyServer  # noqa: E402

_LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True)
class ByHand:
    """A behaviour for ``ReplyServer``: asks ``folder`` and waits."""

    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, exchange: Exchange) -> None:
        messages = exchange.asked.json["messages"]
        reply = self._ask("\n\n".join(f"[{m['role']}]\n\n{m['content']}" for m in messages))
        while not reply.exists():
            if exchange.stopped(_LOOK_EVERY):
                return
        Reply(reply.read_text(encoding="utf-8"), usage=None).serve(exchange)

    def _ask(self, text: str) -> Path:
        """Where the reply will be; equal prompts that come again have replies of their own."""
        with self.lock:
            number = len(list(self.folder.glob("*.prompt.md"))) + 1
            (self.folder / f"{number:03}.prompt.md").write_text(text, encoding="utf-8")
            return self.folder / f"{number:03}.md"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with ReplyServer([ByHand(folder)]) as server:
        print(server.api_base, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
