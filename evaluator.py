"""What the engine calls for every program: swap this file, the seed and the prompt to solve another task."""

from collections.abc import Iterator

from medevonet.run.train_command import train_and_evaluate, train_and_evaluate_in_rungs
from openevolve.evaluation_result import EvaluationResult


def evaluate(program_path: str) -> EvaluationResult:
    return train_and_evaluate(program_path)


def evaluate_rungs(program_path: str) -> Iterator[EvaluationResult]:
    return train_and_evaluate_in_rungs(program_path)
