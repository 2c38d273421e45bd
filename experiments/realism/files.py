"""Markets from files of the user: one-minute candles, trades, or a folder with trades and quotes.

* Candles: columns time, open, high, low, close, and what is there of quote_volume (or volume) and
  taker_buy_quote_volume (or taker_buy_volume): the layout of public exchange dumps. volume counts coins, or money where
  the caller says so.
* Trades: time, price, size (or qty, quantity, amount), and who was the aggressor: a column aggressor_sign or sign (1,
  -1), side (buy, sell), or is_buyer_maker (true: the seller was).
* A folder: trades.csv beside top_of_book.csv (time, bid, ask, a row whenever one changes), depth_bands_1s.csv (columns
  bidqty_1bp, askqty_1bp, ... 2bp, 5bp, 10bp) and order_flow_by_distance.csv (column n_add), each also as .csv.gz or
  .parquet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delever.experiments.errors import UserError
from delever.experiments.metrics.order_flow import market_orders
from delever.sim.price_files import TIME_COLUMNS, PriceFileError, TableReader

from .observed import BANDS_BP, MINUTE_S, Minutes, Observed, Quotes

Floats = NDArray[np.float64]

TRADE_TIMES = (*TIME_COLUMNS, "t_ms", "t")
PRICES = ("price", "p")
SIZES = ("size", "qty", "quantity", "amount", "volume", "q")
SIGNS = ("aggressor_sign", "sign", "side", "aggressor", "is_buyer_maker", "m")
BUYS, SELLS = ("1", "1.0", "b", "buy", "bid"), ("-1", "-1.0", "s", "sell", "ask")
SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".parquet")


VolumeIn = Literal["coins", "money"]


def read_market(path: Path, symbol: str | None = None, volume_in: VolumeIn = "coins") -> Observed:
    """Return what a file or folder tells of a market; see the module for layouts. Raises UserError."""
    try:
        if path.is_dir():
            return _folder(path, symbol)
        reader = TableReader(path)
        frame = reader.table(symbol)
        names = {name.lower() for name in frame.columns}
        if {"open", "high", "low", "close"} <= names:
            return Observed(_candles(reader, frame, volume_in))
        orders, minutes = _trades(reader, frame)
        return Observed(minutes, orders)
    except PriceFileError as error:
        raise UserError(str(error)) from None


def _candles(reader: TableReader, frame: pd.DataFrame, volume_in: VolumeIn) -> Minutes:
    names = {name.lower(): name for name in frame.columns}
    time_name = reader.column(frame, TIME_COLUMNS, None, "time")
    spacing_s = reader.regular(reader.times(frame[time_name], time_name))
    if spacing_s != MINUTE_S:
        reader.fail(f"has a candle every {spacing_s:g} s; the scorecard is about candles of {MINUTE_S:g} s")
    first, high, low, close = (reader.numbers(frame[names[each]], each) for each in ("open", "high", "low", "close"))
    for price, name in ((first, "open"), (close, "close")):
        reader.within(price, name, low, high)

    def money(quoted: str, base: str) -> Floats | None:
        if quoted in names:
            return reader.amounts(frame[names[quoted]], quoted)
        if base not in names:
            return None
        return reader.amounts(frame[names[base]], base) * (1.0 if volume_in == "money" else close)

    return Minutes(
        close, low, money("quote_volume", "volume"), money("taker_buy_quote_volume", "taker_buy_volume")
    )  # fmt: skip


def _trades(reader: TableReader, frame: pd.DataFrame) -> tuple[pd.DataFrame, Minutes]:
    """Return market orders and the minutes of a file of trades."""
    time_name = reader.column(frame, TRADE_TIMES, None, "time")
    times_s = reader.rising(reader.times(frame[time_name], time_name))
    price_name = reader.column(frame, PRICES, None, "price")
    price = reader.numbers(frame[price_name], price_name)
    size_name = reader.column(frame, SIZES, None, "size")
    size = reader.amounts(frame[size_name], size_name)
    sign = _signs(reader, frame)
    trades = pd.DataFrame({"time_s": times_s - times_s[0], "sign": sign, "size": size})
    return market_orders(trades), _minutes(trades["time_s"].to_numpy(), price, size, sign)


def _signs(reader: TableReader, frame: pd.DataFrame) -> Floats:
    """Return 1 for trades that a buyer began, -1 for those of a seller."""
    name = reader.column(frame, SIGNS, None, "aggressor")
    told = frame[name].astype(str).str.strip().str.lower()
    if name.lower() in ("is_buyer_maker", "m"):
        signs = told.map({"true": -1.0, "1": -1.0, "false": 1.0, "0": 1.0})
    else:
        signs = told.map(dict.fromkeys(BUYS, 1.0) | dict.fromkeys(SELLS, -1.0))
    unknown = np.flatnonzero(signs.isna().to_numpy())
    if unknown.size:
        place = int(unknown[0])
        reader.fail(
            f"{name} {frame[name].iloc[place]} does not say who was the aggressor; give 1/-1 or buy/sell", place
        )
    return np.asarray(signs, dtype=np.float64)


def _minutes(times_s: Floats, price: Floats, size: Floats, sign: Floats) -> Minutes:
    """Return the whole minutes of trades; one without a trade keeps the price."""
    whole = int(times_s[-1] // MINUTE_S)
    minute = (times_s // MINUTE_S).astype(np.int64)
    frame = pd.DataFrame({"minute": minute, "price": price, "money": price * size, "bought": price * size * (sign > 0)})
    by_minute = frame[frame["minute"] < whole].groupby("minute")
    rows = pd.RangeIndex(max(whole, 1))
    close = by_minute["price"].last().reindex(rows).ffill().bfill().fillna(price[0])
    low = by_minute["price"].min().reindex(rows).fillna(close)
    sums = by_minute[["money", "bought"]].sum().reindex(rows).fillna(0.0)
    return Minutes(
        close.to_numpy(), low.to_numpy(), sums["money"].to_numpy(), sums["bought"].to_numpy()
    )  # fmt: skip


def _folder(path: Path, symbol: str | None) -> Observed:
    trades = _part(path, "trades")
    if trades is None:
        raise UserError(
            f"{path} holds no trades.csv (or {', '.join(SUFFIXES[1:])}): give a file, or a folder with one."
        )
    reader = TableReader(trades)
    orders, minutes = _trades(reader, reader.table(symbol))
    added = _part(path, "order_flow_by_distance")
    per_order = None
    if added is not None:
        flow = TableReader(added)
        frame = flow.table(None, rows_min=1)
        per_order = float(flow.amounts(frame[flow.column(frame, ("n_add",), None, "n_add")], "n_add").sum()) / len(
            orders
        )
    return Observed(minutes, orders, _quotes(path), per_order, _depth(path))


def _quotes(path: Path) -> Quotes | None:
    file = _part(path, "top_of_book")
    if file is None:
        return None
    reader = TableReader(file)
    frame = reader.table(None)
    time_name = reader.column(frame, TRADE_TIMES, None, "time")
    times_s = reader.rising(reader.times(frame[time_name], time_name))
    bid, ask = (reader.numbers(frame[reader.column(frame, (each,), None, each)], each) for each in ("bid", "ask"))
    spread = ask - bid
    crossed = np.flatnonzero(spread < 0)
    if crossed.size:
        reader.fail("the bid is above the ask; give the best prices of one book", int(crossed[0]))
    # The tick is not told: the smallest step between two prices is taken for it.
    steps = np.diff(np.unique(np.concatenate((bid, ask))))
    tick = float(steps[steps > 1e-9 * bid[0]].min()) if len(steps) else 1.0
    rows = slice(0, len(times_s) - 1)
    return Quotes((times_s - times_s[0])[rows], np.diff(times_s), (spread / tick)[rows], ((bid + ask) / 2)[rows])


def _depth(path: Path) -> Floats | None:
    file = _part(path, "depth_bands_1s")
    if file is None:
        return None
    reader = TableReader(file)
    frame = reader.table(None, rows_min=1)
    means = []
    for band in BANDS_BP:
        names = [reader.column(frame, (f"{side}qty_{band:g}bp",), None, "depth") for side in ("bid", "ask")]
        means.append(float(np.mean([reader.amounts(frame[name], name).mean() for name in names])))
    return np.array(means)


def _part(path: Path, name: str) -> Path | None:
    return next((path / f"{name}{suffix}" for suffix in SUFFIXES if (path / f"{name}{suffix}").is_file()), None)
