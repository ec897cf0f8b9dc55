"""AdamW under a one-cycle schedule, on PyTorch's fused kernel.

``torch.optim.Optimizer`` imports the compiler (torch._dynamo: 6 s of CPU time, and as much memory again
as PyTorch) as soon as one is made, and its schedulers cost Python time at every step; the functional form
does neither. tests/medevonet/sandboxed/test_recipe.py holds both against torch.optim.

Sources: Loshchilov, Hutter (2019), arXiv 1711.05101; Smith, Topin (2017), arXiv 1708.07120, with the
defaults of ``torch.optim.lr_scheduler.OneCycleLR``.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adamw import adamw

_RISING = 0.3  # share of all steps
_FIRST_LR, _LAST_LR = 1 / 25, 1 / 25e4  # of the peak
_BETA1_AT_ENDS, _BETA1_AT_PEAK = 0.95, 0.85


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """Learning rate as a share of the peak, and beta1, at a step from 0 to ``steps`` - 1."""
    peak, last = _RISING * steps - 1, steps - 1
    if step <= peak:
        progress = step / peak
        return _cosine(_FIRST_LR, 1, progress), _cosine(_BETA1_AT_ENDS, _BETA1_AT_PEAK, progress)
    progress = (step - peak) / (last - peak)
    return _cosine(1, _LAST_LR, progress), _cosine(_BETA1_AT_PEAK, _BETA1_AT_ENDS, progress)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * progress) + 1)


class OneCycleAdamW:
    """Updates parameters at each ``step``; ``steps`` in all."""

    def __init__(self, parameters: Iterable[Tensor], max_lr: float, weight_decay: float, steps: int) -> None:
        self._max_lr = max_lr
        self._weight_decay = weight_decay
        self._steps = steps
        self._step = 0
        self._states = [
            (p, torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=p.device))
            for p in parameters
            if p.requires_grad
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient, and clear the gradients."""
        lr, beta1 = one_cycle(self._step, self._steps)
        self._step += 1
        updated = [(p, p.grad, *state) for p, *state in self._states if p.grad is not None]
        parameters, gradients, means, squares, counts = (
            list(column) for column in zip(*updated, strict=True)
        )
        adamw(
            parameters, gradients, means, squares, [], counts, fused=True, amsgrad=False, maximize=False,
            lr=self._max_lr * lr, beta1=beta1, beta2=0.999, weight_decay=self._weight_decay, eps=1e-8,
        )  # fmt: skip
        self.clear_gradients()

    def clear_gradients(self) -> None:
        """Drop the gradients that have been summed so far."""
        for parameter, *_ in self._states:
            parameter.grad = None
