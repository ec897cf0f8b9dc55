"""Cores that a process may use: affinity and the quotas of control groups, read from made-up trees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openevolve.evaluating.cores import available_cores

MINE = len(os.sched_getaffinity(0))


def tree(root: Path, group: str, files: dict[str, str]) -> Path:
    for path, text in {"proc/self/cgroup": group, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == MINE
    count = "from openevolve.evaluating.cores import available_cores; print(available_cores())"
    bound = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {count}"
    assert subprocess.check_output([sys.executable, "-c", bound], text=True) == "1\n"


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("100000 100000", 1), ("50000 100000", 1), ("max 100000", MINE), ("9900000 100000", MINE), ("?", MINE)],
)
def test_a_quota_of_version_two(quota: str, cores: int, tmp_path: Path) -> None:
    assert available_cores(tree(tmp_path, "0::/a/b\n", {"sys/fs/cgroup/a/b/cpu.max": quota})) == cores


def test_the_tightest_quota_above_counts(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "80000 100000"}
    assert available_cores(tree(tmp_path, "0::/a/b\n", files)) == 1
    # In a container the path is the host's, and the group itself lies at the root.
    files = {"sys/fs/cgroup/cpu.max": "100000 100000"}
    assert available_cores(tree(tmp_path / "container", "0::/host/only\n", files)) == 1


@pytest.mark.parametrize(("quota", "cores"), [("100000", 1), ("-1", MINE)])
def test_a_quota_of_version_one(quota: str, cores: int, tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu/job"
    files = {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": "100000"}
    group = "4:memory:/elsewhere\n3:cpu,cpuacct:/job\n"
    assert available_cores(tree(tmp_path, group, files)) == cores
