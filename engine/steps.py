"""How many lots each forced order closes: kernels of the step rules and of the rolling cap (R-W20 to R-W25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .contract import value_atoms
from .formulas_liquidation import (
    close_factor_lots,
    cover_lots,
    freeable_ppm,
    portion_atoms,
    rest_fee_ppm,
    rising_ppm,
)
from .kernel import kernel
from .levels import stop_atoms, unit_value_atoms
from .margin import health_atoms
from .rounds import K_ACCOUNT, K_LOTS, K_MAINTENANCE, K_MARK, K_MARKET, K_UNIT, K_VALUE
from .rules.base import ATOMS_PER_QUOTE
from .rules.steps import CloseFactor, Cover, Ladder, Portion, Slices
from .schedules import measured_tier
from .tables import (
    FLAG_PACED,
    M_TIERS,
    M_WINDOW_LOTS,
    M_WINDOW_MAX_LOTS,
    M_WINDOW_STEP,
    NONE,
    P_LOTS,
    U_FLAGS,
    U_FREED_ATOMS,
    U_SINCE_STEP,
    V_BUFFER_PPM,
    V_MARKETS,
    V_RAMPED,
    V_STEP,
    V_STOP_PPM,
    Table,
    Tables,
)
from .units import muldiv_down, ppm_up

if TYPE_CHECKING:
    from .venue import Venue

# plan: one row per position to be closed, beside its CLOSING_COLUMNS
Q_LOTS, Q_BONUS_PPM, Q_FUND_PPM, Q_SHORTAGE_ATOMS = range(4)
PLAN_COLUMNS = 4

# numbers: what the kernels need of the rules; which of them mean something depends on the kind of step
(
    N_KIND,
    N_SHARE,
    N_LEAST,
    N_MOST,
    N_LOTS,
    N_INITIAL,
    N_DURATION,
    N_DUST,
    N_BONUS,
    N_GRACE,
    N_EACH,
    N_BONUS_MAX,
    N_FEE,
    N_REST,
    N_DT,
) = range(15)
NUMBERS = 15
ASKED, PORTION, COVER, LADDER, SLICES, CLOSE_FACTOR = range(6)


def numbers_of(venue: Venue) -> Table:
    """Return the numbers of the venue's step and of the fees a closed lot costs, by the names N_ above."""
    rule = venue.rules.liquidation
    step, keepers = rule.step, rule.keepers
    numbers = np.zeros(NUMBERS, dtype=np.int64)
    numbers[N_DT] = venue.dt_s
    numbers[N_REST] = NONE
    if keepers is None:
        numbers[N_FEE] = venue.rules.charges.liquidation_ppm
    else:
        numbers[[N_BONUS, N_BONUS_MAX]] = keepers.bonus_ppm
        if keepers.rise is not None:
            rise = keepers.rise
            numbers[[N_GRACE, N_EACH, N_BONUS_MAX]] = rise.grace_s, rise.each_second_ppm, rise.highest_ppm
        if keepers.fund_fee is not None:
            fee = keepers.fund_fee
            numbers[N_FEE] = fee.highest_ppm
            numbers[N_REST] = NONE if fee.rest_ppm is None else fee.rest_ppm
    if isinstance(step, Portion):
        least, most = step.least_quote * ATOMS_PER_QUOTE, step.account_quote * ATOMS_PER_QUOTE
        numbers[[N_KIND, N_SHARE, N_LEAST, N_MOST]] = PORTION, step.share_ppm, least, most
    elif isinstance(step, Cover):
        numbers[N_KIND] = COVER
        if step.ramp is not None:
            numbers[[N_INITIAL, N_DURATION]] = step.ramp.initial_ppm, step.ramp.duration_s
            numbers[N_DUST] = step.ramp.dust_quote * ATOMS_PER_QUOTE
    elif isinstance(step, Ladder):
        down = {"next": 1, "two": 2, "lowest": 0}[step.cut]
        numbers[[N_KIND, N_SHARE, N_MOST]] = LADDER, down, step.whole_tiers
    elif isinstance(step, Slices):
        numbers[[N_KIND, N_LOTS]] = SLICES, step.lots
    elif isinstance(step, CloseFactor):
        numbers[[N_KIND, N_SHARE, N_LEAST]] = CLOSE_FACTOR, step.share_ppm, step.whole_below_ppm
        numbers[N_MOST] = step.whole_quote * ATOMS_PER_QUOTE
    else:
        assert step is None, f"no kernel knows the step {step!r}"
    return numbers


@kernel
def plan_lots(t: Tables, numbers: Table, rows: Table, plan: Table) -> None:
    """Write fees, shortage and lots of every position to be closed into `plan` (n, PLAN_COLUMNS).

    rows: (n, CLOSING_COLUMNS), those of a unit together. A step of its own kind decides the lots (R-W20 to R-W24);
    otherwise they stay as they are. Lots may be 0 where an account's limit is used up.
    """
    kind = numbers[N_KIND]
    unit, equity, maintenance, stop, left, closed = NONE, 0, 0, 0, 0, 0
    for i in range(rows.shape[0]):
        if rows[i, K_UNIT] != unit:
            unit = rows[i, K_UNIT]
            equity, maintenance = health_atoms(t, unit)
            stop = stop_atoms(t, unit, maintenance)
            left = _coverable_atoms(t, numbers, unit, max(0, stop - equity))
            closed = 0
        plan[i, Q_SHORTAGE_ATOMS] = max(0, stop - equity)
        _write_fees(t, numbers, rows, plan, i)
        held, value = abs(rows[i, K_LOTS]), rows[i, K_VALUE]
        assert held > 0 and value > 0
        if kind == PORTION:
            most = portion_atoms(value, numbers[N_SHARE], numbers[N_LEAST])
            if numbers[N_MOST] > 0:
                most = min(most, max(0, numbers[N_MOST] - closed))
            lots = min(held, muldiv_down(held, most, value))
            if closed == 0:
                lots = max(1, lots)
            closed += muldiv_down(value, lots, held)
        elif kind == COVER:
            need = position_need_atoms(t, rows, i)
            fees = ppm_up(value, plan[i, Q_BONUS_PPM] + plan[i, Q_FUND_PPM])
            at_level = plan[i, Q_SHORTAGE_ATOMS] == 0 and closed == 0
            lots = cover_lots(held, left, need, fees) if left > 0 or at_level else 0
            left = max(0, left - muldiv_down(max(0, need - fees), lots, held))
            closed += lots
        elif kind == LADDER:
            lots = ladder_lots(t, rows[i, K_MARKET], held, rows[i, K_MARK], numbers[N_SHARE], numbers[N_MOST])
        elif kind == SLICES:
            lots = min(held, numbers[N_LOTS])
        elif kind == CLOSE_FACTOR:
            total = unit_value_atoms(t, unit)
            whole = total <= numbers[N_MOST] or equity < ppm_up(maintenance, numbers[N_LEAST])
            lots = held if whole else close_factor_lots(held, value, total, numbers[N_SHARE])
        else:
            lots = plan[i, Q_LOTS]
        assert 0 <= lots <= held
        plan[i, Q_LOTS] = lots


@kernel
def position_need_atoms(t: Tables, rows: Table, i: int) -> int:
    """Return a position's part of the equity at which liquidation stops (R-W28)."""
    return ppm_up(rows[i, K_MAINTENANCE], t.venue[V_STOP_PPM]) + ppm_up(rows[i, K_VALUE], t.venue[V_BUFFER_PPM])


@kernel
def _coverable_atoms(t: Tables, numbers: Table, unit: int, shortage: int) -> int:
    """Return the part of a unit's shortage that may be covered now (R-W21)."""
    if t.venue[V_RAMPED] == 0:
        return shortage
    elapsed = (t.venue[V_STEP] - t.units[unit, U_SINCE_STEP]) * numbers[N_DT]
    assert elapsed >= 0 and t.units[unit, U_FREED_ATOMS] >= 0
    share = freeable_ppm(
        shortage, t.units[unit, U_FREED_ATOMS], elapsed, numbers[N_DURATION], numbers[N_INITIAL], numbers[N_DUST]
    )
    return muldiv_down(shortage, share, 1_000_000)


@kernel
def _write_fees(t: Tables, numbers: Table, rows: Table, plan: Table, i: int) -> None:
    """Write what a keeper and the fund get of the value of a position's lots, in ppm (R-W30, R-W31)."""
    elapsed = (t.venue[V_STEP] - t.units[rows[i, K_UNIT], U_SINCE_STEP]) * numbers[N_DT]
    bonus = rising_ppm(numbers[N_BONUS], elapsed, numbers[N_GRACE], numbers[N_EACH], numbers[N_BONUS_MAX])
    fee = numbers[N_FEE]
    if numbers[N_REST] != NONE:
        need = position_need_atoms(t, rows, i)
        fee = rest_fee_ppm(need, rows[i, K_VALUE], plan[i, Q_SHORTAGE_ATOMS], bonus, numbers[N_REST], fee)
    plan[i, Q_BONUS_PPM] = bonus
    plan[i, Q_FUND_PPM] = fee


@kernel
def ladder_lots(t: Tables, market: int, held: int, mark: int, down: int, whole_tiers: int) -> int:
    """Return the lots above a lower bracket: `down` brackets lower, 0 for the first; all within the lowest (R-W22)."""
    first = t.markets[market, M_TIERS]
    tier = measured_tier(t, market, held, value_atoms(t, market, held, mark))
    if tier - first < whole_tiers:
        return held
    target = first if down == 0 else max(first, tier - down)
    low, high = 0, held
    while low < high:  # the most lots that fit
        middle = (low + high + 1) // 2
        if measured_tier(t, market, middle, value_atoms(t, market, middle, mark)) <= target:
            low = middle
        else:
            high = middle - 1
    assert low < held
    return held - low


@kernel
def reserve(t: Tables, rows: Table, plan: Table, window: int) -> None:
    """Cut planned lots, in order, to what is left of each market's rolling window of so many steps (R-W25).

    Modifies `plan`, `windows` and the window's columns; what does not trade is given back by `settle`.
    """
    step = t.venue[V_STEP]
    for i in range(rows.shape[0]):
        market = rows[i, K_MARKET]
        _advance(t, market, window)
        lots = max(0, min(plan[i, Q_LOTS], t.markets[market, M_WINDOW_MAX_LOTS] - t.markets[market, M_WINDOW_LOTS]))
        plan[i, Q_LOTS] = lots
        t.windows[market, step % window] += lots
        t.markets[market, M_WINDOW_LOTS] += lots
        assert t.markets[market, M_WINDOW_LOTS] <= t.markets[market, M_WINDOW_MAX_LOTS]


@kernel
def _advance(t: Tables, market: int, window: int) -> None:
    """Let steps older than the window drop out of it."""
    now, last = t.venue[V_STEP], t.markets[market, M_WINDOW_STEP]
    assert window >= 1 and last <= now
    for step in range(last + 1, min(now, last + window) + 1):
        t.markets[market, M_WINDOW_LOTS] -= t.windows[market, step % window]
        t.windows[market, step % window] = 0
    t.markets[market, M_WINDOW_STEP] = now
    assert t.markets[market, M_WINDOW_LOTS] >= 0


@kernel
def settle(t: Tables, rows: Table, plan: Table, window: int) -> None:
    """Book what came of a plan: spare units whose partial steps went as planned, note what was freed (R-W20, R-W21).

    rows, plan: as they were before the orders went out. `window` > 0: give back what did not trade (R-W25).
    """
    cell = t.venue[V_STEP] % max(1, window)
    for i in range(rows.shape[0]):
        unit, market = rows[i, K_UNIT], rows[i, K_MARKET]
        if i == 0 or rows[i - 1, K_UNIT] != unit:
            t.units[unit, U_FLAGS] |= FLAG_PACED
            if t.venue[V_RAMPED]:
                equity, maintenance = health_atoms(t, unit)
                shortage = max(0, stop_atoms(t, unit, maintenance) - equity)
                t.units[unit, U_FREED_ATOMS] += max(0, plan[i, Q_SHORTAGE_ATOMS] - shortage)
        held, lots = rows[i, K_LOTS], plan[i, Q_LOTS]
        now = t.positions[rows[i, K_ACCOUNT] * t.venue[V_MARKETS] + market, P_LOTS]
        still = max(0, now) if held > 0 else max(0, -now)
        traded = max(0, min(lots, abs(held) - still))
        if traded < lots or lots == abs(held):
            t.units[unit, U_FLAGS] &= ~FLAG_PACED
        if window > 0:
            t.windows[market, cell] -= lots - traded
            t.markets[market, M_WINDOW_LOTS] -= lots - traded
            assert t.markets[market, M_WINDOW_LOTS] >= 0
