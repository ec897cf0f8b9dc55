"""How often is a program claimed to be better that is the seed program? Confirmations where nobody is.

In each of --confirmations the seed program stands on the frozen list three times more, as other programs:
with its variables renamed, its layers made in another order (so that they start from other numbers), and its
channels reversed. The list goes through ``run_evolution.py confirm``, with real trainings: one epoch on small
images of its own, drawn afresh for each confirmation, so that a claim is wrong on these images and for new
patients. A false claim is a verdict of "better" for either question, after Holm over the three.

    python benchmarks/null_confirmations.py [--confirmations 40] [--seeds 3]
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import hardware
from medevonet.run import confirm
from medevonet.run.folder import create_run
from medevonet.run.info import write_run_info

SEED = """import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(24, classes)

    def forward(self, x):
        hidden = torch.relu(self.conv(x))
        return self.head(nn.functional.adaptive_avg_pool2d(hidden, 2).flatten(1))


def create_model(num_classes=7):
    return Network(num_classes)
"""
_CONV, _HEAD = SEED.splitlines(keepends=True)[7:9]
VARIANTS = {
    "renamed": SEED.replace("hidden", "features").replace("Network", "Model"),
    "layers in another order": SEED.replace(_CONV + _HEAD, _HEAD + _CONV),
    "channels reversed": SEED.replace("relu(self.conv(x))", "relu(self.conv(x)).flip(1)"),
}
COUNTS = {"train": 160, "val": 80, "test": 160}
SIZE = 16


def images(path: Path, seed: int) -> None:
    """Two classes, a quarter of them positive: a square in noise."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for split, count in COUNTS.items():
        labels = (np.arange(count) % 4 == 0).astype(np.uint8)
        pixels = rng.normal(110, 40, (count, SIZE, SIZE))
        pixels[:, 3:10, 3:10] += 12 * labels[:, None, None]
        arrays[f"{split}_images"] = pixels.clip(0, 255).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    np.savez(path, **arrays)


def run_with_list(folder: Path, number: int, seeds: int) -> Path:
    """A run that ended, with its frozen list: the seed program and what passes for others."""
    data = folder / f"{number}.npz"
    images(data, number)
    run = create_run(folder / str(number))
    task = {
        "datasets": [{"name": "null", "path": str(data), "label_kind": "binary"}], "size": SIZE, "epochs": 1,
        "batch_size": 16, "max_lr": 0.02, "device": "cpu", "threads": 1, "precision": "fp32", "seed": number,
        "bootstrap_replicates": 100,
    }  # fmt: skip
    write_run_info(run, {"task": task, "evaluator": {"isolation": "process", "parallel_evaluations": 2}}, {})
    codes = [SEED, *VARIANTS.values()]
    listed = [
        confirm.Listed(f"00000000-0000-4000-8000-{place:012}", place, 0.6 + 0.01 * place, 0.6, 218, code)
        for place, code in enumerate(codes)
    ]
    confirm.freeze(run, lambda: listed, seeds)
    return run


def confirmed(folder: Path, number: int, seeds: int) -> dict[str, Any]:
    """One confirmation, by the command; what it wrote."""
    run = run_with_list(folder, number, seeds)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = confirm.main([str(run), "--top", str(len(VARIANTS)), "--seeds", str(seeds)])
    if code:
        raise SystemExit(f"confirmation {number}: {printed.getvalue()}")
    found: dict[str, Any] = json.loads((run / "confirmation.json").read_text(encoding="utf-8"))
    return found


def claims(found: dict[str, Any], question: str, level: float) -> list[str]:
    """Who was called better in answer to the question."""
    return [
        name
        for name, entry in zip(VARIANTS, found["programs"], strict=True)
        if "test" in entry
        and entry["test"]["mean"]["difference"] > 0
        and entry["test"]["mean"]["answers"][question]["p_holm"] < level
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--confirmations", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"hardware: {hardware()}; {len(VARIANTS)} programs, {options.seeds} trainings each", flush=True)
    started, false, tested, aucs = time.monotonic(), 0, 0, []
    by_question = {"on these images": 0, "for new patients": 0}
    with tempfile.TemporaryDirectory() as name:
        os.environ["MEDEVONET_CACHE"] = str(Path(name) / "cache")
        for number in range(options.confirmations):
            found = confirmed(Path(name), number, options.seeds)
            who = {question: claims(found, question, 0.05) for question in by_question}
            for question, names in who.items():
                by_question[question] += bool(names)
            false += any(who.values())
            opened = [entry["test"]["mean"] for entry in found["programs"] if "test" in entry]
            tested += len(opened)
            aucs += [mean["aucs"][0] for mean in opened[:1]]
            lowest = min((a["p_holm"] for mean in opened for a in mean["answers"].values()), default=1.0)
            print(f"{number:3}  tested {len(opened)}  lowest p (Holm) {lowest:.3f}  claims {who}", flush=True)
    print("---")
    print(f"confirmations: {options.confirmations}")
    print(f"programs_that_reached_the_test_split: {tested}")
    print(f"seed_test_auc: {np.mean(aucs):.3f} (spread {np.std(aucs, ddof=1):.3f})")
    for question, count in by_question.items():
        print(f"false_claims_{question.replace(' ', '_')}: {count}")
    print(f"false_claims: {false}")
    print(f"seconds: {time.monotonic() - started:.0f}")


if __name__ == "__main__":
    main()
