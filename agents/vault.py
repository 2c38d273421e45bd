"""A vault: a backstop provider whose money belongs to depositors, who leave when they have lost too much of it.

The vault is one account; what it is worth is split over shares. A depositor redeems when the price of a share has
fallen from its highest by more than it puts up with, and its lock-up is over. Redemptions are paid out of free
collateral, so that the vault can take over least after it has lost most. Lock-up: four days after a deposit on
Hyperliquid (its docs, "Protocol vaults"). That performance moves money, and money what can be held: Chen, Goldstein and
Jiang, "Payoff complementarities and financial fragility", Journal of Financial Economics 97 (2010); Shleifer and
Vishny, "The limits of arbitrage", Journal of Finance 52 (1997).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from delever.engine.commands import Kind, batch
from delever.engine.rules.base import ATOMS_PER_QUOTE

from . import draws
from .account import MARGIN_USED_MAX
from .backstop import Backstop, BackstopParameters
from .cohort import Commands, join
from .draws import Stream
from .elementary import exp, log
from .ranges import check_ranges
from .view import Ints, View
from .wallet import AMOUNT_MAX, has_come

# Draws of depositor number i of a vault: k = 3 i + one of these.
DRAW_SIZE, DRAW_TOLERANCE, DRAW_AGE = range(3)
DRAWS = 3


class VaultParameters(BackstopParameters):
    """Backstop providers who are funded by depositors."""

    depositors: int = Field(default=200, ge=1, le=100_000)
    """Depositors of each vault."""
    size_tail: float = Field(default=1.5, gt=0.0, le=100.0)
    """Exponent of the power law of what they brought; smaller is more unequal."""
    tolerance_min: float = Field(default=0.02, ge=0.0, le=1.0)
    """Fall of the share price from its highest at which a depositor leaves: least, ..."""
    tolerance_max: float = Field(default=0.3, ge=0.0, le=1.0)
    """... and most; with 1 nobody ever leaves."""
    lock_up_s: float = Field(default=345_600.0, ge=0.0, le=1e9)
    """A deposit can be redeemed after so long."""
    age_max_s: float = Field(default=1_728_000.0, ge=0.0, le=1e9)
    """Deposits are up to so old at the start, spread evenly: the rest of the lock-up is what counts."""

    @model_validator(mode="after")
    def _tolerances_in_order(self) -> VaultParameters:
        check_ranges(self, ("tolerance_min", "tolerance_max"))
        return self


class Vault(Backstop):
    """Unwinds what it was given, and pays out depositors who lost too much."""

    Parameters = VaultParameters
    parameters: VaultParameters

    def prepare(self) -> None:
        """Draw who has deposited how much, and what each puts up with; a share is an atom at the start."""
        parameters = self.parameters
        luck = draws.uniform(
            self.seed, Stream.WALLET, self.keys[:, np.newaxis, np.newaxis],
            np.arange(parameters.depositors * DRAWS).reshape(-1, DRAWS),
        )  # fmt: skip
        size = exp(-log(luck[..., DRAW_SIZE]) / parameters.size_tail)
        whole = self.initial_deposit_atoms()[:, np.newaxis]
        spread = parameters.tolerance_max - parameters.tolerance_min
        self.tolerance = parameters.tolerance_min + spread * luck[..., DRAW_TOLERANCE]
        self.free_s = parameters.lock_up_s - parameters.age_max_s * luck[..., DRAW_AGE]
        self.columns = {
            "shares": (size / np.cumsum(size, axis=1)[:, -1:] * whole).astype(np.int64),
            "paying": np.zeros(size.shape, dtype=np.int64),  # shares whose money is on its way
            "leaving": np.zeros(size.shape, dtype=np.bool_),
            "highest_price": np.ones(self.n),
            "asked_atoms": np.zeros(self.n, dtype=np.int64),
            "debits_atoms": np.zeros(self.n, dtype=np.int64),
        }

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return redemptions, then what every backstop provider sends."""
        amounts = np.array([self._redeem(view, int(waker)) for waker in wakers], dtype=np.int64)
        pays = amounts > 0
        rows = self.rows[wakers[pays]]
        money = batch(len(rows), account=rows, kind=Kind.WITHDRAW, amount=amounts[pays])
        return join(money, super().decide(view, wakers))

    def _redeem(self, view: View, vault: int) -> int:
        """Return the atoms to withdraw now, and mark the shares that are paid with them."""
        columns, row = self.columns, self.rows[[vault]]
        shares, paying, leaving = (columns[name][vault] for name in ("shares", "paying", "leaving"))
        if not has_come(view, row, columns["asked_atoms"][[vault]], columns["debits_atoms"][[vault]])[0]:
            shares += paying
        paying[:] = 0
        columns["asked_atoms"][vault] = 0
        total, equity = int(shares.sum()), int(view.equity_atoms(row)[0])
        if total == 0 or equity <= 0:
            return 0
        price = equity / total
        highest = columns["highest_price"][vault] = max(columns["highest_price"][vault], price)
        leaving |= (price <= (1.0 - self.tolerance[vault]) * highest) & (shares > 0)
        due = np.where(leaving & (view.time_s >= self.free_s[vault]), shares, 0)
        # First come, first served; what prices may still take is left where it is.
        payable = int(min(view.withdrawable_atoms(row)[0] * MARGIN_USED_MAX, float(AMOUNT_MAX)) / price)
        before = np.cumsum(due) - due
        paying[:] = np.minimum(due, np.maximum(payable - before, 0))
        amount = int(paying.sum() * price)
        if amount < ATOMS_PER_QUOTE:
            paying[:] = 0
            return 0
        shares -= paying
        columns["asked_atoms"][vault] = amount
        columns["debits_atoms"][vault] = view.debits_atoms(row)[0]
        return amount
