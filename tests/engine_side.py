"""The fast engine as one side of the comparison: what turns its tables into plain observations."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delever.engine import asset_columns as ac
from delever.engine import commands as c
from delever.engine import events as e
from delever.engine import tables as tb
from delever.engine.liquidation_price import liquidation_ticks
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.venue import Venue
from tests.comparison import Observation
from tests.reference.workload import Command, World

VENUE_UNITS = ("FUND", "FEES", "SETTLEMENT", "FUNDING", "ROUNDING", "BAD_DEBT", "OUTSIDE")
FLAG_OF = {
    "ioc": c.FLAG_IOC,
    "fok": c.FLAG_FOK,
    "post_only": c.FLAG_POST_ONLY,
    "reduce_only": c.FLAG_REDUCE_ONLY,
    "by_mark": c.FLAG_BY_MARK,
}
COLUMN_OF = {
    "account": c.C_ACCOUNT,
    "market": c.C_MARKET,
    "side": c.C_SIDE,
    "lots": c.C_LOTS,
    "price": c.C_PRICE_TICKS,
    "trigger": c.C_TRIGGER_TICKS,
    "tag": c.C_TAG,
    "amount": c.C_AMOUNT,
}


class EngineSide:
    """delever.engine.venue.Venue, fed with and observed like the reference."""

    def __init__(self, world: World, rules: dict[str, Any]) -> None:
        self.venue = Venue(
            RuleSet.model_validate(rules),
            [Market(**market) for market in world.markets],
            np.array(world.keys, dtype=np.int64),
            dt_s=world.dt_s,
            backstops=world.backstops,
            first_index_ticks=world.first_index_ticks,
            orders_max=world.orders_max,
            journal=True,
            check=True,
        )
        self.events = self.venue.drain_events()
        self.liquidations: list[Any] = []
        self.takeovers: list[Any] = []
        self.adl: list[Any] = []
        self.refusals: Counter[str] = Counter()
        self.unfinished = 0

    def limit_liquidations(self, units: int | None, value_atoms: int | None) -> None:
        """Impair the liquidation engine."""
        self.venue.limit_liquidations(units, value_atoms)

    def process(self, commands: list[Command], index_ticks: list[Any]) -> list[str]:
        """Run one step and return the result names."""
        report = self.venue.process(encode(commands), np.array(index_ticks, dtype=np.int64))
        self.unfinished += report.unfinished
        self.events = self.venue.drain_events()
        for row in self.events.tolist():
            self._keep(row)
        return [c.Result(code).name for code in report.results.tolist()]

    def _keep(self, row: list[int]) -> None:
        """Add an event to the logs that run over the whole life of the venue."""
        kind, account, market = row[e.E_KIND], row[e.E_ACCOUNT], row[e.E_MARKET]
        if kind == e.Event.COMMAND and row[e.E_CODE]:
            self.refusals[c.Result(row[e.E_CODE]).name] += 1
        elif kind == e.Event.LIQUIDATION:
            pocket = self.unit(row[e.E_OTHER])
            only = pocket[2] if pocket[0] == "pocket" else -1
            self.liquidations.append((row[e.E_CAUSE], row[e.E_STEP], account, only, row[e.E_CODE]))
        elif kind == e.Event.TAKEOVER:
            self.takeovers.append(
                (row[e.E_STEP], row[e.E_CAUSE], account, market, self.owner(row[e.E_OTHER]), -row[e.E_LOTS],
                 row[e.E_PRICE_TICKS])
            )  # fmt: skip
        elif kind == e.Event.ADL:
            self.adl.append(
                (row[e.E_STEP], row[e.E_CAUSE], self.owner(account), market, self.owner(row[e.E_OTHER]),
                 -row[e.E_LOTS], row[e.E_PRICE_TICKS])
            )  # fmt: skip

    def owner(self, account: int) -> Any:
        """Return an account's name in observations."""
        return "FUND" if account == self.venue.fund_unit else account

    def unit(self, row: int) -> Any:
        """Return the name of a row of `units`."""
        traders = int(self.venue.tables.venue[tb.V_ACCOUNTS])
        if row < traders:
            return ("cross", row)
        if row < traders + tb.VENUE_UNITS:
            return VENUE_UNITS[row - traders]
        members_at = int(self.venue.tables.venue[tb.V_MEMBERS_AT])
        if members_at != tb.NONE and row >= members_at:
            return ("member", row - members_at)
        place = row - traders - tb.VENUE_UNITS
        if place >= traders * len(self.venue.markets):
            return f"FUND/{self.venue.markets[place - traders * len(self.venue.markets)].symbol}"
        return ("pocket", place // len(self.venue.markets), place % len(self.venue.markets))

    def observe(self, *, prices: bool = True) -> Observation:
        """Return everything that is compared, in the shapes named in tests/comparison.py."""
        t = self.venue.tables
        balances = (t.units[:, tb.U_CREDITS_ATOMS] - t.units[:, tb.U_DEBITS_ATOMS]).tolist()
        seen: Observation = {("balance", self.unit(row)): atoms for row, atoms in enumerate(balances) if atoms}
        for row, asset in np.argwhere(t.holdings[:, :, ac.H_ATOMS]).tolist():
            seen["holding", self.unit(row), asset] = int(t.holdings[row, asset, ac.H_ATOMS])
        self._observe_positions(seen, prices)
        for m in range(len(self.venue.markets)):
            self._observe_market(seen, m)
        since = t.units[:, tb.U_SINCE_STEP]
        seen["distressed"] = {self.unit(row): int(since[row]) for row in np.flatnonzero(since != tb.NONE).tolist()}
        noticed = np.flatnonzero(t.units[:, tb.U_FLAGS] & tb.FLAG_NOTICE).tolist()
        seen["notices"] = {self.unit(row) for row in noticed}
        fills = self.events[self.events[:, e.E_KIND] == e.Event.FILL].tolist()
        seen["fills"] = [
            (self.owner(r[e.E_ACCOUNT]), self.owner(r[e.E_OTHER]), r[e.E_MARKET], r[e.E_LOTS], r[e.E_PRICE_TICKS],
             r[e.E_CAUSE])
            for r in fills
        ]  # fmt: skip
        seen["liquidations"], seen["takeovers"], seen["adl"] = self.liquidations, self.takeovers, self.adl
        seen["refusals"], seen["unfinished"] = dict(self.refusals), self.unfinished
        moved: Counter[Any] = Counter()
        for r in self.events[self.events[:, e.E_KIND] == e.Event.POST].tolist():
            moved[e.Code(r[e.E_CODE]).name, self.unit(r[e.E_ACCOUNT]), self.unit(r[e.E_OTHER])] += r[e.E_AMOUNT_ATOMS]
        seen["postings"] = dict(moved)
        return seen

    def _observe_positions(self, seen: Observation, prices: bool) -> None:
        """Add positions, modes and own initial rates."""
        for row, position in enumerate(self.venue.tables.positions.tolist()):
            account, m = divmod(row, len(self.venue.markets))
            if position[tb.P_LOTS]:
                seen["position", self.owner(account), m] = (position[tb.P_LOTS], position[tb.P_COST_ATOMS])
                if account != self.venue.fund_unit and prices:
                    price = int(liquidation_ticks(self.venue.tables, account, m))
                    seen["liquidation price", account, m] = price
            if position[tb.P_ISOLATED] and account != self.venue.fund_unit:
                seen["isolated", account, m] = True
            if position[tb.P_INITIAL_PPM]:
                seen["own_ppm", account, m] = position[tb.P_INITIAL_PPM]

    def _observe_market(self, seen: Observation, m: int) -> None:
        """Add book, waiting orders, mark, basis and funding rate of a market."""
        t = self.venue.tables
        resting: dict[int, list[Any]] = {1: [], -1: []}
        waiting: list[Any] = []
        for account in range(len(t.accounts)):
            order = int(t.accounts[account, tb.A_FIRST_ORDER])
            while order != tb.NONE:
                row = t.orders[order].tolist()
                if row[tb.O_MARKET] == m and row[tb.O_KIND] == c.Kind.LIMIT:
                    resting[row[tb.O_SIDE]].append(self._queue_place(m, row, order))
                elif row[tb.O_MARKET] == m:
                    kind = c.Kind(row[tb.O_KIND]).name
                    seen_order = (
                        account,
                        row[tb.O_TAG],
                        kind,
                        row[tb.O_SIDE],
                        row[tb.O_LOTS],
                        row[tb.O_TRIGGER_TICKS],
                    )
                    waiting.append((row[tb.O_SEQUENCE], seen_order))
                order = row[tb.O_ACCOUNT_NEXT]
        for side, orders in resting.items():
            seen["book", m, side] = [order for _, order in sorted(orders)]
        seen["waiting", m] = [order for _, order in sorted(waiting)]
        market = t.markets[m].tolist()
        seen["mark", m], seen["basis", m] = market[tb.M_MARK_TICKS], market[tb.M_BASIS_MICROTICKS]
        seen["rate", m] = market[tb.M_FUNDING_PPB]

    def _queue_place(self, m: int, row: list[int], order: int) -> tuple[tuple[int, int], Any]:
        """Return (priority, order as observed); priority is counted along the queue of the level."""
        t = self.venue.tables
        place, before = 0, row[tb.O_BEFORE]
        while before != tb.NONE:
            place, before = place + 1, int(t.orders[before, tb.O_BEFORE])
        reduce_only = bool(row[tb.O_FLAGS] & c.FLAG_REDUCE_ONLY)
        seen = (self.owner(row[tb.O_ACCOUNT]), row[tb.O_TAG], row[tb.O_PRICE_TICKS], row[tb.O_LOTS], reduce_only)
        return (-row[tb.O_SIDE] * row[tb.O_PRICE_TICKS], place), seen


def encode(commands: list[Command]) -> NDArray[np.int64]:
    """Return the commands as the engine's int64 columns; an unknown kind becomes a code no kind has."""
    rows = np.zeros((len(commands), c.COMMAND_COLUMNS), dtype=np.int64)
    for i, command in enumerate(commands):
        for name, column in COLUMN_OF.items():
            rows[i, column] = command[name]
        rows[i, c.C_KIND] = c.Kind[command["kind"]] if command["kind"] in c.Kind.__members__ else 99
        rows[i, c.C_FLAGS] = sum(flag for name, flag in FLAG_OF.items() if command[name])
    return rows
