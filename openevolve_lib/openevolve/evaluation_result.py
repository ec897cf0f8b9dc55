"""What an evaluator returns, or raises: the contract of ``evaluate(program_path)``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openevolve.records.program import FailureKind


@dataclass
class EvaluationResult:
    """Metrics of one program, and texts (``artifacts``) that may help to improve it.

    An evaluator may return a plain mapping of metrics instead.
    """

    metrics: Mapping[str, float]
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, metrics: Mapping[str, float]) -> "EvaluationResult":
        return cls(metrics=metrics)

    def to_dict(self) -> dict[str, float]:
        return dict(self.metrics)


class EvaluationFailed(Exception):
    """Raised by an evaluator that knows why a program has no score."""

    def __init__(self, kind: FailureKind | str, message: str, output_tail: str = "") -> None:
        super().__init__(message)
        self.kind = FailureKind(kind)
        self.output_tail = output_tail
