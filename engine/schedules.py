"""What a position needs under a schedule that is not brackets at mark, and under the add-ons (R-A20 to R-A34).

`margin.py` asks here only if V_REQUIREMENTS says that a rule set has any of this. Rates are fractions (part, whole),
`whole` a multiple of PPM, so that a requirement is rounded once.
"""

from __future__ import annotations

from .contract import value_atoms
from .kernel import kernel
from .tables import (
    AFFINE,
    BY_CONCENTRATION,
    BY_IMBALANCE,
    BY_LOTS,
    BY_OPEN_INTEREST,
    BY_OWN_SIZE,
    BY_VOLATILITY,
    CLOSING_AT_MARK,
    FUND,
    M_LONG_INITIAL_PPM,
    M_LONG_LOTS,
    M_LONG_MAINTENANCE_PPM,
    M_MARK_TICKS,
    M_MINIMUM_ATOMS,
    M_OPEN_INTEREST_LOWER_ATOMS,
    M_OPEN_INTEREST_UPPER_ATOMS,
    M_OWED,
    M_OWED_SCALE,
    M_RATE_MAX_PPM,
    M_SCALE_PPM,
    M_SCHEDULE,
    M_SHORT_INITIAL_PPM,
    M_SHORT_MAINTENANCE_PPM,
    M_SLOPE_LOTS,
    M_SLOPE_PPM,
    M_TIER_COUNT,
    M_TIERS,
    M_VOLATILITY_PPM,
    MODEL,
    P_INITIAL_PPM,
    P_LOTS,
    SKEW_SCALED,
    SQUARE_ROOT,
    TIER_DEDUCTION_ATOMS,
    TIER_FLOOR_ATOMS,
    TIER_INITIAL_PPM,
    TIER_MAINTENANCE_PPM,
    V_ACCOUNTS,
    V_CLOSING_PPM,
    V_CONCENTRATION_FREE_PPM,
    V_CONCENTRATION_PPM,
    V_LEAST_INITIAL_PPM,
    V_LOTS_MAX,
    V_MARKETS,
    V_REQUIREMENTS,
    V_ROUND_REQUIREMENT_UP,
    V_SKEW_LOTS,
    V_SKEW_PPM,
    V_VOLATILITY_SHARE_PPM,
    Tables,
)
from .units import PPM, muldiv_down, muldiv_up, ppb_up, ppm_down, ppm_up, root_down

ROOT_SCALE = 100_000  # a square root of size is known to five places, as Drift works it out
PPM_TO_PPB = 1_000


@kernel
def tier_of(t: Tables, market: int, measure: int) -> int:
    """Return the row of `tiers` whose bracket holds a position's value, or its lots where steps are by lots (R-A1)."""
    row = t.markets[market, M_TIERS]
    last = row + t.markets[market, M_TIER_COUNT] - 1
    assert t.tiers[row, TIER_FLOOR_ATOMS] <= measure, "the first tier starts at zero"
    while row < last and t.tiers[row + 1, TIER_FLOOR_ATOMS] <= measure:
        row += 1
    return row


@kernel
def measured_tier(t: Tables, market: int, lots: int, value: int) -> int:
    """Return the row of `tiers` that holds for so many lots of a value, whichever of the two its floors are (R-A21)."""
    return tier_of(t, market, abs(lots) if t.markets[market, M_SCHEDULE] == BY_LOTS else value)


@kernel
def rounded(t: Tables, value: int, part: int, whole: int) -> int:
    """Return a requirement, rounded as the rules say (R-A2)."""
    assert value >= 0 and part >= 0
    if t.venue[V_ROUND_REQUIREMENT_UP]:
        return ppm_up(value, part) if whole == PPM else muldiv_up(value, part, whole)
    return ppm_down(value, part) if whole == PPM else muldiv_down(value, part, whole)


@kernel
def rate(t: Tables, market: int, lots: int, base_ppm: int) -> tuple[int, int]:
    """Return the rate of a schedule that depends on size or side, not by tiers, as (part, whole) (R-A22 to R-A26)."""
    m = t.markets
    schedule = m[market, M_SCHEDULE]
    assert schedule > BY_LOTS, "brackets and steps are rows of `tiers`"
    highest = m[market, M_RATE_MAX_PPM]
    slope_lots = m[market, M_SLOPE_LOTS]
    if schedule == AFFINE or schedule == SKEW_SCALED:
        part = base_ppm * slope_lots + m[market, M_SLOPE_PPM] * abs(lots)
        return min(part, highest * slope_lots), PPM * slope_lots
    if schedule == SQUARE_ROOT:
        root = root_down(muldiv_down(ROOT_SCALE * ROOT_SCALE, abs(lots), slope_lots))
        share_ppb = base_ppm * m[market, M_SCALE_PPM] // PPM_TO_PPB
        premium_ppb = muldiv_down(m[market, M_SLOPE_PPM] * PPM_TO_PPB, root, ROOT_SCALE)
        part = max(base_ppm * PPM_TO_PPB, share_ppb + premium_ppb)
        return min(part, highest * PPM_TO_PPB), PPM * PPM_TO_PPB
    return base_ppm, PPM


@kernel
def initial_rate(t: Tables, market: int, lots: int, value: int) -> tuple[int, int]:
    """Return the initial rate of a market's schedule for signed lots of a value, as (part, whole)."""
    if t.markets[market, M_SCHEDULE] <= BY_LOTS:
        return t.tiers[measured_tier(t, market, lots, value), TIER_INITIAL_PPM], PPM
    return rate(t, market, lots, t.markets[market, M_LONG_INITIAL_PPM if lots > 0 else M_SHORT_INITIAL_PPM])


@kernel
def scheduled_atoms(t: Tables, market: int, lots: int, value: int) -> int:
    """Return the maintenance margin that the schedule alone asks for signed lots of a value (R-A20 to R-A27)."""
    m = t.markets
    schedule = m[market, M_SCHEDULE]
    if schedule <= BY_LOTS:
        row = measured_tier(t, market, lots, value)
        need = rounded(t, value, t.tiers[row, TIER_MAINTENANCE_PPM], PPM) - t.tiers[row, TIER_DEDUCTION_ATOMS]
        return max(0, need)
    if schedule == SKEW_SCALED:
        part, whole = rate(t, market, lots, m[market, M_LONG_INITIAL_PPM])
        return rounded(t, rounded(t, value, part, whole), m[market, M_SCALE_PPM], PPM) + m[market, M_MINIMUM_ATOMS]
    part, whole = rate(t, market, lots, m[market, M_LONG_MAINTENANCE_PPM if lots > 0 else M_SHORT_MAINTENANCE_PPM])
    need = rounded(t, value, part, whole)
    if schedule == MODEL and (m[market, M_OWED] > 0) == (lots > 0):
        need += ppm_up(_owed_atoms(t, market, lots, value), m[market, M_SLOPE_PPM])
    return need


@kernel
def _owed_atoms(t: Tables, market: int, lots: int, value: int) -> int:
    """Return the funding that lots of a value would pay now, if it is they who pay; at most the value (R-A26)."""
    owed, scale = abs(t.markets[market, M_OWED]), t.markets[market, M_OWED_SCALE]
    return min(value, muldiv_up(abs(lots), owed, scale) if scale > 0 else ppb_up(value, owed))


@kernel
def requirement_atoms(t: Tables, market: int, lots: int, value: int) -> int:
    """Return the maintenance margin of signed lots of a value, by schedule, volatility and closing fee at mark."""
    switches = t.venue[V_REQUIREMENTS]
    assert lots != 0 and value >= 0
    need = scheduled_atoms(t, market, lots, value)
    if switches & BY_VOLATILITY:
        share = ppm_up(t.markets[market, M_VOLATILITY_PPM], t.venue[V_VOLATILITY_SHARE_PPM])
        need = max(need, rounded(t, value, share, PPM))
    if switches & CLOSING_AT_MARK:
        need += rounded(t, value, t.venue[V_CLOSING_PPM], PPM)
    assert need >= 0
    return need


@kernel
def full_initial_atoms(t: Tables, account: int, market: int, lots: int, value: int, switches: int) -> int:
    """Return the initial margin of signed lots of a value by schedule and those add-ons that are in `switches`.

    R-A3, R-A20 to R-A34.
    """
    own = t.positions[account * t.venue[V_MARKETS] + market, P_INITIAL_PPM]
    need = max(_asked_atoms(t, market, lots, value, switches), rounded(t, value, own, PPM))
    return need + t.markets[market, M_MINIMUM_ATOMS]


@kernel
def quoted_ppm(t: Tables, market: int, value: int) -> int:
    """Return the initial rate, rounded up, of a long of about this value at the mark; what traders reckon with."""
    most = t.venue[V_LOTS_MAX]
    whole = value_atoms(t, market, most, t.markets[market, M_MARK_TICKS])
    lots = max(1, min(most, muldiv_down(max(0, value), most, max(1, whole))))
    value = max(1, value, value_atoms(t, market, lots, t.markets[market, M_MARK_TICKS]))
    need = _asked_atoms(t, market, lots, value, t.venue[V_REQUIREMENTS]) + t.markets[market, M_MINIMUM_ATOMS]
    assert need >= 0
    return max(1, min(PPM, muldiv_up(min(need, value), PPM, value)))


@kernel
def _asked_atoms(t: Tables, market: int, lots: int, value: int, switches: int) -> int:
    """Return the initial margin of signed lots of a value for any account, the minimum of a position left out."""
    m = t.markets
    if m[market, M_SCHEDULE] == MODEL:
        levelled = ppm_down(requirement_atoms(t, market, lots, value), m[market, M_SCALE_PPM])
        base_ppm = 0 if value == 0 else min(PPM, muldiv_up(levelled, PPM, value))
        need = levelled + rounded(t, value, added_ppm(t, market, lots, base_ppm, switches), PPM)
    else:
        part, whole = initial_rate(t, market, lots, value)
        base_ppm = -(-part // (whole // PPM))
        need = rounded(t, value, part + added_ppm(t, market, lots, base_ppm, switches) * (whole // PPM), whole)
    need = max(need, rounded(t, value, t.venue[V_LEAST_INITIAL_PPM], PPM))
    if switches & BY_VOLATILITY:
        need = max(need, rounded(t, value, m[market, M_VOLATILITY_PPM], PPM))
    return need


@kernel
def added_ppm(t: Tables, market: int, lots: int, base_ppm: int, switches: int) -> int:
    """Return what open interest, skew and concentration add to an initial rate, at most up to 1 in all (R-A30)."""
    venue = t.venue
    added = 0
    if switches & BY_OPEN_INTEREST:
        added += _by_open_interest_ppm(t, market, base_ppm)
    if switches & BY_OWN_SIZE:
        added += muldiv_up(venue[V_SKEW_PPM], abs(lots), venue[V_SKEW_LOTS])
    if switches & BY_IMBALANCE:
        against = -t.positions[(venue[V_ACCOUNTS] + FUND) * venue[V_MARKETS] + market, P_LOTS]
        if (against > 0) == (lots > 0):
            added += muldiv_up(venue[V_SKEW_PPM], abs(against), venue[V_SKEW_LOTS])
    if switches & BY_CONCENTRATION and t.markets[market, M_LONG_LOTS] > 0:
        share = min(PPM, muldiv_down(PPM, abs(lots), t.markets[market, M_LONG_LOTS]))
        added += ppm_up(max(0, share - venue[V_CONCENTRATION_FREE_PPM]), venue[V_CONCENTRATION_PPM])
    assert added >= 0
    return min(added, max(0, PPM - base_ppm))


@kernel
def _by_open_interest_ppm(t: Tables, market: int, base_ppm: int) -> int:
    """Return what open interest within its caps adds to an initial rate, rounded down (R-A31)."""
    m = t.markets
    lower, upper = m[market, M_OPEN_INTEREST_LOWER_ATOMS], m[market, M_OPEN_INTEREST_UPPER_ATOMS]
    held = abs(value_atoms(t, market, m[market, M_LONG_LOTS], m[market, M_MARK_TICKS]))
    rest = max(0, PPM - base_ppm)
    if upper == 0 or held <= lower:
        return 0
    return rest if held >= upper else muldiv_down(rest, held - lower, upper - lower)


@kernel
def steepness_ppm(t: Tables, market: int, lots: int) -> int:
    """Return a rate at which the maintenance margin of signed lots grows at most with their value, between jumps."""
    m, venue = t.markets, t.venue
    schedule = m[market, M_SCHEDULE]
    steepest = m[market, M_RATE_MAX_PPM]
    if schedule == SKEW_SCALED:
        part, whole = rate(t, market, lots, m[market, M_LONG_INITIAL_PPM])
        steepest = ppm_up(-(-part // (whole // PPM)), m[market, M_SCALE_PPM])
    elif schedule > BY_LOTS:
        part, whole = rate(t, market, lots, m[market, M_LONG_MAINTENANCE_PPM if lots > 0 else M_SHORT_MAINTENANCE_PPM])
        steepest = -(-part // (whole // PPM))
    if schedule == MODEL and (m[market, M_OWED] > 0) == (lots > 0):
        owed_ppm = min(PPM, -(-abs(m[market, M_OWED]) // PPM_TO_PPB))
        if m[market, M_OWED_SCALE] > 0:  # by the lot, so that it does not grow with the value unless that is less
            value = value_atoms(t, market, abs(lots), m[market, M_MARK_TICKS])
            owed_ppm = PPM if _owed_atoms(t, market, lots, value) == value else 0
        steepest += ppm_up(owed_ppm, m[market, M_SLOPE_PPM])
    if venue[V_REQUIREMENTS] & BY_VOLATILITY:
        steepest = max(steepest, ppm_up(m[market, M_VOLATILITY_PPM], venue[V_VOLATILITY_SHARE_PPM]))
    if venue[V_REQUIREMENTS] & CLOSING_AT_MARK:
        steepest += venue[V_CLOSING_PPM]
    assert steepest >= 0
    return steepest
