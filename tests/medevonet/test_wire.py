"""Messages between referee and candidate: what is sent arrives, and nothing else gets through."""

import json
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medevonet.wire import MAX_HEADER_BYTES, ProtocolError, receive, send

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.dictionaries(st.text(), JSON, max_size=4), st.lists(st.floats(width=32), max_size=20))
def test_what_is_sent_arrives(header: dict[str, object], values: list[float]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        payload = np.array(values, dtype=np.float32)
        send(theirs, header, payload)
        received, numbers = receive(ours, floats=len(values))
    assert received == header
    assert numbers.tobytes() == payload.tobytes()


@given(st.binary(max_size=200))
def test_whatever_is_sent_ends_in_one_of_three_ways(garbage: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(garbage)
        theirs.close()
        with pytest.raises((EOFError, ProtocolError)):
            receive_all(ours)


def receive_all(channel: socket.socket) -> None:
    while True:
        receive(channel, floats=2)


@pytest.mark.parametrize(
    ("header", "payload", "words"),
    [
        (b"[]", b"", "expected a JSON object"),
        (b'{"train_loss": NaN}', b"", "expected a header in JSON"),
        (b"[" * 60_000, b"", "expected a header in JSON"),
        (b"\xff", b"", "expected a header in JSON"),
        (b"{}", b"1234", "expected 2 numbers, found 4 bytes"),
        (b"{}", b"x" * 12, "expected 2 numbers, found 12 bytes"),
        (b" " * (MAX_HEADER_BYTES + 1), b"", "expected a header of at most"),
    ],
    ids=["list", "nan", "nested", "not utf-8", "too few", "too many", "too long"],
)
def test_what_is_no_message_is_refused(
    pair: tuple[socket.socket, socket.socket], header: bytes, payload: bytes, words: str
) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack("<II", len(header), len(payload)) + header + payload)
    with pytest.raises(ProtocolError, match=words):
        receive(ours, floats=2)


def test_lengths_are_refused_before_anything_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack("<II", 2**32 - 1, 2**32 - 1))
    with pytest.raises(ProtocolError):
        receive(ours, deadline=time.monotonic() + 60)


def test_a_message_that_trickles_in_ends_at_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    text = json.dumps({}).encode()
    theirs.sendall(struct.pack("<II", len(text), 0) + text[:1])
    with pytest.raises(TimeoutError):
        receive(ours, deadline=time.monotonic() + 0.05)


def test_numbers_that_json_lacks_are_not_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        send(pair[0], {"train_loss": float("nan")})
