"""What an evaluator returns, or raises: the contract of ``evaluate(program_path)``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openevolve.records.program import FailureKind

NOT_FINITE = "not a finite number, so no metric"


@dataclass
class EvaluationResult:
    """Metrics of one program, and texts (``artifacts``) that may help to improve it.

    An evaluator may return a plain mapping of metrics instead. One that offers units may say what each gave:
    ``measurements`` are values by unit, in the order of the repeats, from the first.
    """

    metrics: Mapping[str, float]
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict)
    measurements: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, metrics: Mapping[str, float]) -> "EvaluationResult":
        return cls(metrics=metrics)

    def to_dict(self) -> dict[str, float]:
        return dict(self.metrics)

    def has_artifacts(self) -> bool:
        return bool(self.artifacts)

    def get_artifact_keys(self) -> list[str]:
        return list(self.artifacts)

    def get_artifact_size(self, key: str) -> int:
        """Bytes of one artifact, of a text in UTF-8; 0 where there is none of this name."""
        value = self.artifacts.get(key, "")
        return len(value if isinstance(value, bytes) else str(value).encode("utf-8", "replace"))

    def get_total_artifact_size(self) -> int:
        """Bytes of all artifacts."""
        return sum(map(self.get_artifact_size, self.artifacts))


class EvaluationFailed(Exception):
    """Raised by an evaluator that knows why a program has no score."""

    def __init__(self, kind: FailureKind | str, message: str, output_tail: str = "") -> None:
        super().__init__(message)
        self.kind = FailureKind(kind)
        self.output_tail = output_tail
