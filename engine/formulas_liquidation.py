"""Formulas of liquidation steps, limits and fees, on whole numbers: exact, with named rounding (R-W20 to R-W31).

Amounts are atoms, rates ppm; all arguments are non-negative unless said otherwise.
"""

from __future__ import annotations

from .kernel import kernel
from .units import PPM, muldiv_down, muldiv_up, ppm_down


@kernel
def portion_atoms(value: int, share_ppm: int, least: int) -> int:
    """Return the most of a position's value that one order closes: the share, but at least the minimum (R-W20).

    The smallest it may close is min(least, value). Source: dYdX v4, position block limits.
    """
    return max(min(least, value), ppm_down(value, share_ppm))


@kernel
def cover_lots(lots: int, shortage: int, need: int, fees: int) -> int:
    """Return how many of `lots` bring back a shortage, rounded up, at most all (R-W21).

    need: requirement of the position at the level to be reached; fees: what closing all of it costs in fees. Each lot
    closed frees its part of the requirement less its part of the fees. Source: Drift v2, size that covers the shortage.
    """
    assert lots > 0
    if need <= fees:
        return lots
    return max(1, min(lots, muldiv_up(lots, shortage, need - fees)))


@kernel
def freeable_ppm(shortage: int, freed: int, elapsed: int, duration: int, initial_ppm: int, dust: int) -> int:
    """Return the part of a shortage that may be covered now, rounded down (R-W21).

    freed: what was freed since liquidation began; elapsed, duration: in the same unit of time. Source: Drift v2.
    """
    if shortage < dust or shortage == 0:
        return PPM
    share = min(PPM, initial_ppm + elapsed * PPM // duration)
    free = ppm_down(shortage + freed, share) - freed
    return min(PPM, muldiv_down(max(0, free), PPM, shortage))


@kernel
def close_factor_lots(lots: int, value: int, total: int, share_ppm: int) -> int:
    """Return how many of `lots` a keeper may close, rounded down, at least 1 (R-W24).

    value: of the position; total: of all positions of the unit. Source: Perp v2, maximum size of a liquidation.
    """
    assert 0 < value <= total
    ratio = min(PPM, muldiv_down(ppm_down(total, share_ppm), PPM, value))
    return max(1, ppm_down(lots, ratio))


@kernel
def fillable_spread_atoms(
    equity: int, unit_maintenance: int, maintenance: int, adjustment_ppm: int, spread_ppm: int
) -> int:
    """Return how far from its value at mark a position may be sold: spread by deficit (R-W26).

    `equity` may be negative.
    clamp(adjustment * (1 - equity / unit_maintenance), 0, 1) * spread * maintenance, each product rounded down.
    Source: dYdX v4, fillable price.
    """
    widest = ppm_down(maintenance, spread_ppm)
    missing = ppm_down(max(0, unit_maintenance - equity), adjustment_ppm)
    if missing >= unit_maintenance:
        return widest
    return muldiv_down(widest, missing, unit_maintenance)


@kernel
def rising_ppm(base_ppm: int, elapsed_s: int, grace_s: int, each_second_ppm: int, highest_ppm: int) -> int:
    """Return a bonus that rises with time once a grace period is over (R-W30). Source: Drift v2, liquidation fee."""
    assert elapsed_s >= 0
    if elapsed_s < grace_s:
        return base_ppm
    return min(highest_ppm, base_ppm + elapsed_s * each_second_ppm)


@kernel
def rest_fee_ppm(need: int, value: int, shortage: int, bonus_ppm: int, rest_ppm: int, highest_ppm: int) -> int:
    """Return the fund's fee: a part of the margin rate that bonus and shortage leave, at most the highest (R-W31).

    need: requirement of the position at the level to be reached. Both rates are rounded down. Source: Drift v2, fee of
    the insurance fund.
    """
    assert value > 0
    left = muldiv_down(need, PPM, value) - bonus_ppm - muldiv_down(shortage, PPM, value)
    return min(highest_ppm, max(0, left) * rest_ppm // PPM)


@kernel
def surplus_atoms(gain: int, value: int, cap_ppm: int) -> int:
    """Return what is taken of a gain over the bankruptcy price: all, or a part of the value rounded down (R-W29).

    A cap below 0 takes all. Source: dYdX v4, insurance fund delta.
    """
    assert gain >= 0
    return gain if cap_ppm < 0 else min(gain, ppm_down(value, cap_ppm))


@kernel
def disposal_lots(lots: int, share_ppm: int, whole_lots: int, depth_lots: int, book_share_ppm: int) -> int:
    """Return how many of `lots` are sold now: a share rounded up, small positions whole, no more than the book bears.

    depth_lots: what the other side of the book holds within the range, of which a share rounded down may be taken
    (R-W35). Source: Vega, liquidation strategy of the network party.
    """
    assert lots > 0 and depth_lots >= 0
    wanted = lots if lots <= whole_lots else -(-lots * share_ppm // PPM)
    return min(wanted, depth_lots * book_share_ppm // PPM)
