"""``python openevolve-run.py PROGRAM EVALUATOR --config FILE``: the command ``openevolve-run``, by its file."""

from openevolve.commands.evolve import main

if __name__ == "__main__":
    main()
