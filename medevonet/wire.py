"""Messages between the referee and a candidate: a JSON object and, where it answers, an array.

    4 bytes  length of the header, little-endian
    4 bytes  length of the payload, little-endian
    header   a JSON object in UTF-8, at most 64 KiB
    payload  float32, little-endian, exactly as many numbers as the receiver expects, or none

The receiver bounds both lengths before it reads, and nothing is ever unpickled: what a candidate
sends may be anything at all. Needs NumPy alone, so that the referee starts without PyTorch.
"""

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 1 << 16
_LENGTHS = struct.Struct("<II")
_FLOAT32 = np.dtype("<f4")


class ProtocolError(Exception):
    """What was received is not a message of this protocol."""


def send(
    channel: socket.socket, header: Mapping[str, Any], payload: NDArray[np.float32] | None = None
) -> None:
    """Send one message. Raises OSError where the other side is gone."""
    text = json.dumps(header, allow_nan=False).encode()
    numbers = b"" if payload is None else payload.astype(_FLOAT32, copy=False).tobytes()
    channel.sendall(_LENGTHS.pack(len(text), len(numbers)) + text + numbers)


def receive(
    channel: socket.socket, floats: int = 0, deadline: float | None = None
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Receive one message: its header, and its payload of ``floats`` numbers or of none.

    ``deadline`` is a time of ``time.monotonic``.

    Raises:
        EOFError: the other side closed the channel.
        TimeoutError: the deadline passed.
        ProtocolError: not a message, or a payload of another length.
    """
    header_bytes, payload_bytes = _LENGTHS.unpack(_read(channel, _LENGTHS.size, deadline))
    if header_bytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"expected a header of at most {MAX_HEADER_BYTES} bytes, found {header_bytes}")
    if payload_bytes not in (0, floats * _FLOAT32.itemsize):
        raise ProtocolError(f"expected {floats} numbers, found {payload_bytes} bytes")
    text = _read(channel, header_bytes, deadline)
    numbers = np.frombuffer(_read(channel, payload_bytes, deadline), _FLOAT32)
    try:
        header = json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"expected a header in JSON, found {text[:80]!r}") from error
    if not isinstance(header, dict):
        raise ProtocolError(f"expected a JSON object, found {text[:80]!r}")
    return header, numbers.astype(np.float32)


def _read(channel: socket.socket, size: int, deadline: float | None) -> bytearray:
    data = bytearray(size)
    unread = memoryview(data)
    while unread:
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 1e-3))
        try:
            received = channel.recv_into(unread)
        except ConnectionResetError:
            received = 0
        if received == 0:
            raise EOFError("the other side closed the channel")
        unread = unread[received:]
    return data


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
