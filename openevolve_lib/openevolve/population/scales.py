"""Scales on which noise is about the same everywhere, and normal: of AUC the logit."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NEAREST = 1e-4  # to 0 and 1: an AUC of 1 is not infinitely good
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
_WEIGHTS = _WEIGHTS / math.sqrt(2 * math.pi)


class Scale(Protocol):
    """A rising function of values and its inverse."""

    def forward(self, value: float) -> float: ...

    def back(self, scaled: Floats) -> Floats: ...


class Identity:
    def forward(self, value: float) -> float:
        return value

    def back(self, scaled: Floats) -> Floats:
        return scaled


class Logit:
    """Of values between 0 and 1, such as accuracy and AUC; those at the ends are moved inwards by 1e-4."""

    def forward(self, value: float) -> float:
        if not 0 <= value <= 1:
            raise ValueError(f"logit scale: expected a value between 0 and 1, found {value}")
        inside = min(max(value, _NEAREST), 1 - _NEAREST)
        return math.log(inside / (1 - inside))

    def back(self, scaled: Floats) -> Floats:
        return 1 / (1 + np.exp(-scaled))


SCALES: dict[str, Scale] = {"identity": Identity(), "logit": Logit()}


def expected(scale: Scale, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean of the value, and its slope in the mean, where the scaled value is normal.

    ``mean`` and ``variance`` have any equal shape. Gauss-Hermite quadrature with nine nodes; the slope
    by Stein's lemma. Where the variance is 0 the slope is that at the mean.
    """
    if isinstance(scale, Identity):
        return mean, np.ones_like(mean)
    spread = np.sqrt(np.maximum(variance, 1e-12))
    values = scale.back(mean[..., None] + spread[..., None] * _NODES)
    return values @ _WEIGHTS, (values * _NODES) @ _WEIGHTS / spread
