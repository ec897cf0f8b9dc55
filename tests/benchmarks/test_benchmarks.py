"""Benchmarks run as their docstrings say, on less work; no figure of theirs is judged here."""

import subprocess
import sys

from medevonet.run.folder import PROJECT


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gpu_benchmark_drives_the_same_code_on_a_cpu() -> None:
    printed = run(
        "benchmarks/gpu.py", "--device", "cpu", "--share", "0.0005", "--size", "28", "--epochs", "1",
        "--cuda-graphs", "--at-once", "2",
    )  # fmt: skip
    found = dict(line.split(": ", 1) for line in printed.partition("---\n")[2].splitlines())
    assert float(found["seconds"]) > 0
    assert float(found["seconds_with_cuda_graphs"]) > 0
    assert float(found["seconds_of_2_at_once"]) > 0
    assert float(found["ratio_to_fused_floor"]) > float(found["ratio_to_eager_floor"]) > 0
    for name in ("breastmnist", "pneumoniamnist", "dermamnist", "octmnist", "chestmnist"):
        assert f"{name}: " in printed


def test_the_gpu_benchmark_needs_pytorch_and_numpy_alone() -> None:
    """What a machine with a GPU has; so candidates need no more either."""
    code = (
        "import runpy, sys\n"
        "runpy.run_path('benchmarks/gpu.py')\n"
        "others = {'pydantic', 'medmnist', 'sklearn', 'openai', 'yaml', 'torchvision', 'openevolve'}\n"
        "sys.exit(', '.join(others & set(sys.modules)) or 0)"
    )
    run("-c", code)


def test_the_evaluation_benchmark_times_three_ways_in_turn() -> None:
    printed = run(
        "benchmarks/evaluation.py", "--sizes", "28", "--rounds", "1", "--epochs", "2", "--images", "128"
    )
    assert "epoch, plain / full stack" in printed
    assert "seed_program, 28 px, 128 training images" in printed
