"""Statistics of an evaluation, and ``metrics_utils.py compare A.npz B.npz`` (``medevonet.statistics``)."""

import sys

from medevonet.statistics.summaries import bootstrap_statistics, main

__all__ = ["bootstrap_statistics", "main"]

if __name__ == "__main__":
    sys.exit(main())
