"""Who pays a shared loss, in proportion to what, and at most how much (R-L2, R-L4, R-L6)."""

from __future__ import annotations

from .contract import value_atoms, worth_atoms
from .kernel import kernel
from .ledger import balance_atoms
from .margin import equity_atoms, market_of, open_positions, owner_of, unrealised_atoms
from .tables import (
    A_KEY,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    NONE,
    P_ISOLATED,
    P_LOTS,
    V_ACCOUNTS,
    V_ASSETS,
    V_MARKETS,
    V_POCKETS_AT,
    V_SESSION,
    Table,
    Tables,
)

# a unit that owes or pays: how much (or its weight), its place among equals, the most it can pay
SHARE_UNIT, SHARE_ATOMS, SHARE_KEY, SHARE_MARKET, SHARE_LIMIT = range(5)
SHARE_COLUMNS = 5

# rules of the socialisation axis, in this order
SHARING = ("none", "winners", "step_profit", "session_profit", "open_interest", "deposits")
WINNERS, STEP_PROFIT, SESSION_PROFIT, OPEN_INTEREST, DEPOSITS = range(1, 6)


@kernel
def describe(t: Tables, unit: int, amount: int, limit: int, rows: Table, row: int) -> None:
    """Write down a unit, its amount or weight, and its limit."""
    assert row < rows.shape[0]
    rows[row, SHARE_UNIT] = unit
    rows[row, SHARE_ATOMS] = amount
    rows[row, SHARE_KEY] = t.accounts[owner_of(t, unit), A_KEY]
    rows[row, SHARE_MARKET] = market_of(t, unit)
    rows[row, SHARE_LIMIT] = limit


@kernel
def find_payers(t: Tables, rule: int, rows: Table) -> int:
    """Describe every trader unit (`session_profit`: account) that has to pay by a rule; return how many."""
    count = 0
    for account in range(t.venue[V_ACCOUNTS]):
        if rule == SESSION_PROFIT:
            count += _add(t, account, session_profit_atoms(t, account), payable_atoms(t, account), rows, count)
        elif rule == DEPOSITS:
            count += _add_deposits(t, account, rows, count)
        else:
            count += _add_positions(t, rule, account, rows, count)
    assert count <= rows.shape[0]
    return count


@kernel
def _add_positions(t: Tables, rule: int, account: int, rows: Table, row: int) -> int:
    """Describe those units of an account whose positions have a weight; return the number of rows written."""
    markets = t.venue[V_MARKETS]
    cross, first = 0, row
    for market in range(markets):
        if t.positions[account * markets + market, P_LOTS] == 0:
            continue
        weight = _weight_atoms(t, rule, account, market)
        if not t.positions[account * markets + market, P_ISOLATED]:
            cross += weight
        elif weight > 0:
            row += _add_weight(t, rule, t.venue[V_POCKETS_AT] + account * markets + market, weight, rows, row)
    if cross > 0:
        row += _add_weight(t, rule, account, cross, rows, row)
    return row - first


@kernel
def _add_weight(t: Tables, rule: int, unit: int, weight: int, rows: Table, row: int) -> int:
    """Describe a unit with a weight: open interest pays up to its equity, a profit up to itself too."""
    equity = equity_atoms(t, unit)
    if rule != OPEN_INTEREST:
        return _add(t, unit, weight, equity, rows, row)
    if equity <= 0:
        return 0
    describe(t, unit, weight, equity, rows, row)
    return 1


@kernel
def _add_deposits(t: Tables, account: int, rows: Table, row: int) -> int:
    """Describe the units of an account by the money in them; return the number of rows written."""
    first = row
    for place in range(-1, t.venue[V_MARKETS] if t.venue[V_POCKETS_AT] != NONE else 0):
        unit = account if place < 0 else t.venue[V_POCKETS_AT] + account * t.venue[V_MARKETS] + place
        row += _add(t, unit, balance_atoms(t, unit), equity_atoms(t, unit), rows, row)
    return row - first


@kernel
def _weight_atoms(t: Tables, rule: int, account: int, market: int) -> int:
    """Return what a position adds to the weight of its unit."""
    lots, mark = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS], t.markets[market, M_MARK_TICKS]
    if rule == WINNERS:
        return unrealised_atoms(t, account, market)
    if rule == OPEN_INTEREST:
        return value_atoms(t, market, abs(lots), mark)
    assert rule == STEP_PROFIT
    return worth_atoms(t, market, lots, mark) - worth_atoms(t, market, lots, t.markets[market, M_MARK_BEFORE_TICKS])


@kernel
def _add(t: Tables, unit: int, gain: int, able: int, rows: Table, row: int) -> int:
    """Describe a unit with so much to pay from, if it can pay anything; return the number of rows written."""
    atoms = min(gain, able)
    if atoms <= 0:
        return 0
    describe(t, unit, atoms, atoms, rows, row)
    return 1


@kernel
def account_equity_atoms(t: Tables, account: int) -> int:
    """Return the equity of all units of an account."""
    total = equity_atoms(t, account)
    for market in range(t.venue[V_MARKETS] if t.venue[V_POCKETS_AT] != NONE else 0):
        total += equity_atoms(t, t.venue[V_POCKETS_AT] + account * t.venue[V_MARKETS] + market)
    return total


@kernel
def session_profit_atoms(t: Tables, account: int) -> int:
    """Return what an account gained since the session began, deposits and withdrawals left out (R-L6)."""
    assert t.venue[V_SESSION]
    return account_equity_atoms(t, account) - t.sessions[account]


@kernel
def payable_atoms(t: Tables, account: int) -> int:
    """Return the sum of what the units of an account have to pay from."""
    total = able_atoms(t, account)
    for market in range(t.venue[V_MARKETS] if t.venue[V_POCKETS_AT] != NONE else 0):
        total += able_atoms(t, t.venue[V_POCKETS_AT] + account * t.venue[V_MARKETS] + market)
    return total


@kernel
def able_atoms(t: Tables, unit: int) -> int:
    """Return what a unit has to pay from: its equity if above zero, or without lots its money only (R-C4)."""
    if t.venue[V_ASSETS] != 0 and open_positions(t, unit) == 0:
        return max(0, balance_atoms(t, unit))
    return max(0, equity_atoms(t, unit))


@kernel
def split_over_units(t: Tables, payers: Table, shares: Table, rows: Table) -> int:
    """Write unit and amount for the shares of accounts: the cross unit first, then pockets, each up to its equity."""
    count = 0
    for i in range(payers.shape[0]):
        account, left = payers[i], shares[i]
        for place in range(-1, t.venue[V_MARKETS] if t.venue[V_POCKETS_AT] != NONE else 0):
            unit = account if place < 0 else t.venue[V_POCKETS_AT] + account * t.venue[V_MARKETS] + place
            paid = min(left, able_atoms(t, unit))
            if paid > 0:
                describe(t, unit, paid, paid, rows, count)
                count += 1
                left -= paid
        assert left == 0, "an account pays no more than its units have"
    return count


@kernel
def begin_session(t: Tables) -> None:
    """Let profits count from here: note every account's equity (R-L6)."""
    for account in range(t.venue[V_ACCOUNTS]):
        t.sessions[account] = account_equity_atoms(t, account)
