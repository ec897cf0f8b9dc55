"""The benchmark of the engine's own time: its windows, and this engine's side of it."""

import sys

import pytest

from benchmarks.overhead.measurement import HALF_WINDOW, Engine, Window, window
from benchmarks.overhead.timeline import Sample


def test_a_window_is_what_happened_around_one_population() -> None:
    # A program a second, on a core for half of it; beyond the hundredth, two at a time.
    samples = [Sample(float(i), i / 2, float(i), i if i < 100 else 2 * i - 100) for i in range(200)]
    slow, fast = window(50, samples), window(200, samples)
    assert slow == Window(tens=[1000.0] * (2 * HALF_WINDOW // 10), cpu=500.0, memory_mb=50.0 + HALF_WINDOW)
    assert fast == Window(tens=[1000.0] * (HALF_WINDOW // 10), cpu=500.0, memory_mb=150.0 + HALF_WINDOW / 2)


def test_a_run_that_ends_before_a_population_has_no_window_there() -> None:
    samples = [Sample(float(i), 0.0, 0.0, i) for i in range(50 + HALF_WINDOW)]
    assert window(50, samples) is None


@pytest.mark.parametrize("mode", ["loop", "run"])
def test_this_engine_is_measured(mode: str) -> None:
    command = [sys.executable, "-m", "benchmarks.overhead.ours", mode]
    engine = Engine(command, programs=50 + HALF_WINDOW)
    engine.run()
    figures = engine.figures()
    assert list(figures) == [50]
    assert figures[50].cpu > 0
    assert len(figures[50].tens) == 2 * HALF_WINDOW // 10
    assert engine.disk_mb[0] > 0


def test_a_command_that_fails_ends_the_benchmark_with_its_output() -> None:
    engine = Engine([sys.executable, "-c", "raise ArithmeticError('half')"], programs=1)
    with pytest.raises(SystemExit, match="ArithmeticError: half"):
        engine.run()
