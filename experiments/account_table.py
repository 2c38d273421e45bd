"""Tables of accounts as `delever allocate` takes them: read, checked, with messages a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

LEVERAGE_MAX = 40.0
"""Above it a leverage says that there was next to no cash at that instant, and nothing about the account."""
USER, COIN = "user_id", "coin"
NUMBERS = {
    "closed_pnl": "profit of the account; its positive part can be taken",
    "account_value_realtime": "equity",
    "leverage_realtime": "leverage, clipped to 0-40",
    "pnl_percent": "profit in percent of the value at entry",
    "adl_notional": "value of the positions",
    "side": "1 long, -1 short",
    "maintenance": "maintenance margin",
    "balance": "balance without open profit",
    "contracts": "whole contracts held",
}
"""Columns of numbers by name."""
USUAL = tuple(NUMBERS)[:5]


@dataclass(frozen=True)
class AccountTable:
    """Accounts, one row each (one per account and coin with coins), all arrays (n,); money as in the file."""

    source: str
    users: NDArray[np.object_]
    keys: NDArray[np.int64]
    """Place of the user in the order of user ids: ties go to the lowest."""
    coins: NDArray[np.object_] | None
    numbers: Mapping[str, Floats]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.users)

    def __getitem__(self, column: str) -> Floats:
        """Return a column of numbers by name."""
        return self.numbers[column]

    @property
    def profits(self) -> Floats:
        """What can be taken from each row."""
        return np.maximum(0.0, self["closed_pnl"])

    def rows(self, chosen: NDArray[np.bool_]) -> AccountTable:
        """Return the table of some rows."""
        numbers = {name: column[chosen] for name, column in self.numbers.items()}
        coins = None if self.coins is None else self.coins[chosen]
        return AccountTable(self.source, self.users[chosen], self.keys[chosen], coins, numbers)


def read_table(path: Path) -> pd.DataFrame:
    """Return a CSV or Parquet file as a frame; raise UserError if it is none."""
    import pandas as pd

    if not path.is_file():
        raise UserError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}; give CSV or Parquet")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, comment="#", skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: is empty; give a table with a header row") from None
    except (ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: cannot be read as a table ({reason}); give CSV or Parquet") from None
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def read_accounts(
    path: Path, needed: Sequence[str], renamed: Mapping[str, str] | None = None, *, by_coin: bool = False
) -> AccountTable:
    """Return the accounts of a file with at least the columns `needed`, and whatever else of NUMBERS is there.

    `renamed`: by which names columns go in the file. Raises UserError if the file is empty or no table, lacks a column,
    or holds an id twice or a number that is none.
    """
    names = {column: column for column in (USER, COIN, *NUMBERS)}
    for column, name in (renamed or {}).items():
        if column not in names:
            raise UserError(f"--column {column}={name}: there is no column {column!r}; there are: {', '.join(names)}")
        names[column] = name
    frame = read_table(path)
    wanted = [USER, *needed, *([COIN] if by_coin else []), *(renamed or {})]
    missing = [names[column] for column in dict.fromkeys(wanted) if names[column] not in frame.columns]
    if missing:
        raise UserError(
            f"{path}: has no column {', '.join(missing)}; it has: {', '.join(frame.columns) or 'none'}. "
            "A column by another name is mapped with --column, e.g. --column closed_pnl=profit; "
            "a rule that needs fewer columns is chosen with --rule"
        )
    if len(frame) == 0:
        raise UserError(f"{path}: has no accounts: the table has a header and no rows")
    there = [column for column in NUMBERS if names[column] in frame.columns]
    numbers = {column: _numbers(path, frame, column, names[column]) for column in there}
    if "leverage_realtime" in numbers:
        numbers["leverage_realtime"] = np.clip(numbers["leverage_realtime"], 0.0, LEVERAGE_MAX)
    if "side" in numbers and not np.isin(numbers["side"], (-1.0, 1.0)).all():
        raise UserError(f"{path}: {names['side']} must be 1 (long) or -1 (short) in every row")
    users = _ids(path, frame, names[USER])
    coins = _ids(path, frame, names[COIN]).astype(str).astype(object) if by_coin else None
    _refuse_twice(path, frame, [names[USER], *([names[COIN]] if by_coin else [])], names[COIN])
    keys = np.unique(users, return_inverse=True)[1].astype(np.int64)
    return AccountTable(str(path), users, keys, coins, numbers)


def _numbers(path: Path, frame: pd.DataFrame, column: str, name: str) -> Floats:
    """Return a column as numbers; infinite is allowed only where it is clipped."""
    import pandas as pd

    values: Floats = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    good = ~np.isnan(values) if column == "leverage_realtime" else np.isfinite(values)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise UserError(
            f"{path}, row {row + 1}: {name} is no number ({frame[name].iloc[row]}); {int((~good).sum())} of "
            f"{len(good)} rows are like this. Leave such accounts out of the table, or fill in their "
            f"{NUMBERS[column].partition(';')[0]}"
        )
    return values


def _ids(path: Path, frame: pd.DataFrame, name: str) -> NDArray[np.object_]:
    """Return a column of names: numbers in order of size, anything else in order of its letters."""
    if frame[name].isna().any():
        row = int(np.flatnonzero(frame[name].isna())[0])
        raise UserError(f"{path}, row {row + 1}: {name} is empty")
    values = frame[name].to_numpy()
    if values.dtype.kind not in "iuf":
        values = frame[name].astype(str).to_numpy()
    return values.astype(object)


def _refuse_twice(path: Path, frame: pd.DataFrame, by: list[str], coin: str) -> None:
    """Raise UserError if an account (in a coin) stands there twice."""
    again = frame.duplicated(by)
    if again.any():
        row = int(np.flatnonzero(again)[0])
        what = " of coin ".join(str(frame[name].iloc[row]) for name in by)
        hint = "add up the rows of an account"
        if len(by) == 1 and coin in frame.columns:
            hint += f", or allocate each coin by itself with --by-coin (there is a column {coin})"
        raise UserError(f"{path}, row {row + 1}: {by[0]} {what} is there twice ({int(again.sum())} such rows); {hint}")
