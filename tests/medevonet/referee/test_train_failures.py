"""Every way to fail, in real processes: the failure's kind is right and its text says why."""

import os
import re
from pathlib import Path

import pytest

from openevolve.evaluation_result import EvaluationFailed
from tests.support import programs
from tests.support.tiny_task import TinyTask

# Program, kind, and words of the message.
FAILURES = {
    "syntax": ("def create_model(:\n", "import_error", "invalid syntax|was never closed"),
    "missing package": ("import no_such_package\n", "import_error", "No module named 'no_such_package'"),
    "raises at import": ("1 / 0\n", "import_error", "ZeroDivisionError"),
    "no create_model": ("import torch\n", "import_error", r"expected a function create_model\(\)"),
    "downloads": (
        "from urllib.request import urlopen\nurlopen('http://weights.example.org')\n", "forbidden", "urlopen",
    ),
    "needs arguments": (
        "def create_model(width, depth):\n    pass\n", "import_error", r"found create_model\(width, depth\)"
    ),
    "raises": ("def create_model():\n    return [][0].x\n", "crashed|wrong_shape", "IndexError"),
    "not a module": ("def create_model():\n    return (1, 'x')\n", "wrong_shape", r"a tuple \(int, str\)"),
    "two heads": (programs.TWO_HEADS, "wrong_shape", r"'late' \(the last nn.Linear .* with 2 outputs"),
    "tuple in training": (programs.TUPLE_IN_TRAINING, "wrong_shape", "training mode.*found a tuple of 2"),
    "functional head": (programs.FUNCTIONAL_HEAD, "wrong_shape", r"'hidden'.*\(1, 16\).*found.*\(1, 7\)"),
    "no linear": (programs.CONVOLUTIONAL_HEAD, "wrong_shape", "expected a network that ends in an nn.Linear"),
    "other image size": (programs.ONLY_AT_224, "wrong_shape", r"images \(1, 3, 16, 16\): .*mat1"),
    "squeezed batch of one": (programs.SQUEEZED, "wrong_shape", r"shape \(1, 7\), found.*shape \(7,\)"),
    "nan": (programs.NOT_A_NUMBER, "diverged", "expected finite logits before any training"),
    "unset parameter": (programs.UNSET_PARAMETER, "diverged", "expected finite logits before any training"),
    "diverges": (programs.DIVERGES_IN_TRAINING, "diverged", "two: epoch 1: .*training loss, found nan"),
    "huge tensor": (programs.sound("torch.empty(1 << 45)\n"), "out_of_memory", "can't allocate memory"),
    "exit code 0": (programs.sound("import os\nos._exit(0)\n"), "crashed", "an end by exit code 0"),
    "sys.exit": (programs.sound("import sys\nsys.exit(3)\n"), "crashed", "an end by exit code 3"),
    "segmentation fault": (
        programs.sound("import ctypes\n", forward="ctypes.string_at(0)"), "crashed", "signal 11"
    ),
    "kills itself": (programs.sound("import os\nos.kill(os.getpid(), 9)\n"), "crashed", "signal 9"),
    "base exception": (
        programs.sound("class Stop(BaseException): pass\n", forward="raise Stop"), "crashed", "exit code 1"
    ),
    "closes its channel": (programs.sound("import os\nos.close(3)\n"), "crashed", "an end by"),
    "writes to its channel": (
        programs.sound("import os\nos.write(3, b'x' * 99)\n"), "forbidden", "expected a header"
    ),
    "forges an answer": (
        programs.sound(
            "import json, os, struct\n"
            "text = json.dumps({'params': 1, 'multiply_adds': 1, 'train_loss': 0.0}).encode()\n"
            "os.write(3, (struct.pack('<II', len(text), 0) + text) * 9)\n"
        ), "forbidden", "expected 80 numbers",
    ),
    "forges its size": (
        programs.sound("torch.Tensor.numel = lambda self: -1\nnn.Parameter.numel = torch.Tensor.numel\n"),
        "forbidden", "expected params to be a whole number above 0, found",
    ),
    "batch statistics": (programs.BATCH_STATISTICS, "forbidden", "image alone.*batch statistics"),
    "dropout": (programs.DROPOUT_IN_EVALUATION, "forbidden", "image alone.*dropout"),
    "probabilities of 2": (
        programs.patched("softmax", "original(self, *a, **k) * 2"), "forbidden", "probabilities from 0 to 1"
    ),
    "probabilities of 1": (
        programs.patched("softmax", "original(self, *a, **k) * 0 + 1"), "forbidden", "add up to 1"
    ),
    "probabilities of nan": (
        programs.patched("softmax", "original(self, *a, **k) * float('nan')"), "diverged", "found NaN"
    ),
    "too many rows": (
        programs.patched("softmax", "torch.cat([original(self, *a, **k)] * 2)"), "forbidden",
        "expected 80 numbers, found 640 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_of_the_right_kind_and_say_why(tiny: TinyTask, name: str) -> None:
    code, kind, words = FAILURES[name]
    failure = tiny.failure(code)
    assert re.fullmatch(kind, failure.kind), str(failure)
    assert re.search(words, str(failure), re.DOTALL), str(failure)


def test_weak_batch_statistics_show_in_float32(tiny: TinyTask) -> None:
    """They move probabilities by less than bfloat16's rounding may."""
    weak = programs.sound(forward="if not self.training:\n    x = x + 0.5 * x.mean(0, keepdim=True)")
    failure = tiny.failure(weak, precision="bf16")
    assert failure.kind == "forbidden"
    moved = re.search(r"moved by ([0-9.e-]+) when", str(failure))
    assert moved
    assert 1e-3 < float(moved[1]) < 5e-2
    assert tiny.evaluate(programs.SOUND, datasets=tiny.one, precision="bf16").network.precision == "bf16"


@pytest.mark.parametrize("place", ["before", "forward"])
def test_a_hang_ends_at_the_deadline(tiny: TinyTask, place: str) -> None:
    before = "import os, time\n"
    hang = "print('pid', os.getpid(), flush=True)\ntime.sleep(1000)\n"
    code = programs.sound(**{"before": before, place: (before if place == "before" else "") + hang})
    failure = tiny.failure(code, seconds=4)
    assert failure.kind == "timeout"
    (pid,) = re.findall(r"pid (\d+)", failure.output_tail)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_memory_beyond_the_limit_is_refused(tiny: TinyTask) -> None:
    greedy = programs.sound("import time\nhoard = [b'x' * (1 << 20) for _ in range(400)]\ntime.sleep(1000)\n")
    failure = tiny.failure(greedy, memory_mb=150)
    assert (failure.kind, str(failure)) == (
        "out_of_memory",
        "loading the program: expected resident memory below the limit, found more",
    )


def test_a_failure_keeps_the_end_of_what_was_printed(tiny: TinyTask) -> None:
    failure = tiny.failure("print('x' * 10_000_000)\nprint('the last words', flush=True)\n1 / 0\n")
    assert len(failure.output_tail) <= 4096
    assert "the last words" in failure.output_tail
    assert 'File "program.py", line 3' in failure.output_tail
    assert "medevonet" not in failure.output_tail  # what called the program is none of its author's business


def test_messages_do_not_depend_on_where_the_program_lay(tiny: TinyTask) -> None:
    first, second = (tiny.failure("import torch\n\nx = torch.nope\n") for _ in range(2))
    assert (str(first), first.output_tail) == (str(second), second.output_tail)


def test_the_next_score_is_unchanged_by_all_of_this(tiny: TinyTask) -> None:
    assert tiny.evaluate(programs.SOUND).result() == tiny.sound.result()


def test_recorded_programs_end_as_their_index_says(tiny: TinyTask, replies_dir: Path) -> None:
    """Those of the messy replies that hold a program whose fault shows only when it runs."""
    expected = {
        "022": "", "023": "wrong_shape", "025": "wrong_shape", "026": "", "028": "wrong_shape",
        "029": "wrong_shape", "031": "import_error", "035": "forbidden", "037": "diverged",
    }  # fmt: skip
    found = {}
    for number in expected:
        text = (replies_dir / "messy" / f"{number}.md").read_text(encoding="utf-8")
        (code,) = (
            code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "create_model" in code
        )
        try:
            tiny.evaluate(code, epochs=1, datasets=tiny.one)
            found[number] = ""
        except EvaluationFailed as failure:
            found[number] = failure.kind.value
    assert found == expected
