"""What a summary adds up, in two kernel calls a step: of the events, and of the state at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT, C_AMOUNT, C_KIND, Kind, Result
from delever.engine.events import E_ACCOUNT, E_AMOUNT_ATOMS, E_CAUSE, E_CODE, E_KIND, E_OTHER, E_STEP, Code, Event
from delever.engine.funds import every_fund, fund_at, fund_count
from delever.engine.kernel import kernel
from delever.engine.margin import equity_atoms
from delever.engine.tables import FUND, M_MARK_TICKS, NONE, V_ACCOUNTS, Tables

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

POST, FILL, TAKEOVER, ADL = int(Event.POST), int(Event.FILL), int(Event.TAKEOVER), int(Event.ADL)
LIQUIDATION, BANKRUPTCY, CURED = int(Event.LIQUIDATION), int(Event.BANKRUPTCY), int(Event.CURED)
DEFICIT, SOCIALISED, BAD_DEBT = int(Code.DEFICIT), int(Code.SOCIALISED), int(Code.BAD_DEBT)
REALISED, TAKEOVER_MARGIN, FUNDING = int(Code.REALISED), int(Code.TAKEOVER_MARGIN), int(Code.FUNDING)
DEPOSIT, WITHDRAW = int(Kind.DEPOSIT), int(Kind.WITHDRAW)
F_START, F_LOWEST, F_NOW, F_STEPS = range(4)


# What `sift_events` adds up of a batch, and how many events it found for others.
S_LIQUIDATED, S_DEFICITS, S_WAREHOUSE, S_SOCIALISED, S_FUND_ROWS, S_LIQUIDATIONS, S_ADL = range(7)
SIFT_COLUMNS = 7

# A posting of the insurance fund: signed from its point of view, and its balance afterwards.
G_STEP, G_CODE, G_AMOUNT_ATOMS, G_BALANCE_ATOMS, G_LIQUIDATION = range(5)
FUND_ROW_COLUMNS = 5


class Sifted(NamedTuple):
    """What a batch of events tells, and whether somebody has to look closer."""

    fund_rows: Integers
    """(k, FUND_ROW_COLUMNS): postings of the insurance fund."""
    liquidated_atoms: int
    """Value closed by forced fills and takeovers."""
    deficits_atoms: int
    """What the fund paid for deficits, ..."""
    warehouse_atoms: int
    """... and lost on positions it holds."""
    socialised_atoms: int
    """What winners paid."""
    of_liquidations: bool
    """Whether any event belongs to a liquidation."""
    of_adl: bool
    """Whether anybody was deleveraged."""


class Tally:
    """Running totals over the steps of one venue."""

    def __init__(self, t: Tables, backstops: Sequence[int]) -> None:
        """Begin before the first step; `backstops` are the account rows whose deposits are followed."""
        self.refused: Integers = np.zeros(len(Result), dtype=np.int64)
        """Commands by result, OK left out."""
        self.backstops_brought_atoms: Integers = np.zeros(1, dtype=np.int64)
        """Deposits less withdrawals of backstop accounts."""
        self._tables = t
        self._fund = int(t.venue[V_ACCOUNTS]) + FUND
        self._own_funds = np.array([unit for unit in every_fund(t) if unit != self._fund] or [NONE])
        self._fund_balance: Integers = np.zeros(1, dtype=np.int64)
        self._peak_ticks: Integers = np.zeros(len(t.markets), dtype=np.int64)
        self._drawdown: Floats = np.zeros(1)
        self._fund_atoms: Integers = np.zeros(4, dtype=np.int64)
        self._is_backstop = np.zeros(len(t.accounts), dtype=np.bool_)
        self._is_backstop[list(backstops)] = True

    @property
    def drawdown(self) -> float:
        """Deepest fall of a mark from an earlier high, as a share of it."""
        return float(self._drawdown[0])

    @property
    def fund_balance_atoms(self) -> int:
        """Money of the insurance fund after the events sifted so far."""
        return int(self._fund_balance[0])

    @property
    def fund_equity_atoms(self) -> tuple[int, int, int]:
        """Equity of the insurance fund: after the first step, lowest so far, now."""
        start, lowest, now, _ = self._fund_atoms.tolist()
        return start, lowest, now

    def sift(self, rows: Integers) -> Sifted:
        """Take events in their order, (n, EVENT_COLUMNS): follow the fund's balance, add up what was paid."""
        fund_rows = np.empty((len(rows), FUND_ROW_COLUMNS), dtype=np.int64)
        found = np.zeros(SIFT_COLUMNS, dtype=np.int64)
        sift_events(rows, self._fund, self._own_funds, self._fund_balance, fund_rows, found)
        liquidated, deficits, warehouse, socialised, count, liquidations, adl = found.tolist()
        return Sifted(fund_rows[:count].copy(), liquidated, deficits, warehouse, socialised, liquidations > 0, adl > 0)

    def after_step(self, commands: Integers, results: Integers) -> None:
        """Take the end of a step: the commands (n, COMMAND_COLUMNS) given to the venue and its answers (n,)."""
        tally_step(
            self._tables, commands, results, self._is_backstop, self.refused, self.backstops_brought_atoms,
            self._peak_ticks, self._drawdown, self._fund_atoms,
        )  # fmt: skip


@kernel
def sift_events(
    rows: Integers, fund: int, own_funds: Integers, fund_balance: Integers, fund_rows: Integers, found: Integers
) -> None:
    """Sift a batch of events; writes fund_balance (1,), fund_rows and found (SIFT_COLUMNS,), which is zero before.

    Funds are the unit `fund` and those from the first to the last of `own_funds`, or none (NONE).
    """
    first, last = own_funds[0], own_funds[-1]
    for i in range(rows.shape[0]):
        kind, code, amount, cause = rows[i, E_KIND], rows[i, E_CODE], rows[i, E_AMOUNT_ATOMS], rows[i, E_CAUSE]
        if kind == POST:
            if code == SOCIALISED:
                found[S_SOCIALISED] += amount
            if code == DEFICIT or code == SOCIALISED or code == BAD_DEBT:
                found[S_LIQUIDATIONS] += 1
            given = rows[i, E_OTHER] == fund or first <= rows[i, E_OTHER] <= last
            if given or rows[i, E_ACCOUNT] == fund or first <= rows[i, E_ACCOUNT] <= last:
                signed = amount if given else -amount
                _follow_fund(rows, i, signed, fund_balance, fund_rows, found)
        elif kind == ADL:
            found[S_ADL] += 1
            found[S_LIQUIDATIONS] += 1
        elif kind == TAKEOVER or (kind == FILL and cause > 0):
            found[S_LIQUIDATED] += amount
            found[S_LIQUIDATIONS] += 1
        elif kind == LIQUIDATION or kind == BANKRUPTCY or kind == CURED:
            found[S_LIQUIDATIONS] += 1


@kernel
def _follow_fund(
    rows: Integers, i: int, signed: int, fund_balance: Integers, fund_rows: Integers, found: Integers
) -> None:
    """Put a posting of the fund down."""
    code, row = rows[i, E_CODE], found[S_FUND_ROWS]
    fund_balance[0] += signed
    fund_rows[row, G_STEP] = rows[i, E_STEP]
    fund_rows[row, G_CODE] = code
    fund_rows[row, G_AMOUNT_ATOMS] = signed
    fund_rows[row, G_BALANCE_ATOMS] = fund_balance[0]
    fund_rows[row, G_LIQUIDATION] = rows[i, E_CAUSE]
    found[S_FUND_ROWS] = row + 1
    if code == DEFICIT:
        found[S_DEFICITS] -= signed
    if code == REALISED or code == TAKEOVER_MARGIN or code == FUNDING:
        found[S_WAREHOUSE] -= signed


@kernel
def tally_step(
    t: Tables, commands: Integers, results: Integers, is_backstop: NDArray[np.bool_], refused: Integers,
    brought_atoms: Integers, peak_ticks: Integers, drawdown: Floats, fund_atoms: Integers,
) -> None:  # fmt: skip
    """Take one step into the totals; everything after `is_backstop` is written."""
    for i in range(commands.shape[0]):
        if results[i] != 0:
            refused[results[i]] += 1
        elif commands[i, C_KIND] == DEPOSIT and is_backstop[commands[i, C_ACCOUNT]]:
            brought_atoms[0] += commands[i, C_AMOUNT]
        elif commands[i, C_KIND] == WITHDRAW and is_backstop[commands[i, C_ACCOUNT]]:
            brought_atoms[0] -= commands[i, C_AMOUNT]
    for market in range(peak_ticks.shape[0]):
        mark = t.markets[market, M_MARK_TICKS]
        peak_ticks[market] = max(peak_ticks[market], mark)
        drawdown[0] = max(drawdown[0], 1.0 - mark / peak_ticks[market])
    equity = 0
    for number in range(fund_count(t)):
        equity += equity_atoms(t, fund_at(t, number))
    if fund_atoms[F_STEPS] == 0:
        fund_atoms[F_START] = equity
        fund_atoms[F_LOWEST] = equity
    fund_atoms[F_STEPS] += 1
    fund_atoms[F_LOWEST] = min(fund_atoms[F_LOWEST], equity)
    fund_atoms[F_NOW] = equity
