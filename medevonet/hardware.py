"""What this machine has, as far as it can be told without PyTorch."""

from pathlib import Path

_NVIDIA = Path("/proc/driver/nvidia/gpus")


def has_nvidia_driver() -> bool:
    """Whether NVIDIA's driver knows of a GPU; whether a process may use it is another question."""
    return _NVIDIA.exists()


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively: where it is emulated it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
