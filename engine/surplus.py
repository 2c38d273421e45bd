"""What a forced fill brings beyond the bankruptcy price, or lacks, and which fills are not made (R-W29, R-W37)."""

from __future__ import annotations

from .bankruptcy import bankruptcy_quote_atoms
from .contract import value_atoms, worth_of
from .events import Code
from .formulas_liquidation import surplus_atoms
from .funds import fund_of, fund_room_atoms
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import unit_of
from .tables import (
    FLAG_REFUSED,
    FUND,
    M_AUCTION,
    U_FLAGS,
    V_ACCOUNTS,
    V_COVERED_ATOMS,
    V_COVERED_UNIT,
    V_FUND_CAP_ATOMS,
    V_LOST_MAX_ATOMS,
    V_SURPLUS,
    V_SURPLUS_COVERS,
    V_SURPLUS_PPM,
    V_SURPLUS_REFUSES,
    V_SURPLUS_UNIT,
    Tables,
)

SURPLUS = int(Code.SURPLUS)
DEFICIT = int(Code.DEFICIT)


@kernel
def due_atoms(t: Tables, account: int, market: int, lots: int) -> int:
    """Return what a forced fill of signed `lots` has to bring its account, before it is settled; 0 if nobody asks."""
    if t.venue[V_SURPLUS] == 0 or account == t.venue[V_ACCOUNTS] + FUND:
        return 0
    return bankruptcy_quote_atoms(t, unit_of(t, account, market), market, lots)


@kernel
def _payable_atoms(t: Tables, unit: int, market: int) -> int:
    """Return the most the fund may pay for a fill of a unit: what it has, a payment's cap, a round's rest."""
    venue = t.venue
    most = fund_room_atoms(t, fund_of(t, market))
    if venue[V_FUND_CAP_ATOMS] > 0:
        most = min(most, venue[V_FUND_CAP_ATOMS])
    if venue[V_LOST_MAX_ATOMS] > 0 and t.markets[market, M_AUCTION] == 0:
        used = venue[V_COVERED_ATOMS] if venue[V_COVERED_UNIT] == unit else 0
        most = min(most, venue[V_LOST_MAX_ATOMS] - used)
    assert most >= 0
    return most


@kernel
def is_refused(t: Tables, account: int, market: int, lots: int, price_ticks: int) -> bool:
    """Say whether a forced fill of signed `lots` is not made, because the fund could not pay what it lacks (R-W37).

    What it lacks is taken before the liquidation fee, which is the fund's own income. Flags the unit if so.
    """
    if t.venue[V_SURPLUS_REFUSES] == 0 or account == t.venue[V_ACCOUNTS] + FUND:
        return False
    value = value_atoms(t, market, abs(lots), price_ticks)
    unit = unit_of(t, account, market)
    lacking = due_atoms(t, account, market, lots) + worth_of(t, value if lots > 0 else -value)
    if lacking <= 0 or lacking <= _payable_atoms(t, unit, market):
        return False
    t.units[unit, U_FLAGS] |= FLAG_REFUSED
    return True


@kernel
def settle_surplus(t: Tables, account: int, market: int, proceeds: int, value: int, due: int, cause: int) -> None:
    """Post what a settled forced fill brought above what was due, or let the fund pay what it lacks (R-W29).

    proceeds: what the account got, signed, after fees; value: of the fill; due: from `due_atoms`.
    """
    venue = t.venue
    if venue[V_SURPLUS] == 0 or account == venue[V_ACCOUNTS] + FUND:
        return
    fund = fund_of(t, market)
    unit = unit_of(t, account, market)
    gain = proceeds - due
    receiver = fund if venue[V_SURPLUS_UNIT] == venue[V_ACCOUNTS] + FUND else venue[V_SURPLUS_UNIT]
    if gain > 0 and receiver != unit:
        taken = surplus_atoms(gain, value, venue[V_SURPLUS_PPM])
        assert 0 <= taken <= gain
        if taken > 0:
            post(t, unit, receiver, taken, SURPLUS, cause)
    elif gain < 0 and venue[V_SURPLUS_COVERS]:
        paid = min(-gain, _payable_atoms(t, unit, market))
        if paid > 0:
            post(t, fund, unit, paid, DEFICIT, cause)
            if t.markets[market, M_AUCTION] == 0:
                _note_covered(t, unit, paid)
            assert balance_atoms(t, fund) >= 0


@kernel
def _note_covered(t: Tables, unit: int, paid: int) -> None:
    """Count what the fund paid for the fills of a unit in this round; orders of a unit follow one another."""
    venue = t.venue
    assert paid > 0
    if venue[V_COVERED_UNIT] != unit:
        venue[V_COVERED_UNIT] = unit
        venue[V_COVERED_ATOMS] = 0
    venue[V_COVERED_ATOMS] += paid
