"""The end of a confirmation: screening on validation, one look at the test split, and what it says.

Written are ``confirmation.json``, ``confirmation.md`` (what is printed) and ``confirmation.svg``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medevonet.run.looks import count_look
from medevonet.statistics.artifacts import Split, load_predictions
from medevonet.statistics.comparison import Artifact, compare, report
from medevonet.statistics.published import published_means
from medevonet.statistics.student import equivalence_p_value, holm
from medevonet.statistics.variance import Answer, mean_answer
from openevolve.errors import UserError

MARGIN = 0.01  # of mean AUC, within which a smaller network counts as equal
_LEVEL = 0.05

Program = dict[str, Any]


def conclude(run: Path, listed: Sequence[Program], seeds: int) -> dict[str, Any]:
    """Screen, look once, write. Raises UserError where the seed program itself could not be trained."""
    folder = run / "confirmation"
    seed, *others = listed
    trained: dict[str, list[Artifact]] = {
        program["id"]: [load_predictions(folder / f"seed_{r}" / f"{program['id']}.npz") for r in range(seeds)]
        for program in listed
        if all((folder / f"seed_{r}" / f"{program['id']}.json").exists() for r in range(seeds))
    }
    if seed["id"] not in trained:
        raise UserError(f"{folder}: expected all trainings of the seed program; those that failed: *.failed")
    entries = [_screened(program, seed, trained) for program in others]
    passed = [entry for entry in entries if entry["screen"] == "passed"]
    looks = 0
    if passed:  # the look is on record before the labels are read
        looks = count_look(run, "run_evolution.py confirm", [seed["id"], *(e["id"] for e in passed)])
        _tested(passed, seed, trained)
    found = {
        "split": "test",
        "trainings": seeds,
        "margin": MARGIN,
        "looks_at_test_split": looks,
        "seed": seed,
        "programs": entries,
        "beside": _beside(seed, passed, seeds),
    }
    (run / "confirmation.svg").write_text(_figure(entries), encoding="utf-8")
    (run / "confirmation.md").write_text(_markdown(found), encoding="utf-8")
    draft = run / ".confirmation.json.draft"  # last: where it is, the test split is not opened again
    draft.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(run / "confirmation.json")
    return found


def _beside(seed: Program, passed: Sequence[Program], seeds: int) -> list[dict[str, Any]]:
    """Mean test AUCs of what was tested, and what others have published on these images; the best first."""
    if not passed:
        return []
    own = [(seed, passed[0]["test"]["mean"]["aucs"][0])]
    own += [(entry, entry["test"]["mean"]["aucs"][1]) for entry in passed]
    rows: list[dict[str, Any]] = [
        {
            "name": f"iteration {program['iteration']}" if program["iteration"] else "the seed program",
            "parameters": program["params"],
            "auc": auc,
            "source": f"here, mean of {seeds} trainings",
        }
        for program, auc in own
    ]
    cases = {name: row["cases"] for name, row in passed[0]["test"]["datasets"].items()}
    rows += [
        {"name": each.name, "parameters": each.parameters, "auc": auc, "source": each.source}
        for each, auc in published_means(cases)
    ]
    return sorted(rows, key=lambda row: -row["auc"])


def written(run: Path) -> str:
    """The table of a confirmation that has ended, and where it is."""
    return (
        f"{(run / 'confirmation.md').read_text(encoding='utf-8')}\nconfirmation: {run / 'confirmation.json'}"
    )


def _screened(program: Program, seed: Program, trained: Mapping[str, list[Artifact]]) -> Program:
    """Claimed and freshly validated gain; without a gain a program stops here, unless smaller and equal."""
    entry = {key: program[key] for key in ("id", "iteration", "params", "claimed", "estimate")}
    entry["claimed_gain"] = program["claimed"] - seed["claimed"]
    entry["smaller"] = program["params"] < seed["params"]
    if program["id"] not in trained:
        return entry | {"screen": "a training failed"}
    validation = _compared(trained[seed["id"]], trained[program["id"]], "val")
    gain = validation["mean"]["difference"]
    least = -MARGIN if entry["smaller"] else 0.0
    return entry | {"validation": validation, "screen": "passed" if gain > least else "no gain on validation"}


def _compared(seed: list[Artifact], program: list[Artifact], split: Split) -> dict[str, Any]:
    return report(compare(seed, program, split))


def _tested(passed: list[Program], seed: Program, trained: Mapping[str, list[Artifact]]) -> None:
    """The primary test: the mean difference, Holm over the programs. Per data set is secondary."""
    for entry in passed:
        rows = compare(trained[seed["id"]], trained[entry["id"]], "test")
        entry["test"] = report(rows)
        for question, numbers in entry["test"]["mean"]["answers"].items():
            answer: Answer = mean_answer([row.answers[question] for row in rows.values()])
            numbers["p_equivalent"] = (
                equivalence_p_value(answer.difference, answer.standard_error, answer.degrees, MARGIN)
                if entry["smaller"]
                else None
            )
        claimed = entry["claimed_gain"]
        entry["survived"] = entry["test"]["mean"]["difference"] / claimed if claimed > 0 else None
    for question in passed[0]["test"]["mean"]["answers"]:
        asked = [entry["test"]["mean"]["answers"][question] for entry in passed]
        adjusted = holm([numbers["p"] for numbers in asked])
        smaller = [numbers for numbers in asked if numbers["p_equivalent"] is not None]
        for numbers, p_value in zip(asked, adjusted, strict=True):
            numbers["p_holm"] = p_value
        for numbers, p_value in zip(smaller, holm([n["p_equivalent"] for n in smaller]), strict=True):
            numbers["p_equivalent_holm"] = p_value


def _markdown(found: Mapping[str, Any]) -> str:
    lines = [
        f"Gain over the seed program in mean AUC; {found['trainings']} trainings of each program from seeds",
        "that the search did not use; Holm over programs; equal: smaller,",
        f"and within {MARGIN} by two one-sided tests.",
        f"Looks at the test split of this run so far: {found['looks_at_test_split']}.",
        "",
        "| iteration | parameters | claimed | fresh validation | test | survived | question | 95% interval "
        "| p (Holm) | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in found["programs"]:
        name, params = entry["iteration"], f"{entry['params']:,}"
        validated = f"{entry['validation']['mean']['difference']:+.4f}" if "validation" in entry else "-"
        start = f"| {name} | {params} | {entry['claimed_gain']:+.4f} | {validated}"
        if "test" not in entry:
            lines.append(f"{start} | - | - | - | - | - | {entry['screen']} |")
            continue
        survived = f"{entry['survived']:.0%}" if entry["survived"] is not None else "-"
        for question, answer in entry["test"]["mean"]["answers"].items():
            interval = "{:+.4f} to {:+.4f}".format(*answer["ci95"])
            lines.append(
                f"{start} | {entry['test']['mean']['difference']:+.4f} | {survived} | {question} "
                f"| {interval} | {answer['p_holm']:.2g} | {_verdict(entry, answer)} |"
            )
    if found["beside"]:
        lines += ["", "| network | parameters | mean test AUC | source |", "|---|---|---|---|"]
    for row in found["beside"]:
        params = f"{row['parameters']:,}" if row["parameters"] else "?"
        lines.append(f"| {row['name']} | {params} | {row['auc']:.4f} | {row['source']} |")
    return "\n".join(lines) + "\n"


def _verdict(entry: Program, answer: Mapping[str, Any]) -> str:
    if answer["p_holm"] < _LEVEL:
        return "better" if entry["test"]["mean"]["difference"] > 0 else "worse"
    if answer.get("p_equivalent_holm", 1.0) < _LEVEL:
        return "equal, and smaller"
    return "not shown"


def _figure(entries: Sequence[Program]) -> str:
    """A line a program: the gain claimed, freshly validated, tested, and for new patients its interval."""
    gains = [0.0]
    for entry in entries:
        gains += [entry["claimed_gain"], *_gains(entry)]
        if "test" in entry:
            gains += list(entry["test"]["mean"]["answers"].values())[-1]["ci95"]
    low, high = min(gains), max(gains)
    width, left, row = 640, 110, 34
    height = row * len(entries) + 60

    def x(gain: float) -> float:
        return left + (gain - low) / ((high - low) or 1.0) * (width - left - 40)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="10" y2="{height - 45}" stroke="#999"/>',
    ]
    for place, entry in enumerate(entries):
        y = 25 + row * place
        parts.append(f'<text x="5" y="{y + 4}">iteration {entry["iteration"]}</text>')
        if "test" in entry:
            ends = list(entry["test"]["mean"]["answers"].values())[-1]["ci95"]
            parts.append(
                f'<line x1="{x(ends[0]):.1f}" x2="{x(ends[1]):.1f}" y1="{y}" y2="{y}" stroke="#c33"/>'
            )
        marks = zip((entry["claimed_gain"], *_gains(entry)), ("#bbb", "#36c", "#c33"), strict=False)
        parts += [f'<circle cx="{x(gain):.1f}" cy="{y}" r="5" fill="{colour}"/>' for gain, colour in marks]
    legend = (
        f"gain in mean AUC, {low:+.3f} to {high:+.3f}: claimed (grey), fresh validation (blue), "
        "test with its 95% interval for new patients (red)"
    )
    parts += [f'<text x="5" y="{height - 15}" font-size="11">{legend}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _gains(entry: Program) -> list[float]:
    return [entry[split]["mean"]["difference"] for split in ("validation", "test") if split in entry]
