"""Statistics of an evaluation, and ``metrics_utils.py compare``: is a program better than another?"""

import sys

from medevonet.run.compare_command import main
from medevonet.statistics.summaries import bootstrap_statistics

__all__ = ["bootstrap_statistics", "main"]

if __name__ == "__main__":
    sys.exit(main())
