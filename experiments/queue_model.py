"""A birth-death model of the best queues, solved and played: which of the two is empty first?

A book whose spread is one tick has two queues of orders of one lot. Limit orders join each at a constant rate, market
orders take one of each at another, and every order is cancelled at a third. The price moves up when the queue of asks
is empty before that of bids. Source: Cont, Stoikov and Talreja, "A stochastic model for order book dynamics",
Operations Research 58 (2010), who find the chance by Laplace transforms; here it is that of the two-dimensional chain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from delever.agents.draws import Stream, uniform
from delever.engine.commands import FLAG_IOC, Kind, batch
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.state import Market
from delever.engine.tables import L_LOTS
from delever.engine.venue import Venue

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BID_TICKS, ASK_TICKS, PRICE_MAX_TICKS = 4, 5, 10
BIDDER, ASKER, BUYER, SELLER = range(4)
ACCOUNTS = 4
DEPOSIT_ATOMS = 10**15
MARKETS_PER_VENUE = 200  # each admission adds up an account's margin over all its markets
DRAW = int(Stream.CHOICE)


class Rates(NamedTuple):
    """Events in a unit of time, on each side; those of the source for a stock in Tokyo by default."""

    limit: float = 1.85
    """Orders that join the queue."""
    market: float = 0.94
    """Orders that take one of it."""
    cancel: float = 0.71
    """Cancellations of each order in it."""


class Races(NamedTuple):
    """What was seen of races that came through each state; (n, n), the state (bids, asks) at [bids - 1, asks - 1]."""

    seen: Integers
    """Races that were in the state at some time."""
    up: Integers
    """Those of them in which the asks were empty first."""


def chances_up(rates: Rates, longest: int = 80) -> Floats:
    """Return the chance that asks are empty before bids, (longest, longest), [bids - 1, asks - 1].

    Queues as long as `longest` grow no more: with cancellations they hardly ever are, and states a quarter as long are
    exact to all digits.
    """
    bids, asks = (1 + part.ravel() for part in np.indices((longest, longest)))
    here = np.arange(longest * longest)
    join = [np.where(queue < longest, rates.limit, 0.0) for queue in (bids, asks)]
    leave = [rates.market + rates.cancel * queue for queue in (bids, asks)]
    rows, columns, values = [here], [here], [sum([*join, *leave], np.zeros(len(here)))]
    certain = np.where(asks == 1, leave[1], 0.0)
    for queue, stride, joins, leaves in ((bids, longest, join[0], leave[0]), (asks, 1, join[1], leave[1])):
        grows, shrinks = queue < longest, queue > 1
        rows += [here[grows], here[shrinks]]
        columns += [here[grows] + stride, here[shrinks] - stride]
        values += [-joins[grows], -leaves[shrinks]]
    matrix = coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))))
    solved: Floats = spsolve(matrix.tocsc(), certain)
    return solved.reshape(longest, longest)


def play(rates: Rates, seed: int, races: int, longest: int) -> Races:
    """Return what happens in so many books of a venue, that begin with queues of 1 to `longest` orders.

    Every race is a market of its own, and one command a step in each is the next event of its chain: what it may be is
    read from the book. Draws are keyed by (seed, race, event).
    """
    seen, up = np.zeros((longest, longest), dtype=np.int64), np.zeros((longest, longest), dtype=np.int64)
    for first in range(0, races, MARKETS_PER_VENUE):
        visited, won = _play_some(rates, seed, np.arange(first, min(first + MARKETS_PER_VENUE, races)), longest)
        seen += visited.sum(axis=0)
        up += (visited & won[:, np.newaxis, np.newaxis]).sum(axis=0)
    return Races(seen, up)


def _play_some(rates: Rates, seed: int, races: Integers, longest: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of each race which states it came through, (n, longest, longest), and whether asks were empty first."""
    venue = _venue(len(races))
    _fill(venue, 1 + np.array(np.divmod(races % longest**2, longest)).T)
    visited = np.zeros((len(races), longest, longest), dtype=np.bool_)
    up = np.zeros(len(races), dtype=np.bool_)
    going, event = np.arange(len(races)), 0
    while len(going):
        queues = _queues(venue, going)
        up[going[queues[:, 1] == 0]] = True
        alive = (queues > 0).all(axis=1)
        going, queues = going[alive], queues[alive]
        small = (queues <= longest).all(axis=1)
        visited[going[small], queues[small, 0] - 1, queues[small, 1] - 1] = True
        venue.execute(_next(rates, queues, uniform(seed, DRAW, races[going], event), going))
        venue.drain_events()
        event += 1
    return visited, up


def _venue(races: int) -> Venue:
    """Return a venue with a market for each race and four rich accounts, so that nobody's margin matters."""
    rules = replace(TEXTBOOK, {"halts.collar_ppm": 0, "contract.orders_per_account_max": 100_000})
    markets = [Market(f"Q{number}", 1, PRICE_MAX_TICKS) for number in range(races)]
    venue = Venue(
        rules, markets, np.arange(ACCOUNTS), dt_s=1, first_index_ticks=[BID_TICKS] * races, orders_max=64 * races + 1000
    )
    venue.execute(batch(ACCOUNTS, account=np.arange(ACCOUNTS), kind=Kind.DEPOSIT, amount=DEPOSIT_ATOMS))
    return venue


def _fill(venue: Venue, starts: Integers) -> None:
    """Let orders of one lot queue in every market, as many on each side as `starts` (races, 2) says."""
    for account, side, price, column in ((BIDDER, 1, BID_TICKS, 0), (ASKER, -1, ASK_TICKS, 1)):
        markets = np.repeat(np.arange(len(starts)), starts[:, column])
        venue.execute(
            batch(len(markets), account=account, kind=Kind.LIMIT, market=markets, side=side, lots=1, price_ticks=price)
        )


def _queues(venue: Venue, markets: Integers) -> Integers:
    """Return the lots at the two prices of each market, (n, 2): bids, asks."""
    levels = venue.tables.levels
    return np.column_stack([levels[markets, BID_TICKS, L_LOTS], levels[markets, ASK_TICKS, L_LOTS]])


def _next(rates: Rates, queues: Integers, draws: Floats, markets: Integers) -> Integers:
    """Return a command for each market: its next event, in proportion to the rates of the six there are."""
    count = len(markets)
    chances = np.empty((6, count))
    chances[0:2], chances[2:4], chances[4:6] = rates.limit, rates.market, rates.cancel * queues.T
    edges = np.cumsum(chances, axis=0)
    what = (draws * edges[-1] >= edges).sum(axis=0)
    account = np.array([BIDDER, ASKER, SELLER, BUYER, BIDDER, ASKER])[what]
    kind = np.array([Kind.LIMIT, Kind.LIMIT, Kind.LIMIT, Kind.LIMIT, Kind.CANCEL, Kind.CANCEL])[what]
    side = np.array([1, -1, -1, 1, 0, 0])[what]
    price = np.array([BID_TICKS, ASK_TICKS, BID_TICKS, ASK_TICKS, 0, 0])[what]
    takes = (what == 2) | (what == 3)
    return batch(
        count, account=account, kind=kind, market=markets, side=side, lots=np.where(what < 4, 1, 0), price_ticks=price,
        flags=np.where(takes, FLAG_IOC, 0),
    )  # fmt: skip
