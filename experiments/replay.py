"""A second, slow book-keeping: replays a journal row by row with Python's unbounded integers.

Written from docs/rules.md, not from the engine; it shares no code with it. One row at a time goes in, findings come
out: each says which row breaks which law.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMMAND, FILL, POST, TAKEOVER, ADL, ASSET, SETTLED = 1, 2, 3, 6, 7, 13, 18
KINDS = (*range(1, 14), 16, 17, SETTLED)
SET_MODE = 12
REALISED, FEE = 3, 4
FUND, FEES, SETTLEMENT, OUTSIDE = 0, 1, 2, 6
VENUE_UNITS = 7
NO_ROW = -1

CHAIN_COLUMNS = (
    "sequence", "step", "kind", "market", "account", "other", "lots", "price_ticks", "amount_atoms", "cause", "code",
)  # fmt: skip
ROTATION = 7
FINDINGS_MAX = 10


class Finding(NamedTuple):
    """One broken law: the journal row that breaks it (from 0; NO_ROW if none does) and a sentence."""

    row: int
    sentence: str


class Terms(NamedTuple):
    """What the replay must know about the run besides the journal."""

    accounts: int
    multipliers_atoms: Sequence[int]
    pockets: bool
    isolated_at_start: bool
    fund_floor_atoms: int
    taker_ppm: int
    maker_ppm: int
    fee_up: bool
    own_funds: frozenset[int] = frozenset()
    """Markets that have an insurance fund of their own."""
    inverse: bool = False
    """Whether contracts are settled in the coin they are on."""
    members: bool = False
    """Whether every account has a row for a contribution to the default fund."""


class Chain:
    """The running hash of all rows: rotate 64 bits left by 7, exclusive or with the value, eleven values a row."""

    def __init__(self) -> None:
        """Start before the first row."""
        self.value = 0

    def check(self, columns: dict[str, NDArray[np.int64]], first_row: int) -> list[Finding]:
        """Return the first row whose stored hash is not that of the row and the hash before it."""
        stored = columns["chain"].view(np.uint64)
        if len(stored) == 0:
            return []
        own = np.zeros(len(stored), dtype=np.uint64)
        for name in CHAIN_COLUMNS:
            own = rotate(own, ROTATION) ^ columns[name].view(np.uint64)
        before = np.concatenate([np.array([self.value], dtype=np.uint64), stored[:-1]])
        # The whole row rotates what was before it by 11 x 7 bits.
        wrong = np.flatnonzero(rotate(before, len(CHAIN_COLUMNS) * ROTATION % 64) ^ own != stored)
        self.value = int(stored[-1])
        if wrong.size == 0:
            return []
        row = first_row + int(wrong[0])
        return [
            Finding(row, f"row {row:,}: its hash does not follow from the row and the hash before it; it was altered")
        ]


def rotate(values: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Return 64-bit words rotated left by 1 .. 63 bits."""
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


class Replay:
    """Balances and positions as the rows before left them, and what the rows to come still owe."""

    def __init__(self, terms: Terms):
        """Start with nothing: no money, no positions."""
        self.terms = terms
        self.debits: dict[int, int] = {}
        self.credits: dict[int, int] = {}
        self.positions: dict[tuple[int, int], tuple[int, int]] = {}
        self.holdings: dict[tuple[int, int], int] = {}
        self.findings: list[Finding] = []
        self.rows = 0
        self._markets = len(terms.multipliers_atoms)
        self._switched: dict[tuple[int, int], bool] = {}
        self._owed: deque[tuple[int, int, int]] = deque()
        self._trade = ""
        self._in_debt: set[int] = set()
        self._cost_sum = 0
        self._sequence = self._step = self._command = NO_ROW

    def feed(self, columns: dict[str, NDArray[np.int64]]) -> None:
        """Replay the next rows; stops adding findings after the first few, which are the ones that matter."""
        for row in zip(*(columns[name].tolist() for name in CHAIN_COLUMNS), strict=True):
            self._one(*row)
            self.rows += 1
            if len(self.findings) >= FINDINGS_MAX:
                return

    def finish(self) -> None:
        """Check what must hold after the last row."""
        self._nothing_owed()
        self._end_of_step()

    def balance_atoms(self, unit: int) -> int:
        """Return credits less debits of a unit."""
        return self.credits.get(unit, 0) - self.debits.get(unit, 0)

    def unit_of(self, account: int, market: int) -> int:
        """Return the row of the unit that margins an account's position: the cross unit or the pocket."""
        isolated = self._switched.get((account, market), self.terms.isolated_at_start) and self.terms.pockets
        if account == self.terms.accounts:
            isolated = market in self.terms.own_funds
        if not isolated:
            return account
        return self.terms.accounts + VENUE_UNITS + account * self._markets + market

    def fund_units(self) -> list[int]:
        """Return the rows of the insurance funds: the shared one, and those of markets that have their own (R-W57)."""
        return [self.terms.accounts, *(self.unit_of(self.terms.accounts, m) for m in sorted(self.terms.own_funds))]

    def _find(self, sentence: str) -> None:
        self.findings.append(Finding(self.rows, f"row {self.rows:,} (step {self._step:,}): {sentence}"))

    def _one(
        self, sequence: int, step: int, kind: int, market: int, account: int, other: int, lots: int, price_ticks: int,
        amount_atoms: int, cause: int, code: int,
    ) -> None:  # fmt: skip
        if step != self._step:
            self._next_step(step)
        if sequence < self._sequence:
            self._find(f"sequence number {sequence:,} follows {self._sequence:,}; they must not fall")
        self._sequence = sequence
        if kind not in KINDS:
            self._find(f"there is no kind of event {kind}")
        elif kind == POST:
            self._post(account, other, amount_atoms, code)
        elif kind in (FILL, TAKEOVER, ADL):
            if not 0 <= market < self._markets:
                self._find(f"there is no market {market}")
                return
            self._trade_of(kind, market, account, other, lots, price_ticks, amount_atoms, cause)
        elif kind == SETTLED:
            self._settled_of(market, account, lots, price_ticks, amount_atoms)
        elif kind == ASSET:
            self._move_asset(market, account, other, amount_atoms)
        elif kind == COMMAND:
            self._command_of(sequence, other, market, account, amount_atoms, code)

    def _next_step(self, step: int) -> None:
        if self._step != NO_ROW:
            self._nothing_owed()
            self._end_of_step()
        if step < self._step:
            self._find(f"step {step:,} follows step {self._step:,}; time must not run backwards")
        self._step = step

    def _command_of(self, sequence: int, kind: int, market: int, account: int, amount: int, result: int) -> None:
        if sequence <= self._command:
            self._find(f"command {sequence:,} follows command {self._command:,}; their numbers must rise")
        self._command = sequence
        if kind == SET_MODE and result == 0:
            self._switched[account, market] = amount == 1

    def _post(self, debit: int, credit: int, amount_atoms: int, code: int) -> None:
        rows = (self.terms.accounts + bool(self.terms.own_funds)) if self.terms.pockets else 0
        units = self.terms.accounts * (1 + self.terms.members) + VENUE_UNITS + rows * self._markets
        if amount_atoms <= 0:
            self._find(f"a posting of {amount_atoms:,} atoms; it must move a positive amount")
        if debit == credit or not (0 <= debit < units and 0 <= credit < units):
            self._find(f"a posting from unit {debit} to unit {credit}; it needs two different units of this venue")
        self.debits[debit] = self.debits.get(debit, 0) + amount_atoms
        self.credits[credit] = self.credits.get(credit, 0) + amount_atoms
        for unit in (debit, credit):
            if self.balance_atoms(unit) < 0:
                self._in_debt.add(unit)
            else:
                self._in_debt.discard(unit)
        if code in (REALISED, FEE):
            self._check_owed(debit, credit, amount_atoms, code)

    def _move_asset(self, asset: int, giver: int, getter: int, amount_atoms: int) -> None:
        """Move an asset (R-C2): what is not there cannot be given, but by the outside."""
        if amount_atoms <= 0 or giver == getter:
            self._find(f"{amount_atoms:,} atoms of asset {asset} from unit {giver} to unit {getter}; it must move some")
        left = self.holdings.get((giver, asset), 0) - amount_atoms
        self.holdings[giver, asset] = left
        self.holdings[getter, asset] = self.holdings.get((getter, asset), 0) + amount_atoms
        if left < 0 and giver != self.terms.accounts + OUTSIDE:
            self._find(f"unit {giver} gives {amount_atoms:,} atoms of asset {asset}, {-left:,} more than it has")

    def _check_owed(self, debit: int, credit: int, amount_atoms: int, code: int) -> None:
        """Compare a posting of profit or fee with the next one that the trade before it implies (R-M4, R-M6)."""
        pot = self.terms.accounts + (SETTLEMENT if code == REALISED else FEES)
        unit, gain = (credit, amount_atoms) if debit == pot else (debit, -amount_atoms)
        what = "realises" if code == REALISED else "pays in fees"
        if not self._owed:
            self._find(f"unit {unit} {what} {abs(gain):,} atoms, but no trade before it implies that")
            return
        owed_code, owed_unit, owed = self._owed.popleft()
        if (owed_code, owed_unit, owed) != (code, unit, gain):
            wanted = "profit" if owed_code == REALISED else "fee"
            self._find(
                f"{self._trade} implies a {wanted} of {owed:,} atoms for unit {owed_unit}, but the journal posts "
                f"{gain:,} atoms ({'profit' if code == REALISED else 'fee'}) for unit {unit}"
            )

    def _nothing_owed(self) -> None:
        if self._owed:
            _, unit, owed = self._owed[0]
            self._find(f"{self._trade} implies a posting of {owed:,} atoms for unit {unit} that never came")
            self._owed.clear()

    def _trade_of(
        self, kind: int, market: int, account: int, other: int, lots: int, price_ticks: int, amount_atoms: int,
        cause: int,
    ) -> None:  # fmt: skip
        self._nothing_owed()
        self._trade = f"the trade in row {self.rows:,} of {lots:,} lots at {price_ticks:,} ticks"
        if lots == 0 or account == other or not all(0 <= who <= self.terms.accounts for who in (account, other)):
            self._find(f"a trade of {lots} lots between accounts {account} and {other}; it needs lots and two accounts")
        value = self._value(market, abs(lots), price_ticks)
        if value != amount_atoms:
            self._find(f"{abs(lots):,} lots at {price_ticks:,} ticks are worth {value:,} atoms, not {amount_atoms:,}")
        taker_ppm, maker_ppm = (self.terms.taker_ppm, self.terms.maker_ppm) if kind == FILL else (0, 0)
        self._side(account, market, lots, price_ticks, 0 if cause else taker_ppm)
        self._side(other, market, -lots, price_ticks, maker_ppm)
        settled = self.balance_atoms(self.terms.accounts + SETTLEMENT)
        pending = sum(owed for code, _, owed in self._owed if code == REALISED)
        if settled - pending + self._cost_sum != 0:
            self._find("what SETTLEMENT holds and the cost of all positions do not add up to zero")

    def _settled_of(self, market: int, account: int, lots: int, price_ticks: int, amount_atoms: int) -> None:
        """Close a position at its final price; what an inverse long owes is rounded up (R-X3)."""
        self._nothing_owed()
        self._trade = f"the settlement in row {self.rows:,} of {lots:,} lots at {price_ticks:,} ticks"
        if not 0 <= market < self._markets or lots == 0:
            self._find(f"{self._trade} is of no market, or of no lots")
            return
        held, cost = self.positions.pop((account, market), (0, 0))
        if held != -lots:
            self._find(f"account {account} is settled for {lots:,} lots, but has {held:,}")
            return
        value = self._value(market, abs(lots), price_ticks)
        if self.terms.inverse and held > 0:
            value = -(-held * self.terms.multipliers_atoms[market] // price_ticks)
        if value != amount_atoms:
            self._find(f"{abs(lots):,} lots are settled for {value:,} atoms at {price_ticks:,}, not {amount_atoms:,}")
        worth = value if (held > 0) != self.terms.inverse else -value
        self._cost_sum -= cost
        if worth != cost:
            self._owed.append((REALISED, self.unit_of(account, market), worth - cost))

    def _side(self, account: int, market: int, lots: int, price_ticks: int, fee_ppm: int) -> None:
        """Settle one side by R-M4 and note the postings that must follow."""
        held, cost = self.positions.get((account, market), (0, 0))
        closing = min(abs(lots), abs(held)) if held * lots < 0 else 0
        removed = abs(cost) * closing // abs(held) if closing else 0
        removed = removed if cost > 0 else -removed
        value, out = self._value(market, abs(lots), price_ticks), self._value(market, closing, price_ticks)
        # A long owes the value of an inverse contract instead of owning it; what opens is the whole less what closes.
        sign = (1 if lots > 0 else -1) * (-1 if self.terms.inverse else 1)
        realised = -sign * out - removed
        opened = sign * (value - out)
        self.positions[account, market] = (held + lots, cost - removed + opened)
        self._cost_sum += opened - removed
        unit = self.unit_of(account, market)
        if realised:
            self._owed.append((REALISED, unit, realised))
        fee = 0 if account == self.terms.accounts else self._fee(value, fee_ppm)
        if fee:
            self._owed.append((FEE, unit, -fee))

    def _value(self, market: int, lots: int, price_ticks: int) -> int:
        """Return the value of so many lots at a price (R-U2, R-U5)."""
        face = lots * self.terms.multipliers_atoms[market]
        return face // price_ticks if self.terms.inverse else face * price_ticks

    def _fee(self, value_atoms: int, ppm: int) -> int:
        if ppm < 0:
            return -(value_atoms * -ppm // 1_000_000)
        return -(-value_atoms * ppm // 1_000_000) if self.terms.fee_up else value_atoms * ppm // 1_000_000

    def _end_of_step(self) -> None:
        """Check what must hold between steps: the fund has its floor, whoever is in debt has positions (I6, I7)."""
        accounts = self.terms.accounts
        fund = self.balance_atoms(accounts + FUND)
        if fund < self.terms.fund_floor_atoms:
            self._find(
                f"the step before ends with {fund:,} atoms in the fund, below its floor of "
                f"{self.terms.fund_floor_atoms:,}"
            )
        for unit in self.fund_units()[1:]:
            if self.balance_atoms(unit) < self.terms.fund_floor_atoms and not self._has_lots(unit):
                self._find(f"the step before ends with the fund of a market, unit {unit}, below its floor")
        for unit in sorted(self._in_debt):
            if not accounts <= unit < accounts + VENUE_UNITS and not self._has_lots(unit):
                self._find(
                    f"the step before ends with unit {unit} {-self.balance_atoms(unit):,} atoms in debt and without "
                    "positions"
                )

    def _has_lots(self, unit: int) -> bool:
        if unit < self.terms.accounts:
            cross = (market for market in range(self._markets) if self.unit_of(unit, market) == unit)
            return any(self.positions.get((unit, market), (0, 0))[0] for market in cross)
        account, market = divmod(unit - self.terms.accounts - VENUE_UNITS, self._markets)
        return self.positions.get((account, market), (0, 0))[0] != 0
