"""Distributions as tables of equally likely values: one uniform number reads one value.

A table is made once, from exact operations (see elementary.py); reading it costs two operations on an array,
however involved the distribution is. What lies beyond the outermost 1/2048 of the distribution is never
drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delever.engine.kernel import kernel

from .elementary import exp, log, normal_quantile

Floats = NDArray[np.float64]

VALUES = 1024


class Quantiles:
    """A distribution as 1,024 equally likely values, in rising order."""

    def __init__(self, values: Floats) -> None:
        """Take the table: float64 of shape (1024,)."""
        assert values.shape == (VALUES,)
        self.values = values

    def __call__(self, uniform: Floats) -> Floats:
        """Return one value for each uniform number in (0, 1), in its shape."""
        return self.values[(uniform * VALUES).astype(np.int64)]


def _probabilities() -> Floats:
    return (np.arange(VALUES, dtype=np.float64) + 0.5) / VALUES


def standard_normal() -> Quantiles:
    """Return the normal distribution of mean 0 and standard deviation 1."""
    return Quantiles(normal_quantile(_probabilities()))


def exponential() -> Quantiles:
    """Return the exponential distribution of mean 1."""
    return Quantiles(-log(1.0 - _probabilities()))


def power_law(scale: float, exponent: float, largest: float, shape: float = 1.0) -> Quantiles:
    """Return the law P(X > x) = (1 + (x / scale)^shape)^-exponent, with values above `largest` set to it.

    A shape of 1 is Lomax's law, which is densest at 0; above 1 it is Burr's, whose density starts as x^(shape - 1).
    """
    beyond = exp(-log(1.0 - _probabilities()) / exponent) - 1.0
    if shape != 1.0:  # the root of power 1 would cost the last bits
        beyond = exp(log(beyond) / shape)
    return Quantiles(np.minimum(scale * beyond, largest))


def menu(values: Sequence[float], weights: Sequence[float]) -> Quantiles:
    """Return a choice among `values` in proportion to `weights`, to within 1/1024."""
    order = np.argsort(np.asarray(values, dtype=np.float64), kind="stable")
    rising = np.asarray(values, dtype=np.float64)[order]
    share = np.cumsum(np.asarray(weights, dtype=np.float64)[order])
    chosen = np.searchsorted(share / share[-1], _probabilities(), side="left")
    return Quantiles(rising[chosen])


@kernel
def element(values: Floats, uniform: float) -> float:
    """Return the value of a table that a uniform number in (0, 1) reads, in kernels."""
    return values[int(uniform * VALUES)]
