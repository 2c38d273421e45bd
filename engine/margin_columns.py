"""The columns of `venue`, `markets` and `tiers` that say what a position needs, filled when a venue opens."""

from __future__ import annotations

from collections.abc import Sequence

from .rules.base import ATOMS_PER_QUOTE, PPM
from .rules.margin import Margin
from .rules.schedules import (
    Affine,
    Bracketed,
    Flat,
    Model,
    Schedule,
    SkewScaled,
    SquareRoot,
    Stepped,
    SteppedLots,
    Weights,
)
from .tables import (
    AFFINE,
    AT_ENTRY,
    BRACKETED,
    BY_CONCENTRATION,
    BY_IMBALANCE,
    BY_LOTS,
    BY_OPEN_INTEREST,
    BY_OWN_SIZE,
    BY_VOLATILITY,
    CLOSING_AT_BANKRUPTCY,
    CLOSING_AT_MARK,
    HAS_SCHEDULES,
    M_LONG_INITIAL_PPM,
    M_LONG_MAINTENANCE_PPM,
    M_MINIMUM_ATOMS,
    M_OPEN_INTEREST_LOWER_ATOMS,
    M_OPEN_INTEREST_UPPER_ATOMS,
    M_RATE_MAX_PPM,
    M_SCALE_PPM,
    M_SCHEDULE,
    M_SHORT_INITIAL_PPM,
    M_SHORT_MAINTENANCE_PPM,
    M_SLOPE_LOTS,
    M_SLOPE_PPM,
    M_VOLATILITY_PPM,
    MODEL,
    SKEW_SCALED,
    SQUARE_ROOT,
    STEPPED,
    V_CLOSING_PPM,
    V_CONCENTRATION_FREE_PPM,
    V_CONCENTRATION_PPM,
    V_DECAY_PPM,
    V_LEAST_INITIAL_PPM,
    V_REQUIREMENTS,
    V_SKEW_LOTS,
    V_SKEW_PPM,
    V_VOLATILITY_FLOOR_PPM,
    V_VOLATILITY_MAX_PPM,
    V_VOLATILITY_MULTIPLE_PPM,
    V_VOLATILITY_SHARE_PPM,
    WEIGHTS,
    Table,
    Tables,
)

TierRow = tuple[int, int, int, int]
# Rates of a market without brackets: initial and maintenance of a long, then of a short.
Rates = tuple[int, int, int, int]


def tier_rows(margin: Margin, symbol: str) -> list[TierRow]:
    """Return the rows of `tiers` of a market: its brackets or steps, or one row with the rates of the smallest size.

    The floors of steps by lots are lots.
    """
    schedule, least = margin.schedule_of(symbol), margin.least_ppm()
    assert 1 <= least <= PPM
    if schedule is None:
        return margin.table(symbol)
    if isinstance(schedule, Bracketed):
        return [
            (row.floor_quote * ATOMS_PER_QUOTE, max(least, row.initial_ppm), row.maintenance_ppm, row.deduction_atoms)
            for row in schedule.tiers
        ]
    if isinstance(schedule, Stepped):
        return [
            (step.floor_quote * ATOMS_PER_QUOTE, max(least, step.initial_ppm), step.maintenance_ppm, 0)
            for step in schedule.steps
        ]
    if isinstance(schedule, SteppedLots):
        return [(step.floor_lots, max(least, step.initial_ppm), step.maintenance_ppm, 0) for step in schedule.steps]
    long_initial, long_maintenance, short_initial, short_maintenance = _rates(schedule)
    initial = max(least, long_initial, short_initial)
    return [(0, min(PPM, initial), max(long_maintenance, short_maintenance), 0)]


def fill_margin(t: Tables, margin: Margin, symbols: Sequence[str]) -> None:
    """Write what kernels need of the margin axis into `venue` and, for the market of each symbol, into `markets`."""
    switches = 0
    for symbol, row in zip(symbols, t.markets, strict=True):
        switches |= _fill_market(row, margin, symbol)
    switches |= _fill_requirement(t.venue, margin)
    switches |= _fill_add_ons(t, margin, symbols)
    assert t.venue[V_REQUIREMENTS] == 0, "a venue is filled once"
    t.venue[V_REQUIREMENTS] = switches
    t.venue[V_LEAST_INITIAL_PPM] = margin.least_ppm()


def _fill_market(row: Table, margin: Margin, symbol: str) -> int:
    """Fill the schedule of one market; return the switches it needs."""
    schedule = margin.schedule_of(symbol)
    if schedule is None:
        row[M_SCHEDULE] = BRACKETED
        return 0
    row[M_SCHEDULE] = _code(schedule)
    assert row[M_SLOPE_LOTS] == 0, "a market is filled once"
    if isinstance(schedule, Bracketed | Stepped | SteppedLots):
        return HAS_SCHEDULES
    row[[M_LONG_INITIAL_PPM, M_LONG_MAINTENANCE_PPM, M_SHORT_INITIAL_PPM, M_SHORT_MAINTENANCE_PPM]] = _rates(schedule)
    if isinstance(schedule, Affine | SquareRoot | SkewScaled):
        row[M_SLOPE_PPM], row[M_SLOPE_LOTS] = schedule.slope_ppm, schedule.slope_lots
        row[M_RATE_MAX_PPM] = schedule.rate_max_ppm
    if isinstance(schedule, SquareRoot):
        row[M_SCALE_PPM] = schedule.share_ppm
    elif isinstance(schedule, SkewScaled):
        row[M_SCALE_PPM], row[M_MINIMUM_ATOMS] = schedule.maintenance_scale_ppm, schedule.minimum_atoms
    elif isinstance(schedule, Model):
        row[M_SCALE_PPM], row[M_SLOPE_PPM] = schedule.initial_scale_ppm, schedule.funding_share_ppm
    return HAS_SCHEDULES


def _code(schedule: Schedule) -> int:
    """Return the value of M_SCHEDULE for a schedule; the same rates for all sizes are one bracket."""
    if isinstance(schedule, Bracketed):
        return STEPPED if schedule.jumps() else BRACKETED
    codes: dict[type, int] = {
        Flat: BRACKETED, Stepped: STEPPED, SteppedLots: BY_LOTS, Affine: AFFINE, SquareRoot: SQUARE_ROOT,
        SkewScaled: SKEW_SCALED, Weights: WEIGHTS, Model: MODEL,
    }  # fmt: skip
    return codes[type(schedule)]


def _rates(schedule: Schedule) -> Rates:
    """Return the rates of the smallest position, in ppm."""
    if isinstance(schedule, Weights):
        return (
            PPM - schedule.initial_asset_ppm,
            PPM - schedule.maintenance_asset_ppm,
            schedule.initial_liability_ppm - PPM,
            schedule.maintenance_liability_ppm - PPM,
        )
    if isinstance(schedule, Model):
        long, short = schedule.long_ppm + schedule.slippage_ppm, schedule.short_ppm + schedule.slippage_ppm
        scale = schedule.initial_scale_ppm
        return long * scale // PPM, long, short * scale // PPM, short
    if isinstance(schedule, SkewScaled):
        initial = schedule.initial_ppm
        maintenance = initial * schedule.maintenance_scale_ppm // PPM
    else:
        assert isinstance(schedule, Flat | Affine | SquareRoot), "steps have rows of their own"
        initial, maintenance = schedule.initial_ppm, schedule.maintenance_ppm
    return initial, maintenance, initial, maintenance


def _fill_requirement(venue: Table, margin: Margin) -> int:
    """Fill what else maintenance margin consists of; return its switches."""
    switches = 0
    if margin.valuation is not None and margin.valuation.price == "entry":
        switches |= AT_ENTRY
    if margin.closing_fee is not None:
        venue[V_CLOSING_PPM] = margin.closing_fee.rate_ppm
        switches |= CLOSING_AT_MARK if margin.closing_fee.price == "mark" else CLOSING_AT_BANKRUPTCY
    if (rule := margin.volatility) is not None:
        venue[V_DECAY_PPM], venue[V_VOLATILITY_MULTIPLE_PPM] = rule.decay_ppm, rule.multiple_ppm
        venue[V_VOLATILITY_FLOOR_PPM], venue[V_VOLATILITY_MAX_PPM] = rule.floor_ppm, rule.rate_max_ppm
        venue[V_VOLATILITY_SHARE_PPM] = rule.maintenance_share_ppm
        switches |= BY_VOLATILITY
    return switches


def _fill_add_ons(t: Tables, margin: Margin, symbols: Sequence[str]) -> int:
    """Fill the add-ons to initial margin; return their switches."""
    switches = 0
    for symbol, row in zip(symbols, t.markets, strict=True):
        if (scaling := margin.open_interest) is not None:
            caps = (scaling.markets or {}).get(symbol, scaling)
            row[M_OPEN_INTEREST_LOWER_ATOMS] = caps.lower_quote * ATOMS_PER_QUOTE
            row[M_OPEN_INTEREST_UPPER_ATOMS] = caps.upper_quote * ATOMS_PER_QUOTE
            switches |= BY_OPEN_INTEREST
        if margin.volatility is not None:
            row[M_VOLATILITY_PPM] = margin.volatility.floor_ppm
    if (skew := margin.skew) is not None:
        t.venue[V_SKEW_PPM], t.venue[V_SKEW_LOTS] = skew.slope_ppm, skew.slope_lots
        switches |= BY_OWN_SIZE if skew.measure == "own" else BY_IMBALANCE
    if (rule := margin.concentration) is not None:
        t.venue[V_CONCENTRATION_FREE_PPM], t.venue[V_CONCENTRATION_PPM] = rule.threshold_ppm, rule.slope_ppm
        switches |= BY_CONCENTRATION
    return switches
