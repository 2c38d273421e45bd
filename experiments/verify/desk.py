"""A venue with named accounts in a case's own units: what states are built with and answers are read from.

Everything a desk does to a venue goes through the engine: deposits and orders are commands, positions come from trades
with a house account, and money that a case does not have is posted out again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from delever.engine import events
from delever.engine.commands import FLAG_IOC, Kind, Result, batch
from delever.engine.events import Code
from delever.engine.ledger import balance_atoms, post
from delever.engine.margin import equity_atoms, unit_maintenance_atoms, unit_of
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import M_INDEX_TICKS, OUTSIDE, P_COST_ATOMS, P_LOTS, V_ACCOUNTS
from delever.engine.venue import StepReport, Venue

from .examples import Unsupported
from .limits import DIGITS_MAX, STEPS_MAX

Number = int | float | str | Fraction
HOUSE = "house"
EVENT = {name[2:].lower(): value for name, value in vars(events).items() if name.startswith("E_")}
HOUSE_ATOMS = 2**52


NUMBER = re.compile(r"-?\d+(\.\d+)?(/\d+)?")


def exact(value: Number) -> Fraction:
    """Return a number as the decimal fraction it was written as."""
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise ValueError(f"a number is expected (got {value!r})")
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise TypeError(f"a number is expected (got {value!r})")
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def decimal_step(*values: Number) -> Fraction:
    """Return the largest power of ten, at most 1, of which all values are multiples."""
    step = Fraction(1)
    for _ in range(DIGITS_MAX):
        if all((exact(value) / step).denominator == 1 for value in values):
            return step
        step /= 10
    raise Unsupported(f"numbers with {DIGITS_MAX} or more decimal places (got {', '.join(map(str, values))})")


class Grid(NamedTuple):
    """One market in a case's units: size of a tick and of a lot, and how many ticks prices may have."""

    symbol: str
    tick: Fraction
    lot: Fraction
    price_max_ticks: int = 2**20


TICKS_FINE = 2**18
ROOMS = (1, 2**6, 2**12)
"""How far away prices of liquidation are looked for: powers of 2, so that marks stay on the grid."""
LOTS_FINE = 1_000
VALUE_MAX_ATOMS = 2**57


def fine_grid(symbol: str, price: Number, size: Number, room: int = 1) -> Grid:
    """Return a grid on which a price and a size lie, as fine as prices up to 4 * `room` times as high allow."""
    if exact(price) <= 0 or not exact(size):
        raise Unsupported(f"a price of {price} for a size of {size}")
    return Grid(symbol, exact(price) * room / TICKS_FINE, abs(exact(size)) / LOTS_FINE)


def fine_atom(*grids: Grid, amounts: Sequence[Number] = ()) -> Fraction:
    """Return the smallest atom of money with which fine grids of linear contracts, and amounts, fit into 64 bits.

    The largest lot and tick are a whole number of atoms; those of other grids are rounded by less than 10**-7.
    """
    largest = max(grid.lot * grid.tick for grid in grids)
    atoms = VALUE_MAX_ATOMS // (len(grids) * 2 * lots_max(LOTS_FINE) * grids[0].price_max_ticks)
    for amount in amounts:
        if exact(amount):
            atoms = min(atoms, int(HOUSE_ATOMS * largest / abs(exact(amount))))
    if not atoms:
        raise Unsupported("an amount of money that is a great many times the value of the positions")
    return largest / atoms


def fine_coin_atom(grid: Grid, amount: Number = 0) -> Fraction:
    """Return the smallest atom of a coin with which a fine grid of an inverse contract, and an amount, fit."""
    value = grid.lot / grid.tick
    atoms = VALUE_MAX_ATOMS // (2 * lots_max(LOTS_FINE))
    if exact(amount):
        atoms = min(atoms, int(HOUSE_ATOMS * value / abs(exact(amount))))
    if atoms < grid.price_max_ticks:
        raise Unsupported("an amount of coins that is a great many times the value of the position")
    return value / atoms


def lots_max(lots: int) -> int:
    """Return a limit per order and position under which a few positions of so many lots have room."""
    return 4 * lots


class Desk:
    """A venue under `rules` with `traders` by name, a house account that takes the other side, and money in `atom`s."""

    def __init__(
        self,
        rules: RuleSet,
        grids: Sequence[Grid],
        prices: Sequence[Number],
        traders: Sequence[str],
        *,
        atom: Number = Fraction(1, 10**6),
        backstops: Sequence[str] = (),
        dt_s: int = 1,
        **venue: Any,
    ) -> None:
        """Open the venue at index `prices`, one per grid.

        `atom` is one atom of money in the case's units. Raises AssertionError if a lot and tick are no whole number of
        atoms, ValueError if the venue cannot be.
        """
        self.grids = {grid.symbol: (row, grid) for row, grid in enumerate(grids)}
        self.atom = exact(atom)
        self.inverse = rules.contract.payoff == "inverse"
        self.names = {name: row for row, name in enumerate([*traders, HOUSE])}
        markets = [Market(grid.symbol, self._multiplier(grid), grid.price_max_ticks) for grid in grids]
        self.index = np.array(
            [self.ticks(grid.symbol, price) for grid, price in zip(grids, prices, strict=True)], dtype=np.int64
        )
        self.venue = Venue(
            rules,
            markets,
            np.arange(len(self.names)),
            first_index_ticks=self.index.tolist(),
            dt_s=dt_s,
            backstops=[self.names[name] for name in backstops],
            orders_max=10_000,
            journal=True,
            check=True,
            **venue,
        )
        self.steps = 0
        self.deposit(HOUSE, HOUSE_ATOMS * self.atom)

    def _multiplier(self, grid: Grid) -> int:
        """Return the value in atoms of a lot per tick, of an inverse contract that of a lot at one tick."""
        value = (grid.lot / grid.tick if self.inverse else grid.lot * grid.tick) / self.atom
        near = max(1, round(value))
        assert abs(near - value) * 10**7 <= value, f"{grid.symbol}: a lot and tick must be whole atoms (got {value})"
        return near

    # Units

    def market(self, symbol: str) -> int:
        """Return the row of a market."""
        return self.grids[symbol][0]

    def ticks(self, symbol: str, price: Number) -> int:
        """Return a price in ticks; it must lie on the grid."""
        return _whole(exact(price) / self.grids[symbol][1].tick, f"price {price} of {symbol}")

    def lots(self, symbol: str, size: Number) -> int:
        """Return a size in lots; it must be a whole number of them."""
        return _whole(exact(size) / self.grids[symbol][1].lot, f"size {size} of {symbol}")

    def price(self, symbol: str, ticks: int) -> Fraction:
        """Return ticks in the case's units."""
        return ticks * self.grids[symbol][1].tick

    def size(self, symbol: str, lots: int) -> Fraction:
        """Return lots in the case's units."""
        return lots * self.grids[symbol][1].lot

    def atoms(self, amount: Number) -> int:
        """Return money in atoms, to the nearest."""
        return round(exact(amount) / self.atom)

    def money(self, atoms: int) -> Fraction:
        """Return atoms in the case's units."""
        return int(atoms) * self.atom

    # Building a state

    def row(self, name: str, kind: Kind, **fields: Any) -> np.ndarray:
        """Return a batch of one command, for `step_with`."""
        symbol = fields.pop("symbol", None)
        market = self.market(symbol) if symbol is not None else 0
        return batch(1, account=self.names[name], kind=int(kind), market=market, **fields)

    def order(self, name: str, symbol: str, size: Number, price: Number, **fields: Any) -> np.ndarray:
        """Return a batch of one LIMIT order for a signed size at a price, for `step_with`."""
        lots = self.lots(symbol, size)
        side, ticks = 1 if lots > 0 else -1, self.ticks(symbol, price)
        return self.row(name, Kind.LIMIT, symbol=symbol, side=side, lots=abs(lots), price_ticks=ticks, **fields)

    def command(self, name: str, kind: Kind, **fields: Any) -> None:
        """Execute one command at the venue outside of any step; raise AssertionError if it is refused."""
        (answer,) = self.venue.execute(self.row(name, kind, **fields)).tolist()
        assert answer == Result.OK, f"{kind.name} of {name} was refused: {Result(answer).name}"

    def deposit(self, name: str, amount: Number) -> None:
        """Bring money in from outside."""
        if self.atoms(amount) > 0:
            self.command(name, Kind.DEPOSIT, amount=self.atoms(amount))

    def trade(self, buyer: str, seller: str, symbol: str, size: Number, price_ticks: int) -> None:
        """Let two accounts trade on the book at a price; nothing else may rest there."""
        lots = self.lots(symbol, size)
        self.command(seller, Kind.LIMIT, symbol=symbol, side=-1, lots=lots, price_ticks=price_ticks)
        self.command(buyer, Kind.LIMIT, symbol=symbol, side=1, lots=lots, price_ticks=price_ticks, flags=FLAG_IOC)

    def limit(self, name: str, symbol: str, side: int, size: Number, price: Number) -> None:
        """Send a limit order; what does not trade rests."""
        lots, ticks = self.lots(symbol, size), self.ticks(symbol, price)
        self.command(name, Kind.LIMIT, symbol=symbol, side=side, lots=lots, price_ticks=ticks)

    def open(self, name: str, symbol: str, size: Number, entry: Number) -> None:
        """Open a position of a signed size at an average entry price, against the house.

        A price off the grid is met by two trades at the ticks around it, to within a tick of one lot. The account's
        balance is the same afterwards: whatever margin the trade needs is lent for the moment.
        """
        lots, wanted = self.lots(symbol, size), exact(entry) / self.grids[symbol][1].tick
        below = int(wanted)
        share = wanted - below
        if self.inverse:  # whose average entry is a harmonic mean
            share *= Fraction(below + 1) / wanted
        dearer = round(share * abs(lots))
        unit = unit_of(self.venue.tables, self.names[name], self.market(symbol))
        self.lend(name, HOUSE_ATOMS * self.atom)
        before = self._balance_of(unit) + self._balance_of(self.names[name]) * (unit != self.names[name])
        for part, ticks in ((abs(lots) - dearer, below), (dearer, below + 1)):
            if part:
                pair = (name, HOUSE) if lots > 0 else (HOUSE, name)
                self.trade(*pair, symbol, part * self.grids[symbol][1].lot, ticks)
        after = self._balance_of(unit) + self._balance_of(self.names[name]) * (unit != self.names[name])
        assert before == after, "opening costs nothing: set fees to zero to build a state"
        self.lend(name, -HOUSE_ATOMS * self.atom)

    def lend(self, name: str, amount: Number) -> None:
        """Post money between outside and an account's cross unit, whatever its margin says; negative takes it away."""
        self._post_outside(self.names[name], amount)

    def pocket(self, name: str, symbol: str, amount: Number) -> None:
        """Bring the balance behind an account's position in a market to an amount, from or to outside."""
        unit = unit_of(self.venue.tables, self.names[name], self.market(symbol))
        self._post_outside(unit, exact(amount) - self._balance_of(unit) * self.atom)

    def fund(self, amount: Number) -> None:
        """Bring the balance of the insurance fund to an amount, from or to outside."""
        self._post_outside(self.venue.fund_unit, exact(amount) - self._balance_of(self.venue.fund_unit) * self.atom)

    def _post_outside(self, unit: int, amount: Number) -> None:
        t, atoms = self.venue.tables, self.atoms(amount)
        outside = int(t.venue[V_ACCOUNTS]) + OUTSIDE
        if atoms > 0:
            post(t, outside, unit, atoms, int(Code.DEPOSIT), 0)
        elif atoms < 0:
            post(t, unit, outside, -atoms, int(Code.WITHDRAW), 0)

    # Letting the engine act

    def marks(self, prices: Mapping[str, Number]) -> None:
        """Set index prices and take the marks anew, without a step: nobody is liquidated."""
        for symbol, price in prices.items():
            self.index[self.market(symbol)] = self.ticks(symbol, price)
            self.venue.tables.markets[self.market(symbol), M_INDEX_TICKS] = self.ticks(symbol, price)
        self.venue.renew_marks()

    def step(self, **prices: Number) -> StepReport:
        """Process one step without commands at index prices by symbol; the others stay."""
        for symbol, price in prices.items():
            self.index[self.market(symbol)] = self.ticks(symbol, price)
        return self.step_with([])

    def step_with(self, commands: Sequence[np.ndarray], index: np.ndarray | None = None) -> StepReport:
        """Process one step with commands, in their order; `index` takes the place of the index prices in ticks."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Unsupported(f"more than {STEPS_MAX} steps of the venue")
        rows = np.concatenate([batch(0, account=0, kind=int(Kind.LIMIT)), *commands])
        return self.venue.process(rows, self.index if index is None else index)

    # Reading answers

    def _balance_of(self, unit: int) -> int:
        return int(balance_atoms(self.venue.tables, unit))

    def unit(self, name: str, symbol: str | None = None) -> int:
        """Return the margin unit of an account, or the one behind its position in a market."""
        row = self.names[name]
        return row if symbol is None else int(unit_of(self.venue.tables, row, self.market(symbol)))

    def balance(self, name: str, symbol: str | None = None) -> Fraction:
        """Return the balance of an account's cross unit, or of the unit behind a position."""
        return self.money(self._balance_of(self.unit(name, symbol)))

    def fund_balance(self) -> Fraction:
        """Return the balance of the insurance fund."""
        return self.money(self._balance_of(self.venue.fund_unit))

    def equity(self, name: str, symbol: str | None = None) -> Fraction:
        """Return balance plus unrealised profit."""
        return self.money(equity_atoms(self.venue.tables, self.unit(name, symbol)))

    def maintenance(self, name: str, symbol: str | None = None) -> Fraction:
        """Return the maintenance margin of the unit."""
        return self.money(unit_maintenance_atoms(self.venue.tables, self.unit(name, symbol)))

    def position(self, name: str, symbol: str) -> Fraction:
        """Return the signed size of a position; `name` may be "fund"."""
        return self.size(symbol, int(self._row(name, symbol)[P_LOTS]))

    def cost(self, name: str, symbol: str) -> Fraction:
        """Return the signed value of a position's entries."""
        return self.money(int(self._row(name, symbol)[P_COST_ATOMS]))

    def _row(self, name: str, symbol: str) -> np.ndarray:
        account = self.venue.fund_unit if name == "fund" else self.names[name]
        return self.venue.tables.positions[account * len(self.grids) + self.market(symbol)]

    def events(self, kind: int | None = None) -> list[dict[str, int]]:
        """Return the events since the last call, of a kind or all, by column name."""
        rows = self.venue.drain_events().tolist()
        found = [{name: row[column] for name, column in EVENT.items()} for row in rows]
        return [row for row in found if kind is None or row["kind"] == kind]


def _whole(value: Fraction, what: str) -> int:
    assert value.denominator == 1, f"{what} is not on the grid (got {value})"
    return int(value)
