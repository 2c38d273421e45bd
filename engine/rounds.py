"""Kernels of a liquidation round: who is due, what they look like, begin and end of treatment (R-W2 to R-W4)."""

from __future__ import annotations

from .cancelling import cancel_orders
from .contract import bankruptcy_ticks, value_atoms
from .events import Event, has_room, record
from .guard import is_guarded
from .kernel import kernel
from .margin import (
    equity_atoms,
    health_atoms,
    in_unit,
    market_of,
    open_positions,
    owner_of,
    position_equity_atoms,
    position_maintenance_atoms,
)
from .tables import (
    A_KEY,
    FLAG_IDLE,
    FLAG_PACED,
    FLAG_REFUSED,
    FLAG_TREATED,
    M_FORCED_CAUSE,
    M_FORCED_STEP,
    M_MARK_TICKS,
    NONE,
    P_LOTS,
    U_COOLDOWN_STEP,
    U_FLAGS,
    U_FREED_ATOMS,
    U_LIQUIDATION,
    U_SINCE_STEP,
    V_COVERED_UNIT,
    V_GUARD_PPM,
    V_LIQUIDATIONS,
    V_LISTED_COUNT,
    V_MARKETS,
    V_RAMPED,
    V_STEP,
    Table,
    Tables,
)
from .units import ratio_ppm

LIQUIDATION = int(Event.LIQUIDATION)
BANKRUPTCY = int(Event.BANKRUPTCY)

# What the kernel of a stage returns: all is done, the event buffer is full, or a rule has to be asked.
DONE, FULL, ASK = range(3)

# survey: one row per unit
S_UNIT, S_SINCE, S_RATIO_PPM, S_KEY, S_MARKET, S_EQUITY_ATOMS, S_MAINTENANCE_ATOMS, S_POSITIONS = range(8)
SURVEY_COLUMNS = 8

# closing: one row per position of a unit under treatment
(
    K_UNIT,
    K_ACCOUNT,
    K_MARKET,
    K_LOTS,
    K_VALUE,
    K_EQUITY,
    K_MAINTENANCE,
    K_BANKRUPTCY,
    K_MARK,
    K_SINCE_PARTIAL,
) = range(10)
CLOSING_COLUMNS = 10


@kernel
def survey(t: Tables, since_max: int, rows: Table) -> int:
    """Describe the distressed units that are due now, in the order of their list; return their number (R-W2).

    Due: distressed since step `since_max` or before, and not idle. Modifies `rows` (at least as many as are listed,
    SURVEY_COLUMNS).
    """
    count = 0
    for i in range(t.venue[V_LISTED_COUNT]):
        unit = t.listed[i]
        if t.units[unit, U_SINCE_STEP] > since_max or t.units[unit, U_FLAGS] & FLAG_IDLE:
            continue
        if t.venue[V_GUARD_PPM] and _is_guarded(t, unit):
            continue
        rows[count, S_UNIT] = unit
        rows[count, S_SINCE] = t.units[unit, U_SINCE_STEP]
        rows[count, S_KEY] = t.accounts[owner_of(t, unit), A_KEY]
        rows[count, S_MARKET] = market_of(t, unit)
        equity, maintenance = health_atoms(t, unit)
        assert maintenance >= 0
        rows[count, S_EQUITY_ATOMS] = equity
        rows[count, S_MAINTENANCE_ATOMS] = maintenance
        rows[count, S_RATIO_PPM] = ratio_ppm(equity, maintenance)
        rows[count, S_POSITIONS] = open_positions(t, unit)
        count += 1
    return count


@kernel
def _is_guarded(t: Tables, unit: int) -> bool:
    """Say whether the guard of the mark rule holds back the liquidation of a unit: in any of its markets (R-P12)."""
    account = owner_of(t, unit)
    for market in range(t.venue[V_MARKETS]):
        held = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] != 0
        if held and in_unit(t, unit, account, market) and is_guarded(t, market):
            return True
    return False


@kernel
def describe_closing(t: Tables, unit: int, equity: int, rows: Table, start: int) -> int:
    """Describe the positions of a unit with so much equity, market ascending, from row `start`; return the next row."""
    account = owner_of(t, unit)
    for market in range(t.venue[V_MARKETS]):
        lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
        if lots == 0 or not in_unit(t, unit, account, market):
            continue
        mark = t.markets[market, M_MARK_TICKS]
        share = position_equity_atoms(t, unit, market, equity)
        assert start < rows.shape[0]
        rows[start, K_UNIT] = unit
        rows[start, K_ACCOUNT] = account
        rows[start, K_MARKET] = market
        rows[start, K_LOTS] = lots
        rows[start, K_VALUE] = value_atoms(t, market, abs(lots), mark)
        rows[start, K_EQUITY] = share
        rows[start, K_MAINTENANCE] = position_maintenance_atoms(t, account, market, lots, mark)
        rows[start, K_BANKRUPTCY] = bankruptcy_ticks(t, market, lots, mark, share)
        rows[start, K_MARK] = mark
        rows[start, K_SINCE_PARTIAL] = t.venue[V_STEP] - t.units[unit, U_COOLDOWN_STEP]
        start += 1
    return start


@kernel
def describe_all(t: Tables, units: Table, rows: Table) -> int:
    """Describe the positions of many units, in the order given; return the number of rows."""
    start = 0
    for i in range(units.shape[0]):
        start = describe_closing(t, units[i], equity_atoms(t, units[i]), rows, start)
    return start


@kernel
def begin_treatment(t: Tables, units: Table, start: int) -> int:
    """Give each unit its liquidation id and cancel its orders (R-W3); return the next unit, below n if events are full.

    Marks units as treated until `end_treatment`. A new liquidation is recorded with its parent, and each of its
    positions with its bankruptcy price.
    """
    venue = t.venue
    venue[V_COVERED_UNIT] = NONE
    for i in range(start, units.shape[0]):
        if not has_room(t):
            return i
        unit = units[i]
        account = owner_of(t, unit)
        assert t.units[unit, U_FLAGS] & FLAG_TREATED == 0, "a unit is treated once a round"
        t.units[unit, U_FLAGS] |= FLAG_TREATED
        if t.units[unit, U_LIQUIDATION] == 0:
            venue[V_LIQUIDATIONS] += 1
            t.units[unit, U_LIQUIDATION] = venue[V_LIQUIDATIONS]
            if venue[V_RAMPED]:
                t.units[unit, U_FREED_ATOMS] = 0
            assert t.units[unit, U_SINCE_STEP] >= 0, "only a distressed unit is liquidated"
            _record_liquidation(t, unit, account)
        cancel_orders(t, unit, account)
    return units.shape[0]


@kernel
def _record_liquidation(t: Tables, unit: int, account: int) -> None:
    """Record a new liquidation: who, with what, caused by which other."""
    venue, markets = t.venue, t.markets
    equity = equity_atoms(t, unit)
    number = t.units[unit, U_LIQUIDATION]
    first = True
    for market in range(venue[V_MARKETS]):
        lots = t.positions[account * venue[V_MARKETS] + market, P_LOTS]
        if lots == 0 or not in_unit(t, unit, account, market):
            continue
        mark = markets[market, M_MARK_TICKS]
        if first:
            recent = markets[market, M_FORCED_STEP] >= venue[V_STEP] - 1
            parent = markets[market, M_FORCED_CAUSE] if recent else 0
            record(t, LIQUIDATION, market, account, unit, lots, mark, equity, number, parent)
            first = False
        share = position_equity_atoms(t, unit, market, equity)
        price = bankruptcy_ticks(t, market, lots, mark, share)
        need = position_maintenance_atoms(t, account, market, lots, mark)
        record(t, BANKRUPTCY, market, account, unit, lots, price, need, number, mark)


@kernel
def maintenance_many(t: Tables, accounts: Table, markets: Table, lots: Table, marks: Table, amounts: Table) -> None:
    """Write the maintenance margin of so many lots of each account's position, at each mark, into `amounts` (n,).

    `lots` is without sign.
    """
    for i in range(markets.shape[0]):
        held = t.positions[accounts[i] * t.venue[V_MARKETS] + markets[i], P_LOTS]
        signed = lots[i] if held > 0 else -lots[i]
        amounts[i] = position_maintenance_atoms(t, accounts[i], markets[i], signed, marks[i])


@kernel
def lots_of(t: Tables, units: Table, columns: Table) -> None:
    """Write the lots of every position of each unit into `columns` (n, M); 0 where the unit does not margin it."""
    for i in range(units.shape[0]):
        account = owner_of(t, units[i])
        for market in range(t.venue[V_MARKETS]):
            inside = in_unit(t, units[i], account, market)
            columns[i, market] = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] if inside else 0


@kernel
def end_treatment(t: Tables, units: Table, before: Table) -> None:
    """End a round for units; those that still hold what `lots_of` wrote into `before` (n, M) are idle now (R-W2)."""
    for i in range(units.shape[0]):
        unit = units[i]
        account = owner_of(t, unit)
        moved = False
        for market in range(t.venue[V_MARKETS]):
            if in_unit(t, unit, account, market):
                moved = moved or t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] != before[i, market]
        t.units[unit, U_FLAGS] &= ~(FLAG_TREATED | FLAG_REFUSED | FLAG_PACED)
        if not moved:
            assert t.units[unit, U_FLAGS] & FLAG_IDLE == 0, "an idle unit is not due"
            t.units[unit, U_FLAGS] |= FLAG_IDLE


@kernel
def wake(t: Tables, units: Table) -> None:
    """Let units be due again, at the end of a step."""
    for i in range(units.shape[0]):
        t.units[units[i], U_FLAGS] &= ~FLAG_IDLE
