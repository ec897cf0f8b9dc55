"""What PyTorch's convolutions on a CPU do badly, and the way around it.

Runs beside untrusted code; needs PyTorch alone. Seen with PyTorch 2.15 and oneDNN on AMD EPYC.
"""

import torch
from torch import Tensor, nn

# 16 is the number of floats in a register of AVX-512.
_LEAST_CHANNELS_OF_STRIDED_1X1 = 16
# Of a group: with 16 bf16 was twice as fast, with 1 and 2 up to 20 times as slow.
_LEAST_CHANNELS_IN_BF16 = 4


def breaks_channels_last(layer: nn.Module) -> bool:
    """Whether oneDNN would write out of bounds in this layer's backward pass with channels last.

    Seen on AVX2 for strided 1x1 convolutions of 2 to 7 channels: heap corruption, then SIGSEGV or SIGABRT.
    """
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
        and layer.in_channels // layer.groups < _LEAST_CHANNELS_OF_STRIDED_1X1
    )


def is_slow_in_bf16(layer: nn.Module) -> bool:
    """Whether this layer's backward pass is slower in bfloat16 than in float32 with its conversions.

    Groups of a channel or two have a fast kernel only for stride 1, small kernels and as many outputs as
    inputs: a depthwise 3x3 convolution of stride 2 took 4 to 20 times as long.
    """
    return (
        type(layer) is nn.Conv2d  # what a program derives from it is its own business
        and layer.groups > 1
        and layer.in_channels // layer.groups < _LEAST_CHANNELS_IN_BF16
        and (layer.stride != (1, 1) or max(layer.kernel_size) > 3 or layer.out_channels != layer.in_channels)
    )


def avoid_slow_bf16(network: nn.Module) -> None:
    """Let the layers that are slow in bfloat16 compute in float32 under autocast."""
    for layer in filter(is_slow_in_bf16, network.modules()):
        layer.__class__ = Float32Conv2d


class Float32Conv2d(nn.Conv2d):
    """Computes in float32 under autocast; its output has the type that autocast would give it."""

    def forward(self, images: Tensor) -> Tensor:
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(images)
        with torch.autocast("cpu", enabled=False):
            output = super().forward(images.float())
        return output.to(torch.get_autocast_dtype("cpu"))
