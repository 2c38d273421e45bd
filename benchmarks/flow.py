"""One flow of order messages for every book: 50 % limit, 40 % cancel, 10 % market.

Limit orders rest within 30 ticks of a mid that drifts, so that some cross what was left behind; a cancel names an order
that rests at that moment, drawn at random. Which orders rest is known by playing the flow through a book in plain
Python while it is made; the trades of that book are what every other book must find.
"""

from __future__ import annotations

import heapq
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LIMIT, CANCEL, MARKET = range(3)

F_KIND = 0
F_SIDE = 1  # +1 buy, -1 sell; 0 for a cancel
F_LOTS = 2
F_PRICE_TICKS = 3  # limit orders only
F_ORDER = 4  # number of the order, which is that of its message; for a cancel the order it is meant for
F_MID_TICKS = 5
FLOW_COLUMNS = 6

SHARES = (0.5, 0.4, 0.1)
MID_FIRST_TICKS = 10_000
MID_MOVES = 0.02  # of all messages
AWAY_MAX_TICKS = 30
LOTS_MAX = 10
MARKET_LOTS_MAX = 5  # less than limit orders bring, so that a few thousand orders rest
PRICE_MAX_TICKS = 2 * MID_FIRST_TICKS

Messages = NDArray[np.int64]


class Flow(NamedTuple):
    """Messages (n, FLOW_COLUMNS) and the number of trades a correct book makes of them."""

    messages: Messages
    trades: int


class PythonBook:
    """A price-time order book in plain Python: a heap of prices and a queue per price and side.

    Cancelled orders stay in their queues and are dropped when they come to the front.
    """

    def __init__(self) -> None:
        self.lots: dict[int, int] = {}
        self.trades = 0
        self._prices: dict[int, list[int]] = {1: [], -1: []}  # heaps; bids are stored negative
        self._queues: dict[int, dict[int, deque[int]]] = {1: {}, -1: {}}

    def best(self, side: int) -> int:
        """Return the best price of a side, 0 if nothing rests there."""
        prices, queues = self._prices[side], self._queues[side]
        while prices:
            queue = queues[-side * prices[0]]
            while queue and queue[0] not in self.lots:
                queue.popleft()
            if queue:
                return -side * prices[0]
            del queues[-side * heapq.heappop(prices)]
        return 0

    def take(self, side: int, lots: int, limit_ticks: int) -> int:
        """Trade up to `lots` within the limit and return what is left."""
        resting = self.lots
        while lots > 0:
            price = self.best(-side)
            if price == 0 or side * (limit_ticks - price) < 0:
                break
            queue = self._queues[-side][price]
            maker = queue[0]
            traded = min(lots, resting[maker])
            lots -= traded
            resting[maker] -= traded
            self.trades += 1
            if resting[maker] == 0:
                del resting[maker]
                queue.popleft()
        return lots

    def limit(self, order: int, side: int, lots: int, price_ticks: int) -> None:
        """Trade a limit order and let the rest of it rest."""
        left = self.take(side, lots, price_ticks)
        if left > 0:
            queues = self._queues[side]
            if price_ticks not in queues:
                queues[price_ticks] = deque()
                heapq.heappush(self._prices[side], -side * price_ticks)
            queues[price_ticks].append(order)
            self.lots[order] = left

    def market(self, side: int, lots: int) -> None:
        """Trade a market order; what finds nobody expires."""
        self.take(side, lots, PRICE_MAX_TICKS if side > 0 else 0)

    def cancel(self, order: int) -> None:
        """Take an order out of the book, if it is still there."""
        self.lots.pop(order, None)


class _Resting:
    """The orders that rest, for a random one to be drawn; those that were filled are dropped when they are drawn."""

    def __init__(self, book: PythonBook) -> None:
        self._book = book
        self._orders: list[int] = []

    def add(self, order: int) -> None:
        """Note an order if it came to rest."""
        if order in self._book.lots:
            self._orders.append(order)

    def draw(self, luck: float) -> int | None:
        """Return a resting order and forget it; None if there is none."""
        orders = self._orders
        while orders:
            place = int(luck * len(orders))
            order = orders[place]
            orders[place] = orders[-1]
            orders.pop()
            if order in self._book.lots:
                return order
        return None


def make_flow(count: int, seed: int = 0) -> Flow:
    """Return `count` messages; the same count and seed give the same flow. A cancel without an order is a limit."""
    generator = np.random.default_rng(seed)
    kinds = generator.choice(3, size=count, p=SHARES).tolist()
    sides = (1 - 2 * generator.integers(0, 2, count)).tolist()
    limit_lots = generator.integers(1, LOTS_MAX + 1, count).tolist()
    market_lots = generator.integers(1, MARKET_LOTS_MAX + 1, count).tolist()
    away = generator.integers(1, AWAY_MAX_TICKS + 1, count).tolist()
    lucks = generator.random(count).tolist()
    moves = generator.choice([-1, 0, 1], count, p=[MID_MOVES / 2, 1 - MID_MOVES, MID_MOVES / 2])
    mids = (MID_FIRST_TICKS + np.cumsum(moves)).tolist()
    assert min(mids, default=MID_FIRST_TICKS) > AWAY_MAX_TICKS
    assert max(mids, default=0) + AWAY_MAX_TICKS < PRICE_MAX_TICKS
    messages = np.zeros((count, FLOW_COLUMNS), dtype=np.int64)
    book = PythonBook()
    resting = _Resting(book)
    for row, (kind, side) in enumerate(zip(kinds, sides, strict=True)):
        order = resting.draw(lucks[row]) if kind == CANCEL else None
        if order is not None:
            book.cancel(order)
            messages[row] = CANCEL, 0, 0, 0, order, mids[row]
        elif kind == MARKET:
            book.market(side, market_lots[row])
            messages[row] = MARKET, side, market_lots[row], 0, row, mids[row]
        else:
            price = mids[row] - side * away[row]
            book.limit(row, side, limit_lots[row], price)
            resting.add(row)
            messages[row] = LIMIT, side, limit_lots[row], price, row, mids[row]
    return Flow(messages, book.trades)


def stored_flow(folder: Path, count: int) -> Flow:
    """Return the flow of so many messages that `folder` holds, made and stored there if it is not yet."""
    path = folder / f"flow-{count}.npz"
    if not path.exists():
        flow = make_flow(count)
        np.savez(path, messages=flow.messages, trades=flow.trades)
    with np.load(path) as stored:
        return Flow(stored["messages"], int(stored["trades"]))


def play_python(messages: list[list[int]]) -> int:
    """Play the messages of a flow, as lists, through the book in plain Python and return the trades."""
    book = PythonBook()
    for kind, side, lots, price, order, _ in messages:
        if kind == LIMIT:
            book.limit(order, side, lots, price)
        elif kind == CANCEL:
            book.cancel(order)
        else:
            book.market(side, lots)
    return book.trades
