"""The gates: what is refused, by whose standard, and what is let through."""

from openevolve.proposing.gates.base import Gate, guard
from openevolve.proposing.gates.duplicate import DuplicateGate
from openevolve.proposing.gates.similarity import SimilarityGate
from openevolve.records.program import Proposal
from openevolve.settings.files import load_config
from openevolve.settings.registry import NoSettings
from openevolve.state.view import View
from openevolve.testing.gates import CODES, KNOWN, LATER, GateContract, told


class TestDuplicate(GateContract):
    strategy = DuplicateGate
    refused = (CODES[0], CODES[4], f"# the same\n{CODES[5]}\n\n")
    passed = (*GateContract.passed, CODES[3], LATER[2])  # the one timed out, the other is to come


class TestSimilarity(GateContract):
    strategy = SimilarityGate
    settings = ("database.similarity_threshold=0.6",)
    refused = (CODES[0], f"{CODES[5]}z = 1\n")
    passed = (*GateContract.passed, CODES[4], "x = 0\nz = 1\n")  # shown as a failure; one line of three


def test_a_threshold_of_1_is_no_gate() -> None:
    config = load_config(None, ["database.similarity_threshold=1"])
    state = told(config)
    gate = SimilarityGate(config, NoSettings())
    assert gate.refusal(CODES[0], state.context(KNOWN), View(state, KNOWN)) is None


def test_refusals_say_what_was_found() -> None:
    config = load_config(None, ["database.similarity_threshold=0.6"])
    state = told(config)
    context, view = state.context(KNOWN), View(state, KNOWN)
    again = DuplicateGate(config, NoSettings()).refusal(CODES[5], context, view)
    assert again is not None
    assert "found that of iteration 5 again (combined_score 0.05)" in again
    alike = SimilarityGate(config, NoSettings()).refusal(f"{CODES[5]}z = 1\n", context, view)
    assert alike == "expected less than 0.6 of the lines of p5, found 0.667"


def test_the_first_gate_that_refuses_is_told_of() -> None:
    config = load_config(None, ["database.similarity_threshold=0.6"])
    state = told(config)
    told_of: list[tuple[str, str]] = []
    gates: dict[str, Gate] = {
        "duplicate": DuplicateGate(config, NoSettings()),
        "similarity": SimilarityGate(config, NoSettings()),
    }
    refuse = guard(gates, state.context(KNOWN), View(state, KNOWN), lambda *refusal: told_of.append(refusal))
    reasons = [refuse(Proposal(code, "test")) for code in (CODES[0], f"{CODES[5]}z = 1\n", "z = 1\n")]
    assert [name for name, _ in told_of] == ["duplicate", "similarity"]
    assert reasons == [*(reason for _, reason in told_of), None]
