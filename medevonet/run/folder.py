"""Run directories: ``runs/mnist/<timestamp>_<jobid>``, and ``latest``, which points to one of them."""

import os
import re
import tempfile
import time
from pathlib import Path

from openevolve.errors import UserError

PROJECT = Path(__file__).resolve().parents[2]
RUNS = Path("runs/mnist")


def create_run(root: Path = RUNS) -> Path:
    """A fresh ``<timestamp>_<jobid>`` folder, which ``latest`` points to from now on. Raises UserError."""
    job = os.environ.get("SLURM_JOB_ID") or os.environ.get("PBS_JOBID") or "local"
    name = f"{time.strftime('%Y%m%d_%H%M%S')}_{job}"
    try:
        for attempt in range(1000):
            run = root / (f"{name}-{attempt + 1}" if attempt else name)
            try:
                (run / "artifacts").mkdir(parents=True)
                break
            except FileExistsError:  # another run of the same second
                continue
        point_latest(run)
    except OSError as error:
        raise _not_writable(root, error) from None
    return run


def new_folder(name: str | None, output: Path | None, root: Path = RUNS) -> Path | None:
    """Where a run of this name, or with this folder, goes; None: ``create_run`` names one.

    Raises UserError for a name that is no file's, and where something is there already.
    """
    if name is not None and (not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name) or name == "latest"):
        raise UserError(
            f"--name: expected letters, digits, ., _, + and -, and a letter or digit first, found {name!r}"
        )
    folder = output if name is None else root / name
    if folder is None or not (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        return folder
    if (folder / "run_info.json").is_file():
        raise UserError(f"{folder}: expected a new run, found one; to go on with it: --resume {folder}")
    raise UserError(f"{folder}: expected no folder or an empty one, found something in it; choose another")


def create_at(folder: Path, root: Path = RUNS) -> Path:
    """A run's folder at this place; among the others ``latest`` points to it. Raises UserError."""
    try:
        (folder / "artifacts").mkdir(parents=True, exist_ok=True)
        if folder.parent.resolve() == root.resolve():
            point_latest(folder)
    except OSError as error:
        raise _not_writable(folder, error) from None
    return folder


def check_writable(root: Path = RUNS) -> None:
    """Whether runs can be written, before anything is computed for one. Raises UserError."""
    try:
        nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _not_writable(root, error) from None


def _not_writable(root: Path, error: OSError) -> UserError:
    return UserError(
        f"{root.absolute()}: expected a folder that can be written, found: {error.strerror}. "
        "Mend it and start again, or start in another folder: runs are written below where you stand."
    )


def point_latest(run: Path) -> None:
    """Let ``latest`` beside ``run`` point to it; a reader sees the old or the new, never neither."""
    draft = run.parent / f".latest-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.name)
    os.replace(draft, run.parent / "latest")


def find_run(name: str, root: Path = RUNS) -> Path:
    """The run directory that is meant: a path, a name below ``root``, or ``latest``.

    Raises:
        UserError: there is none, or it is not a run directory.
    """
    given = Path(name)
    run = given if name and given.is_dir() else root / name
    if not (run / "run_info.json").is_file():
        known = sorted(path.parent.name for path in root.glob("*/run_info.json"))
        found = f"the runs in {root} are {', '.join(known[-5:])}" if known else f"there is no run in {root}"
        raise UserError(f"{name}: expected a run directory with run_info.json; {found}")
    return run.resolve()
