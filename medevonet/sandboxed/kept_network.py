"""A trained network as files in the folder at hand."""

import torch
from torch import nn

WEIGHTS, ONNX = "weights.pt", "model.onnx"


def save_network(network: nn.Module, size: int, onnx: bool) -> None:
    """``weights.pt``, its state_dict on the CPU; ``model.onnx`` by PyTorch's exporter by tracing.

    The ONNX model takes ``images`` (N, 3, size, size), float32 from -1 to 1, and gives ``logits``
    (N, outputs). The network is left on the CPU. Raises what the exporter raises.
    """
    network = network.cpu().eval()
    torch.save(network.state_dict(), WEIGHTS)
    if onnx:
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, size, size),),
            ONNX,
            dynamo=False,  # the other exporter compiles, which takes what walls do not allow
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "n"}, "logits": {0: "n"}},
        )
