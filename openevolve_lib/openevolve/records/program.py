"""The records of a run: a program, how it was proposed and what its evaluation gave."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Self

from openevolve.records.base import Record as Record
from openevolve.records.idea import Idea
from openevolve.records.known import NOTHING, Known


class FailureKind(StrEnum):
    """Why a proposal has no score."""

    PROPOSAL_INVALID = "proposal_invalid"  # no usable program came out of the reply
    IMPORT_ERROR = "import_error"  # the program does not import
    WRONG_SHAPE = "wrong_shape"  # it runs, but its outputs have another shape than the task's
    DIVERGED = "diverged"  # NaN or infinite values
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"  # an exception, a signal, an early exit
    FORBIDDEN = "forbidden"  # it did what a candidate must not do


def standard_error_of(metric: str) -> str:
    """The name under which an evaluator may give a metric's standard error."""
    return f"{metric}_se"


@dataclass(frozen=True)
class Usage:
    """What the calls of a language model took; costs in US dollars.

    What is known stands apart from what calls took whose provider did not say it: these have an upper bound.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    calls_without_usage: int = 0
    bound_tokens: int = 0  # that these took at most
    bound_cost: float = 0.0
    calls_without_price: int = 0  # of models that ``llm.prices`` does not name: their cost is in no sum

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)))

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_at_most(self) -> int:
        return self.tokens + self.bound_tokens

    @property
    def cost_at_most(self) -> float:
        return self.cost + self.bound_cost

    @property
    def cost_unknown(self) -> bool:
        """Whether nothing at all can be said of it."""
        return bool(self.calls_without_price) and not self.cost_at_most

    def in_words(self) -> str:
        """Such as ``1,200 tokens, $1.20 known, at most $0.35 for 2 calls without usage``."""
        if not self.tokens_at_most:
            return "no tokens"
        parts = [f"{self.tokens:,} tokens"]
        if self.cost_unknown:
            parts.append("price unknown")
        else:
            incomplete = self.calls_without_usage or self.calls_without_price
            parts.append(f"${self.cost:.2f} known" if incomplete else f"${self.cost:.2f}")
        if self.calls_without_usage:
            bound = f"${self.bound_cost:.2f}" if self.bound_cost else f"{self.bound_tokens:,} tokens"
            parts.append(f"at most {bound} for {_calls(self.calls_without_usage)} without usage")
        if self.calls_without_price and self.cost_at_most:
            parts.append(f"price unknown for {_calls(self.calls_without_price)}")
        return ", ".join(parts)


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


@dataclass(frozen=True)
class Program(Record):
    """A program and its place in the run. Iteration 0 is the initial program."""

    id: str
    code: str
    iteration: int
    island: int
    parent_ids: tuple[str, ...] = ()
    generation: int = 0
    changes: str = ""  # one line: what differs from the parent
    changes_description: str = ""  # what differs from the initial program, where replies keep such a text

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_ids", tuple(self.parent_ids))


@dataclass(frozen=True)
class Proposal:
    """What a proposer made of a context: a program's text, or the reason why there is none."""

    code: str | None
    proposer: str  # which kind of proposer, e.g. "llm/diff" or "offline"
    changes: str = ""
    changes_description: str = ""
    parent_ids: tuple[str, ...] = ()  # empty: the context's parent
    problem: str = ""  # where code is None: expected, found
    model: str = ""


@dataclass(frozen=True)
class Rung:
    """What an evaluation knows of a program at one stage, cheaper and less certain than its end."""

    number: int  # from 1, cheapest first
    metrics: Mapping[str, float]
    artifacts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome(Record):
    """What became of one program: metrics, or a failure with its kind, message and output tail.

    A rejected program was evaluated up to a lower rung only and has the metrics of that rung: it is
    neither a failure nor ever an elite, since its metrics are no score.
    """

    program_id: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    failure: FailureKind | None = None
    message: str = ""
    output_tail: str = ""
    seconds: float = 0.0
    device: str = ""
    rung: int = 0  # the lower rung that it was stopped at; 0: none
    measurements: Mapping[str, Sequence[float]] = field(default_factory=dict)  # by unit, as it said

    def __post_init__(self) -> None:
        if self.failure is not None:
            object.__setattr__(self, "failure", FailureKind(self.failure))

    @classmethod
    def invalid(cls, program_id: str, problem: str) -> Self:
        """Of a proposal that holds no program."""
        return cls(program_id, failure=FailureKind.PROPOSAL_INVALID, message=problem)

    @property
    def evaluated(self) -> bool:
        """Whether it has a score: it was evaluated in full and did not fail."""
        return self.failure is None and not self.rung

    @property
    def rejected(self) -> bool:
        return self.failure is None and self.rung > 0


@dataclass(frozen=True)
class Elite:
    """A program with its metrics: what a database holds."""

    program: Program
    metrics: Mapping[str, float]
    artifacts: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.program.id


@dataclass(frozen=True)
class Failure:
    """A program without a score, kept for prompts: this was tried and failed, or was rejected, because."""

    program: Program
    outcome: Outcome


@dataclass(frozen=True)
class Context:
    """What a proposer is given for one iteration: chosen by selection, never by the proposer."""

    iteration: int
    island: int
    parent: Elite
    rng: random.Random  # this iteration's own; every random choice of the proposal comes from it
    inspirations: tuple[Elite, ...] = ()  # diverse programs of the island
    top: tuple[Elite, ...] = ()  # the island's best programs, best first
    failures: tuple[Failure, ...] = ()  # children of the parent that failed, latest first
    initial: Elite | None = None  # the initial program
    operator: str = ""  # how the child is to be made, where selection says so
    idea: Idea | None = None  # a queued idea that is to be tried
    beliefs: tuple[str, ...] = ()  # of reviewers, latest first
    known: Known = NOTHING  # what else the run knew by then
