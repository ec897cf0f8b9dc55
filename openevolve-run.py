"""``openevolve-run`` by its file: ``python openevolve-run.py PROGRAM EVALUATOR --config FILE``."""

from openevolve.commands.evolve import main

if __name__ == "__main__":
    main()
