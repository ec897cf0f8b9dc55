"""Any data file and any answer of a candidate is read, or refused with the project's own errors."""

import io
import json
import os
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from medevonet.data.dataset import DatasetConfig, load_dataset
from medevonet.referee.candidate_process import Candidate
from openevolve.errors import UserError
from openevolve.evaluating.isolation import Child, Launcher, Request
from openevolve.evaluation_result import EvaluationFailed
from tests.faults.fuzz import JSON, finite, refusal, shared_folder
from tests.support.npz_files import small_arrays


def npz(changes: dict[str, bytes] | None = None) -> bytes:
    """A sound data file, with some of its members replaced."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = small_arrays()
    np.savez(buffer, **arrays)
    if not changes:
        return buffer.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, changes.get(name.removesuffix(".npy"), source.read(name)))
    return changed.getvalue()


def loads_or_is_refused(content: bytes, folder: Path) -> None:
    path = folder / "own.npz"
    path.write_bytes(content)
    os.utime(path, ns=(time.time_ns(), time.time_ns()))  # never taken for the file before
    config = DatasetConfig(name="own", path=path, label_kind="binary")
    error = refusal(lambda: load_dataset(config, 8, cache=folder / "cache"), UserError)
    assert error is None or str(folder) in error


@shared_folder
@given(data=st.data())
def test_any_damage_to_a_data_file_is_a_users_error(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(npz())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"])):
            case "flip":
                content[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del content[place : place + data.draw(st.integers(1, len(content)))]
            case "insert":
                content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
            case "repeat":
                content[place:place] = content[max(0, place - 100) : place]
        if not content:
            content = bytearray(b"PK")
    loads_or_is_refused(bytes(content), tmp_path)


TYPES = ("'|u1'", "'<i8'", "'|O'", "'<f8'", "'|V0'", "'|S0'", "'<U3'", "[('a', '|u1')]", "3", "'?'")
SHAPES = ("(6,)", "(6, 1)", "()", "(0,)", "(-1,)", "(2**70,)", "(10**15,)", "(6, 8, 8)", "6", "(9" * 900)
HEADERS = st.builds(
    "{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}".format,
    st.sampled_from(TYPES), st.sampled_from(["False", "True", "3", "None"]), st.sampled_from(SHAPES),
)  # fmt: skip

EMPTY_ITEMS = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"


@shared_folder
@given(
    member=st.sampled_from(["val_labels", "val_images"]),
    version=st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"]),
    header=HEADERS | st.text(max_size=40),
    body=st.binary(max_size=64),
)
@example(member="val_labels", version=b"\x01\x00", header=EMPTY_ITEMS.format("|V0", "(-1,)"), body=b"")
@example(member="val_labels", version=b"\x01\x00", header=EMPTY_ITEMS.format("|S0", "(-1,)"), body=b"")
def test_any_header_of_an_array_is_read_or_refused(
    member: str, version: bytes, header: str, body: bytes, tmp_path: Path
) -> None:
    text = header.encode("utf-8", "replace") + b"\n"
    length = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    loads_or_is_refused(npz({member: b"\x93NUMPY" + version + length + text + body}), tmp_path)


class Answers(Launcher):
    """Starts nothing: the candidate's answers are given."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def start(self, request: Request) -> Child:
        request.output.touch()
        channel, theirs = socket.socketpair()
        lifeline, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.sendall(self._content)
        theirs.close()
        server.send(b'{"exit": -9, "reason": "", "detail": ""}')
        server.close()
        return Child(1, channel, lifeline)


NAMES = ("params", "multiply_adds", "train_loss", "failure", "message", "device", "batch_size", "x")
VALUES = JSON | st.integers(1, 5) | st.sampled_from(["crashed", "timeout", "wrong_shape"])
ANSWERS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).filter(finite)
FLOATS = st.lists(st.floats(width=32) | st.sampled_from([0.5, 0.25]), max_size=12)


def message(header: dict[str, Any], numbers: list[float]) -> bytes:
    text, payload = json.dumps(header).encode(), np.array(numbers, "<f4").tobytes()
    return len(text).to_bytes(4, "little") + len(payload).to_bytes(4, "little") + text + payload


MESSAGES = st.lists(st.builds(message, ANSWERS, FLOATS) | st.binary(max_size=20), max_size=8).map(b"".join)


@shared_folder
@given(content=MESSAGES)
@example(content=message({}, []) + message({"params": 1, "multiply_adds": 1}, []) + message({}, []) * 2)
def test_any_answer_of_a_candidate_is_checked_or_a_failure(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    if not path.exists():
        path.write_bytes(npz())
    config = DatasetConfig(name="own", path=path, label_kind="binary")
    dataset = load_dataset(config, 8, cache=tmp_path / "cache")
    request = Request("none", {"device": "cpu"}, tmp_path)
    with Candidate(Answers(content), request, dataset, None) as candidate:
        assert refusal(lambda: conversation(candidate), EvaluationFailed, UserError) != ""


def conversation(candidate: Candidate) -> None:
    """What a referee asks, and what must hold of whatever is let through."""
    assert candidate.load([2], "fp32").params > 0
    candidate.start(0)
    loss, _, probabilities = candidate.epoch()
    assert np.isfinite(loss)
    assert probabilities.shape == (6, 2)
    assert np.isfinite(probabilities).all()
