"""Run directories and ``run_info.json`` (``medevonet.run.folder``)."""

from medevonet.run.folder import (
    artifacts_folder,
    create_run,
    find_run,
    point_latest,
    read_run_info,
    write_run_info,
)

__all__ = [
    "artifacts_folder",
    "create_run",
    "find_run",
    "point_latest",
    "read_run_info",
    "write_run_info",
]
