"""What an evaluation says of how far it is."""

import json
import socket

import pytest

from medevonet.referee.evaluation import evaluate_program
from openevolve.evaluating import progress
from tests.support import programs
from tests.support.tiny_task import KINDS, TinyTask


def test_every_epoch_is_told_and_its_share_of_the_images(
    tiny: TinyTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    monkeypatch.setattr(progress._line, "channel", theirs)
    task = tiny.config(epochs=2, seeds={next(iter(KINDS)): 2})
    with ours, theirs:
        evaluate_program(tiny.write(programs.SOUND), task, tiny.folder / "artifacts", launcher=tiny.launcher)
        theirs.shutdown(socket.SHUT_WR)
        lines = ours.makefile().read().splitlines()
    told = [json.loads(line)["progress"] for line in lines]
    shares = [message["share"] for message in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1)
    name, *others = KINDS
    begins = [f"{name}, training 1 of 2: begins", f"{name}, training 2 of 2: begins"]
    assert [each["what"] for each in told if "begins" in each["what"]] == [
        *begins,
        *(f"{other}: begins" for other in others),
    ]
    assert sum(" of 2 epochs, validation AUC " in each["what"] for each in told) == 2 * (len(KINDS) + 1)
