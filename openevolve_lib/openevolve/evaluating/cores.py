"""How many cores this process may use: its affinity and the quotas of its control groups, not the machine's.

A container on a machine of 64 cores may have two; threads beyond those only wait for each other.
Sources: sched_setaffinity(2); Linux's documentation of control groups (cgroup-v2.rst, ``cpu.max``;
cgroup-v1's ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``).
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """At least 1. Half a core of quota counts as one. ``root`` is where /proc and /sys lie."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *map(math.ceil, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """In cores, of the process's groups and of all above them."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, read = root / "sys/fs/cgroup", _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "sys/fs/cgroup/cpu", _quota_v1
        else:
            continue
        # In a container the path may be the host's, which cannot be seen: the group is then the root.
        group = base / path.strip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(base) and (quota := read(folder)) is not None:
                yield quota


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    try:
        quota, period = (
            int((folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8")) for name in ("quota", "period")
        )
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None
