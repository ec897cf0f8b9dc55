"""What an evaluation has found out: on a rung below, and in full."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.referee.candidate_process import Network
from medevonet.referee.scoring import DatasetRun
from openevolve.evaluation_result import EvaluationResult
from openevolve.records.program import standard_error_of


@dataclass(frozen=True)
class RungResult:
    """What is known of a program on a rung below the full evaluation."""

    network: Network
    val_aucs: dict[str, float]  # by data set, of those that have been looked at
    cost: int  # images trained on, of full size
    trainings: Mapping[str, tuple[float, ...]]  # of val_aucs, by data set: those of the full evaluation

    def result(self) -> EvaluationResult:
        mean_val_auc = sum(self.val_aucs.values()) / len(self.val_aucs)
        metrics = metrics_of(self.network, mean_val_auc, self.val_aucs, self.cost)
        aucs = ", ".join(f"{name} {value:.4f}" for name, value in self.val_aucs.items())
        text = f"validation AUC after a part of the training: {aucs}"
        return EvaluationResult(metrics, {"training": text}, self.trainings)


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found out, test split included: for people and files, never for a search."""

    network: Network
    runs: tuple[DatasetRun, ...]
    statistics: dict[str, Any]  # of metrics_utils.bootstrap_statistics
    cost: int  # images trained on, of full size
    seconds: float
    artifact: Path

    def result(self) -> EvaluationResult:
        """What a search may know: validation metrics and the course of training."""
        mean = self.statistics["mean"]["val"]
        metrics = metrics_of(
            self.network, mean["auc"], {run.dataset.name: run.val_auc for run in self.runs}, self.cost
        )
        metrics["mean_val_auc_se"] = mean["standard_error"]
        trainings = {run.dataset.name: run.val_aucs for run in self.runs}
        for name, aucs in trainings.items():
            if len(aucs) > 1:  # over trainings, on the images at hand
                error = float(np.std(aucs, ddof=1)) / math.sqrt(len(aucs))
                metrics[standard_error_of(f"{name}_val_auc")] = error
        course = "\n".join(run.course() for run in self.runs)
        return EvaluationResult(metrics, {"training": course}, trainings)


def metrics_of(
    network: Network, mean_val_auc: float, val_aucs: dict[str, float], cost: int
) -> dict[str, float]:
    return {
        "combined_score": mean_val_auc,
        "mean_val_auc": mean_val_auc,
        **{f"{name}_val_auc": value for name, value in val_aucs.items()},
        "params": math.log10(network.params),
        "efficiency": -math.log10(network.multiply_adds),
        "param_count": network.params,
        "multiply_adds": network.multiply_adds,
        "cost": cost,
    }
