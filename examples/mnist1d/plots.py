"""Draw what EvoPrompting's figures show: model size against test error, and the curve of maximum fitness.

    python plots.py openevolve_output          writes openevolve_output/evoprompting.png

The fronts are those of size and test error: looked at once the search is over, never by the search.
"""

import sys
from itertools import accumulate
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from openevolve.state.journal import read_journal


def main() -> None:
    folder = Path(sys.argv[1])
    measured = {
        event["iteration"]: event["outcome"]["metrics"]
        for event in read_journal(folder / "journal.jsonl")
        if event["event"] == "measured" and event["outcome"]["failure"] is None
    }
    sizes = [m["num_params"] for m in measured.values()]
    errors = [m["test_error"] for m in measured.values()]
    fitness = [-m["num_params"] * (1 - m["combined_score"]) for _, m in sorted(measured.items())]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.scatter(sizes, errors, s=14, color="grey", label="programs")
    left.plot(*zip(*front(sizes, errors), strict=True), "o-", color="tab:red", label="Pareto front")
    left.scatter(
        *[[measured[0][name]] for name in ("num_params", "test_error")], marker="*", s=140, label="initial"
    )
    left.set(xlabel="parameters", ylabel="test error", xscale="log")
    left.legend()
    right.plot(sorted(measured), list(accumulate(fitness, max)))
    right.set(xlabel="program", ylabel="maximum of -(parameters x validation error)")
    figure.savefig(folder / "evoprompting.png", dpi=120)
    for size, error in front(sizes, errors):
        print(f"{size:.0f} parameters, test error {error:.3f}")


def front(sizes: list[float], errors: list[float]) -> list[tuple[float, float]]:
    """Pairs that no other beats in both, the smallest first."""
    found: list[tuple[float, float]] = []
    for size, error in sorted(zip(sizes, errors, strict=True)):
        if not found or error < found[-1][1]:
            found.append((size, error))
    return found


if __name__ == "__main__":
    main()
