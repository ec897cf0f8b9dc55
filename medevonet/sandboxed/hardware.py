"""What this machine has, as far as it can be told without PyTorch."""

from pathlib import Path

NVIDIA, WSL2, AMD = "NVIDIA's driver", "WSL2", "AMD's driver"
_DRIVERS = {NVIDIA: "/proc/driver/nvidia/gpus", WSL2: "/dev/dxg", AMD: "/dev/kfd"}


def gpu_drivers() -> tuple[str, ...]:
    """The drivers that know of a GPU; whether a process may use it is another question."""
    return tuple(name for name, path in _DRIVERS.items() if Path(path).exists())


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively: where it is emulated it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
