"""Who is distressed now, without sweeping everybody (R-W1, R-A8; design 6).

Every unit with lots is filed under one *look-out* price per position: a mark at which it could at the earliest be
distressed (or due for a margin call), given that its buffer is shared among its positions. As long as no mark crosses
a look-out price and the unit neither trades nor moves money, it is safe. A look visits only the units touched since the
last look, those whose look-out price was crossed, and those on the list of distressed units. For a unit with one
position the first look-out is within the maintenance rate of its liquidation price; for several it is exact as a bound.
The sweep of everybody stays in `invariants.py` as the oracle.
"""

from __future__ import annotations

from .collateral_looks import file_holdings, moving_credit_atoms, nominate_by_index, unfile_holdings
from .contract import lookout_ticks, value_atoms
from .conversion import exchange_all
from .events import Event, has_room, record
from .kernel import kernel
from .ledger import balance_atoms, note_looked
from .levels import start_atoms, stop_atoms
from .margin import health_atoms, in_unit, market_of, owner_of, unit_of
from .pockets import general_atoms, search_all, search_level_atoms
from .prefetch import prefetch
from .schedules import steepness_ppm, tier_of
from .tables import (
    FLAG_LISTED,
    FLAG_LOOKED,
    FLAG_NOTICE,
    FLAG_OWING,
    FLAG_TOUCHED,
    M_MARK_SEEN_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_RATE_MAX_PPM,
    M_SCHEDULE,
    NONE,
    P_LOOK_BEFORE,
    P_LOOK_NEXT,
    P_LOTS,
    POCKETS_SEARCH,
    STEPPED,
    T_LOOK_LONGS,
    T_LOOK_SHORTS,
    U_FLAGS,
    U_LIQUIDATION,
    U_SINCE_STEP,
    V_ACCOUNTS,
    V_ASSETS,
    V_AT_OR_BELOW,
    V_BUFFER_PPM,
    V_CALL_PPM,
    V_CALLED,
    V_CALLS,
    V_LISTED_COUNT,
    V_MARKETS,
    V_OWING_COUNT,
    V_POCKETS,
    V_REQUIREMENTS,
    V_SEARCH_PPM,
    V_START_PPM,
    V_STEP,
    V_STOP_PPM,
    V_TOUCHED_COUNT,
    Tables,
)
from .units import PPM, muldiv_down, ppm_up

MARGIN_CALL = int(Event.MARGIN_CALL)
CURED = int(Event.CURED)
ROWS_AHEAD = 12  # units between asking for a row and using it
LINKS_AHEAD = 6
SLACK_ATOMS = 2  # covers the rounding of a requirement between two marks


@kernel
def look(t: Tables) -> bool:
    """Look at every unit whose state may have changed; return False if the event buffer is full (drain, call again).

    Modifies the list of distressed units, `since`, notices and look-out prices; records margin calls and cures.
    """
    _nominate_crossed(t)
    units, venue = t.units, t.venue
    if venue[V_ASSETS] != 0 and not exchange_all(t):
        return False
    if venue[V_POCKETS] == POCKETS_SEARCH and not search_all(t):
        return False
    while venue[V_TOUCHED_COUNT] > 0:
        if not has_room(t):
            return False
        _look_ahead(t, venue[V_TOUCHED_COUNT])
        venue[V_TOUCHED_COUNT] -= 1
        unit = t.touched[venue[V_TOUCHED_COUNT]]
        _look_at(t, unit)
        units[unit, U_FLAGS] &= ~(FLAG_TOUCHED | FLAG_LOOKED)
    kept = 0
    count = venue[V_LISTED_COUNT]
    for i in range(count):
        if not has_room(t):
            return _keep_rest(t, kept, i, count)
        unit = t.listed[i]
        _look_at(t, unit)
        if units[unit, U_SINCE_STEP] != NONE:
            t.listed[kept] = unit
            kept += 1
        else:
            units[unit, U_FLAGS] &= ~FLAG_LISTED
    assert kept <= venue[V_LISTED_COUNT]
    venue[V_LISTED_COUNT] = kept
    return True


@kernel
def _look_ahead(t: Tables, count: int) -> None:
    """Ask for the rows of units looked at soon; nearer by, for the neighbours of their positions in look-out lists."""
    markets = t.venue[V_MARKETS]
    assert count > 0
    if count > ROWS_AHEAD:
        unit = t.touched[count - 1 - ROWS_AHEAD]
        prefetch(t.units, unit)
        prefetch(t.positions, owner_of(t, unit) * markets)
    if count > LINKS_AHEAD:
        row = owner_of(t, t.touched[count - 1 - LINKS_AHEAD]) * markets
        prefetch(t.positions, t.positions[row, P_LOOK_NEXT])
        prefetch(t.positions, t.positions[row, P_LOOK_BEFORE] - 1)


@kernel
def _keep_rest(t: Tables, kept: int, first: int, count: int) -> bool:
    """Close the gap before the units of the list not looked at yet; the next look begins the list again."""
    for i in range(first, count):
        t.listed[kept] = t.listed[i]
        kept += 1
    t.venue[V_LISTED_COUNT] = kept
    return False


@kernel
def _nominate_crossed(t: Tables) -> None:
    """Note all units whose look-out price the mark has reached since the last look."""
    markets = t.markets
    for market in range(t.venue[V_MARKETS]):
        mark = markets[market, M_MARK_TICKS]
        seen = markets[market, M_MARK_SEEN_TICKS]
        if mark < seen:
            _nominate(t, market, T_LOOK_LONGS, mark, seen)
        elif mark > seen:
            _nominate(t, market, T_LOOK_SHORTS, seen, mark)
        if mark != seen and markets[market, M_SCHEDULE] == STEPPED:
            _nominate_stepped(t, market, seen, mark)
        markets[market, M_MARK_SEEN_TICKS] = mark
    nominate_by_index(t)


@kernel
def _nominate_stepped(t: Tables, market: int, seen: int, mark: int) -> None:
    """Note the units of all positions whose value is on another step than at the last look (R-A21).

    There the requirement jumps, for a long when its value rises, and no price at which to look out for that can be
    filed beside the one of its losses: so this is a sweep, in markets with such steps only.
    """
    assert seen != mark
    for account in range(t.venue[V_ACCOUNTS]):
        lots = abs(t.positions[account * t.venue[V_MARKETS] + market, P_LOTS])
        if lots != 0:
            before = tier_of(t, market, value_atoms(t, market, lots, seen))
            if tier_of(t, market, value_atoms(t, market, lots, mark)) != before:
                note_looked(t, unit_of(t, account, market))


@kernel
def nominate_holders(t: Tables, market: int) -> None:
    """Note the units of all positions in a market: what they need has changed though nothing moved."""
    assert t.venue[V_REQUIREMENTS] != 0, "brackets change with the mark and the position only"
    for account in range(t.venue[V_ACCOUNTS]):
        if t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] != 0:
            note_looked(t, unit_of(t, account, market))


@kernel
def _nominate(t: Tables, market: int, column: int, first: int, last: int) -> None:
    """Note the units of all positions filed under ticks first .. last."""
    markets = t.venue[V_MARKETS]
    for tick in range(first, last + 1):
        row = t.triggers[market, tick, column]
        while row != NONE:
            after = t.positions[row, P_LOOK_NEXT]
            note_looked(t, unit_of(t, row // markets, market))
            row = after


@kernel
def is_distressed(t: Tables, equity: int, maintenance: int) -> bool:
    """Say whether a unit with lots is distressed (R-W1, R-W28)."""
    start = start_atoms(t, maintenance)
    return equity < start or (t.venue[V_AT_OR_BELOW] != 0 and equity == start)


@kernel
def stays_distressed(t: Tables, unit: int, equity: int, maintenance: int) -> bool:
    """Say whether a distressed unit stays distressed: it has not reached the level at which it is let go (R-W28)."""
    apart = t.venue[V_STOP_PPM] > t.venue[V_START_PPM] or t.venue[V_BUFFER_PPM] > 0
    return apart and t.units[unit, U_SINCE_STEP] != NONE and equity < stop_atoms(t, unit, maintenance)


@kernel
def _look_at(t: Tables, unit: int) -> None:
    """Bring one unit's distress, notice and look-out prices up to date."""
    units, venue = t.units, t.venue
    account = owner_of(t, unit)
    has_lots = False
    for market in range(venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            row = account * venue[V_MARKETS] + market
            _unfile(t, row, market)
            has_lots = has_lots or t.positions[row, P_LOTS] != 0
    if account == unit:
        unfile_holdings(t, unit)
    if not has_lots:
        _note_debt(t, unit)
    equity, maintenance = health_atoms(t, unit)
    distressed = has_lots and is_distressed(t, equity, maintenance)
    if distressed and units[unit, U_SINCE_STEP] == NONE:
        assert equity <= start_atoms(t, maintenance)
        units[unit, U_SINCE_STEP] = venue[V_STEP]
        if units[unit, U_FLAGS] & FLAG_LISTED == 0:
            units[unit, U_FLAGS] |= FLAG_LISTED
            t.listed[venue[V_LISTED_COUNT]] = unit
            venue[V_LISTED_COUNT] += 1
    distressed = distressed or (has_lots and stays_distressed(t, unit, equity, maintenance))
    if not distressed and units[unit, U_SINCE_STEP] != NONE:
        units[unit, U_SINCE_STEP] = NONE
        if units[unit, U_LIQUIDATION] > 0:
            record(
                t, CURED, market_of(t, unit), account, unit, 0, 0,
                balance_atoms(t, unit), units[unit, U_LIQUIDATION], 0,
            )  # fmt: skip
            units[unit, U_LIQUIDATION] = 0
    level = ppm_up(maintenance, venue[V_CALL_PPM]) if venue[V_CALL_PPM] > 0 else 0
    _renew_notice(t, unit, account, has_lots, distressed, equity, level)
    if has_lots and not distressed:
        if units[unit, U_FLAGS] & FLAG_NOTICE:
            level = 0
        if general_atoms(t, unit) > 0:
            level = max(level, search_level_atoms(t, maintenance))
        _file_unit(t, unit, account, equity - max(level, start_atoms(t, maintenance)))


@kernel
def _note_debt(t: Tables, unit: int) -> None:
    """Put a flat unit that is below zero on the list of those owing (R-L1)."""
    if balance_atoms(t, unit) < 0 and t.units[unit, U_FLAGS] & FLAG_OWING == 0:
        t.units[unit, U_FLAGS] |= FLAG_OWING
        t.owing[t.venue[V_OWING_COUNT]] = unit
        t.venue[V_OWING_COUNT] += 1


@kernel
def _renew_notice(
    t: Tables, unit: int, account: int, has_lots: bool, distressed: bool, equity: int, level: int
) -> None:
    """Withdraw a margin call that was met, send one that is due (R-A8)."""
    units = t.units
    met = not has_lots or (units[unit, U_FLAGS] & FLAG_TOUCHED != 0 and equity >= level)
    if met and units[unit, U_FLAGS] & FLAG_NOTICE:
        units[unit, U_FLAGS] &= ~FLAG_NOTICE
        t.venue[V_CALLED] -= 1
        assert t.venue[V_CALLED] >= 0
    if has_lots and not distressed and equity < level and units[unit, U_FLAGS] & FLAG_NOTICE == 0:
        units[unit, U_FLAGS] |= FLAG_NOTICE
        t.venue[V_CALLS] += 1
        t.venue[V_CALLED] += 1
        record(t, MARGIN_CALL, market_of(t, unit), account, unit, 0, 0, equity, 0, 0)


@kernel
def _file_unit(t: Tables, unit: int, account: int, buffer: int) -> None:
    """File every position and holding of a unit under its look-out price, the buffer shared pro rata to value."""
    venue, positions, markets = t.venue, t.positions, t.markets
    whole = 0
    for market in range(venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            lots = positions[account * venue[V_MARKETS] + market, P_LOTS]
            whole += value_atoms(t, market, abs(lots), markets[market, M_MARK_TICKS])
    credit, slack = moving_credit_atoms(t, unit) if unit == account else (0, 0)
    whole += credit
    buffer = max(0, buffer - _slack_atoms(t) * venue[V_MARKETS] - slack)
    if credit > 0:
        file_holdings(t, unit, buffer, whole)
    for market in range(venue[V_MARKETS]):
        row = account * venue[V_MARKETS] + market
        lots = positions[row, P_LOTS]
        if lots == 0 or not in_unit(t, unit, account, market):
            continue
        mark = markets[market, M_MARK_TICKS]
        value = value_atoms(t, market, abs(lots), mark)
        assert 0 < value <= whole
        share = buffer if value == whole else muldiv_down(buffer, value, whole)
        level = max(PPM, venue[V_CALL_PPM], venue[V_SEARCH_PPM], venue[V_START_PPM])
        steepest = steepness_ppm(t, market, lots) if venue[V_REQUIREMENTS] else markets[market, M_RATE_MAX_PPM]
        column = T_LOOK_LONGS if lots > 0 else T_LOOK_SHORTS
        _file(t, row, market, column, lookout_ticks(t, market, lots, mark, share, steepest, level))


@kernel
def _slack_atoms(t: Tables) -> int:
    """Return what the roundings of a position's requirement can add up to between two marks."""
    if t.venue[V_REQUIREMENTS] == 0:
        return SLACK_ATOMS * -(-t.venue[V_START_PPM] // PPM)
    # a schedule, its funding, volatility and closing fee are rounded one by one, and levels multiply them
    return 4 * SLACK_ATOMS * (1 + max(t.venue[V_CALL_PPM], t.venue[V_SEARCH_PPM], t.venue[V_START_PPM]) // PPM)


@kernel
def _file(t: Tables, row: int, market: int, column: int, tick: int) -> None:
    """Put a position at the front of the look-out list of a tick; prices out of range need no look-out."""
    if tick < 1 or tick >= t.markets[market, M_PRICE_MAX_TICKS]:
        return
    positions = t.positions
    assert positions[row, P_LOOK_BEFORE] == 0, "a position is filed once"
    first = t.triggers[market, tick, column]
    positions[row, P_LOOK_NEXT] = first
    positions[row, P_LOOK_BEFORE] = -(2 * tick + (column == T_LOOK_SHORTS))
    if first != NONE:
        positions[first, P_LOOK_BEFORE] = row + 1
    t.triggers[market, tick, column] = row


@kernel
def _unfile(t: Tables, row: int, market: int) -> None:
    """Take a position out of its look-out list, if it is in one."""
    positions = t.positions
    before = positions[row, P_LOOK_BEFORE]
    if before == 0:
        return
    after = positions[row, P_LOOK_NEXT]
    if before > 0:
        positions[before - 1, P_LOOK_NEXT] = after
    else:
        column = T_LOOK_SHORTS if -before & 1 else T_LOOK_LONGS
        assert t.triggers[market, -before >> 1, column] == row, "the first of a list is its head"
        t.triggers[market, -before >> 1, column] = after
    if after != NONE:
        positions[after, P_LOOK_BEFORE] = before
    positions[row, P_LOOK_BEFORE] = 0
