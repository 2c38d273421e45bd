"""Everything the reference venue remembers, as plain dicts, lists and dataclasses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .memory import Memory

FUND = "FUND"
VENUE_UNITS = ("FEES", "SETTLEMENT", "FUNDING", "ROUNDING", "BAD_DEBT", "OUTSIDE")
PPM = 1_000_000
PPB = 1_000_000_000
ATOMS_PER_QUOTE = 1_000_000


def ceil_div(numerator: int, denominator: int) -> int:
    """Return ceil(numerator / denominator) for a positive denominator."""
    return -(-numerator // denominator)


def ppm_up(amount: int, rate: int) -> int:
    """Return ceil(amount * rate / 10**6) (R-U3)."""
    return ceil_div(amount * rate, PPM)


def ppm_down(amount: int, rate: int) -> int:
    """Return floor(amount * rate / 10**6) (R-U3)."""
    return amount * rate // PPM


def clamp(value: int, low: int, high: int) -> int:
    """Return the value, not below low and not above high."""
    return max(low, min(high, value))


def sign(value: int) -> int:
    """Return -1, 0 or 1."""
    return (value > 0) - (value < 0)


@dataclass
class Market:
    """One market; `multiplier` in atoms per lot and tick, of an inverse lot at one tick; `price_max` in ticks."""

    symbol: str
    multiplier: int
    price_max: int


@dataclass
class Position:
    """Signed lots and the signed value in atoms of the entries still open (R-M3)."""

    lots: int = 0
    cost: int = 0


@dataclass
class Order:
    """One resting (kind LIMIT) or waiting (kind STOP, TAKE_PROFIT) order."""

    sequence: int
    account: int
    market: int
    kind: str
    side: int
    lots: int
    price: int
    tag: int
    trigger: int = 0
    reduce_only: bool = False
    post_only: bool = False
    by_mark: bool = False
    fok: bool = False
    ioc: bool = False
    """Expires with the auction it waits in (R-H5)."""
    cause: int = 0
    """Liquidation behind a forced order that waits in an auction, 0 for all others."""


@dataclass
class Fill:
    """One book trade; the taker bought if lots > 0 (cause 0 voluntary, > 0 liquidation id, -1 disposal)."""

    taker: Any
    maker: int
    market: int
    lots: int
    price: int
    cause: int


@dataclass
class Posting:
    """One movement of money from the debited to the credited unit, in atoms."""

    debit: Any
    credit: Any
    amount: int
    code: str


@dataclass
class State:
    """The whole venue. Units: ("cross", a), ("pocket", a, m), FUND and the venue's own; owners: a or FUND."""

    rules: dict[str, Any]
    markets: list[Market]
    keys: list[int]
    dt_s: int
    backstops: list[int]
    orders_max: int
    index: list[int]
    step: int = 0
    sequence: int = 0
    liquidation_id: int = 0
    forced_orders: int = 0
    units_max: int | None = None
    """What the impaired engine does in a step (R-W61), none without a limit: units, ..."""
    value_max: int | None = None
    """... and value."""
    spent: list[int] = field(default_factory=list)
    """Values of the units that were due in this step."""
    balances: dict[Any, int] = field(default_factory=dict)
    holdings: dict[Any, int] = field(default_factory=dict)
    positions: dict[Any, Position] = field(default_factory=dict)
    own_ppm: dict[Any, int] = field(default_factory=dict)
    isolated: dict[Any, bool] = field(default_factory=dict)
    resting: list[list[Order]] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    mark: list[int] = field(default_factory=list)
    previous_mark: list[int] = field(default_factory=list)
    last: list[int | None] = field(default_factory=list)
    low: list[int | None] = field(default_factory=list)
    high: list[int | None] = field(default_factory=list)
    basis: list[int] = field(default_factory=list)
    premium_sum: list[int] = field(default_factory=list)
    premium_count: list[int] = field(default_factory=list)
    rate: list[int] = field(default_factory=list)
    moving: list[dict[str, Any]] = field(default_factory=list)
    distressed: dict[Any, int] = field(default_factory=dict)
    liquidation_of: dict[Any, int] = field(default_factory=dict)
    partial_step: dict[Any, int] = field(default_factory=dict)
    freed: dict[Any, int] = field(default_factory=dict)
    """What a unit's shortage has fallen by since its liquidation began (R-W21)."""
    closed: list[tuple[int, int, int]] = field(default_factory=list)
    """Step, market and lots of what liquidations closed (R-W25)."""
    notices: set[Any] = field(default_factory=set)
    touched: set[Any] = field(default_factory=set)
    no_effect: set[Any] = field(default_factory=set)
    forced_fill: dict[int, tuple[int, int]] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    journal: list[Posting] = field(default_factory=list)
    liquidations: list[dict[str, Any]] = field(default_factory=list)
    takeovers: list[dict[str, Any]] = field(default_factory=list)
    adl: list[dict[str, Any]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    sequences: list[int] = field(default_factory=list)
    unfinished_cascades: int = 0
    fund_samples: list[tuple[int, int]] = field(default_factory=list)
    carried: int = 0
    session_start: dict[int, int] = field(default_factory=dict)
    fund_down: set[str] = field(default_factory=set)
    lost: dict[Any, int] = field(default_factory=dict)
    """What the fund paid for each unit's fills in this round (R-W37)."""
    unpayable: set[Any] = field(default_factory=set)
    """Units of which a fill was refused in this round (R-W37)."""
    top: dict[tuple[int, int], Order | None] = field(default_factory=dict)
    """The order that last bettered a (market, side), None if it was too small for it (R-O22)."""
    auction: list[bool] = field(default_factory=list)
    """Whether each market is in auction (R-H1)."""
    memory: Memory = field(default_factory=Memory)
    final_samples: dict[int, list[int]] = field(default_factory=dict)
    final_price: dict[int, int] = field(default_factory=dict)
    replayed: dict[Any, int] = field(default_factory=dict)
    replayed_rows: int = 0

    def accounts(self) -> range:
        """Return the rows of the trader accounts."""
        return range(len(self.keys))

    def next_sequence(self) -> int:
        """Return a sequence number larger than all before (R-O12)."""
        self.sequence += 1
        self.sequences.append(self.sequence)
        return self.sequence

    def steps(self, seconds: int) -> int:
        """Return a time in seconds as whole steps, rounded up (R-U1)."""
        return ceil_div(seconds, self.dt_s)

    def floor(self) -> int:
        """Return the balance below which the fund never pays, atoms."""
        return int(self.rules["insurance"]["floor_quote"]) * ATOMS_PER_QUOTE

    def fund_room(self) -> int:
        """Return what the fund can pay now, atoms."""
        return max(0, self.balances[FUND] - self.floor())

    def value(self, market: int, lots: int, price: int) -> int:
        """Return the value of so many (signed) lots at a price, atoms (R-U2, R-U5)."""
        if self.inverse():
            return sign(lots) * (abs(lots) * self.markets[market].multiplier // price)
        return lots * self.markets[market].multiplier * price

    def worth(self, market: int, lots: int, price: int) -> int:
        """Return what so many (signed) lots bring at a price, atoms: a long of an inverse contract owes its value."""
        return -self.value(market, lots, price) if self.inverse() else self.value(market, lots, price)

    def inverse(self) -> bool:
        """Say whether contracts are settled in the coin they are on (R-U5)."""
        return bool(self.rules["contract"].get("payoff") == "inverse")

    def position(self, owner: Any, market: int) -> Position:
        """Return the position of an account or the FUND in a market."""
        return self.positions[owner, market]

    def unit_of(self, owner: Any, market: int) -> Any:
        """Return the margin unit that holds an owner's position in a market (R-M1)."""
        if owner == FUND:
            return FUND
        return ("pocket", owner, market) if self.isolated[owner, market] else ("cross", owner)

    def markets_of(self, unit: Any) -> list[int]:
        """Return the markets whose positions a trader unit or the FUND holds, ascending."""
        if unit[0] == "pocket":
            return [unit[2]] if self.isolated[unit[1], unit[2]] else []
        if unit == FUND:
            return list(range(len(self.markets)))
        return [m for m in range(len(self.markets)) if not self.isolated[unit[1], m]]

    def held(self, unit: Any) -> list[int]:
        """Return the markets in which a unit has lots, ascending."""
        owner = owner_of(unit)
        return [m for m in self.markets_of(unit) if self.position(owner, m).lots != 0]

    def trader_units(self) -> list[Any]:
        """Return all cross units and pockets, in order (key, market; cross before pockets)."""
        units: list[Any] = []
        for account in sorted(self.accounts(), key=lambda a: self.keys[a]):
            units.append(("cross", account))
            units.extend(("pocket", account, m) for m in range(len(self.markets)))
        return units

    def unit_order(self, unit: Any) -> tuple[int, int]:
        """Return the tie-breaker (key, market) of a trader unit; cross comes before pockets."""
        return self.keys[unit[1]], (-1 if unit[0] == "cross" else unit[2])

    def post(self, debit: Any, credit: Any, amount: int, code: str) -> None:
        """Move money from one unit to another (R-M2); an amount of 0 is not posted."""
        assert amount >= 0, f"negative posting {amount} {code}"
        if amount == 0:
            return
        self.balances[debit] -= amount
        self.balances[credit] += amount
        self.touched.update((debit, credit))
        self.journal.append(Posting(debit, credit, amount, code))

    def transfer(self, unit: Any, other: Any, amount: int, code: str) -> None:
        """Post a signed amount: positive other -> unit, negative unit -> other."""
        if amount >= 0:
            self.post(other, unit, amount, code)
        else:
            self.post(unit, other, -amount, code)


def owner_of(unit: Any) -> Any:
    """Return the account of a trader unit, or FUND."""
    return FUND if unit == FUND else unit[1]


def new_state(
    rules: dict[str, Any],
    markets: list[dict[str, Any]],
    keys: list[int],
    dt_s: int,
    backstops: list[int],
    first_index_ticks: list[int],
    orders_max: int,
) -> State:
    """Return an empty venue; the fund's initial balance is posted OUTSIDE -> FUND (R-M1)."""
    rows = [Market(m["symbol"], m["multiplier_atoms"], m["price_max_ticks"]) for m in markets]
    state = State(rules, rows, keys, dt_s, backstops, orders_max, list(first_index_ticks))
    count = len(rows)
    for m in range(count):
        state.positions[FUND, m] = Position()
        for a in state.accounts():
            state.positions[a, m] = Position()
            state.own_ppm[a, m] = 0
            state.isolated[a, m] = rules["margin"]["mode"] == "isolated"
    for unit in [*state.trader_units(), FUND, *VENUE_UNITS]:
        state.balances[unit] = 0
    state.resting = [[] for _ in rows]
    state.mark = [clamp(first_index_ticks[m], 1, rows[m].price_max - 1) for m in range(count)]
    state.previous_mark = list(state.mark)
    state.last, state.low, state.high = [None] * count, [None] * count, [None] * count
    state.auction = [False] * count
    state.basis, state.rate = [0] * count, [0] * count
    floor_ppm = (rules["margin"].get("volatility") or {}).get("floor_ppm", 0)
    state.moving = [{"owed": 0, "variance": 0, "volatility": floor_ppm, "sample": 0} for _ in rows]
    state.premium_sum, state.premium_count = [0] * count, [0] * count
    state.post("OUTSIDE", FUND, rules["insurance"]["initial_quote"] * ATOMS_PER_QUOTE, "DEPOSIT")
    return state
