"""The order book alone: the engine's book without accounts, the same flow in plain Python and in bourse."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from delever.engine.book import add_to_level, give_back_row, remove, rest, take_row
from delever.engine.commands import Kind
from delever.engine.kernel import kernel
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    L_HEAD,
    M_BEST_ASK,
    M_BEST_BID,
    O_LOTS,
    O_PRICE_TICKS,
    O_SEQUENCE,
    V_SEQUENCE,
    Table,
    Tables,
)

from .flow import (
    CANCEL,
    F_KIND,
    F_LOTS,
    F_ORDER,
    F_PRICE_TICKS,
    F_SIDE,
    LIMIT,
    MARKET,
    PRICE_MAX_TICKS,
    Flow,
    Messages,
    play_python,
    stored_flow,
)
from .measure import MESSAGES, Reading, Request, rate

ORDER_LIMIT = int(Kind.LIMIT)
PLAYS = 5
BOURSE_BATCH = 1_000
BOURSE_NEW, BOURSE_CANCEL = 1, 2
BOURSE_PRICE_MAX = 2**32 - 1


def open_book() -> Tables:
    """Return the tables of an empty book: one market, one account that owns all orders."""
    return allocate(
        TEXTBOOK, [Market("BOOK", 1, PRICE_MAX_TICKS)], np.zeros(1, dtype=np.int64), [PRICE_MAX_TICKS // 2],
        orders_max=100_000, journal=False,
    )  # fmt: skip


@kernel
def play(t: Tables, messages: Table, rows: Table) -> int:
    """Play a flow through the book of `t` and return the trades.

    messages: (n, FLOW_COLUMNS), read only; rows: (n,), written: the row of `orders` of each limit order. An order's
    sequence number is one more than its number, so that a row that was given to another order since is recognised.
    """
    trades = 0
    assert messages.shape[0] == rows.shape[0]
    for i in range(messages.shape[0]):
        t.venue[V_SEQUENCE] = i + 1
        kind = messages[i, F_KIND]
        if kind == CANCEL:
            wanted = messages[i, F_ORDER]
            row = rows[wanted]
            if t.orders[row, O_SEQUENCE] == wanted + 1 and t.orders[row, O_LOTS] > 0:
                remove(t, row)
            continue
        side = messages[i, F_SIDE]
        price = messages[i, F_PRICE_TICKS]
        if kind == MARKET:
            price = PRICE_MAX_TICKS - 1 if side > 0 else 1
        order = take_row(t, 0, 0, ORDER_LIMIT, side, messages[i, F_LOTS], price, 0, 0, 0)
        trades += _take(t, order, side, price)
        if kind == LIMIT and t.orders[order, O_LOTS] > 0:
            rows[i] = order
            rest(t, order)
        else:
            give_back_row(t, order)
    return trades


@kernel
def _take(t: Tables, order: int, side: int, price_ticks: int) -> int:
    """Trade an order against the book, best price and oldest order first; return the trades."""
    orders, levels, markets = t.orders, t.levels, t.markets
    trades = 0
    while orders[order, O_LOTS] > 0:
        best = markets[0, M_BEST_ASK] if side > 0 else markets[0, M_BEST_BID]
        if best == 0 or best == PRICE_MAX_TICKS or side * (price_ticks - best) < 0:
            break
        maker = levels[0, best, L_HEAD]
        assert orders[maker, O_PRICE_TICKS] == best
        lots = min(orders[order, O_LOTS], orders[maker, O_LOTS])
        orders[order, O_LOTS] -= lots
        orders[maker, O_LOTS] -= lots
        add_to_level(t, maker, -lots)
        if orders[maker, O_LOTS] == 0:
            remove(t, maker)
        trades += 1
    return trades


def book(request: Request) -> list[Reading]:
    """Measure the engine's book: messages a second, all in one call."""
    flow = _flow(request)
    play(open_book(), flow.messages[:10].copy(), np.zeros(10, dtype=np.int64))

    def played() -> float:
        t, rows = open_book(), np.zeros(len(flow.messages), dtype=np.int64)
        began = time.process_time()
        trades = play(t, flow.messages, rows)
        seconds = time.process_time() - began
        if trades != flow.trades:
            raise AssertionError(f"the engine's book made {trades} trades of a flow of {flow.trades}")
        return seconds

    return [_messages(flow, played, f"{flow.trades:,} trades, as the book in plain Python")]


def book_python(request: Request) -> list[Reading]:
    """Measure the book in plain Python, one call a message."""
    flow = _flow(request)
    messages = flow.messages.tolist()

    def played() -> float:
        began = time.process_time()
        trades = play_python(messages)
        seconds = time.process_time() - began
        if trades != flow.trades:
            raise AssertionError(f"the flow was made with {flow.trades} trades, played again it has {trades}")
        return seconds

    return [_messages(flow, played, "heap of prices, queue per price")]


def book_bourse(request: Request) -> list[Reading]:
    """Measure bourse's book, fed by NumPy arrays of BOURSE_BATCH messages a step.

    Its step executes the messages of a batch in shuffled order, so that it finds other trades, and a cancel may come
    before its order. It has no market orders in arrays: they are limit orders at the end of the price range.
    """
    from bourse.core import StepEnvNumpy

    flow = _flow(request)
    batches = bourse_batches(flow.messages)

    def played() -> float:
        environment = StepEnvNumpy(0, 0, 1, BOURSE_BATCH)
        began = time.process_time()
        for batch in batches:
            environment.submit_instructions(batch)
            environment.step()
        return time.process_time() - began

    return [_messages(flow, played, f"batches of {BOURSE_BATCH:,}, each shuffled by bourse")]


def bourse_batches(messages: Messages) -> list[tuple[NDArray[np.generic], ...]]:
    """Return a flow as bourse's instruction arrays: what, buys, lots, trader, price, order.

    bourse numbers new orders in the order in which they are handed over.
    """
    kinds, sides = messages[:, F_KIND], messages[:, F_SIDE]
    new = kinds != CANCEL
    number = np.cumsum(new) - 1
    price = np.where(sides > 0, BOURSE_PRICE_MAX, 0)
    price = np.where(kinds == LIMIT, messages[:, F_PRICE_TICKS], price)
    columns = (
        np.where(new, BOURSE_NEW, BOURSE_CANCEL).astype(np.uint32),
        sides > 0,
        messages[:, F_LOTS].astype(np.uint32),
        np.zeros(len(messages), dtype=np.uint32),
        price.astype(np.uint32),
        number[messages[:, F_ORDER]].astype(np.uint64),
    )
    starts = range(0, len(messages), BOURSE_BATCH)
    return [tuple(np.ascontiguousarray(column[i : i + BOURSE_BATCH]) for column in columns) for i in starts]


def _messages(flow: Flow, played: Callable[[], float], note: str) -> Reading:
    """Return the rate of the median of several plays of a flow; one takes less than a tenth of a second."""
    seconds = statistics.median(played() for _ in range(PLAYS))
    return rate("", len(flow.messages), seconds, "messages/s", note, processor=True)


def _flow(request: Request) -> Flow:
    return stored_flow(request.folder, request.scaled(MESSAGES, least=100))
