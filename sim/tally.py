"""What a summary adds up step by step, in one kernel call: refusals, peaks, the fund, deposits of backstops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT, C_AMOUNT, C_KIND, Kind, Result
from delever.engine.kernel import kernel
from delever.engine.margin import equity_atoms
from delever.engine.tables import FUND, M_MARK_TICKS, V_ACCOUNTS, Tables

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

DEPOSIT, WITHDRAW = int(Kind.DEPOSIT), int(Kind.WITHDRAW)
F_START, F_LOWEST, F_NOW, F_STEPS = range(4)


class Tally:
    """Running totals over the steps of one venue."""

    def __init__(self, t: Tables, backstops: Sequence[int]) -> None:
        """Begin before the first step; `backstops` are the account rows whose deposits are followed."""
        self.refused: Integers = np.zeros(len(Result), dtype=np.int64)
        """Commands by result, OK left out."""
        self.backstops_brought_atoms: Integers = np.zeros(1, dtype=np.int64)
        """Deposits less withdrawals of backstop accounts."""
        self._tables = t
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
    def fund_equity_atoms(self) -> tuple[int, int, int]:
        """Equity of the insurance fund: after the first step, lowest so far, now."""
        start, lowest, now, _ = self._fund_atoms.tolist()
        return start, lowest, now

    def after_step(self, commands: Integers, results: Integers) -> None:
        """Take the end of a step: the commands (n, COMMAND_COLUMNS) given to the venue and its answers (n,)."""
        tally_step(
            self._tables, commands, results, self._is_backstop, self.refused, self.backstops_brought_atoms,
            self._peak_ticks, self._drawdown, self._fund_atoms,
        )  # fmt: skip


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
    equity = equity_atoms(t, t.venue[V_ACCOUNTS] + FUND)
    if fund_atoms[F_STEPS] == 0:
        fund_atoms[F_START] = equity
        fund_atoms[F_LOWEST] = equity
    fund_atoms[F_STEPS] += 1
    fund_atoms[F_LOWEST] = min(fund_atoms[F_LOWEST], equity)
    fund_atoms[F_NOW] = equity
