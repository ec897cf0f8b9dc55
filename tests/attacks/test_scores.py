"""A score is what the referee computes of what a network predicts; nothing else makes one."""

import re

import pytest

from tests.attacks.arena import Arena
from tests.support import programs

# Before the network, kind, words of the message.
CAUGHT = {
    "nan": ("P = 'original(self, *a, **k) * float(\"nan\")'", "diverged", "found NaN"),
    "infinity": ("P = 'original(self, *a, **k) + float(\"inf\")'", "diverged", "found NaN"),
    "minus infinity": ("P = 'original(self, *a, **k) - float(\"inf\")'", "diverged", "found NaN"),
    "more than 1": ("P = 'original(self, *a, **k) * 9'", "forbidden", "probabilities from 0 to 1"),
    "less than 0": ("P = '1 - 2 * original(self, *a, **k)'", "forbidden", "probabilities from 0 to 1"),
    "sums": ("P = 'original(self, *a, **k) * 0.5'", "forbidden", "add up to 1"),
    "too many rows": ("P = 'torch.cat([original(self, *a, **k)] * 3)'", "forbidden", "expected 80 numbers"),
    "too few rows": ("P = 'original(self, *a, **k)[:1]'", "forbidden", "expected 80 numbers"),
    "another type": ("P = 'original(self, *a, **k).to(torch.int64)'", "forbidden", "add up to 1"),
}
PATCH = "\noriginal = torch.Tensor.softmax\ntorch.Tensor.softmax = eval('lambda self, *a, **k: ' + P)\n"

FORWARD = {
    "batch statistics": (
        "return self.head(x.flatten(1)[:, :32] - x.flatten(1)[:, :32].mean(0))",
        "forbidden",
    ),
    "wrong shape": ("return self.head(x.flatten(1)[:, :32])[:, :1]", "wrong_shape"),
    "wrong type": ("return self.head(x.flatten(1)[:, :32]).long()", "wrong_shape"),
    "too many rows": ("return self.head(x.flatten(1)[:, :32]).repeat(2, 1)", "wrong_shape"),
    "nan": ("return self.head(x.flatten(1)[:, :32]) * float('nan')", "diverged"),
    "infinity": ("return self.head(x.flatten(1)[:, :32]) * float('inf')", "diverged"),
}

# What leaves the score of an honest program as it is: there is nothing in the process to gain by it.
HARMLESS = {
    "replacing the AUC": (
        "import sklearn.metrics\nsklearn.metrics.roc_auc_score = lambda *a, **k: 1.0\n"
        "import sys, types\nfor name in ('metrics_utils', 'medevonet.statistics.auc', 'train'):\n"
        "    sys.modules[name] = types.SimpleNamespace(auc=lambda *a, **k: 1.0)\n"
    ),
    "printing a result": (
        "print('{\"metrics\": {\"combined_score\": 1.0}}')\nprint('---\\nmean_val_auc: 1.0000', flush=True)\n"
    ),
    "replacing print": "import builtins\nbuiltins.print = None\n",
    "closing its output": "import sys\nsys.stdout.close(); sys.stderr.close()\n",
    "default dtype": "torch.set_default_dtype(torch.float64)\n",
    "threads": "torch.set_num_threads(7)\n",
    "seeds": "import random, numpy\ntorch.manual_seed(5); random.seed(5); numpy.random.seed(5)\n",
    "deterministic flags": "torch.set_deterministic_debug_mode('default')\n",
    "gradients": "torch.set_grad_enabled(False)\n",
    "precision": "torch.set_float32_matmul_precision('medium')\n",
    "default device": "torch.set_default_device('meta')\n",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n",
}


@pytest.mark.parametrize("name", CAUGHT)
def test_what_is_no_probability_is_no_score(arena: Arena, name: str) -> None:
    before, kind, words = CAUGHT[name]
    ended = arena.attack(before + PATCH)
    assert re.fullmatch(kind, ended.kind), ended
    assert re.search(words, ended.message), ended


@pytest.mark.parametrize("name", FORWARD)
def test_what_is_no_logit_is_no_score(arena: Arena, name: str) -> None:
    forward, kind = FORWARD[name]
    assert arena.attack(forward=forward).kind == kind


@pytest.mark.parametrize("name", HARMLESS)
def test_an_honest_network_scores_the_same_whatever_surrounds_it(arena: Arena, name: str) -> None:
    assert arena.attack(HARMLESS[name]) == arena.honest


def test_constants_are_chance(arena: Arena) -> None:
    assert arena.attack(forward="return self.head(torch.zeros(len(x), 32))").score == 0.5


@pytest.mark.parametrize("guess", ["arange(len(p)) % 2", "zeros(len(p), dtype=int)", "randint(2, (len(p),))"])
def test_one_hot_answers_that_it_made_up_are_worth_no_more_than_the_guess(arena: Arena, guess: str) -> None:
    """Labels that it could not know: it may answer what it likes, and is measured by it.

    Those of the tiny set alternate, so that even the lucky guess has to show again that an image's
    answer depends on the image alone: in other batches it does not.
    """
    answer = f"(lambda p: torch.nn.functional.one_hot(torch.{guess}, p.shape[1]).float())"
    ended = arena.attack(f"P = '{answer}(original(self, *a, **k))'{PATCH}")
    if ended.kind:
        assert ended.kind == "forbidden", ended
        assert "depends on its image alone" in ended.message
    else:
        assert ended.score == 0.5


@pytest.mark.parametrize(
    "answers", [1, 9, 200], ids=["one", "as many as there are commands", "more than there are commands"]
)
def test_forged_answers_are_not_believed(arena: Arena, answers: int) -> None:
    ended = arena.attack(
        f"""
        import json, os, struct
        text = json.dumps({{"params": 1, "multiply_adds": 1, "train_loss": 0.0}}).encode()
        ones = struct.pack("<80f", *([0.0, 1.0] * 40))
        os.write(3, (struct.pack("<II", len(text), 320) + text + ones) * {answers})
        """
    )
    assert ended.kind == "forbidden", ended


def test_bytes_that_are_no_message_are_not_believed(arena: Arena) -> None:
    import pickle

    class Explosive:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemError('unpickled in the referee')",)

    assert arena.attack(f"import os\nos.write(3, {pickle.dumps(Explosive())!r})").kind == "forbidden"
    assert arena.attack("import os\nos.write(3, b'\\xff' * 100)").kind == "forbidden"


def test_replacing_json_or_torch_gains_nothing(arena: Arena) -> None:
    forged = 'import json\njson.dumps = lambda *a, **k: \'{"val_auc": 1.0, "params": 1, "multiply_adds": 1}\''
    assert arena.attack(forged).kind in ("diverged", "forbidden")
    assert arena.attack("import builtins\nbuiltins.open = None\n").kind == "crashed"
    assert arena.attack("import json\njson.loads = None").kind in ("crashed", "forbidden")
    assert arena.attack("torch.nn.functional.conv2d = None; torch.nn.Linear.forward = None").kind != ""


def test_a_huge_number_of_parameters_is_out_of_memory(arena: Arena) -> None:
    init = "self.huge = nn.Parameter(torch.empty(1 << 44))"
    assert arena.attack(init=init).kind == "out_of_memory"


def test_many_parameters_on_no_device_are_no_network(arena: Arena) -> None:
    """Parameters that take no memory: a billion of them could be claimed."""
    init = "self.huge = nn.Parameter(torch.empty(1 << 40, device='meta'))"
    assert arena.attack(init=init).kind not in ("", "timeout")


def test_the_program_that_all_this_is_compared_with_learns(arena: Arena) -> None:
    assert arena.honest.score > 0.5
    assert arena.evaluate(programs.SOUND) == arena.honest
    assert arena.evaluate(programs.sound(init="nn.Linear(1, 1)")).bits != arena.honest.bits
