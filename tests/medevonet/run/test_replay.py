"""A whole run again from its journal, without a language model."""

import re
from pathlib import Path

from tests.support.evolution import REPLY, run
from tests.support.llm_server import Reply, ReplyServer

SMALL = (
    "--iterations", "2", "--set", "task.datasets=[demo-breastmnist]", "--set", "task.epochs=1",
    "--set", "task.size=28", "--set", "task.threads=1", "--set", "deterministic=true", "--set", "lag=0",
)  # fmt: skip


def test_a_replay_says_whether_it_is_the_same_search(tmp_path: Path, cache: Path) -> None:
    with ReplyServer([Reply(REPLY.format(width=width)) for width in (8, 16)]) as server:
        model = ("--set", f"llm.api_base={server.api_base}", "--set", "llm.primary_model=m")
        price = ("--set", "llm.prices={m: {prompt: 1, completion: 1}}")
        keys = {"OPENAI_API_KEY": "sk-planted"}
        first = run(tmp_path, cache, "--name", "one", *SMALL, *model, *price, keys=keys)
        assert first.returncode == 0, first.stderr
    same = run(tmp_path, cache, "--name", "two", "--replay", "runs/mnist/one", *SMALL, *model, *price)
    assert same.returncode == 0, same.stderr
    assert "replayed: 2 same prompt, 0 same parent, 0 refused" in same.stdout
    assert re.search(r"^compared: all \d\d events equal, but for times and devices$", same.stdout, re.M)
    other = ("--set", "task.seed=7")
    differs = run(
        tmp_path, cache, "--name", "three", "--replay", "runs/mnist/one", *SMALL, *model, *price, *other
    )
    assert differs.returncode == 0, differs.stderr
    assert "compared: 0 events equal, the first that differs is looked" in differs.stdout
