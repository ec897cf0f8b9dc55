"""Artifacts: whole or absent, refused when damaged, and with statistics that repeat."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medevonet.run.compare_command import main
from medevonet.statistics.auc import auc
from medevonet.statistics.summaries import (
    DatasetPredictions,
    SplitPredictions,
    bootstrap_statistics,
    load_predictions,
    write_artifact,
)
from openevolve.errors import UserError
from tests import PROJECT
from tests.support.sample_predictions import artifact, predictions, replaced


def test_predictions_come_back_to_the_bit(tmp_path: Path) -> None:
    written, read = predictions(0), load_predictions(artifact(tmp_path, 0))
    assert list(read) == list(written)
    for dataset, expected in written.items():
        found = read[dataset]
        assert found.label_kind == expected.label_kind
        for a, b in ((found.val, expected.val), (found.test, expected.test)):
            np.testing.assert_array_equal(a.probabilities, b.probabilities, strict=True)
            np.testing.assert_array_equal(a.labels, b.labels, strict=True)


def test_npz_has_the_documented_keys_and_no_pickles(tmp_path: Path) -> None:
    with np.load(artifact(tmp_path, 0), allow_pickle=False) as archive:
        assert {key for key in archive.files if key.startswith("my_chest")} == {
            "my_chest_kind",
            "my_chest_val_probs",
            "my_chest_val_labels",
            "my_chest_test_probs",
            "my_chest_test_labels",
        }
        assert str(archive["my_chest_kind"]) == "multi-label"


def test_record_is_strict_json(tmp_path: Path) -> None:
    record = {
        "program": "é = 1\n",
        "history": [{"loss": float("nan"), "auc": 0.5}],
        "limits": (float("inf"), 1),
    }
    path = write_artifact(tmp_path, "u", record, predictions(0))
    assert path == tmp_path / "u.json"
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text) == {
        "uuid": "u",
        "program": "é = 1\n",
        "history": [{"loss": None, "auc": 0.5}],
        "limits": [None, 1],
    }


def test_record_that_is_not_json_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Path is not JSON serializable"):
        write_artifact(tmp_path, "u", {"where": tmp_path}, predictions(0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.zeros((4, 2)), np.zeros((4, 1), np.uint8), "val: expected float32.*found float64 and uint8"),
        (np.zeros((4, 2), np.float32), np.zeros((4, 1), int), "val: .*found float32 and int64"),
        (np.zeros((4, 2), np.float32), np.zeros((3, 1), np.uint8), r"labels of shape \(4, 1\)"),
        (np.full((4, 2), np.nan, np.float32), np.zeros((4, 1), np.uint8), "finite probabilities"),
    ],
)
def test_wrong_predictions_are_refused(probabilities: object, labels: object, message: str) -> None:
    right = predictions(0)["breast"].test
    wrong = SplitPredictions(probabilities, labels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        DatasetPredictions("binary", wrong, right)


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from medevonet.statistics.summaries import load_predictions, write_artifact

predictions = load_predictions(Path(sys.argv[1]))
steps_left = int(sys.argv[3])

def counted(function):
    def wrapper(*arguments, **options):
        global steps_left
        steps_left -= 1
        if steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return wrapper

os.fsync, os.replace = counted(os.fsync), counted(os.replace)
write_artifact(Path(sys.argv[2]), "u", {"status": "ok"}, predictions)
"""


@pytest.mark.parametrize(
    ("step", "left"),
    [(1, []), (2, []), (3, ["u.npz"]), (4, ["u.npz"]), (5, ["u.npz"]), (6, ["u.json", "u.npz"])],
)
def test_killed_writer_leaves_whole_files_and_json_last(tmp_path: Path, step: int, left: list[str]) -> None:
    """Steps: sync, rename and folder sync of the NPZ file, then the same of the JSON file."""
    source, folder = artifact(tmp_path, 0), tmp_path / "artifacts"
    command = [sys.executable, "-c", KILLED_WRITER, str(source), str(folder), str(step)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == left
    if "u.npz" in left:
        assert (folder / "u.npz").read_bytes() == source.read_bytes()
    if "u.json" in left:
        assert json.loads((folder / "u.json").read_text()) == {"uuid": "u", "status": "ok"}


def test_failed_write_leaves_nothing_of_itself_or_of_an_older_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_artifact(tmp_path, "u", {"try": 1}, predictions(0))
    first = (tmp_path / "u.npz").read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_artifact(tmp_path, "u", {"try": 2}, predictions(1))
    assert [path.name for path in tmp_path.iterdir()] == ["u.npz"]
    assert (tmp_path / "u.npz").read_bytes() == first


def without(path: Path, key: str) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if name != key}
    np.savez(path, **arrays)


def saved(path: Path, array: object) -> None:
    with path.open("wb") as file:
        np.save(file, np.asarray(array))


def turned_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def emptied(path: Path) -> None:
    with zipfile.ZipFile(path, "w"):
        pass


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "found no such file"),
    "a folder": (turned_into_a_folder, "found no such file"),
    "empty": (lambda path: path.write_bytes(b""), "no artifact"),
    "text": (lambda path: path.write_text("hello\n" * 50), "no artifact"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-400]), "damaged"),
    "one array": (lambda path: saved(path, [1.0]), "no artifact"),
    "pickle": (lambda path: saved(path, [None]), "no artifact"),
    "pickle inside": (lambda path: replaced(path, "derma_test_probs", [None]), "no artifact"),
    "empty archive": (emptied, "data sets none"),
    "key missing": (lambda path: without(path, "derma_val_probs"), r"missing \['derma_val_probs'\]"),
    "kind missing": (lambda path: without(path, "derma_kind"), r"not known \['derma_test_labels', "),
    "unknown kind": (lambda path: replaced(path, "derma_kind", "ordinal"), "derma: expected a label kind"),
    "kind a list": (lambda path: replaced(path, "derma_kind", ["binary"] * 2), "derma: "),
    "shape": (lambda path: replaced(path, "derma_val_probs", np.zeros(40, np.float32)), "derma: .*shape"),
    "type": (lambda path: replaced(path, "breast_test_probs", np.zeros((60, 2))), "breast: test: .*float64"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_one_line_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    good, bad = artifact(tmp_path, 0), artifact(tmp_path, 1)
    spoil, message = BAD_FILES[name]
    spoil(bad)
    with pytest.raises(UserError, match=message):
        load_predictions(bad)
    assert main(["compare", str(good), str(bad)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {bad}: ")
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artifact(tmp_path_factory.mktemp("fuzz"), 0)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_a_user_error_or_no_error(fuzzed: Path, data: st.DataObject) -> None:
    content = bytearray(fuzzed.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    target = fuzzed.with_name("damaged.npz")
    target.write_bytes(content)
    try:
        found = load_predictions(target)
    except UserError:
        return
    assert all(isinstance(each, DatasetPredictions) for each in found.values())


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@settings(max_examples=150, deadline=None)
@given(
    shape=st.sampled_from(
        ["(3, 2)", "(99999999999999,)", "(9" + "9" * 30 + ",)", "(True,)", "(-3, 2)", "(("]
    ),
    noise=st.text(st.sampled_from("{}()[]',:<f4 \\\n"), max_size=6),
)
def test_damaged_array_headers_are_a_user_error(fuzzed: Path, shape: str, noise: str) -> None:
    """Headers inside an archive whose checksums are right, so that NumPy gets to parse them."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, {noise}}}".ljust(117) + "\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(24)
    target = fuzzed.with_name("header.npz")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("breast_kind.npy", member)
    with pytest.raises(UserError, match=r"header\.npz"):
        load_predictions(target)


def test_bootstrap_statistics_fill_the_record(tmp_path: Path) -> None:
    found = bootstrap_statistics(predictions(0), seed=3, replicates=400)
    assert set(found["datasets"]) == {"breast", "derma", "my_chest"}
    for split in ("val", "test"):
        rows = [dataset[split] for dataset in found["datasets"].values()]
        for row in [*rows, found["mean"][split]]:
            assert set(row) == {"auc", "standard_error", "ci95"}
            assert row["ci95"][0] < row["auc"] < row["ci95"][1]
            assert row["ci95"][1] - row["ci95"][0] == pytest.approx(3.92 * row["standard_error"], rel=0.15)
        mean = found["mean"][split]
        assert mean["auc"] == pytest.approx(np.mean([row["auc"] for row in rows]))
        independent = np.sqrt(sum(row["standard_error"] ** 2 for row in rows)) / 3
        assert mean["standard_error"] == pytest.approx(independent, rel=0.1)
    chest = predictions(0)["my_chest"]
    assert found["datasets"]["my_chest"]["val"]["auc"] == auc(
        chest.val.probabilities, chest.val.labels, "multi-label"
    )
    assert json.loads(json.dumps(found)) == found


def test_statistics_depend_on_the_seed_and_on_nothing_else() -> None:
    everything = bootstrap_statistics(predictions(0), seed=3, replicates=50)
    assert bootstrap_statistics(predictions(0), seed=3, replicates=50) == everything
    assert bootstrap_statistics(predictions(0), seed=4, replicates=50) != everything
    alone = bootstrap_statistics({"derma": predictions(0)["derma"]}, seed=3, replicates=50)
    assert alone["datasets"]["derma"] == everything["datasets"]["derma"]


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one data set"):
        bootstrap_statistics({}, seed=0)


def test_import_needs_numpy_and_special_functions_alone() -> None:
    heavy = ("torch", "sklearn", "scipy.stats", "pandas", "medmnist")
    code = f"import sys, metrics_utils; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
