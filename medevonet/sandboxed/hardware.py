"""What this machine has, as far as it can be told without PyTorch."""

from pathlib import Path

_GPUS = ("/proc/driver/nvidia/gpus", "/dev/dxg", "/dev/kfd")  # NVIDIA's driver, that of WSL2, AMD's


def may_have_gpu() -> bool:
    """Whether a driver knows of a GPU; whether a process may use it is another question."""
    return any(Path(path).exists() for path in _GPUS)


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively: where it is emulated it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
