"""The difference of two programs on one or more data sets: every answer, as numbers and as a table.

``variance.py`` says what the questions are and where the answers come from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from medevonet.statistics.artifacts import DatasetPredictions, Split
from medevonet.statistics.student import holm
from medevonet.statistics.variance import (
    Answer,
    Pool,
    Question,
    Trainings,
    for_new_patients,
    for_these_weights,
    mean_answer,
    on_these_images,
    trainings_of,
)
from openevolve.errors import UserError

QUESTIONS: tuple[Question, ...] = get_args(Question)

Artifact = Mapping[str, DatasetPredictions]  # what an NPZ file holds, by data set


@dataclass(frozen=True)
class Row:
    """Programs A and B on one data set, or on the mean over all."""

    cases: int
    trainings: tuple[int, int]  # of A and of B; over data sets the fewest
    aucs: tuple[float, float]
    answers: Mapping[Question, Answer]

    @property
    def difference(self) -> float:
        """B - A."""
        return self.aucs[1] - self.aucs[0]


def compare(
    a: Sequence[Artifact], b: Sequence[Artifact], split: Split, pool: Sequence[Artifact] = ()
) -> dict[str, Row]:
    """B against A by data set, each side by all trainings of its artifacts.

    ``pool`` are artifacts of a run's other programs: from those that were trained several times comes the
    variance of training where a side was trained once. Where the data sets have no answer in common, since
    programs were trained several times on some of them only, all get the one for these weights. Raises
    ``UserError`` unless all artifacts of A and B hold the same cases and every statistic is defined.
    """
    first, second = (_gathered(artifacts, split, a[0]) for artifacts in (a, b))
    rows = {name: row_of(first[name], second[name], _pool(pool, name, split)) for name in first}
    if _shared(rows.values()):
        return rows
    for name, row in rows.items():
        of_weights = for_these_weights(first[name], second[name])
        rows[name] = replace(row, answers={**row.answers, of_weights.question: of_weights})
    return rows


def row_of(a: Trainings, b: Trainings, pool: Pool | None = None) -> Row:
    """Every question that the trainings and the pool have an answer to."""
    found = [on_these_images(a, b, pool), for_new_patients(a, b, pool)]
    if found == [None, None]:
        found = [for_these_weights(a, b)]
    answers = {answer.question: answer for answer in found if answer}
    return Row(a.cases, (len(a), len(b)), (a.auc, b.auc), answers)


def _shared(rows: Iterable[Row]) -> list[Question]:
    """What all of them have an answer to."""
    return [question for question in QUESTIONS if all(question in row.answers for row in rows)]


def mean_row(rows: Sequence[Row]) -> Row:
    """The mean over independent data sets, with the answers that all of them have."""
    shared = _shared(rows)
    return Row(
        sum(row.cases for row in rows),
        (min(row.trainings[0] for row in rows), min(row.trainings[1] for row in rows)),
        (float(np.mean([row.aucs[0] for row in rows])), float(np.mean([row.aucs[1] for row in rows]))),
        {question: mean_answer([row.answers[question] for row in rows]) for question in shared},
    )


def _gathered(artifacts: Sequence[Artifact], split: Split, reference: Artifact) -> dict[str, Trainings]:
    """All trainings of one program, by data set."""
    for artifact in artifacts:
        _check_same_cases(reference, artifact, split)
    gathered = {}
    for dataset, of_reference in reference.items():
        models = [model for artifact in artifacts for model in artifact[dataset][split].trainings]
        try:
            gathered[dataset] = trainings_of(models, of_reference[split].labels, of_reference.label_kind)
        except ValueError as error:
            raise UserError(f"{dataset}, {split} split: {error}") from error
    return gathered


def _pool(artifacts: Sequence[Artifact], dataset: str, split: Split) -> Pool | None:
    programs = [
        trainings_of(artifact[dataset][split].trainings, artifact[dataset][split].labels, of.label_kind)
        for artifact in artifacts
        if (of := artifact.get(dataset)) and len(of[split].trainings) > 1
    ]
    return Pool.of(programs)


def _check_same_cases(a: Artifact, b: Artifact, split: Split) -> None:
    if a.keys() != b.keys():
        raise UserError(
            f"expected the same data sets in all artifacts; found {', '.join(sorted(a))} in one and "
            f"{', '.join(sorted(b))} in another"
        )
    for dataset, of_a in a.items():
        labels_a, labels_b = of_a[split].labels, b[dataset][split].labels
        if of_a.label_kind != b[dataset].label_kind or not np.array_equal(labels_a, labels_b):
            raise UserError(
                f"{dataset}, {split} split: expected the same cases in all artifacts; found other labels "
                f"({of_a.label_kind} {labels_a.shape} and {b[dataset].label_kind} {labels_b.shape}): "
                "compare programs that were evaluated on the same files"
            )


def report(rows: Mapping[str, Row]) -> dict[str, Any]:
    """The rows as numbers for JSON: ``{"datasets": {name: row}, "mean": row}``.

    A row has ``cases``, ``trainings`` and ``aucs`` (of A and B), ``difference`` (B - A) and ``answers`` by
    question, each with ``standard_error``, ``degrees`` of freedom, ``ci95`` and ``p``; of a data set also
    ``p_holm``, adjusted for the number of data sets. The mean is one test and needs no adjustment.
    """
    datasets = {name: _numbers(row) for name, row in rows.items()}
    for question in QUESTIONS:
        asked = [row["answers"][question] for row in datasets.values() if question in row["answers"]]
        for answer, p_value in zip(asked, holm([answer["p"] for answer in asked]), strict=True):
            answer["p_holm"] = p_value
    return {"datasets": datasets, "mean": _numbers(mean_row(list(rows.values())))}


def _numbers(row: Row) -> dict[str, Any]:
    answers = {
        question: {
            "standard_error": answer.standard_error,
            "degrees": answer.degrees if np.isfinite(answer.degrees) else None,
            "ci95": list(answer.interval()),
            "p": answer.p_value,
        }
        for question, answer in row.answers.items()
    }
    return {
        "cases": row.cases,
        "trainings": list(row.trainings),
        "aucs": list(row.aucs),
        "difference": row.difference,
        "answers": answers,
    }


def table(report: Mapping[str, Any]) -> str:
    """A report as text: a line for each answer of a data set and of the mean, in aligned columns."""
    lines = [["dataset", "n", "trainings", "A", "B", "B-A", "question", "95% interval", "p", "p (Holm)"]]
    for dataset, row in [*report["datasets"].items(), ("mean", report["mean"])]:
        facts = [
            dataset, str(row["cases"]), " + ".join(map(str, row["trainings"])),
            *(f"{value:.4f}" for value in row["aucs"]), f"{row['difference']:+.4f}",
        ]  # fmt: skip
        for question, answer in row["answers"].items():
            adjusted = f"{answer['p_holm']:.2g}" if "p_holm" in answer else "-"
            interval = "{:+.4f} to {:+.4f}".format(*answer["ci95"])
            lines.append([*facts, question, interval, f"{answer['p']:.2g}", adjusted])
    return aligned(lines, left=(0, 6))


def aligned(lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns of text, numbers to the right and those of ``left`` to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
