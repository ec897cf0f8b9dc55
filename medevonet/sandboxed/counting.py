"""Multiply-adds of a forward pass, by PyTorch's own formulas for products and convolutions.

``FlopCounterMode`` would do, but it imports PyTorch's compiler (5 s of CPU time) where this does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

from medevonet.sandboxed.dispatch import observed


def multiply_adds(network: nn.Module, image: Tensor) -> int:
    """Of one forward pass, in matrix products, convolutions and attention.

    Call it with gradients on: without them fused kernels for inference hide their products.
    """
    flops = 0

    def add(function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        nonlocal flops
        formula = flop_registry.get(function.overloadpacket)
        if formula is not None:
            flops += formula(*args, **kwargs, out_val=output)

    with observed(add):
        network(image)
    return int(flops) // 2
