"""Train and score one program: ``train.py PROGRAM EPOCHS``, or ``train_and_evaluate(program_path)``."""

import sys

from medevonet.run.train_command import main, train_and_evaluate, train_and_evaluate_in_rungs

__all__ = ["main", "train_and_evaluate", "train_and_evaluate_in_rungs"]

if __name__ == "__main__":
    sys.exit(main())
