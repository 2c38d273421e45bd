"""Index prices from files and from the tables that come with the package.

A CSV (plain, .gz, .zip, ...) or Parquet file holds either candles or single prices:

- Columns open, high, low and close: each row is a candle that begins at its time and lasts until the next
  one. Public exchange dumps have this layout; those without a header row are known by their twelve columns.
- Otherwise each row is one price (column price, close, ...) at its time; low and high, if they stand beside
  close, belong to the interval that ends there.

Times are seconds, milli-, micro- or nanoseconds (a name such as time_ms says which, else their size does), or
dates in ISO format, read as UTC. Rows are regularly spaced, without gaps.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

TABLES_FOLDER = Path(__file__).parent / "tables"
TABLE_NAMES = ("black_thursday",)

TIME_COLUMNS = (
    "time_s", "time_ms", "time_us", "time_ns", "time", "timestamp",
    "open_time_ms", "open_time", "datetime", "date", "unix", "ts",
)  # fmt: skip
PRICE_COLUMNS = ("price", "close", "index_price", "mark_price", "last")
DUMP_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume",
    "close_time", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
MISSING = ("nan", "None", "<NA>")
PARQUET_SUFFIXES = (".parquet", ".pq")

UNITS_PER_SECOND = {"_s": 1.0, "_ms": 1e3, "_us": 1e6, "_ns": 1e9}
# A time without a unit in its name: 1e11 seconds are in the year 5138, 1e11 milliseconds in 1973, and so on.
UNITS_BY_SIZE = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))
DATES_S = (1e8, 1e11)  # times between these are shown as dates (1973 to 5138)
JITTER = 0.5  # spacings may differ from their median by this share

READ_ERRORS = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, lzma.LZMAError)


class PriceFileError(ValueError):
    """A price file that cannot be used: which file, which row, what is wrong, what would be right."""


class Prices(NamedTuple):
    """Prices at rising times, all arrays of shape (n,), n >= 2."""

    time_s: Floats
    """Seconds; since 1970 if the source has dates."""
    price: Floats
    low: Floats | None
    """Lowest price since the row before (row 0: its price), None if unknown."""
    high: Floats | None


def table_names() -> tuple[str, ...]:
    """Return the names of the tables that `load_table` knows."""
    return TABLE_NAMES


def load_table(name: str) -> Prices:
    """Return a built-in table; a PriceFileError lists the names if there is none of this name."""
    if name not in TABLE_NAMES:
        raise PriceFileError(f"there is no price table {name!r}; there are: {', '.join(TABLE_NAMES)}")
    text = (TABLES_FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert header == "time_s,low,high,close", f"table {name}: unexpected columns {header}"
    time_s, low, high, close = np.loadtxt(rows, delimiter=",", unpack=True)
    return Prices(time_s, close, low, high)


def read_prices(
    path: str | Path,
    symbol: str | None = None,
    *,
    time_column: str | None = None,
    price_column: str | None = None,
) -> Prices:
    """Return the prices in a file; for a file of candles the first open, then every close at the candle's
    end.

    `symbol` picks the rows of a file that holds several. The columns are found by their usual names, or named
    by the caller; a `price_column` other than close makes every row a single price. Raises a PriceFileError
    if the file is missing, empty or no table, lacks a column or the symbol, or holds a row that is not a
    positive price at its time.
    """
    return TableReader(Path(path)).read(symbol, time_column, price_column)


def time_text(time_s: float) -> str:
    """Return a time in words: a date if it counts from 1970, else seconds."""
    if DATES_S[0] <= time_s < DATES_S[1]:
        return datetime.fromtimestamp(round(time_s), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{time_s:g} s"


class TableReader:
    """One reading of one file: every check knows the path and the row for its message."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """For each row in use its number in the file, without the header, from 1."""

    def read(self, symbol: str | None, time_column: str | None, price_column: str | None) -> Prices:
        """Return the prices; see `read_prices`."""
        frame = self.table(symbol)
        time_name = self.column(frame, TIME_COLUMNS, time_column, "time")
        price_name = self.column(frame, PRICE_COLUMNS, price_column, "price")
        names = {name.lower(): name for name in frame.columns}
        time_s = self.times(frame[time_name], time_name)
        price = self.numbers(frame[price_name], price_name)
        spacing_s = self.regular(time_s)
        if price_name.lower() != "close" or not {"low", "high"} <= names.keys():
            return Prices(time_s, price, None, None)
        low = self.numbers(frame[names["low"]], "low")
        high = self.numbers(frame[names["high"]], "high")
        self.within(price, "close", low, high)
        if "open" not in names:
            return Prices(time_s, price, low, high)
        first = self.numbers(frame[names["open"]], "open")
        self.within(first, "open", low, high)
        return Prices(
            np.append(time_s, time_s[-1] + spacing_s),
            np.append(first[0], price),
            np.append(first[0], low),
            np.append(first[0], high),
        )

    def fail(self, what: str, place: int | None = None) -> NoReturn:
        """Raise the error of this file, of the row at `place` if there is one."""
        row = "" if place is None else f", row {self.rows[place]}"
        raise PriceFileError(f"{self.path}{row}: {what}")

    def table(self, symbol: str | None, rows_min: int = 2) -> pd.DataFrame:
        """Return the rows of a symbol, at least `rows_min`, under the names of the file."""
        frame = self.frame()
        frame.columns = [str(name).strip() for name in frame.columns]
        self.rows = np.arange(1, len(frame) + 1)
        if len(frame):
            frame = self.one_symbol(frame, symbol)
        if len(frame) < rows_min:
            found = f"{len(frame)} {'row' if len(frame) == 1 else 'rows'}"
            self.fail(f"has {found} below the header; at least {rows_min} are needed")
        return frame

    def frame(self) -> pd.DataFrame:
        """Return the whole file, CSV as text."""
        import pandas as pd

        if not self.path.is_file():
            self.fail("there is no such file" if not self.path.exists() else "is not a file")
        try:
            if self.path.suffix.lower() in PARQUET_SUFFIXES:
                table = pd.read_parquet(self.path)
                return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
            # As text: how pandas rounds numbers differs between its versions, how `_floats` does it does not.
            first = pd.read_csv(self.path, header=None, nrows=1, comment="#", dtype=str)
            bare = not np.isnan(_floats(first.iloc[0])).any()
            table = pd.read_csv(self.path, header=None if bare else 0, comment="#", dtype=str)
        except pd.errors.EmptyDataError:
            self.fail("is empty")
        except READ_ERRORS as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.fail(f"cannot be read as a table ({reason}); give CSV or Parquet")
        if not all(str(name).isprintable() for name in first.iloc[0]):
            self.fail("cannot be read as a table (its first line is not text); give CSV or Parquet")
        if bare:
            if len(table.columns) != len(DUMP_COLUMNS):
                self.fail(
                    f"has no header row and {len(table.columns)} columns; "
                    f"give it one (time,price), or the {len(DUMP_COLUMNS)} columns of an exchange's dump"
                )
            table.columns = list(DUMP_COLUMNS)
        return table

    def one_symbol(self, frame: pd.DataFrame, symbol: str | None) -> pd.DataFrame:
        """Return the rows of the symbol, of the only one if none is asked for."""
        name = next((name for name in frame.columns if name.lower() == "symbol"), None)
        if name is None:
            if symbol is not None:
                self.fail(f"has no column symbol, so {symbol} cannot be picked; leave the symbol out")
            return frame
        there = sorted(str(value) for value in frame[name].dropna().unique())
        if symbol is None and len(there) == 1:
            symbol = there[0]
        if symbol not in there:
            problem = "holds several symbols, say which" if symbol is None else f"has no symbol {symbol}"
            self.fail(f"{problem}; there are: {', '.join(there) or 'none'}")
        chosen = np.flatnonzero((frame[name].astype(str) == symbol).to_numpy())
        self.rows = self.rows[chosen]
        return frame.iloc[chosen]

    def column(self, frame: pd.DataFrame, usual: tuple[str, ...], named: str | None, what: str) -> str:
        """Return the column asked for, or the first usual one that is there, as the file spells it."""
        names = {name.lower(): name for name in frame.columns}
        for wanted in usual if named is None else (named.lower(),):
            if wanted in names:
                return names[wanted]
        there = ", ".join(name[:30] for name in list(frame.columns)[:20])
        looked_for = f"column {named}" if named is not None else f"{what} column ({', '.join(usual)})"
        return self.fail(f"has no {looked_for}; the columns are: {there}")

    def times(self, column: pd.Series, name: str) -> Floats:
        """Return the column as seconds; every row has a time."""
        import pandas as pd

        values = np.empty(0) if pd.api.types.is_datetime64_any_dtype(column) else _floats(column)
        if np.isfinite(values).any():
            seconds: Floats = values / _units_per_second(name, values)
        else:
            dates = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
            seconds = _floats((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(1, "s"))
        missing = np.flatnonzero(~np.isfinite(seconds))
        if missing.size:
            place = int(missing[0])
            found = column.iloc[place]
            problem = "is missing" if str(found) in (*MISSING, "NaT") else f"{found} is not a time"
            self.fail(f"{name} {problem}; give a number or a date like 2020-03-12 10:00:00", place)
        return seconds

    def numbers(self, column: pd.Series, name: str) -> Floats:
        """Return the column as prices, all above 0 and finite."""
        values = _floats(column)
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        if wrong.size:
            place = int(wrong[0])
            if np.isfinite(values[place]):
                self.fail(f"{name} is {values[place]:g}; a price must be above 0", place)
            self.fail(f"{name} {_problem(column.iloc[place])}; give a price above 0", place)
        return values

    def amounts(self, column: pd.Series, name: str) -> Floats:
        """Return the column as amounts, all finite and none below 0."""
        values = _floats(column)
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
        if wrong.size:
            place = int(wrong[0])
            if np.isfinite(values[place]):
                self.fail(f"{name} is {values[place]:g}; an amount is not below 0", place)
            self.fail(f"{name} {_problem(column.iloc[place])}; give an amount", place)
        return values

    def rising(self, time_s: Floats) -> Floats:
        """Return times of which none is before the one above it."""
        back = np.flatnonzero(np.diff(time_s) < 0.0)
        if back.size:
            place = int(back[0]) + 1
            now, before = time_text(time_s[place]), time_text(time_s[place - 1])
            self.fail(f"the time {now} comes after {before}; sort the rows by time", place)
        return time_s

    def regular(self, time_s: Floats) -> float:
        """Return the spacing of rows that rise regularly, without gaps."""
        gaps = np.diff(self.rising(time_s))
        twice = np.flatnonzero(gaps == 0.0)
        if twice.size:
            place = int(twice[0]) + 1
            self.fail(f"the time {time_text(time_s[place])} is there twice; give one row for each time", place)
        spacing_s = float(np.median(gaps))
        wide = np.flatnonzero(gaps > (1.0 + JITTER) * spacing_s)
        if wide.size:
            place = int(wide[0]) + 1
            now, before = time_text(time_s[place]), time_text(time_s[place - 1])
            missing = round(gaps[place - 1] / spacing_s) - 1
            self.fail(
                f"there is a gap between {before} and {now}: {missing} rows are missing, "
                f"one is expected every {spacing_s:g} s",
                place,
            )
        narrow = np.flatnonzero(gaps < (1.0 - JITTER) * spacing_s)
        if narrow.size:
            place = int(narrow[0]) + 1
            now, gap = time_text(time_s[place]), gaps[place - 1]
            self.fail(f"the row at {now} comes {gap:g} s after the one before, not {spacing_s:g} s", place)
        return spacing_s

    def within(self, price: Floats, name: str, low: Floats, high: Floats) -> None:
        """Refuse a price that is not between low and high."""
        wrong = np.flatnonzero((price < low) | (price > high))
        if wrong.size:
            place = int(wrong[0])
            self.fail(f"{name} {price[place]:g} is not between low {low[place]:g} and high {high[place]:g}", place)


def _problem(found: object) -> str:
    return "is missing (NaN)" if str(found) in MISSING else f"{found} is not a finite number"


def _floats(column: pd.Series) -> Floats:
    """Return numbers, or texts of numbers read to the last digit, as they are; NaN for everything else."""
    values = column.to_numpy(dtype=object, na_value=np.nan)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return np.array([_float_or_nan(value) for value in values])


def _float_or_nan(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _units_per_second(name: str, times: Floats) -> float:
    for suffix, units in UNITS_PER_SECOND.items():
        if name.lower().endswith(suffix):
            return units
    largest = np.nanmax(np.abs(times), initial=0.0)
    return next(units for below, units in UNITS_BY_SIZE if largest < below)
