"""The reference venue: one object, one step at a time (R-S1)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from . import auction, book, expiry, laws, margin, marks, orders, prices, schedules, watch, waterfall
from .sharing import share_losses
from .state import Fill, Posting, State, new_state


class ReferenceVenue:
    """A venue in plain Python integers, as docs/rules.md describes it and as slow as it is obvious."""

    def __init__(
        self,
        rules: dict[str, Any],
        markets: list[dict[str, Any]],
        keys: list[int],
        dt_s: int,
        backstops: list[int],
        first_index_ticks: list[int],
        orders_max: int,
    ) -> None:
        self.state: State = new_state(rules, markets, keys, dt_s, backstops, first_index_ticks, orders_max)
        watch.note(self.state, -1)

    def process(self, commands: list[dict[str, Any]], index_ticks: list[Any]) -> list[str]:
        """Run one step and return "OK" or the name of the refusal for each command (R-S1)."""
        state = self.state
        prices.begin_step(state, index_ticks)
        state.previous_mark = list(state.mark)
        state.fills = []
        auction.begin_batch(state)
        for order in orders.collect_triggered(state):
            orders.run_triggered(state, order)
        results = [orders.run(state, command) for command in commands]
        auction.end_batch(state)
        marks.fund_if_due(state)
        for m in range(len(state.markets)):
            marks.sample(state, m)
        marks.take_marks(state)
        schedules.renew(state)
        expiry.settle_if_due(state)
        waterfall.dispose(state)
        waterfall.run_rounds(state)
        share_losses(state)
        watch.note(state, state.step)
        state.step += 1
        return results

    def limit_liquidations(self, units: int | None = None, value_atoms: int | None = None) -> None:
        """Let the liquidation engine do no more than this in a step from now on (R-W61)."""
        self.state.units_max, self.state.value_max = units, value_atoms

    def check_laws(self) -> None:
        """Raise AssertionError naming the first broken law."""
        laws.check_laws(self.state)

    def balance(self, unit: Any) -> int:
        """Return the balance of ("cross", a), ("pocket", a, m), "FUND", "FEES", ... in atoms."""
        return self.state.balances[unit]

    def equity(self, unit: Any) -> int:
        """Return the equity of a trader unit or the FUND in atoms."""
        return margin.equity(self.state, unit)

    def free_collateral(self, account: int) -> int:
        """Return the free collateral of an account in atoms."""
        return margin.free_collateral(self.state, account)

    def has_lots(self, account: int) -> bool:
        """Say whether an account has a position in any market."""
        return any(self.state.position(account, m).lots for m in range(len(self.state.markets)))

    def position(self, owner: Any, market: int) -> tuple[int, int]:
        """Return (lots, cost in atoms) of an account or the FUND."""
        position = self.state.position(owner, market)
        return position.lots, position.cost

    def book(self, market: int) -> dict[int, list[tuple[int, int, int, int, bool]]]:
        """Return per side (account, tag, price, lots, reduce only) in order of priority."""
        return {
            side: [(o.account, o.tag, o.price, o.lots, o.reduce_only) for o in book.queue(self.state, market, side)]
            for side in (1, -1)
        }

    def waiting(self, market: int) -> list[tuple[int, int, str, int, int, int]]:
        """Return (account, tag, kind, side, lots, trigger) of the waiting orders, oldest first."""
        mine = sorted((o for o in self.state.waiting if o.market == market), key=lambda o: o.sequence)
        return [(o.account, o.tag, o.kind, o.side, o.lots, o.trigger) for o in mine]

    def mark(self, market: int) -> int:
        """Return the mark in ticks."""
        return self.state.mark[market]

    def funding_rate(self, market: int) -> int:
        """Return the last funding rate in ppb."""
        return self.state.rate[market]

    def unit_of(self, owner: Any, market: int) -> Any:
        """Return the unit that holds an owner's position in a market."""
        return self.state.unit_of(owner, market)

    @property
    def index(self) -> list[int]:
        """The index of the last step, per market, in ticks."""
        return self.state.index

    @property
    def distressed(self) -> dict[Any, int]:
        """Distressed unit -> step since when."""
        return self.state.distressed

    @property
    def notices(self) -> set[Any]:
        """Units with a standing margin call."""
        return self.state.notices

    @property
    def fills(self) -> list[Fill]:
        """The book trades of the last step."""
        return self.state.fills

    @property
    def postings(self) -> list[Posting]:
        """All movements of money so far."""
        return self.state.journal

    @property
    def liquidations(self) -> list[dict[str, Any]]:
        """One row per liquidation episode: id, step, account, market (-1 cross), parent."""
        return self.state.liquidations

    @property
    def takeovers(self) -> list[dict[str, Any]]:
        """One row per position taken over: step, id, account, market, taker, lots, price."""
        return self.state.takeovers

    @property
    def adl(self) -> list[dict[str, Any]]:
        """One row per deleveraging trade: step, id, unit, market, counterparty, lots, price."""
        return self.state.adl

    @property
    def refusals(self) -> Counter[str]:
        """Refusals by code, those of triggered orders included."""
        return self.state.refusals

    @property
    def unfinished_cascades(self) -> int:
        """Steps that ended with units still due."""
        return self.state.unfinished_cascades
