"""What a forced fill brings beyond the bankruptcy price, or lacks (R-W29)."""

from __future__ import annotations

from .bankruptcy import bankruptcy_quote_atoms
from .events import Code
from .formulas_liquidation import surplus_atoms
from .funds import fund_of, fund_room_atoms
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import unit_of
from .tables import (
    FUND,
    V_ACCOUNTS,
    V_FUND_CAP_ATOMS,
    V_SURPLUS,
    V_SURPLUS_COVERS,
    V_SURPLUS_PPM,
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
        paid = min(-gain, fund_room_atoms(t, fund))
        if venue[V_FUND_CAP_ATOMS] > 0:
            paid = min(paid, venue[V_FUND_CAP_ATOMS])
        if paid > 0:
            post(t, fund, unit, paid, DEFICIT, cause)
            assert balance_atoms(t, fund) >= 0
