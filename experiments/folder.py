"""A stored run: its folder, its tables as data frames, and what to do when some of them are missing."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from .errors import UserError
from .words import amount

ATOMS_PER_QUOTE = 1_000_000

COLUMNS: dict[str, tuple[str, ...]] = {
    "series": (
        "step", "time_s", "market", "index_ticks", "mark_ticks", "last_ticks", "bid_ticks", "ask_ticks",
        "depth_bid_lots", "depth_ask_lots", "volume_lots", "volume_atoms", "forced_lots", "forced_atoms", "fills",
        "open_interest_lots", "funding_ppb", "distressed", "called", "fund_equity_atoms", "fund_balance_atoms",
        "backstop_equity_atoms", "bad_debt_atoms", "socialised_atoms", "margin_ratio_p50_ppm", "margin_ratio_p90_ppm",
        "long_leverage_ppm", "short_leverage_ppm",
    ),
    "liquidations": (
        "liquidation", "parent", "step", "time_s", "account", "cohort", "market", "isolated", "lots", "value_atoms",
        "mark_ticks", "bankruptcy_ticks", "equity_atoms", "maintenance_atoms", "book_lots", "book_atoms",
        "takeover_lots", "adl_lots", "margin_lost_atoms", "deficit_atoms", "end_step",
    ),
    "adl": (
        "step", "time_s", "market", "liquidation", "account", "counterparty", "counterparty_cohort", "lots",
        "price_ticks", "mark_ticks", "value_atoms", "haircut_atoms",
    ),
    "fund": ("step", "time_s", "code", "amount_atoms", "balance_atoms", "liquidation"),
    "journal": (
        "sequence", "step", "kind", "market", "account", "other", "lots", "price_ticks", "amount_atoms", "cause",
        "code", "chain",
    ),
    "balances": ("row", "owner", "market", "debits_atoms", "credits_atoms"),
    "positions": ("account", "market", "lots", "cost_atoms"),
}  # fmt: skip
"""The tables of a run and their columns; docs say what each holds."""


class Currency(NamedTuple):
    """What the money of a run is counted in."""

    name: str
    """`quote`, or the coin in which the venue settles."""
    atoms_per_unit: int

    def units(self, atoms: float) -> float:
        """Return an amount in units of the currency."""
        return float(atoms) / self.atoms_per_unit

    def told(self, atoms: float) -> str:
        """Write an amount with the name of the currency."""
        return f"{amount(self.units(atoms))} {self.name}"


class RunFolder:
    """One stored run. Tables are read when first asked for; a missing one is an empty frame with its columns."""

    def __init__(self, path: Path):
        """Open the folder of a run. Raises UserError if there is none."""
        self.path = path
        manifest = path / "manifest.json"
        if not path.is_dir():
            raise UserError(f"there is no folder {path}. Give the folder that delever run wrote to (its --out).")
        if not manifest.is_file():
            raise UserError(f"{path} is not the folder of a run: it has no manifest.json.")
        self.manifest: dict[str, Any] = _read_json(manifest)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `delever run --json` printed; empty if the run was interrupted before its end."""
        path = self.path / "summary.json"
        return _read_json(path) if path.is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.manifest.get("finished", False))

    @cached_property
    def currency(self) -> Currency:
        """Currency of all money of the run; runs of old say nothing, and are in quote units."""
        money = self.manifest.get("money", {"currency": "quote", "atoms_per_unit": ATOMS_PER_QUOTE})
        return Currency(str(money["currency"]), int(money["atoms_per_unit"]))

    @property
    def symbols(self) -> list[str]:
        """Names of the markets, in the order of their numbers."""
        return [market["symbol"] for market in self.manifest["markets"]]

    @property
    def dt_s(self) -> int:
        """Seconds of a step."""
        return int(self.manifest["scenario"].get("dt_s", 1))

    def price(self, ticks: float, market: int) -> float:
        """Return a price in quote units from ticks of a market."""
        return float(ticks) * float(self.manifest["markets"][market]["tick_size"])

    def size(self, lots: float, market: int) -> float:
        """Return a size in contracts (units of the underlying) from lots of a market."""
        return float(lots) * float(self.manifest["markets"][market]["lot_size"])

    def has(self, name: str) -> bool:
        """Say whether the run stored this table."""
        return (self.path / f"{name}.parquet").exists()

    def table(self, name: str) -> pd.DataFrame:
        """Return one table as a new frame; raise UserError if it cannot be read or lacks a column."""
        path = self.path / f"{name}.parquet"
        if not path.exists():
            return pd.DataFrame(columns=list(COLUMNS[name]))
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from None
        missing = [column for column in COLUMNS[name] if column not in frame.columns]
        if missing:
            raise UserError(f"{path} lacks the column {missing[0]}: it was not written by this version of delever.")
        return frame

    @cached_property
    def series(self) -> pd.DataFrame:
        """One row per recorded step and market."""
        return self.table("series")

    @cached_property
    def liquidations(self) -> pd.DataFrame:
        """One row per liquidation and market."""
        return self.table("liquidations")

    @cached_property
    def adl(self) -> pd.DataFrame:
        """One row per pair that was deleveraged."""
        return self.table("adl")

    @cached_property
    def fund(self) -> pd.DataFrame:
        """Every movement of the insurance fund."""
        return self.table("fund")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object.")
    return value
