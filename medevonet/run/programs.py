"""Programs of runs by their iteration: ``14`` of the latest run, or ``RUN@14``; ids are for files."""

import re
from pathlib import Path

from openevolve.errors import UserError
from openevolve.inspect.reading import Run, read_run

_NAMED = re.compile(r"(?:(?P<run>.+)@)?(?P<iteration>\d+)")


def artifact(given: Path) -> Path:
    """The ``.npz`` of an evaluated program, or the file that was given. Raises UserError."""
    found = _named(given)
    if found is None:
        return given
    run, iteration = found
    path = run.folder / "artifacts" / f"{run.state.programs[iteration].id}.npz"
    if not path.is_file():
        raise UserError(
            f"{given}: expected a program that was trained, found none in iteration {iteration} of "
            f"{run.folder}"
        )
    return path


def program_file(given: Path) -> Path:
    """A file with the program's text, in the run's folder ``programs``; or the file that was given.

    Raises UserError.
    """
    found = _named(given)
    if found is None:
        return given
    run, iteration = found
    program = run.state.programs[iteration]
    if not program.code:
        raise UserError(f"{given}: expected a program, found that the proposal of this iteration had none")
    path = run.folder / "programs" / f"{iteration}.py"
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(program.code, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: expected a file that can be written, found: {error.strerror}") from None
    return path


def _named(given: Path) -> tuple[Run, int] | None:
    match = _NAMED.fullmatch(str(given))
    if match is None or given.exists():
        return None
    run, iteration = read_run(match["run"]), int(match["iteration"])
    if iteration not in run.state.programs:
        raise UserError(
            f"{given}: expected an iteration from 0 to {max(run.state.programs, default=0)}, "
            f"found {iteration}"
        )
    return run, iteration
