"""What the engine calls for every program: swap this file, the seed and the prompt to solve another task."""

from openevolve.evaluation_result import EvaluationResult
from train import train_and_evaluate


def evaluate(program_path: str) -> EvaluationResult:
    return train_and_evaluate(program_path)
