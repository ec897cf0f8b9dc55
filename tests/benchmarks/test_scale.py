"""The benchmark of growth: what its points are made of, on real runs of the smallest size."""

import pytest

from benchmarks import scale
from benchmarks.overhead.timeline import Sample
from benchmarks.scaling import archive, away, datasets, workers
from openevolve.evaluating.isolation import ForkServer


def test_a_point_of_the_archive_is_what_happened_around_it() -> None:
    # A program every two seconds, on a core for one; the thousandth also writes a checkpoint for five.
    samples = [Sample(2.0 * i + 5 * (i >= 1000), 1.0 * i, 10.0 + i, i + 1) for i in range(1200)]
    assert archive._point(samples, 500) == archive.Point(
        iteration=500, programs=501, milliseconds=2000, cpu=1000, memory_mb=510, checkpoint=5
    )


def test_a_candidate_is_measured_on_as_many_images_as_asked() -> None:
    with ForkServer(["medevonet.sandboxed.session"]) as server:
        point = datasets.measure(2000, server)
    assert point.images == 2000
    assert point.private_mb > 0
    assert point.shared_mb > 0
    assert min(point.unpacking, point.looking_up, point.starting) > 0


def test_workers_are_measured_on_a_whole_run() -> None:
    point = workers.measure(2)
    assert point.workers == 2
    assert 0 < point.share <= 1.01
    assert point.memory_mb > 10


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scale.main(["archives"])
    assert "expected parts among archive, workers, datasets, found archives" in capsys.readouterr().err


def test_slots_elsewhere_are_measured_once_all_are_there() -> None:
    point = away.measure(2, "workers", window=4)
    assert point.workers == 2
    assert 0 < point.share <= 1.05
    assert min(point.cpu, point.memory_mb) > 0
