"""A confirmed program to take away: its text, recipe and weights, and an ONNX model.

    run_evolution.py export ID [RUN] [--training N] [--onnx] [--output DIR]

ID is the beginning of a program's id in a confirmation that has trained it. Confirmations keep probabilities,
not weights: the training is done again, from its seed and within walls, and must give the probabilities that
were kept. With --onnx (the extra onnx) the model is run by onnxruntime on the validation images and must
agree with PyTorch in float32. Neither file of weights holds code: weights.pt is read with weights_only.
"""

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from medevonet.data.dataset import Dataset, load_datasets
from medevonet.referee import scoring
from medevonet.referee.evaluation import ignore
from medevonet.referee.starting import CandidateStarter, launcher_for
from medevonet.run.confirm import fresh_seed, frozen
from medevonet.run.environment import isolation_for
from medevonet.run.folder import find_run
from medevonet.run.settings import load_settings, task_of
from medevonet.sandboxed.kept_network import ONNX, WEIGHTS
from medevonet.statistics.artifacts import load_predictions
from medevonet.task import settled
from openevolve.commands.evolve import ALLOW_UNSAFE, guard
from openevolve.commands.exits import EXIT_COMPLETED
from openevolve.errors import UserError
from openevolve.evaluating.cores import available_cores

TOLERANCE = 1e-4  # of a probability, between PyTorch and onnxruntime in float32


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    return guard(lambda: _main(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_evolution.py export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "id", metavar="ID", help="a confirmed program: its iteration, or the beginning of its id"
    )
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="a run directory (latest)")
    parser.add_argument("--training", type=int, default=1, metavar="N", help="which training (1)")
    parser.add_argument(
        "--onnx", action="store_true", help="an ONNX model too, checked (needs the extra onnx)"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: export/ID in the run")
    parser.add_argument("--allow-unsafe", action="store_true", help=ALLOW_UNSAFE)
    return parser


def _main(options: argparse.Namespace) -> int:
    run = find_run(options.run)
    record = confirmed_record(run, options.id, options.training)
    if options.onnx and not all(map(find_spec, ("onnx", "onnxruntime"))):
        raise UserError("--onnx: expected the extra onnx, found none; install it: uv sync --extra onnx")
    folder = options.output or run / "export" / record.stem
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: expected a folder that is empty or not there yet, found one in use")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        export(run, record, options.training, draft, onnx=options.onnx, allow_unsafe=options.allow_unsafe)
        draft.replace(folder)  # whole, or not there
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    print(f"exported: {folder}")
    return EXIT_COMPLETED


def confirmed_record(run: Path, given: str, training: int) -> Path:
    """The record of a program's training in the run's confirmation. Raises UserError."""
    folder = run / "confirmation" / f"seed_{training - 1}"
    listed = frozen(run)[0] if (run / "confirmation").is_dir() else []
    found = {each.iteration: folder / f"{each.id}.json" for each in listed}
    found = {iteration: path for iteration, path in found.items() if path.is_file()}
    if given.isdecimal() and int(given) in found:
        return found[int(given)]
    matching = [path for path in found.values() if given and path.stem.startswith(given)]
    if len(matching) != 1:
        known = ", ".join(map(str, found)) or "none: run_evolution.py confirm trains them"
        raise UserError(
            f"{given}: expected the iteration of a confirmed program or the beginning of its id, found "
            f"{len(matching)} with training {training}; there are {known}"
        )
    return matching[0]


def export(run: Path, record: Path, training: int, folder: Path, *, onnx: bool, allow_unsafe: bool) -> None:
    """Train again, check, and write: program.py, recipe.json, and a folder of weights for each data set.

    Raises UserError where the training cannot be repeated or ONNX differs, EvaluationFailed where it fails.
    """
    config = load_settings(run / "run_info.json", [])
    task = settled(task_of(config))
    repeat = fresh_seed(task.seed, training - 1)
    task = task.model_copy(update={"seed": repeat, "seeds": {}, "threads": task.threads or available_cores()})
    level = isolation_for(task, config.evaluator.isolation, allow_unsafe=allow_unsafe).level
    source = json.loads(record.read_text(encoding="utf-8"))["program"]
    kept = load_predictions(record.with_suffix(".npz"))
    datasets = load_datasets(task.datasets, task.size, root=task.data_root, download=task.download)
    folder.mkdir(parents=True, exist_ok=True)
    checks: dict[str, Any] = {}
    with launcher_for(None, level) as (launcher, scratch):
        memory = config.evaluator.memory_limit_mb
        starter = CandidateStarter(source.encode(), task, memory, None, level, launcher, scratch)
        for dataset in datasets:
            expected = kept[dataset.name].val.probabilities
            checks[dataset.name] = _exported(
                starter, dataset, datasets, expected, folder / dataset.name, onnx
            )
    (folder / "program.py").write_text(source, encoding="utf-8")
    recipe = {"program": record.stem, "training": training, "task": task.model_dump(mode="json")}
    (folder / "recipe.json").write_text(json.dumps(recipe | {"checked": checks}, indent=2) + "\n")


def _exported(
    starter: CandidateStarter,
    dataset: Dataset,
    datasets: Sequence[Dataset],
    expected: np.ndarray[Any, Any],
    folder: Path,
    onnx: bool,
) -> dict[str, float]:
    """The largest differences of probabilities: to those that were kept, and of ONNX to PyTorch."""
    task = starter.task
    with starter.start(dataset) as candidate:
        network = candidate.load(sorted({each.outputs for each in datasets}), task.precision)
        seed = scoring.training_seed(task.seed, dataset.name)
        again = scoring.train(candidate, task, seed, network.precision, ignore).probabilities["val"]
        differences = {"to_confirmation": float(np.abs(again - expected).max())}
        if differences["to_confirmation"] > TOLERANCE:
            raise UserError(
                f"{dataset.name}: expected the probabilities of the confirmed training, found others (by up "
                f"to {differences['to_confirmation']:.2g}): export on the machine, device and versions that "
                "confirmed it"
            )
        exact = candidate.predict("val", precision="fp32")
        candidate.save(onnx)
        folder.mkdir()
        for name in (WEIGHTS, ONNX)[: 1 + onnx]:
            shutil.copyfile(candidate.folder / name, folder / name, follow_symlinks=False)
    if onnx:
        differences["onnx_to_pytorch"] = _difference(folder / ONNX, dataset, exact)
    return differences


def _difference(path: Path, dataset: Dataset, exact: np.ndarray[Any, Any]) -> float:
    """Of the probabilities of onnxruntime to those of PyTorch, on the validation images. Raises UserError."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = np.load(dataset.images["val"], mmap_mode="r")
    largest = 0.0
    for start in range(0, len(images), 64):
        (logits,) = session.run(None, {"images": _planes(images[start : start + 64])})
        found = _probabilities(logits, dataset.label_kind == "multi-label")
        largest = max(largest, float(np.abs(found - exact[start : start + 64]).max()))
    if not largest <= TOLERANCE:
        raise UserError(
            f"{path}: expected PyTorch's probabilities to {TOLERANCE}, found a difference of {largest:.2g}: "
            "what the network does depends on more than its tensors; export it without --onnx"
        )
    return largest


def _planes(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As ``recipe.to_rgb``: (B, H, W[, 3]) of uint8 to (B, 3, H, W) from -1 to 1."""
    scaled = images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    planes = scaled.transpose(0, 3, 1, 2) if images.ndim == 4 else np.repeat(scaled[:, None], 3, axis=1)
    return np.ascontiguousarray(planes)


def _probabilities(logits: np.ndarray[Any, Any], multi_label: bool) -> np.ndarray[Any, Any]:
    if multi_label:
        return np.asarray(1 / (1 + np.exp(-logits)))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
