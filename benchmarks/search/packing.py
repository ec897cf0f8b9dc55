"""All trainings of a folder as one small file, without any program's text.

Arrays (P programs, D data sets, R repeats, E epochs): ``names`` (P,), ``parents`` (P,) rows of the nearest
ancestor in the file (-1: none), ``datasets`` (D,), ``costs`` (D,) images trained on, ``params`` and
``multiply_adds`` (P,), ``val_auc`` (P, D, R, E), NaN where there was no training, ``val`` (P, R, N) the
probabilities of the first data set's validation images (BreastMNIST's 78: those of the others take too much
room), ``failed`` (F,) programs that gave no network, and why.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.search.programs import Relative, read_family
from benchmarks.search.trainings import Training, read, unpack


def pack_table(folder: Path, target: Path) -> str:
    """Returns what was packed, in a line. A program of which a data set lacks every training is left out."""
    found: dict[tuple[str, str, int], Training] = {}
    for path in sorted(folder.glob("trainings-*.jsonl")):
        found |= read(path)
    family = read_family(folder / "programs.json")
    failed = {training.program: training.failure for training in found.values() if training.failure}
    datasets = list(dict.fromkeys(training.dataset for training in found.values()))
    trained = {(training.program, training.dataset) for training in found.values()}
    names = [
        name for name in family if name not in failed and all((name, each) in trained for each in datasets)
    ]
    good = [training for training in found.values() if training.program in set(names)]
    repeats, epochs = 1 + max(each.repeat for each in good), max(len(each.val_auc) for each in good)
    rows = {name: row for row, name in enumerate(names)}
    val_auc = np.full((len(names), len(datasets), repeats, epochs), np.nan, dtype=np.float32)
    images = len(unpack(next(each.val for each in good if each.dataset == datasets[0])))
    val = np.full((len(names), repeats, images), np.nan, dtype=np.float16)
    for each in good:
        row, column = rows[each.program], datasets.index(each.dataset)
        val_auc[row, column, each.repeat] = each.val_auc
        if column == 0:
            val[row, each.repeat] = unpack(each.val)
    first = {each.program: each for each in good}
    np.savez_compressed(
        target,
        names=np.array(names),
        parents=np.array([_ancestor(name, family, rows) for name in names]),
        datasets=np.array(datasets),
        costs=np.array([next(each.cost for each in good if each.dataset == name) for name in datasets]),
        params=np.array([first[name].params for name in names]),
        multiply_adds=np.array([first[name].multiply_adds for name in names]),
        val_auc=val_auc,
        val=val,
        failed=np.array([f"{name}: {failed[name]}" for name in sorted(failed)]),
    )
    return (
        f"{len(names)} programs, {len(good)} trainings ({', '.join(datasets)}), "
        f"{len(failed)} programs failed, {target.stat().st_size / 1e3:.0f} kB"
    )


def _ancestor(name: str, family: Mapping[str, Relative], rows: Mapping[str, int]) -> int:
    """Row of the nearest that the file has."""
    parent = family[name].parent
    while parent is not None and parent not in rows:
        parent = family[parent].parent
    return -1 if parent is None else rows[parent]
