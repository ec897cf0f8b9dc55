"""What the engine calls for every program: swap this file, the seed and the prompt to solve another task."""

from collections.abc import Iterator

from medevonet.run.train_command import train_and_evaluate, train_and_evaluate_in_rungs
from medevonet.run.units import train_once_more, training_units
from openevolve.evaluation_result import EvaluationResult


def units() -> list[dict[str, object]]:
    return training_units()


def measure(program_path: str, unit: str, repeat: int) -> EvaluationResult:
    return train_once_more(program_path, unit, repeat)


def evaluate(program_path: str) -> EvaluationResult:
    return train_and_evaluate(program_path)


def evaluate_rungs(program_path: str) -> Iterator[EvaluationResult]:
    return train_and_evaluate_in_rungs(program_path)
