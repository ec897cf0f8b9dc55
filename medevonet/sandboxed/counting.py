"""Multiply-adds of a forward pass, by PyTorch's own formulas for products and convolutions, and a few more.

``FlopCounterMode`` would do, but it imports PyTorch's compiler (5 s of CPU time) where this does not.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

from medevonet.sandboxed.dispatch import observed

_aten = torch.ops.aten


def multiply_adds(network: nn.Module, image: Tensor) -> int:
    """Of one forward pass, in matrix products, convolutions, attention and recurrent layers.

    The same on every device. Call it with gradients on: without them fused kernels for inference hide their
    products.
    """
    products = 0

    def add(function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        nonlocal products
        packet = function.overloadpacket
        if packet in _FORMULAS:
            products += _FORMULAS[packet](*args)
        elif (formula := flop_registry.get(packet)) is not None:
            products += int(formula(*args, **kwargs, out_val=output)) // 2

    with _without_fused_layers(), observed(add):
        network(image)
    return products


@contextmanager
def _without_fused_layers() -> Iterator[None]:
    """A fused layer is one operation, which shows none of its products.

    Of recurrent layers that is so everywhere; of attention PyTorch 2.11 has a formula on GPUs, none on CPUs.
    """
    libraries: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.mkldnn)
    before = [library.enabled for library in libraries]
    try:
        for library in libraries:
            library.enabled = False
        _enable_fused_attention(False)
        yield
    finally:
        for library, enabled in zip(libraries, before, strict=True):
            library.enabled = enabled
        _enable_fused_attention(True)


def _enable_fused_attention(enabled: bool) -> None:
    torch.backends.cuda.enable_flash_sdp(enabled)
    torch.backends.cuda.enable_mem_efficient_sdp(enabled)
    torch.backends.cuda.enable_cudnn_sdp(enabled)


def _matrix_by_vector(matrix: Tensor, vector: Tensor) -> int:
    return matrix.numel()


def _trilinear(
    first: Tensor, second: Tensor, third: Tensor,
    expand1: Sequence[int], expand2: Sequence[int], expand3: Sequence[int], *_: object,
) -> int:  # fmt: skip
    """Of ``nn.Bilinear``: a product of three, each spread along the dimensions that it does not have."""
    spread = []
    for tensor, missing in ((first, expand1), (second, expand2), (third, expand3)):
        for dimension in sorted(missing):
            tensor = tensor.unsqueeze(dimension)
        spread.append(tensor.shape)
    return math.prod(torch.broadcast_shapes(*spread))


# What ``flop_registry`` leaves out.
_FORMULAS: dict[Any, Callable[..., int]] = {
    _aten.mv: _matrix_by_vector,
    _aten.addmv: lambda added, matrix, vector: _matrix_by_vector(matrix, vector),
    _aten.dot: lambda first, second: first.numel(),
    _aten.vdot: lambda first, second: first.numel(),
    _aten.addbmm: lambda added, first, second: first.numel() * second.shape[2],
    _aten._trilinear: _trilinear,
}
