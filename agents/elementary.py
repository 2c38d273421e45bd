"""Logarithm, exponential and normal quantile from +, -, *, / and square root alone.

NumPy and the C library compute log, exp and sin with whatever instructions the processor offers, so that the
last bit differs between machines. The basic operations are exact to the last bit everywhere (IEEE 754), and
so is what is built from them: a seed gives one result on every machine. The price is a few more passes over
an array. Relative errors stay below 1e-15 (log, exp) and 3e-15 (quantile).
"""

from __future__ import annotations

from math import frexp

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delever.engine.kernel import kernel

Floats = NDArray[np.float64]


def constants(*values: object) -> tuple[Floats, ...]:
    """Return each value as an array: NumPy takes those up about twice as fast as Python's numbers."""
    return tuple(np.array(value, dtype=np.float64) for value in values)


ONE, TWO = constants(1.0, 2.0)

# ln 2 in two parts: the first has 32 bits, so that its product with any exponent is exact.
LN2_HIGH, LN2_LOW = constants(0.693147180369123816490, 1.90821492927058770002e-10)
PER_LN2 = 1.0 / (LN2_HIGH + LN2_LOW)
EXP_LIMIT = 1500.0  # e to the power of it is beyond the largest number, and of its negative below the smallest

# A float64 read as an integer: exponent above bit 52, fraction below.
FRACTION_BITS = np.array(52)
SQRT_HALF_WORD = np.array(0.70710678118654752440).view(np.int64)
SMALLEST_NORMAL = float(np.finfo(np.float64).smallest_normal)

# log((1+s)/(1-s)) = 2 s (1 + s²/3 + s⁴/5 + ...): ten terms reach the last bit for |s| < 0.172.
ATANH_SERIES = constants(*(1.0 / (2 * term + 1) for term in range(10)))
# e^x = (c + x)/(c - x) with c = x coth(x/2) = 2 + x²/6 - x⁴/360 + ...: seven terms reach it for |x| < 0.347.
COTH_SERIES = constants(2.0, 1 / 6, -1 / 360, 1 / 15120, -1 / 604800, 1 / 23950080, -691 / 653837184000)

# Rational approximations of the normal quantile, pairs of (numerator, denominator) by rising power:
# M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988), 477-484.
CENTRE = constants(
    [[3.3871328727963666080e0], [1.0]],
    [[1.3314166789178437745e2], [4.2313330701600911252e1]],
    [[1.9715909503065514427e3], [6.8718700749205790830e2]],
    [[1.3731693765509461125e4], [5.3941960214247511077e3]],
    [[4.5921953931549871457e4], [2.1213794301586595867e4]],
    [[6.7265770927008700853e4], [3.9307895800092710610e4]],
    [[3.3430575583588128105e4], [2.8729085735721942674e4]],
    [[2.5090809287301226727e3], [5.2264952788528545610e3]],
)
SIDE = constants(
    [[1.42343711074968357734e0], [1.0]],
    [[4.63033784615654529590e0], [2.05319162663775882187e0]],
    [[5.76949722146069140550e0], [1.67638483018380384940e0]],
    [[3.64784832476320460504e0], [6.89767334985100004550e-1]],
    [[1.27045825245236838258e0], [1.48103976427480074590e-1]],
    [[2.41780725177450611770e-1], [1.51986665636164571966e-2]],
    [[2.27238449892691845833e-2], [5.47593808499534494600e-4]],
    [[7.74545014278341407640e-4], [1.05075007164441684324e-9]],
)
TAIL = constants(
    [[6.65790464350110377720e0], [1.0]],
    [[5.46378491116411436990e0], [5.99832206555887937690e-1]],
    [[1.78482653991729133580e0], [1.36929880922735805310e-1]],
    [[2.96560571828504891230e-1], [1.48753612908506148525e-2]],
    [[2.65321895265761230930e-2], [7.86869131145613259100e-4]],
    [[1.24266094738807843860e-3], [1.84631831751005468180e-5]],
    [[2.71155556874348757815e-5], [1.42151175831644588870e-7]],
    [[2.01033439929228813265e-7], [2.04426310338993978564e-15]],
)


def polynomial(x: Floats, coefficients: tuple[Floats, ...]) -> Floats:
    """Return coefficients[0] + coefficients[1]·x + ..., by Horner's rule, in the shape both broadcast to."""
    value = np.asarray(x * coefficients[-1])
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= x
    value += coefficients[0]
    return value


def log(x: ArrayLike) -> Floats:
    """Return the natural logarithm, in the shape of `x`; a ValueError unless 2.3e-308 <= x < infinity."""
    values = np.asarray(x, dtype=np.float64)
    if values.size and not (values.min() >= SMALLEST_NORMAL and values.max() < np.inf):
        raise ValueError(f"log: every number must be above 0 and finite (got {values.min()} to {values.max()})")
    return log_unchecked(values)


def log_unchecked(x: Floats) -> Floats:
    """Return `log(x)` without looking whether every number is above 2.3e-308 and finite."""
    words = x.view(np.int64)
    power = (words - SQRT_HALF_WORD) >> FRACTION_BITS
    fraction = (words - (power << FRACTION_BITS)).view(np.float64)  # from sqrt(1/2) to sqrt(2)
    s = (fraction - ONE) / (fraction + ONE)
    series = polynomial(s * s, ATANH_SERIES)
    series *= s
    series *= TWO
    series += power * LN2_LOW
    series += power * LN2_HIGH
    return series


# The constants of `log` as plain numbers, for kernels.
SQRT_HALF = 0.70710678118654752440
ATANH_NUMBERS = tuple(float(term) for term in ATANH_SERIES)
LN2_HIGH_NUMBER, LN2_LOW_NUMBER = float(LN2_HIGH), float(LN2_LOW)


@kernel
def log_of(x: float) -> float:
    """Return the natural logarithm of one number above 2.3e-308, in kernels: the bits of `log`."""
    fraction, power = frexp(x)
    if fraction < SQRT_HALF:
        fraction *= 2.0
        power -= 1
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = square * ATANH_NUMBERS[9]
    for term in range(8, 0, -1):
        series += ATANH_NUMBERS[term]
        series *= square
    series += ATANH_NUMBERS[0]
    series *= s
    series *= 2.0
    series += power * LN2_LOW_NUMBER
    return series + power * LN2_HIGH_NUMBER


def exp(x: ArrayLike) -> Floats:
    """Return e to the power of `x`, in its shape; infinity above the largest, 0 below the smallest number."""
    values = np.clip(np.asarray(x, dtype=np.float64), -EXP_LIMIT, EXP_LIMIT)
    power = np.rint(values * PER_LN2)
    rest = (values - power * LN2_HIGH) - power * LN2_LOW
    mantissa = ONE + TWO * rest / (polynomial(rest * rest, COTH_SERIES) - rest)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(mantissa, power.astype(np.int32))


def normal_quantile(probability: ArrayLike) -> Floats:
    """Return the standard normal quantile of numbers in (0, 1), in their shape.

    Where 1 - p is exact, its quantile is exactly the negative of that of p. Source: algorithm AS 241.
    """
    shaped = np.asarray(probability, dtype=np.float64)
    p = shaped.ravel()
    centred = p - 0.5
    value = centred * _ratio(0.180625 - centred * centred, CENTRE)
    outer = np.flatnonzero(np.abs(centred) > 0.425)
    if outer.size:
        value[outer] = _outer_quantile(p[outer])
    return value.reshape(shaped.shape)


def _outer_quantile(p: Floats) -> Floats:
    r = np.sqrt(-log(np.minimum(p, 1.0 - p)))
    value = _ratio(r - 1.6, SIDE)
    far = np.flatnonzero(r > 5.0)
    if far.size:
        value[far] = _ratio(r[far] - 5.0, TAIL)
    return np.copysign(value, p - 0.5)


def _ratio(x: Floats, coefficients: tuple[Floats, ...]) -> Floats:
    numerator, denominator = polynomial(x, coefficients)
    return numerator / denominator
