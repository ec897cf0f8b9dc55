"""Write a folder with a new problem: a program, an evaluator, settings, a README. It runs at once.

run_evolution.py new NAME
cd NAME && openevolve-run initial_program.py evaluator.py -c config.yaml -i 20 --offline
"""

import argparse
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from openevolve.commands.evolve import guard
from openevolve.commands.exits import EXIT_COMPLETED
from openevolve.errors import UserError

FILES = ("initial_program.py", "evaluator.py", "config.yaml", "README.md")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="run_evolution.py new",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="NAME", help="the folder to make; its name is the title")
    options = parser.parse_args(arguments)
    return guard(lambda: _main(options.folder))


def _main(folder: Path) -> int:
    write_problem(folder)
    print(f"{folder}: {', '.join(FILES)}\n")
    print(f"cd {folder}\nopenevolve-run initial_program.py evaluator.py -c config.yaml -i 20 --offline")
    return EXIT_COMPLETED


def write_problem(folder: Path) -> None:
    """Raises UserError where something of that name is there, or the folder cannot be made."""
    templates = files("openevolve.commands") / "problem"
    try:
        folder.mkdir(parents=True)
        for name in FILES:
            text = (templates / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace("# NAME", f"# {folder.name}", 1), encoding="utf-8")
    except FileExistsError:
        raise UserError(f"{folder}: expected a new name, found one that is there; choose another") from None
    except OSError as error:
        raise UserError(f"{folder}: expected a folder that can be made, found: {error.strerror}") from None
