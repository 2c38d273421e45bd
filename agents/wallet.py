"""Wallets: money that traders bring to the venue and take away, and the run on it when trust is gone.

A trader trusts the venue less the more its funds have lost, the more money others have taken away, and after what it
went through itself: a withdrawal that was refused, a winning position that was taken from it. Below a threshold of its
own it runs, and because every withdrawal is a reason for the next trader to withdraw, a run may begin though the venue
could pay. Sources: Diamond and Dybvig, "Bank runs, deposit insurance, and liquidity", Journal of Political Economy 91
(1983), for the reason to be early; Granovetter, "Threshold models of collective behavior", American Journal of
Sociology 83 (1978), for thresholds that differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from delever.engine.commands import C_ACCOUNT, C_KIND, FLAG_REDUCE_ONLY, Kind, batch
from delever.engine.rules.base import ATOMS_PER_QUOTE

from .draws import Stream
from .elementary import exp
from .ranges import check_ranges

if TYPE_CHECKING:
    from .cohort import Cohort, Commands
    from .view import Bools, Floats, Ints, View

AMOUNT_MAX = 2**53
"""Largest amount a venue takes at once (R-O9)."""
ORDER_KINDS = (Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.TAKE_PROFIT, Kind.REPLACE)

# Traits are numbered by behaviour from 0; those of wallets begin here.
TRAIT_THRESHOLD = 100
# Draws of one waking: whether money is moved, which way, how much.
DRAW_MOVES, DRAW_WAY, DRAW_SIZE = range(3)

# What a trader remembers of its dealings with the venue.
MEMORY = np.dtype(
    [
        ("seen_s", np.int64),  # time of its last look, -1 before the first
        ("grudge", np.float64),  # trust lost by what it went through itself
        ("runs", np.int64),  # 1 while it takes its money away
        ("outside_atoms", np.int64),  # money it holds elsewhere
        ("taken_atoms", np.int64),  # what it took away in its run
        ("asked_atoms", np.int64),  # withdrawal it waits for, 0 if none
        ("asked_s", np.int64),
        ("debits_atoms", np.int64),  # what had ever left its account when it asked
        ("cover_atoms", np.int64),  # most that the funds have held, less what was written off, ...
        ("money_atoms", np.int64),  # ... and most that all have had at the venue, since it looks
        ("held_lots", np.int64),  # lots it held at its last look, longs and shorts added
        ("winning", np.int64),  # 1 if they were worth more than it paid and it had no order that could close them
    ]
)


class WalletParameters(BaseModel):
    """Money that comes and goes, trust in the venue, and the run when it is gone."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )

    reserve_ratio: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Money held outside the venue at the start, as a multiple of the deposit."""
    flow_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of wakings at which a trader who trusts the venue brings or takes money, each equally likely."""
    flow_size: float = Field(default=0.05, gt=0.0, le=100.0)
    """Mean of what it brings or takes, as a share of equity; exponential."""
    fund_weight: float = Field(default=1.0, ge=0.0, le=100.0)
    """Trust lost when the venue's funds are spent, in proportion to what they lost; losses written off count too."""
    outflow_weight: float = Field(default=1.0, ge=0.0, le=100.0)
    """Trust lost when everybody has taken all money away, in proportion to what has left."""
    refusal_weight: float = Field(default=0.3, ge=0.0, le=100.0)
    """Trust lost by a withdrawal that does not come."""
    taken_weight: float = Field(default=0.5, ge=0.0, le=100.0)
    """Trust lost when a winning position is gone that the trader did not close (deleveraging)."""
    forget_s: float = Field(default=259_200.0, gt=0.0, le=1e9)
    """Time after which 37 % of the trust lost by the last two is still missing."""
    threshold_min: float = Field(default=0.1, ge=0.0, le=1.0)
    """Trust, from 0 to 1, below which a trader runs: least, ..."""
    threshold_max: float = Field(default=0.9, ge=0.0, le=1.0)
    """... and most; spread evenly over the traders. With 0 nobody ever runs."""
    return_margin: float = Field(default=0.1, ge=0.0, le=1.0)
    """A run ends, and the money comes back, when trust is so far above the threshold, or whole."""
    take_share: float = Field(default=0.9, gt=0.0, le=1.0)
    """Share of free collateral that a runner takes at each waking; all of it without positions and orders."""
    leaves: bool = False
    """Whether a runner also cancels, closes and stops trading; if not, it goes on with the money that is left."""
    patience_s: float = Field(default=60.0, ge=0.0, le=1e9)
    """A withdrawal that has not come after so long counts as refused."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> WalletParameters:
        check_ranges(self, ("threshold_min", "threshold_max"))
        return self


class Wallets:
    """The wallets of a cohort's traders; what they remember is the column `wallet` of the cohort."""

    def __init__(self, cohort: Cohort, parameters: WalletParameters) -> None:
        """Give every trader of `cohort`, whose columns are made, a wallet and a threshold."""
        self.parameters = parameters
        spread = parameters.threshold_max - parameters.threshold_min
        self.threshold: Floats = parameters.threshold_min + spread * cohort.trait(TRAIT_THRESHOLD)
        memory = np.zeros(cohort.n, dtype=MEMORY)
        memory["seen_s"] = -1
        memory["outside_atoms"] = (cohort.initial_deposit_atoms() * parameters.reserve_ratio).astype(np.int64)
        cohort.columns["wallet"] = memory

    def act(self, cohort: Cohort, view: View, wakers: Ints) -> tuple[Commands, Ints]:
        """Return what the wallets of `wakers` send, and those who go on with the behaviour of the cohort."""
        p, memory, rows = self.parameters, cohort.columns["wallet"], cohort.rows[wakers]
        mine = memory[wakers]
        self._look(view, rows, mine)
        trust, threshold = self.trust(view, mine), self.threshold[wakers]
        was_running = mine["runs"] == 1
        runs = (trust < threshold) | (was_running & (trust < np.minimum(threshold + p.return_margin, 1.0)))
        comes_back = was_running & ~runs
        brings = np.where(comes_back, np.minimum(mine["taken_atoms"], AMOUNT_MAX), 0)
        takes = np.where(runs, self._free_atoms(view, rows), 0)
        if p.flow_share > 0.0:
            flow = np.where(runs | comes_back, 0, self._flow_atoms(cohort, view, wakers))
            brings = np.maximum(brings, np.minimum(flow, mine["outside_atoms"]))
            takes = np.maximum(takes, np.minimum(-flow, self._free_atoms(view, rows)))
        takes = np.where(mine["asked_atoms"] > 0, 0, takes)
        mine["runs"] = runs
        mine["taken_atoms"][comes_back] = 0
        mine["outside_atoms"] -= brings
        _ask(view, rows, mine, takes)
        memory[wakers] = mine
        parts = [money(Kind.DEPOSIT, rows, brings), money(Kind.WITHDRAW, rows, takes)]
        if p.leaves:
            parts.append(leave(view, rows[runs]))
            wakers = wakers[~runs]
        return np.concatenate(parts), wakers

    def remember(self, cohort: Cohort, view: View, wakers: Ints, commands: Commands) -> None:
        """Note what each of `wakers` holds, and whether it may shrink by anything the trader does (`commands`)."""
        rows, memory = cohort.rows[wakers], cohort.columns["wallet"]
        orders = commands[np.isin(commands[:, C_KIND], ORDER_KINDS), C_ACCOUNT]
        quiet = (view.open_orders(rows) == 0) & ~np.isin(rows, orders)
        memory["held_lots"][wakers] = _held_lots(view, rows)
        memory["winning"][wakers] = quiet & (view.equity_atoms(rows) > view.balance_atoms(rows))

    def trust(self, view: View, memory: NDArray[Any]) -> Floats:
        """Return the trust, from 0 to 1, of traders who remember `memory`, in the venue as it stands."""
        p = self.parameters
        lost = p.fund_weight * _fallen(view.cover_atoms, memory["cover_atoms"])
        left = p.outflow_weight * _fallen(view.deposits_atoms, memory["money_atoms"])
        return np.asarray(np.maximum(1.0 - lost - left - memory["grudge"], 0.0))

    def _look(self, view: View, rows: Ints, mine: NDArray[Any]) -> None:
        """Take what happened since the last look into `mine`: peaks, grudges, and withdrawals that came."""
        p = self.parameters
        first = mine["seen_s"] < 0
        mine["cover_atoms"] = np.where(first, view.cover_atoms, np.maximum(mine["cover_atoms"], view.cover_atoms))
        mine["money_atoms"] = np.maximum(mine["money_atoms"], view.deposits_atoms)
        mine["grudge"] *= exp(-np.where(first, 0, view.time_s - mine["seen_s"]) / p.forget_s)
        asked = mine["asked_atoms"].copy()
        came = has_come(view, rows, asked, mine["debits_atoms"])
        refused = (asked > 0) & ~came & (view.time_s - mine["asked_s"] >= p.patience_s)
        mine["outside_atoms"] += np.where(came, asked, 0)
        mine["taken_atoms"] += np.where(came & (mine["runs"] == 1), asked, 0)
        mine["asked_atoms"][came | refused] = 0
        taken = (mine["winning"] == 1) & (_held_lots(view, rows) < mine["held_lots"])
        mine["grudge"] += p.refusal_weight * refused + p.taken_weight * taken
        mine["seen_s"] = view.time_s

    def _free_atoms(self, view: View, rows: Ints) -> Ints:
        """Return what may be taken now: free collateral, a part of it as long as prices may still move it."""
        free = view.withdrawable_atoms(rows)
        moving = (_held_lots(view, rows) > 0) | (view.open_orders(rows) > 0)
        part = np.where(moving, (free * self.parameters.take_share).astype(np.int64), free)
        return np.asarray(np.minimum(part, AMOUNT_MAX) * (part >= ATOMS_PER_QUOTE))

    def _flow_atoms(self, cohort: Cohort, view: View, wakers: Ints) -> Ints:
        """Return what traders who trust the venue bring (above 0) or take (below) now."""
        p = self.parameters
        moves = cohort.uniform(Stream.WALLET, wakers, DRAW_MOVES) < p.flow_share
        way = np.where(cohort.uniform(Stream.WALLET, wakers, DRAW_WAY) < 0.5, 1.0, -1.0)
        equity = np.maximum(view.equity_atoms(cohort.rows[wakers]), 0)
        size = p.flow_size * cohort.exponential(Stream.WALLET, wakers, DRAW_SIZE) * equity
        return np.asarray(moves * way * np.minimum(size, float(AMOUNT_MAX))).astype(np.int64)


def has_come(view: View, rows: Ints, asked_atoms: Ints, debits_atoms: Ints) -> Bools:
    """Say which withdrawals, above 0, were paid since `debits_atoms` had ever left the account.

    A loss or fee as large as the withdrawal since then would be taken for it.
    """
    return np.asarray((asked_atoms > 0) & (view.debits_atoms(rows) - debits_atoms >= asked_atoms))


def _fallen(now: int, most: Ints) -> Floats:
    """Return by what share an amount lies below the most it was; wholly, if it was never above 0 and is below."""
    share = 1.0 - now / np.maximum(most, 1)
    return np.asarray(np.where(most > 0, np.minimum(np.maximum(share, 0.0), 1.0), float(now < 0)))


def _held_lots(view: View, rows: Ints) -> Ints:
    """Return the lots of all positions, longs and shorts added."""
    held = np.zeros(len(rows), dtype=np.int64)
    for market in range(view.markets):
        held += np.abs(view.lots(rows, market))
    return held


def _ask(view: View, rows: Ints, mine: NDArray[Any], takes: Ints) -> None:
    """Write into `mine` the withdrawals that are asked for now, to know later whether they came."""
    asks = takes > 0
    mine["asked_atoms"][asks] = takes[asks]
    mine["asked_s"][asks] = view.time_s
    mine["debits_atoms"][asks] = view.debits_atoms(rows[asks])


def money(kind: Kind, rows: Ints, amounts_atoms: Ints) -> Commands:
    """Return deposits or withdrawals; those of nothing are left out."""
    some = amounts_atoms > 0
    return batch(int(some.sum()), account=rows[some], kind=kind, amount=amounts_atoms[some])


def leave(view: View, rows: Ints) -> Commands:
    """Return the cancelling of all orders and the closing of all positions at market."""
    parts = []
    ordered = rows[view.open_orders(rows) > 0]
    for market in range(view.markets):
        parts.append(batch(len(ordered), account=ordered, kind=Kind.CANCEL_ALL, market=market))
        lots = view.lots(rows, market)
        held = rows[lots != 0]
        parts.append(
            batch(
                len(held), account=held, kind=Kind.MARKET, market=market, side=-np.sign(lots[lots != 0]),
                lots=np.abs(lots[lots != 0]), flags=FLAG_REDUCE_ONLY,
            )
        )  # fmt: skip
    return np.concatenate(parts)
