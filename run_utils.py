"""Run directories and ``run_info.json`` (``medevonet.run``)."""

from medevonet.run.environment import artifacts_folder
from medevonet.run.folder import create_run, find_run, point_latest
from medevonet.run.info import read_run_info, write_run_info

__all__ = [
    "artifacts_folder",
    "create_run",
    "find_run",
    "point_latest",
    "read_run_info",
    "write_run_info",
]
