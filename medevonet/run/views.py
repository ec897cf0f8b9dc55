"""What an evaluation or a confirmation found, as an object of a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medevonet.referee.results import Evaluation
from medevonet.statistics.artifacts import SPLITS
from openevolve.inspect.tables import spread
from openevolve.inspect.views import frame_of, graphics, html_table


@dataclass(frozen=True)
class EvaluationView:
    """A trained program's scores; those of the test split only where they were asked for."""

    evaluation: Evaluation
    with_test: bool = False

    @property
    def metrics(self) -> Mapping[str, float]:
        """What a search would know of the program."""
        return self.evaluation.result().metrics

    @property
    def mean_val_auc(self) -> float:
        return float(self.evaluation.statistics["mean"]["val"]["auc"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A mapping for each data set, and one for their mean: AUC, standard error and 95% interval."""
        statistics = self.evaluation.statistics
        splits = SPLITS if self.with_test else ("val",)
        found = []
        for name, row in [*statistics["datasets"].items(), ("mean", statistics["mean"])]:
            facts: dict[str, Any] = {"dataset": name}
            for split in splits:
                low, high = row[split]["ci95"]
                facts |= {
                    f"{split}_auc": row[split]["auc"],
                    f"{split}_auc_se": row[split]["standard_error"],
                    f"{split}_low": low,
                    f"{split}_high": high,
                }
            found.append(facts)
        return found

    def frame(self) -> Any:
        """``rows`` as a pandas frame. Raises UserError where there is no pandas."""
        return frame_of(self.rows)

    def figure(self) -> Any:
        """A plotly figure: the AUC of each data set with its 95% interval. Raises UserError."""
        drawn = graphics().Figure(layout={"xaxis_title": "data set", "yaxis_title": "AUC"})
        for split in SPLITS if self.with_test else ("val",):
            drawn.add_scatter(
                x=[row["dataset"] for row in self.rows],
                y=[row[f"{split}_auc"] for row in self.rows],
                mode="markers",
                name=split,
                error_y={
                    "symmetric": False,
                    "array": [row[f"{split}_high"] - row[f"{split}_auc"] for row in self.rows],
                    "arrayminus": [row[f"{split}_auc"] - row[f"{split}_low"] for row in self.rows],
                },
            )
        return drawn

    def __repr__(self) -> str:
        mean = self.evaluation.statistics["mean"]["val"]
        network = self.evaluation.network
        return (
            f"<Evaluation: mean validation AUC {spread(mean['auc'], mean['standard_error'])}, "
            f"{network.params:,} parameters, {self.evaluation.seconds:.0f} s>"
        )

    def _repr_html_(self) -> str:
        splits = SPLITS if self.with_test else ("val",)
        heads = ["data set", *(f"{split} AUC" for split in splits)]
        rows = [
            [row["dataset"], *(spread(row[f"{split}_auc"], row[f"{split}_auc_se"]) for split in splits)]
            for row in self.rows
        ]
        return html_table(repr(self)[1:-1], heads, rows)


@dataclass(frozen=True)
class ConfirmationView:
    """What ``confirmation.json`` holds: whether programs are better than their seed."""

    found: Mapping[str, Any]
    svg: str  # the figure that the confirmation left

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For each program and question: the gain over the seed in mean AUC, its 95% interval, p (Holm).

        A program that did not pass on the validation split has a single row without an answer.
        """
        found = []
        for entry in self.found["programs"]:
            facts = {key: entry[key] for key in ("id", "iteration", "params", "claimed_gain", "screen")}
            if "validation" in entry:
                facts["validation_gain"] = entry["validation"]["mean"]["difference"]
            if "test" not in entry:
                found.append(facts)
                continue
            mean = entry["test"]["mean"]
            for question, answer in mean["answers"].items():
                low, high = answer["ci95"]
                asked = {"question": question, "low": low, "high": high, "p_holm": answer["p_holm"]}
                found.append({**facts, "test_gain": mean["difference"], **asked})
        return found

    def frame(self) -> Any:
        """``rows`` as a pandas frame. Raises UserError where there is no pandas."""
        return frame_of(self.rows)

    def figure(self) -> Any:
        """A plotly figure: the test gain of each program with its interval. Raises UserError."""
        drawn = graphics().Figure(layout={"xaxis_title": "program", "yaxis_title": "gain in mean test AUC"})
        tested = [row for row in self.rows if "question" in row]
        for question in dict.fromkeys(row["question"] for row in tested):
            rows = [row for row in tested if row["question"] == question]
            drawn.add_scatter(
                x=[f"iteration {row['iteration']}" for row in rows],
                y=[row["test_gain"] for row in rows],
                mode="markers",
                name=question,
                error_y={
                    "symmetric": False,
                    "array": [row["high"] - row["test_gain"] for row in rows],
                    "arrayminus": [row["test_gain"] - row["low"] for row in rows],
                },
            )
        return drawn

    def __repr__(self) -> str:
        tested = sum("test" in entry for entry in self.found["programs"])
        return (
            f"<Confirmation: {len(self.found['programs'])} programs, {self.found['trainings']} trainings "
            f"each, {tested} tested, look {self.found['looks_at_test_split']} at the test split>"
        )

    def _repr_html_(self) -> str:
        heads = ("iteration", "claimed", "fresh validation", "test", "question", "95% interval", "p (Holm)")
        rows = [
            (
                str(row["iteration"]),
                f"{row['claimed_gain']:+.4f}",
                f"{row['validation_gain']:+.4f}" if "validation_gain" in row else "-",
                f"{row['test_gain']:+.4f}" if "question" in row else "-",
                row.get("question", row["screen"]),
                f"{row['low']:+.4f} to {row['high']:+.4f}" if "question" in row else "-",
                f"{row['p_holm']:.2g}" if "question" in row else "-",
            )
            for row in self.rows
        ]
        return html_table(repr(self)[1:-1], heads, rows) + self.svg
