"""Multiply-adds of a forward pass, by PyTorch's own formulas for products and convolutions.

``FlopCounterMode`` would do, but it imports PyTorch's compiler (5 s of CPU time) where this does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Count:
    """Sums the floating-point operations of what is dispatched.

    Not itself a dispatch mode: PyTorch wraps the method of one, with the compiler's help.
    """

    flops = 0

    def __torch_dispatch__(
        self,
        function: OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        output = function(*args, **(kwargs or {}))
        formula = flop_registry.get(function.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=output)
        return output


class _CountingMode(_Count, TorchDispatchMode):
    pass


def multiply_adds(network: nn.Module, image: Tensor) -> int:
    """Of one forward pass, in matrix products, convolutions and attention.

    Call it with gradients on: without them fused kernels for inference hide their products.
    """
    with _CountingMode() as count:  # type: ignore[no-untyped-call]
        network(image)
    return int(count.flops) // 2
