"""Evolve a network: ``run_evolution.py --help`` says how (``medevonet.run.command``)."""

import sys

from medevonet.run.command import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
