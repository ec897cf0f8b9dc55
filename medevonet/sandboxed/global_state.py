"""PyTorch's global state, as the recipe relies on it: whatever a program has made of it is undone.

Runs beside untrusted code; needs PyTorch alone.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch

# Where PyTorch 2.9 and later say how float32 is multiplied: "ieee", or rounded to TF32 or bfloat16 first.
_FP32_PRECISIONS = (
    "", "cuda.matmul", "cudnn", "cudnn.conv", "cudnn.rnn",
    "mkldnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn",
)  # fmt: skip


def settle(device: torch.device, threads: int) -> None:
    """Set all of PyTorch's global state that the recipe relies on, whatever a program has made of it."""
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    torch.set_flush_denormal(False)
    # On a GPU several common layers have no deterministic backward pass.
    torch.set_deterministic_debug_mode("warn" if device.type == "cpu" else "default")
    # Fused attention in evaluation mode alone: it hides its products from counting.
    torch.backends.mha.set_fastpath_enabled(False)
    _settle_precision(device)
    _settle_backends()


def _settle_precision(device: torch.device) -> None:
    for part in _parts():
        part.fp32_precision = "ieee"
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    matmul: Any = torch.backends.cuda.matmul
    matmul.allow_fp16_reduced_precision_reduction = True  # PyTorch's defaults
    matmul.allow_bf16_reduced_precision_reduction = True
    matmul.allow_fp16_accumulation = False
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(False)
    torch.set_autocast_dtype(device.type, torch.bfloat16)
    torch.set_autocast_enabled(device.type, False)
    torch.set_autocast_cache_enabled(True)


def _settle_backends() -> None:
    cudnn: Any = torch.backends.cudnn
    cudnn.enabled = True
    torch.backends.cudnn.benchmark = False  # the algorithm must not depend on what else the card is doing
    torch.backends.cudnn.deterministic = False
    mkldnn: Any = torch.backends.mkldnn
    mkldnn.enabled = True
    torch.backends.nnpack.set_flags(True)
    for enable in ("flash", "mem_efficient", "math", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{enable}_sdp")(True)
    with suppress(RuntimeError):  # of a PyTorch without CUDA
        torch.backends.cuda.preferred_linalg_library("default")
        torch.backends.cuda.preferred_blas_library("default")


def _parts() -> Iterator[Any]:
    """What has a precision of its own in this version of PyTorch."""
    for name in _FP32_PRECISIONS:
        part: Any = torch.backends
        for step in name.split(".") if name else ():
            part = getattr(part, step, None)
        if hasattr(part, "fp32_precision"):
            yield part
