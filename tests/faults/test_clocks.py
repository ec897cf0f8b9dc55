"""Clocks that jump: a search measures time with one that does not, and begins anew after a restart."""

import shutil
import subprocess
from pathlib import Path

import pytest

from openevolve.state.journal import read_journal
from tests.faults.problem import complete_lines, final_state, journal_of, start_runner
from tests.faults.remote import SETTINGS, Cluster
from tests.support.processes import wait_until

# Every look at the time of day finds another decade; what measures durations is left alone.
JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t jump(void) { return (rand() % 200 - 100) * 31536000L / 10; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (out) *out = found.tv_sec;
    return found.tv_sec;
}
"""


@pytest.fixture(scope="module")
def jumping_clock(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library to preload; skips where there is no compiler."""
    if not (compiler := shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler: the time of day is changed by a library made here")
    source = tmp_path_factory.mktemp("clock") / "jumping.c"
    source.write_text(JUMPING)
    library = str(source.with_suffix(".so"))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_the_time_of_day_does_not_matter(
    jumping_clock: str, tmp_path: Path, expected: dict[str, object]
) -> None:
    variables = {"LD_PRELOAD": jumping_clock}
    process = start_runner(tmp_path, "budget.hours=1", variables=variables)
    assert wait_until(lambda: complete_lines(tmp_path).count(b"\n") > 30)
    process.kill()
    process.wait()
    assert start_runner(tmp_path, "budget.hours=1", variables=variables).wait(60) == 0
    assert final_state(tmp_path) == expected
    elapsed = [event["elapsed"] for event in read_journal(journal_of(tmp_path))]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] < 120


def test_nor_does_that_of_workers(jumping_clock: str, tmp_path: Path, expected: dict[str, object]) -> None:
    """Leases need no clock that driver and workers would have to agree on."""
    cluster = Cluster(tmp_path / "run", 2, SETTINGS[:2], LD_PRELOAD=jumping_clock)
    try:
        assert cluster.driver.wait(60) == 0
        assert [worker.wait(20) for worker in cluster.workers.values()] == [0, 0]
    finally:
        cluster.end()
    assert final_state(tmp_path / "run") == expected
    [log] = (tmp_path / "run/out/logs").iterdir()
    assert "no sign of life" not in log.read_text()


def test_a_machine_that_was_restarted(tmp_path: Path, expected: dict[str, object]) -> None:
    """The clock that never jumps starts again with the machine: here, in a time namespace."""
    shifted = ["unshare", "--time", "--monotonic", str(400 * 86_400)]
    if shutil.which("unshare") is None or subprocess.run([*shifted, "true"], check=False).returncode != 0:
        pytest.skip("no time namespaces here, or no right to make one")
    process = start_runner(tmp_path, "budget.hours=1", prefix=shifted)
    assert wait_until(lambda: complete_lines(tmp_path).count(b"\n") > 30)
    process.kill()
    process.wait()
    assert start_runner(tmp_path, "budget.hours=1").wait(60) == 0
    assert final_state(tmp_path) == expected
    elapsed = [event["elapsed"] for event in read_journal(journal_of(tmp_path))]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] < 120
