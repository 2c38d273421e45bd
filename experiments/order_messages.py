"""Order messages from a file: the columns of docs/match.md, or a LOBSTER message file, as whole ticks and lots."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delever.engine.replay import (
    CANCEL,
    EXECUTED,
    MESSAGE_COLUMNS,
    MODIFY,
    NEW,
    NEW_FOK,
    NEW_IOC,
    NEW_MARKET,
    NEW_POST_ONLY,
    PASSED,
    REDUCE,
    X_ACCOUNT,
    X_KIND,
    X_LOTS,
    X_ORDER,
    X_SIDE,
    X_TICKS,
)

from .errors import UserError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COLUMNS = ("time", "type", "id", "side", "price", "quantity")
LOBSTER_COLUMNS = 6
LOBSTER_PRICE = 10_000
BEGINS, ENDS = 100, 101  # an auction; the book itself passes these
WORDS = {
    "limit": NEW, "new": NEW, "market": NEW_MARKET, "ioc": NEW_IOC, "fok": NEW_FOK, "post_only": NEW_POST_ONLY,
    "cancel": CANCEL, "delete": CANCEL, "reduce": REDUCE, "partial_cancel": REDUCE, "modify": MODIFY, "replace": MODIFY,
    "auction": BEGINS, "uncross": ENDS,
}  # fmt: skip
LOBSTER_KINDS = {1: NEW, 2: REDUCE, 3: CANCEL, 4: EXECUTED, 5: PASSED, 6: PASSED, 7: PASSED}
LOBSTER_HALT = 7
SIDES = {"buy": 1, "b": 1, "bid": 1, "1": 1, "+1": 1, "sell": -1, "s": -1, "ask": -1, "-1": -1}
HAS_ID = (NEW, NEW_IOC, NEW_FOK, NEW_POST_ONLY, CANCEL, REDUCE, MODIFY, EXECUTED)
HAS_SIDE = (NEW, NEW_MARKET, NEW_IOC, NEW_FOK, NEW_POST_ONLY)
HAS_PRICE = (NEW, NEW_IOC, NEW_FOK, NEW_POST_ONLY, MODIFY)
HAS_LOTS = (*HAS_SIDE, REDUCE, MODIFY, EXECUTED)
MISTAKES_SHOWN = 10
DECIMALS_MAX = 9


class Messages(NamedTuple):
    """A stream of order messages.

    `rows` (n, MESSAGE_COLUMNS), columns X_KIND to X_ACCOUNT; BEGINS and ENDS are kinds here too.
    `time_s` (n,) and `time` as written; `ids` of orders by number; `line` of each message in the file.
    """

    rows: Ints
    time_s: Floats
    time: NDArray[np.object_]
    ids: NDArray[np.object_]
    line: Ints
    tick: float
    lot: float
    lobster: bool
    left_out: int


def read_messages(file: Path, tick: float | None, lot: float | None, *, skip_bad: bool) -> Messages:
    """Return the messages of a file; `tick` and `lot` are found out if None.

    Raises UserError with the lines that cannot be understood, unless they are to be skipped.
    """
    return _Reader(file, skip_bad).read(tick, lot)


class _Reader:
    """One file on its way to messages; `bad` is what was wrong with a line, by row."""

    def __init__(self, file: Path, skip_bad: bool) -> None:
        self.file = file
        self.skip_bad = skip_bad
        self.bad: dict[int, str] = {}

    def read(self, tick: float | None, lot: float | None) -> Messages:
        frame, lobster = self._frame()
        if lobster:
            frame = self._from_lobster(frame)
        kind = self._lobster_kinds(frame) if lobster else self._kinds(frame["type"])
        time_s = self._times(frame["time"])
        price = self._numbers(frame, "price", kind, HAS_PRICE)
        quantity = self._numbers(frame, "quantity", kind, HAS_LOTS)
        side = self._sides(frame["side"], kind, lobster)
        self._need_ids(frame["id"], kind)
        account = self._accounts(frame, side)
        priced, sized = np.isin(kind, HAS_PRICE), np.isin(kind, HAS_LOTS)
        good = np.ones(len(kind), dtype=bool)
        good[list(self.bad)] = False
        tick = tick or _grid(price[priced & good])
        lot = lot or _grid(quantity[sized & good])
        ticks = self._whole(price, priced & good, tick, "price", "--tick")
        lots = self._whole(quantity, sized & good, lot, "quantity", "--lot")
        self._report()
        good[list(self.bad)] = False
        number, ids = pd.factorize(frame["id"].to_numpy(dtype=object), use_na_sentinel=False)
        rows = np.zeros((len(kind), MESSAGE_COLUMNS), dtype=np.int64)
        columns = ((X_KIND, kind), (X_SIDE, side), (X_LOTS, lots), (X_TICKS, ticks), (X_ACCOUNT, account))
        for column, values in columns:
            rows[:, column] = values
        rows[:, X_ORDER] = np.where(frame["id"].to_numpy(dtype=object) == "", -1, number)
        times, line = frame["time"].to_numpy(dtype=object), frame["line"].to_numpy(dtype=np.int64)
        left_out = int(len(good) - good.sum())
        return Messages(
            rows[good],
            time_s[good],
            times[good],
            np.asarray(ids, dtype=object),
            line[good],
            tick,
            lot,
            lobster,
            left_out,
        )

    def _frame(self) -> tuple[pd.DataFrame, bool]:
        """Return the cells as text, with the line of each row, and whether the file is one of LOBSTER."""
        if not self.file.is_file():
            raise UserError(f"{self.file}: no such file")
        try:
            top = pd.read_csv(self.file, header=None, nrows=1, dtype=str)
            lobster = top.shape[1] == LOBSTER_COLUMNS and _is_number(top.iloc[0, 0])
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                frame = pd.read_csv(
                    self.file, header=None if lobster else 0, dtype=str, keep_default_na=False, na_filter=False,
                    skip_blank_lines=False, skipinitialspace=True, index_col=False,
                )  # fmt: skip
        except pd.errors.EmptyDataError:
            raise UserError(f"{self.file}: is empty; the first line must be {','.join(COLUMNS)}") from None
        except pd.errors.ParserWarning:
            raise UserError(f"{self.file}: cannot be read as CSV: line 2 has more fields than line 1") from None
        except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError) as error:
            raise UserError(f"{self.file}: cannot be read as CSV: {str(error).strip()}") from None
        if lobster:
            frame.columns = pd.Index((*COLUMNS[:2], "id", "quantity", "price", "side"))
        else:
            frame.columns = pd.Index([str(name).strip().lower() for name in frame.columns])
        missing = [name for name in COLUMNS if name not in frame.columns]
        if missing:
            raise UserError(
                f"{self.file}:1: no column {', '.join(missing)} (there are {', '.join(frame.columns)}); the columns "
                f"are {', '.join(COLUMNS)}, or six without a header as LOBSTER writes them"
            )
        frame["line"] = np.arange(len(frame)) + (1 if lobster else 2)
        frame = frame[(frame[list(COLUMNS)] != "").any(axis=1)].reset_index(drop=True)
        if frame.empty:
            raise UserError(f"{self.file}: holds no messages")
        self.line = frame["line"].to_numpy()
        return frame, lobster

    def _from_lobster(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a LOBSTER file's cells with prices in currency, as far as they are numbers."""
        price = pd.to_numeric(frame["price"], errors="coerce")
        return frame.assign(price=np.where(price.isna(), frame["price"], (price / LOBSTER_PRICE).astype(str)))

    def _wrong(self, rows: Ints, what: str, cells: pd.Series | None = None) -> None:
        """Note what is wrong with rows; the first mistake of a row counts."""
        for row in rows.tolist():
            self.bad.setdefault(row, what if cells is None else f"{what} (got {cells.iloc[row]!r})")

    def _lobster_kinds(self, frame: pd.DataFrame) -> Ints:
        """Return kinds; a halt begins an auction, the resumption of trading ends it."""
        number = pd.to_numeric(frame["type"], errors="coerce")
        kind = number.map(LOBSTER_KINDS)
        self._wrong(np.flatnonzero(kind.isna()), "the type must be 1 to 7", frame["type"])
        sign = np.sign(pd.to_numeric(frame["price"], errors="coerce"))
        kind = kind.mask((number == LOBSTER_HALT) & (sign < 0), BEGINS)
        kind = kind.mask((number == LOBSTER_HALT) & (sign > 0), ENDS)
        return np.asarray(kind.fillna(PASSED), dtype=np.int64)

    def _kinds(self, cells: pd.Series) -> Ints:
        kind = cells.str.strip().str.lower().map(WORDS)
        self._wrong(np.flatnonzero(kind.isna()), f"the type must be one of {', '.join(WORDS)}", cells)
        return np.asarray(kind.fillna(PASSED), dtype=np.int64)

    def _times(self, cells: pd.Series) -> Floats:
        """Return seconds; a number is in seconds, anything else a date and time."""
        times = pd.to_numeric(cells, errors="coerce")
        if times.isna().mean() > 0.5:
            dates = pd.to_datetime(cells, errors="coerce", utc=True, format="ISO8601")
            times = pd.Series(np.where(dates.isna(), np.nan, dates.astype("int64") / 1e9))
        known = times.to_numpy(dtype=np.float64)
        self._wrong(np.flatnonzero(~np.isfinite(known)), "the time must be seconds or a date with time", cells)
        held = pd.Series(np.where(np.isfinite(known), known, np.nan)).ffill().fillna(0.0)
        known = np.asarray(held, dtype=np.float64)
        back = np.flatnonzero(np.diff(known) < 0) + 1
        self._wrong(back, "the time is before that of the line above", cells)
        return known

    def _numbers(self, frame: pd.DataFrame, name: str, kind: Ints, needed: tuple[int, ...]) -> Floats:
        cells = frame[name]
        number = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.isin(kind, needed) & ~((number > 0) & np.isfinite(number))
        self._wrong(np.flatnonzero(wrong), f"the {name} must be a number above 0", cells)
        return np.where(np.isfinite(number), number, 0.0)

    def _sides(self, cells: pd.Series, kind: Ints, lobster: bool) -> Ints:
        side = cells.str.strip().str.lower().map(SIDES)
        needed = np.isin(kind, HAS_SIDE) | (lobster & np.isin(kind, (REDUCE, CANCEL, EXECUTED)))
        self._wrong(np.flatnonzero(needed & side.isna()), "the side must be buy or sell, 1 or -1", cells)
        return np.asarray(side.fillna(0), dtype=np.int64)

    def _need_ids(self, cells: pd.Series, kind: Ints) -> None:
        self._wrong(np.flatnonzero(np.isin(kind, HAS_ID) & (cells == "").to_numpy()), "the id is missing")

    def _accounts(self, frame: pd.DataFrame, side: Ints) -> Ints:
        """Return the account of each message; without a column, one account buys and another sells."""
        if "account" not in frame.columns:
            return np.where(side < 0, 1, 0).astype(np.int64)
        number = pd.to_numeric(frame["account"], errors="coerce").to_numpy(dtype=np.float64)
        wrong = (side != 0) & ~((number >= 0) & (number == np.floor(number)) & (number < 10**6))
        self._wrong(np.flatnonzero(wrong), "the account must be a whole number from 0 to 999,999", frame["account"])
        return np.where(np.isfinite(number) & ~wrong, number, 0).astype(np.int64)

    def _whole(self, values: Floats, chosen: NDArray[np.bool_], unit: float, name: str, option: str) -> Ints:
        """Return values as whole multiples of a unit."""
        if not (math.isfinite(unit) and unit > 0):
            raise UserError(f"{option} must be above 0 (got {unit})")
        multiple = values / unit
        whole = np.round(multiple)
        off = chosen & ((np.abs(multiple - whole) > 1e-6 * np.maximum(1.0, np.abs(whole) * 1e-6)) | (whole < 1))
        for row in np.flatnonzero(off).tolist():
            self.bad.setdefault(row, f"the {name} {values[row]:.10g} is not a multiple of {unit:.10g}; see {option}")
        return np.where(chosen & ~off & (whole < 2**62), whole, 0).astype(np.int64)

    def _report(self) -> None:
        """Raise UserError with the first mistakes, unless they are to be skipped."""
        if not self.bad or self.skip_bad:
            return
        shown = [f"{self.file}:{self.line[row]}: {self.bad[row]}" for row in sorted(self.bad)[:MISTAKES_SHOWN]]
        more = len(self.bad) - len(shown)
        if more:
            shown.append(f"... and {more:,} more lines")
        shown.append("Correct them, or leave such lines out with --skip-bad.")
        raise UserError("\n".join(shown))


def _is_number(cell: object) -> bool:
    try:
        return math.isfinite(float(str(cell)))
    except ValueError:
        return False


def _grid(values: Floats) -> float:
    """Return the largest power of ten, at most 1, of which all values are multiples; at least 10**-DECIMALS_MAX."""
    different = np.unique(values)
    for decimals in range(DECIMALS_MAX):
        scaled = different * 10.0**decimals
        whole = np.round(scaled)
        if (np.abs(scaled - whole) <= 1e-6 * np.maximum(1.0, np.abs(whole) * 1e-6)).all():
            return 1.0 / 10**decimals
    return 1.0 / 10**DECIMALS_MAX
