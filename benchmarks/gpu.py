"""One full evaluation of the seed network at 224 px on a GPU, against what the card's memory allows.

Needs PyTorch and NumPy alone: it makes random uint8 images of the five data sets' sizes on the device and
drives the code that candidates train with (medevonet/sandboxed/recipe.py), 10 epochs with a validation
after each and the test split at the end. The floor is the time that the card needs to move the bytes of this
network's activations, weights and gradients at the copy bandwidth measured here: 88 TB where every
element-wise layer is fused into its neighbour, 228 TB in eager mode, for 5.83 PFLOP. With --cuda-graphs the
same again, with each full batch's kernels launched at once; with --at-once N in N processes on the one card.

    python benchmarks/gpu.py [--device cuda] [--share 1.0] [--size 224] [--epochs 10] [--precision bf16]
        [--cuda-graphs] [--at-once N]
"""

import argparse
import multiprocessing
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal

import numpy as np
import torch

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from medevonet.label_kind import LabelKind  # noqa: E402
from medevonet.sandboxed.global_state import settle  # noqa: E402
from medevonet.sandboxed.program import Program  # noqa: E402
from medevonet.sandboxed.recipe import Recipe, Training  # noqa: E402

_FUSED_BYTES, _EAGER_BYTES, _FLOP = 88e12, 228e12, 5.83e15  # of 10 epochs at 224 px
_MIB = 1 << 20
_LONGEST_WARM_UP = 600.0  # seconds


@dataclass(frozen=True)
class Size:
    """Images of the three splits, and what is predicted."""

    name: str
    train: int
    val: int
    test: int
    channels: int
    outputs: int
    label_kind: LabelKind


SIZES = (
    Size("breastmnist", 546, 78, 156, 1, 2, "binary"),
    Size("pneumoniamnist", 4708, 524, 624, 1, 2, "binary"),
    Size("dermamnist", 7007, 1003, 2005, 3, 7, "multi-class"),
    Size("octmnist", 97477, 10832, 1000, 1, 4, "multi-class"),
    Size("chestmnist", 78468, 11219, 22433, 1, 14, "multi-label"),
)


@dataclass(frozen=True)
class Settings:
    device: torch.device
    share: float  # of the images
    size: int
    epochs: int
    precision: Literal["fp32", "bf16"]
    cuda_graphs: bool = False

    def count(self, images: int) -> int:
        return max(4, round(images * self.share))

    @property
    def work(self) -> float:
        """Against the whole: images, pixels and epochs."""
        return self.share * (self.size / 224) ** 2 * self.epochs / 10


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Wall clock, with all that was queued on the device."""
    _wait(device)
    start = time.perf_counter()
    function()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written a second when the device copies within its memory; the best of five."""
    source = torch.empty((1024 if device.type == "cuda" else 64) * _MIB, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / min(seconds(lambda: target.copy_(source), device) for _ in range(5))


def matrix_rate(device: torch.device) -> float:
    """Floating-point operations a second of a large product in bfloat16; the best of five."""
    side = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def evaluate(size: Size, settings: Settings) -> float:
    """Seconds of one data set, from making its network to the predictions of the test split."""
    device, edge = settings.device, settings.size
    shape = (edge, edge) if size.channels == 1 else (edge, edge, 3)
    images = {
        split: torch.randint(0, 256, (settings.count(count), *shape), dtype=torch.uint8, device=device)
        for split, count in (("train", size.train), ("val", size.val), ("test", size.test))
    }
    count, multi_label = len(images["train"]), size.label_kind == "multi-label"
    columns, highest = (size.outputs, 2) if multi_label else (1, size.outputs)
    labels = torch.randint(0, highest, (count, columns), device=device)
    settle(device, torch.get_num_threads())
    program = Program(PROJECT / "seed_program.py", edge, device)
    recipe = Recipe(settings.epochs, 64, 128, 3e-3, 0.01, settings.precision, settings.cuda_graphs)

    def work() -> None:
        training = Training(
            program.network(size.outputs, 0), images["train"], labels, size.label_kind, size.outputs,
            recipe, 0, program.memory_format,
        )  # fmt: skip
        for _ in range(settings.epochs):
            training.epoch()
            training.predict(images["val"])
            training.keep()
        training.restore()
        training.predict(images["test"])

    return seconds(work, device)


def _warm_up(settings: Settings) -> None:
    evaluate(SIZES[0], replace(settings, epochs=1))


def evaluate_all(settings: Settings) -> float:
    """Seconds of all data sets, each of which is printed."""
    _warm_up(settings)
    print("with CUDA graphs:" if settings.cuda_graphs else "each kernel launched by itself:")
    total = 0.0
    for size in SIZES:
        spent = evaluate(size, settings)
        print(f"{size.name}: {spent:.1f} s", flush=True)
        total += spent
    return total


def several_at_once(count: int, settings: Settings) -> float:
    """Seconds in which as many processes each evaluate the seed network, from when all have warmed up."""
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(count, timeout=_LONGEST_WARM_UP), context.SimpleQueue()
    if settings.device.type == "cuda":
        torch.cuda.empty_cache()  # this process stands beside them
    processes = [context.Process(target=_one_of_several, args=(settings, ready, times)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit(f"expected {count} processes to fit on the card, found that one failed (see above)")
    slowest: float = max(times.get() for _ in processes)
    return slowest


def _one_of_several(settings: Settings, ready: Barrier, times: "SimpleQueue[float]") -> None:
    try:
        _warm_up(settings)
        ready.wait()
        start = time.perf_counter()
        for size in SIZES:
            evaluate(size, settings)
        times.put(time.perf_counter() - start)
    except BaseException:
        ready.abort()  # the others need not wait
        raise


def describe(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}, NumPy {np.__version__}"
    cuda = (
        f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        if device.type == "cuda"
        else ""
    )
    return f"{name}; {versions}{cuda}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--share", type=float, default=1.0, help="of each data set's images")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--cuda-graphs", action="store_true", help="measure with CUDA graphs too")
    parser.add_argument("--at-once", type=int, metavar="N", help="measure N evaluations at once too")
    options = parser.parse_args()
    device = torch.device(options.device)
    settings = Settings(device, options.share, options.size, options.epochs, options.precision)
    bandwidth, rate = copy_bandwidth(device), matrix_rate(device)
    print(describe(device))
    print(f"{options.size} px, {options.share:g} of all images, {options.epochs} epochs, {options.precision}")
    total = evaluate_all(settings)
    graphed = evaluate_all(replace(settings, cuda_graphs=True)) if options.cuda_graphs else None
    together = several_at_once(options.at_once, settings) if options.at_once else None
    fused, eager, compute = (
        settings.work * amount / speed
        for amount, speed in ((_FUSED_BYTES, bandwidth), (_EAGER_BYTES, bandwidth), (_FLOP, rate))
    )
    print("---")
    print(f"copy_bandwidth_tb_s: {bandwidth / 1e12:.3f}")
    print(f"matrix_rate_tflop_s: {rate / 1e12:.1f}")
    print(f"seconds: {total:.1f}")
    if graphed is not None:
        print(f"seconds_with_cuda_graphs: {graphed:.1f}")
        print(f"speedup_by_cuda_graphs: {total / graphed:.2f}")
    if together is not None:
        print(f"seconds_of_{options.at_once}_at_once: {together:.1f}")
        print(f"speedup_by_{options.at_once}_at_once: {options.at_once * total / together:.2f}")
    print(f"floor_compute_s: {compute:.1f}")
    print(f"floor_fused_s: {fused:.1f}")
    print(f"floor_eager_s: {eager:.1f}")
    print(f"ratio_to_fused_floor: {total / fused:.2f}")
    print(f"ratio_to_eager_floor: {total / eager:.2f}")
    if device.type == "cuda":
        print(f"peak_memory_gb: {torch.cuda.max_memory_allocated(device) / 1e9:.1f}")


if __name__ == "__main__":
    main()
