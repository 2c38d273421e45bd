"""`delever match`: a stream of order messages through the order book; its trades, and the book that is left."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Grid

from delever.engine import replay as rp
from delever.engine.events import E_CAUSE, E_CODE, E_KIND, E_LOTS, E_PRICE_TICKS, E_SEQUENCE, Event
from delever.engine.rules.contract import Contract
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.io import RuleError, load_rules, replace, set_value, split_spec
from delever.engine.rules.matching import Auction, Matching
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import PRICE_TICKS_LIMIT, Market
from delever.engine.tables import (
    M_AUCTION,
    NONE,
    O_LOTS,
    O_PRICE_TICKS,
    O_SIDE,
    V_SEQUENCE,
    V_TAGGED,
)
from delever.engine.venue import Venue

from .errors import UserError, writable_folder
from .order_messages import BEGINS, ENDS, Messages, read_messages
from .single import progress_bar
from .warmup import told_when_compiling

Ints = NDArray[np.int64]
Moved = Callable[[int, int], None]

LOTS_MAX = 2**30 - 1
PIECE = 200_000  # messages between two looks at the progress
NAMES = {
    "fifo": {},
    "pro_rata": {"allocation": {"kind": "pro_rata"}},
    "top_pro_rata": {"allocation": {"kind": "top_pro_rata"}},
    "split": {"allocation": {"kind": "split"}},
    "batch": {"batch": {}},
}  # type: dict[str, dict[str, Any]]
OUTCOMES = {
    rp.UNKNOWN: "unknown_id",
    rp.DUPLICATE: "id_in_use",
    rp.CROSSED: "post_only_refused",
    rp.NOT_FILLED: "fok_refused",
    rp.OTHERWISE: "execution_differs",
}
EXPLAINED = {
    "outside": "executions of hidden orders, crosses and other messages that do not concern the book",
    "unknown_id": "cancellations, changes and executions of orders that are not in the book",
    "id_in_use": "new orders with the id of one in the book, left out",
    "post_only_refused": "post-only orders that would have traded",
    "fok_refused": "fill-or-kill orders that found too little",
    "execution_differs": "executions that the book gave to other orders than the file says",
    "off_ladder": "orders too far from the market to be kept",
    "left_out": "lines that could not be understood",
}


def matching_of(spec: str) -> Matching:
    """Return the matching rule called `spec`: a word of NAMES or a rule set, with changes after commas.

    A key without a dot belongs to what the word names: `split,fifo_ppm=300000`; others are `batch.interval_s`,
    `auction.tie`, `allocation...`. Raises UserError.
    """
    name, *reforms = split_spec(spec)
    word = name.strip().replace("-", "_")
    try:
        if word not in NAMES:
            return load_rules(spec).matching
        data: dict[str, Any] = deepcopy(NAMES[word])
        inner = next(iter(data), "")
        for reform in reforms:
            key, equals, raw = (part.strip() for part in reform.partition("="))
            if not (key and equals):
                raise RuleError(f"{spec}: a change is written key=value, e.g. fifo_ppm=300000 (got {reform!r})")
            within = inner and "." not in key and key not in Matching.model_fields
            set_value(data, f"{inner}.{key}" if within else key, raw)
        return replace(RuleSet(), {"matching": data}, word).matching
    except RuleError as error:
        raise UserError(f"--matching: {error}. Words: {', '.join(NAMES)}; a rule set works too.") from None


def match_file(
    file: Path, *, matching: str, tick: float | None, lot: float | None, out: Path | None, parquet: bool,
    skip_bad: bool, as_json: bool,
) -> None:  # fmt: skip
    """Do what `delever match` says; see there. Raises UserError."""
    rule = matching_of(matching)
    folder = writable_folder(out or Path("results") / f"match-{file.name.partition('.')[0]}")
    console = Console(stderr=True)
    with console.status(f"reading {file}"):
        messages = read_messages(file, tick, lot, skip_bad=skip_bad)
    with progress_bar("messages") as moved, told_when_compiling():
        book = Replay(messages, rule)
        book.play_some(0, 0)  # compiles, which is not the book's time
        started = time.perf_counter()
        book.play(moved)
        wall_s = time.perf_counter() - started
    trades, depth = book.trades(), book.depth()
    for name, frame in (("trades", trades), ("depth", depth)):
        _write(frame, folder, name, parquet)
    summary = {"file": str(file), "matching": matching} | book.summary(trades, depth) | {"wall_s": round(wall_s, 3)}
    if as_json:
        print(json.dumps(summary))
    else:
        _print(summary, folder)


class Replay:
    """A venue with one market and nobody to margin, and the messages that are played on it."""

    def __init__(self, messages: Messages, matching: Matching) -> None:
        self.messages = messages
        self.interval_s = 0 if matching.batch is None else matching.batch.interval_s
        self.rows, self.first_tick, self.off_ladder = _onto_ladder(messages)
        if matching.auction is None:
            matching = matching.model_copy(update={"auction": Auction()})
        new = self.rows[:, rp.X_KIND] <= rp.NEW_POST_ONLY
        largest = int(self.rows[:, rp.X_LOTS].max(initial=1))
        if largest > LOTS_MAX:
            raise UserError(
                f"a quantity of {largest * messages.lot:.10g} is {largest:,} lots of {messages.lot:.10g}, more than "
                f"{LOTS_MAX:,}; give a larger --lot"
            )
        rules = RuleSet(
            name="match", contract=Contract(lots_max=LOTS_MAX), matching=matching, halts=Halts(collar_ppm=0),
            insurance=Insurance(initial_quote=0),
        )  # fmt: skip
        accounts = int(self.rows[:, rp.X_ACCOUNT].max(initial=1)) + 1
        top = int(self.rows[:, rp.X_TICKS].max(initial=1)) + 2
        room = int(new.sum()) + 2
        self.venue = Venue(
            rules, [Market("M", 1, top)], np.arange(accounts, dtype=np.int64), first_index_ticks=[1], orders_max=room
        )
        self.venue.tables.venue[V_TAGGED] = 1
        self.row_of = np.full(len(messages.ids) + 1, NONE, dtype=np.int64)
        self.outcomes = np.zeros(len(self.rows), dtype=np.int64)
        self.fills: list[Ints] = []
        self.venue.set_sink(self._keep)
        self.at_s: list[tuple[int, float]] = []

    def _keep(self, events: Ints) -> None:
        self.fills.append(events[events[:, E_KIND] == Event.FILL])

    def play(self, moved: Moved) -> None:
        """Play all messages, with auctions where the file or the rule has them."""
        total = len(self.rows)
        stops = self._stops()
        done = 0
        for stop, does in stops:
            while done < stop:
                piece = min(stop, done + PIECE)
                self.play_some(done, piece)
                done = piece
                moved(done, total)
            if does == BEGINS and not self._waits():
                self.venue.begin_auction(0)
            elif does == ENDS and self._waits():
                rp.forget_positions(self.venue.tables)
                if not self.interval_s:
                    self.venue.tables.venue[V_SEQUENCE] = stop + 1  # the trades are those of the message `uncross`
                self.venue.uncross(0)
                if self.interval_s:
                    self.venue.begin_auction(0)
        if self.interval_s and self._waits():
            self.venue.uncross(0)
        self.venue.flush()

    def _waits(self) -> bool:
        return bool(self.venue.tables.markets[0, M_AUCTION])

    def play_some(self, start: int, stop: int) -> None:
        """Play messages `start` .. `stop` - 1 on the book as it is."""
        t = self.venue.tables
        while start < stop:
            start = rp.replay(t, self.rows, self.row_of, self.outcomes, start, stop)
            self.venue.flush()

    def _stops(self) -> list[tuple[int, int]]:
        """Return (messages before it, what happens then) for every begin and end of an auction, and the end."""
        kinds, time_s = self.messages.rows[:, rp.X_KIND], self.messages.time_s
        stops = [(int(row), int(kinds[row])) for row in np.flatnonzero((kinds == BEGINS) | (kinds == ENDS))]
        if self.interval_s:
            interval = np.floor((time_s - time_s[0]) / self.interval_s) if len(time_s) else time_s
            stops = [(0, BEGINS), *((int(row) + 1, ENDS) for row in np.flatnonzero(np.diff(interval) > 0))]
        return [*stops, (len(kinds), 0)]

    def trades(self) -> pd.DataFrame:
        """Return one row per trade: time, price, quantity, side of the taker, ids of taker and maker, line."""
        fills = np.concatenate([*self.fills, np.zeros((0, 12), dtype=np.int64)])
        message = np.clip(fills[:, E_SEQUENCE] - 1, 0, None)
        ids = np.append(self.messages.ids, "")
        return pd.DataFrame(
            {
                "time": self.messages.time[message],
                "price": self._prices(fills[:, E_PRICE_TICKS]),
                "quantity": _decimal(np.abs(fills[:, E_LOTS]), self.messages.lot),
                "side": np.where(fills[:, E_LOTS] > 0, "buy", "sell"),
                "taker_id": ids[fills[:, E_CAUSE]],
                "maker_id": ids[fills[:, E_CODE]],
                "line": self.messages.line[message],
            }
        )

    def depth(self) -> pd.DataFrame:
        """Return one row per price of the book that is left: side, price, quantity, orders; best prices first."""
        t = self.venue.tables
        rows = t.orders[np.unique(self.row_of[self.row_of != NONE])]
        rows = rows[rows[:, O_LOTS] > 0]
        frame = pd.DataFrame({"side": rows[:, O_SIDE], "ticks": rows[:, O_PRICE_TICKS], "lots": rows[:, O_LOTS]})
        levels = frame.groupby(["side", "ticks"])["lots"].agg(["sum", "size"]).reset_index()
        levels["order"] = -levels["side"] * levels["ticks"]
        levels = levels.sort_values(["side", "order"], ascending=[False, True])
        return pd.DataFrame(
            {
                "side": np.where(levels["side"] > 0, "buy", "sell"),
                "price": self._prices(levels["ticks"].to_numpy()),
                "quantity": _decimal(levels["sum"].to_numpy(), self.messages.lot),
                "orders": levels["size"].to_numpy(),
            }
        )

    def _prices(self, ticks: Ints) -> NDArray[np.float64]:
        return _decimal(ticks + self.first_tick, self.messages.tick)

    def summary(self, trades: pd.DataFrame, depth: pd.DataFrame) -> dict[str, Any]:
        """Return what happened, in plain values."""
        counts = {name: int((self.outcomes == outcome).sum()) for outcome, name in OUTCOMES.items()}
        best = {side: depth[depth["side"] == side]["price"] for side in ("buy", "sell")}
        return {
            "format": "lobster" if self.messages.lobster else "delever",
            "messages": len(self.rows),
            "tick": self.messages.tick,
            "lot": self.messages.lot,
            "trades": len(trades),
            "volume": float(np.round(trades["quantity"].sum(), 9)),
            "last_price": float(trades["price"].iloc[-1]) if len(trades) else None,
            "best_bid": float(best["buy"].iloc[0]) if len(best["buy"]) else None,
            "best_ask": float(best["sell"].iloc[0]) if len(best["sell"]) else None,
            "levels": len(depth),
            "orders": int(depth["orders"].sum()),
            **counts,
            "outside": int((self.messages.rows[:, rp.X_KIND] == rp.PASSED).sum()),
            "off_ladder": self.off_ladder,
            "left_out": self.messages.left_out,
        }


def _onto_ladder(messages: Messages) -> tuple[Ints, int, int]:
    """Return the messages with prices from 1 tick up, the tick before the first, and how many are too far away.

    The ladder holds so many ticks around the median price; an order beyond it on the far side is passed over, on the
    near side it is put at the edge: it takes whatever there is.
    """
    rows = messages.rows.copy()
    kind, ticks = rows[:, rp.X_KIND], rows[:, rp.X_TICKS]
    rows[np.isin(kind, (BEGINS, ENDS)), rp.X_KIND] = rp.PASSED
    priced = ticks > 0
    if not priced.any():
        return rows, 0, 0
    low, high = int(ticks[priced].min()), int(ticks[priced].max())
    width = PRICE_TICKS_LIMIT - 3
    if high - low > width:
        middle = int(np.median(ticks[priced]))
        low = max(low, middle - width // 2)
        high = min(high, low + width)
    side = rows[:, rp.X_SIDE]
    far = priced & (((ticks < low) & (side >= 0)) | ((ticks > high) & (side <= 0)))
    rows[:, rp.X_TICKS] = np.where(priced, np.clip(ticks, low, high) - low + 1, 0)
    rows[far, rp.X_KIND] = rp.PASSED
    return rows, low - 1, int(far.sum())


def _decimal(whole: Ints, unit: float) -> NDArray[np.float64]:
    """Return whole multiples of a unit as decimal numbers without the dust of binary fractions."""
    return np.round(whole * unit, 9)


def _write(frame: pd.DataFrame, folder: Path, name: str, parquet: bool) -> None:
    if parquet:
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    else:
        frame.to_csv(folder / f"{name}.csv", index=False)


def _print(summary: dict[str, Any], folder: Path) -> None:
    grid = Grid(box=None, show_header=False)
    for name in ("messages", "trades", "volume", "last_price", "best_bid", "best_ask", "levels", "orders"):
        value = summary[name]
        grid.add_row(name.replace("_", " "), "none" if value is None else f"{value:,.10g}")
    grid.add_row("tick, lot", f"{summary['tick']:.10g}, {summary['lot']:.10g}")
    grid.add_row("time", f"{summary['wall_s']} s")
    console = Console()
    console.print(grid)
    for name, words in EXPLAINED.items():
        if summary[name]:
            console.print(f"{summary[name]:,} {words}", highlight=False, soft_wrap=True)
    console.print(f"Trades and depth: {folder}", highlight=False, soft_wrap=True)
