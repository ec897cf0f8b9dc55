"""The fixed recipe: trains one network on one data set, an epoch at a time, and predicts.

Images stay on the device as uint8, (N, H, W) grey or (N, H, W, 3) RGB, and are gathered by index;
nothing in an epoch waits for the device. Takes tensors and knows of no file, process or protocol.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from medevonet.label_kind import LabelKind
from medevonet.sandboxed.cpu_convolutions import avoid_slow_bf16
from medevonet.sandboxed.cuda_graphs import GraphedBackward
from medevonet.sandboxed.faults import check_logits
from medevonet.sandboxed.optimizer import OneCycleAdamW

# Images trained on at once, at least: whatever is split into parts of three or fewer has none of one alone.
_SMALLEST_PART = 3
_DOWNSAMPLED_AT_ONCE = 256  # images: as float32 they take eight times their bytes for a moment

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Recipe:
    """How every network is trained: AdamW under a one-cycle schedule."""

    epochs: int
    batch_size: int
    evaluation_batch: int  # images predicted at once
    max_lr: float
    weight_decay: float
    precision: Precision
    cuda_graphs: bool = False  # on a GPU: a batch's kernels launched at once (sandboxed/cuda_graphs.py)


class Training:
    """One network on one data set.

    ``images`` are uint8, (N, H, W) or (N, H, W, 3); ``labels`` int64, (N, 1) classes or (N, L) of 0 and 1
    where ``label_kind`` is multi-label. Both lie on the device of the network.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        label_kind: LabelKind,
        outputs: int,
        recipe: Recipe,
        seed: int,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.network = network
        self.images = images
        self.multi_label = label_kind == "multi-label"
        self.labels = labels.float() if self.multi_label else labels[:, 0]
        self.outputs = outputs
        self.recipe = recipe
        self.device = images.device
        self.memory_format = memory_format
        # Of our own: programs that draw random numbers or set seeds do not change the order of images.
        self._generator = torch.Generator(self.device).manual_seed(seed)
        steps = recipe.epochs * len(self._batches())
        self._optimizer = OneCycleAdamW(network.parameters(), recipe.max_lr, recipe.weight_decay, steps)
        if self.device.type == "cpu" and recipe.precision == "bf16":
            avoid_slow_bf16(network)
        graphed = self.device.type == "cuda" and recipe.cuda_graphs
        self._graph = GraphedBackward(network, self._backward, recipe.batch_size) if graphed else None
        self._kept: dict[str, Any] = {}
        self._kept_buffers: dict[str, Tensor] = {}
        # Smaller once memory has run out: gradients are then summed over parts of a batch, while a layer that
        # looks at its batch (batch normalisation) sees a part at a time.
        self.micro_batch = recipe.batch_size
        self._evaluation_batch = recipe.evaluation_batch

    def epoch(self) -> float:
        """Train on every image once, in random order; returns the mean loss."""
        self.network.train()
        if self._graph:
            self._graph.begin_epoch()
        loss_sum = torch.zeros((), device=self.device)
        seen = 0
        for batch in self._batches():
            loss_sum += self._step(batch) * len(batch)
            seen += len(batch)
        return loss_sum.item() / seen

    def _step(self, batch: Tensor) -> Tensor:
        """One update of the weights; returns the batch's mean loss. Raises torch.OutOfMemoryError."""
        while True:
            try:
                loss = self._graph(batch) if self._graph else self._backward(batch)
            except torch.OutOfMemoryError:
                if self.micro_batch <= _SMALLEST_PART:
                    raise
            else:
                self._optimizer.step()
                return loss
            # Only here: the exception kept alive what the attempt had allocated.
            self.micro_batch = max(_SMALLEST_PART, self.micro_batch // 2)
            self._optimizer.clear_gradients()
            _release_memory(self.device)

    def _backward(self, batch: Tensor) -> Tensor:
        """Gradients of the batch's mean loss, which is returned; parts are never of one image alone."""
        mean = torch.zeros((), device=self.device)
        for part in batch.tensor_split(math.ceil(len(batch) / self.micro_batch)):
            logits, labels = self._logits(self.images[part]), self.labels[part]
            loss = (
                binary_cross_entropy_with_logits(logits, labels)
                if self.multi_label
                else cross_entropy(logits, labels)
            ) * (len(part) / len(batch))
            loss.backward()
            mean += loss.detach()
        return mean

    @torch.no_grad()  # inference mode would spoil what a network caches in its first forward pass
    def predict(
        self, images: Tensor, batch_size: int | None = None, precision: Precision | None = None
    ) -> Tensor:
        """Probabilities (N, outputs), float32 on the CPU, of uint8 images in the order given.

        In batches of the recipe's size and in its precision, but for what is said otherwise.
        Raises torch.OutOfMemoryError.
        """
        self.network.eval()
        # Made first: small results left between large activations would keep the heap from being used again.
        logits = torch.empty(len(images), self.outputs, device=self.device)
        while True:
            size = batch_size or self._evaluation_batch
            try:
                for place, batch in zip(logits.split(size), images.split(size), strict=True):
                    place.copy_(self._logits(batch, precision))
            except torch.OutOfMemoryError:
                if batch_size is not None or self._evaluation_batch < 2:
                    raise
            else:
                return (logits.sigmoid() if self.multi_label else logits.softmax(dim=1)).cpu()
            self._evaluation_batch //= 2
            _release_memory(self.device)

    def keep(self) -> None:
        """Remember the weights as they are now."""
        self._kept = copy.deepcopy(self.network.state_dict())
        self._kept_buffers = {
            name: buffer.clone() for name, buffer in self.network.named_buffers() if name not in self._kept
        }

    def restore(self) -> None:
        """Go back to the weights of the last ``keep``, and to buffers that no ``state_dict`` holds."""
        self.network.load_state_dict(self._kept)
        for name, buffer in self._kept_buffers.items():
            parent, _, attribute = name.rpartition(".")
            setattr(self.network.get_submodule(parent), attribute, buffer.clone())

    def _batches(self) -> list[Tensor]:
        """Indices of all images in random order, in batches; a last batch of one is left out.

        Batch normalisation has no variance of a single image to go by.
        """
        order = torch.randperm(len(self.images), generator=self._generator, device=self.device)
        batches = list(order.split(self.recipe.batch_size))
        return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches

    def _logits(self, images: Tensor, precision: Precision | None = None) -> Tensor:
        low = (precision or self.recipe.precision) == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits = self.network(to_rgb(images, self.memory_format))
        return check_logits(logits, (len(images), self.outputs)).float()


def _release_memory(device: torch.device) -> None:
    """Give back what the allocator caches: it may be in pieces too small for what was asked for."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def part_of(images: Tensor, chosen: Tensor, downsampling: int) -> Tensor:
    """Images (N, H, W[, 3]) of uint8 chosen by index, (n, H / downsampling, W / downsampling[, 3]).

    Pixels are means of squares, rounded. Large images are never copied as a whole.
    """
    if downsampling == 1:
        return images[chosen]
    chunks = []
    for chunk in chosen.split(_DOWNSAMPLED_AT_ONCE):
        squares = images[chunk].unflatten(2, (-1, downsampling)).unflatten(1, (-1, downsampling))
        chunks.append(squares.float().mean(dim=(2, 4)).round_().to(torch.uint8))
    return torch.cat(chunks)


def to_rgb(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Images (B, H, W) or (B, H, W, 3) of uint8 as (B, 3, H, W) from -1 to 1, MedMNIST's usual scaling."""
    scaled = images.to(torch.float32).div_(127.5).sub_(1)
    planes = scaled.permute(0, 3, 1, 2) if images.ndim == 4 else scaled.unsqueeze(1).expand(-1, 3, -1, -1)
    return planes.contiguous(memory_format=memory_format)
