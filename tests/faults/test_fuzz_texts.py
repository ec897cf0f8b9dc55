"""Any reply, config and journal is read, or refused with the project's own errors, in bounded time."""

import json
import zlib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openevolve.errors import UserError
from openevolve.proposing.edits import EditError, apply_reply
from openevolve.settings.files import load_config, public_settings
from openevolve.state.journal import Event, Journal, encode, read_journal
from openevolve.state.replay import replay
from tests.faults.fuzz import JSON, finite, refusal, shared_folder
from tests.faults.problem import journal_of, start_runner

PARENT = """import math
# EVOLVE-BLOCK-START
def f(x):
    return x + 1


def g(x):
    '''Text with ``` in it.'''
    return f(x) * 2
# EVOLVE-BLOCK-END
"""

PIECES = st.sampled_from([
    "```python\n", "```\n", "~~~\n", "````\n", "    ```\n", "<<<<<<< SEARCH\n", "=======\n",
    ">>>>>>> REPLACE\n", "# EVOLVE-BLOCK-START\n", "# EVOLVE-BLOCK-END\n", "<think>\n", "</think>\n",
    "<thinking>", "</thinking>", *PARENT.splitlines(keepends=True), PARENT, "\r\n", "\r", "\0", "\ufeff",
    "\ud800", "def h(:\n", "    return 3\n", "\t", "\f", "'''", '"""', "\\\n", "(" * 300,
    "x = " + "-" * 3000 + "1\n",
])  # fmt: skip
REPLIES = st.lists(PIECES | st.text(max_size=30), max_size=25).map("".join)


@settings(max_examples=300)
@given(reply=REPLIES, parent=st.sampled_from([PARENT, "", "X = 1\n", "\ufeffX = 1", "X = = 1"]))
def test_any_reply_is_a_program_or_an_edit_error(reply: str, parent: str) -> None:
    assert refusal(lambda: apply_reply(reply, parent, max_code_length=20_000).code.encode(), EditError) != ""


@pytest.mark.parametrize(
    "piece",
    [
        "<think>", "```\n", "```python\n", "<<<<<<< SEARCH\n", "<<<<<<< SEARCH\nx\n=======\n", "=======\n",
        "# EVOLVE-BLOCK-START\n", " ", "\t\n", "(", "'''\n", "def f(x):\n", "    return x + 1\n", "\r",
        "a b c d ",
    ],
)  # fmt: skip
def test_one_thing_again_and_again_is_no_hang(piece: str) -> None:
    """What quadratic searching and backtracking show in: a reply as long as a model can write."""
    for text in (piece * (64_000 // len(piece)), PARENT + piece * 2000 + PARENT):
        assert refusal(partial(apply_reply, text, PARENT, max_code_length=200_000), EditError) != ""


def encoded(text: str) -> bytes:
    return text.encode(errors="replace")


def aliases(levels: int) -> bytes:
    """A small file that stands for 9 ** levels values."""
    lines = ["a0: &a0 [1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels + 1)]
    return "\n".join(lines).encode()


@shared_folder
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(encoded))
@example(content=b"&a [*a]")
@example(content=b"a: &a {b: *a}")
@example(content=b"{" * 500)
@example(content=b"? [a]: b")
@example(content=b"!!python/object/apply:os.system [true]")
@example(content=b"<<: {max_iterations: 3}")
@example(content=b"llm: {prices: {1: {prompt: 1, completion: 2}}}")
@example(content=aliases(9))
def test_any_file_is_a_config_or_a_users_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    assert refusal(lambda: json.dumps(public_settings(load_config(path))), UserError) != ""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The events of a real run."""
    folder = tmp_path_factory.mktemp("run")
    assert start_runner(folder, "max_iterations=4").wait(60) == 0
    return list(read_journal(journal_of(folder)))


def open_and_read(content: bytes, folder: Path) -> None:
    """Open it for writing and read it, as a resume does."""
    path = folder / "journal.jsonl"
    path.write_bytes(content)
    error = refusal(lambda: resume(path), UserError)
    if error is not None:
        assert "line " in error
        assert path.read_bytes() in (content, content[: content.rfind(b"\n") + 1])


def resume(path: Path) -> None:
    Journal(path).close()
    replay(path)


@shared_folder
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_journal_or_refused(content: bytes, tmp_path: Path) -> None:
    open_and_read(content, tmp_path)


LINES = st.binary(max_size=60).filter(lambda body: b"\n" not in body)


@shared_folder
@given(body=LINES | JSON.map(lambda value: json.dumps(value).encode()))
@example(body=b"[" * 5000)
@example(body=b'{"event": "proposed", "elapsed": 1e400}')
def test_any_line_with_the_right_checksum_is_an_event_or_refused(body: bytes, tmp_path: Path) -> None:
    open_and_read(body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body[:-1] + b"}"), tmp_path)


@shared_folder
@given(data=st.data())
def test_any_change_of_an_event_is_replayed_or_refused(
    data: st.DataObject, journal: list[Event], tmp_path: Path
) -> None:
    events = json.loads(json.dumps(journal))
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from(events))
        while isinstance(part, dict) and part:
            key = data.draw(st.sampled_from(sorted(part)))
            if isinstance(part[key], dict) and part[key] and data.draw(st.booleans()):
                part = part[key]
                continue
            if data.draw(st.booleans()):
                part[key] = data.draw(JSON.filter(finite))
            else:
                del part[key]
            break
    open_and_read(b"".join(map(encode, events)), tmp_path)
