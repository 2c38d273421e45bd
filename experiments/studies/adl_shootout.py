"""Rules of deleveraging against the published numbers of 10 October 2025.

`python -m delever.experiments.studies.adl_shootout FOLDER`, with the tables named in `design()`. What they do not allow
to be computed is told in docs/adl_shootout.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from delever.experiments.account_table import USUAL, read_accounts
from delever.experiments.errors import UserError, guarded
from delever.experiments.haircuts import POLICIES, allocate, measures

QUESTION = "Which rule of deleveraging takes how much from whom, on real accounts and in the waves of a real crash?"
RULES = ("prod", "pr", "pnl_pr", "eq_pr", "vector", "contract_pr", "fixed_point_ilp_integer")
"""Rules of the table of waves: what the venue did; by wealth, profit, equity, vector, contracts; integer optimum."""
CENT = 0.01
ROUNDED = 0.011
"""The gaps of a wave's coins have eight figures each; so much may be lost in their sum."""


def design() -> dict[str, str]:
    """Return the tables that are read, and what for."""
    return {
        "adl_by_user_anon.csv.gz": "accounts, for every rule of `delever allocate`",
        "adl_policy_per_wave.csv": "published results by wave",
        "adl_wave_coin_gap.csv.gz": "mark less execution price, times quantity, by wave and coin: what was needed",
        "adl_wave_equity_delta_h0.csv": "what the venue took by wave",
        "adl_loser_waves.csv": "deficits by wave",
        "adl_horizon_sweep.csv": "totals",
    }


class Identity(NamedTuple):
    """A published number that follows from others."""

    name: str
    how: str
    unit: str
    waves: int
    """Numbers compared."""
    largest: float
    """Largest difference."""
    allowed: float

    @property
    def holds(self) -> bool:
        """Say whether all of them are what they must be."""
        return self.waves > 0 and self.largest <= self.allowed


def _load(folder: Path) -> dict[str, pd.DataFrame]:
    missing = [name for name in design() if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder}: has no {', '.join(missing)}")
    return {name.partition(".")[0]: pd.read_csv(folder / name) for name in design()}


def identities(folder: Path) -> list[Identity]:
    """Return every number of the table of waves that the other columns and tables determine, compared with it."""
    tables = _load(folder)
    waves = tables["adl_policy_per_wave"].set_index("wave")
    equity = tables["adl_wave_equity_delta_h0"].set_index("wave").loc[waves.index]
    losers = tables["adl_loser_waves"].set_index("wave").loc[waves.index]
    gaps = tables["adl_wave_coin_gap"].groupby("wave")["gap_usd_x_qty"].sum().loc[waves.index]
    found: list[Identity] = []

    def compare(name: str, how: str, computed: pd.Series, allowed: float = CENT, unit: str = "USD") -> None:
        apart = (computed - waves[name]).abs().dropna()
        found.append(Identity(name, how, unit, len(apart), float(apart.max()), allowed))

    compare("budget_needed", "sum of the coins' gaps", gaps, ROUNDED)
    compare("budget_needed", "as in the table of equity", equity["budget_needed_usd"])
    compare("budget_prod", "as in the table of equity", equity["budget_prod_usd"])
    compare("deficit_usd", "as in the table of losers", losers["deficit_usd"])
    compare("max_loss_usd", "as in the table of losers", losers["max_loss_usd"])
    compare("budget_target", "needed, at most what winners have", waves[["budget_needed", "total_cap"]].min(axis=1))
    for rule in ("pr", "pnl_pr", "eq_pr"):
        compare(f"budget_{rule}", "pro rata in money takes the target", waves["budget_target"])
    for rule in RULES:
        compare(f"overshoot_{rule}", "taken less needed", waves[f"budget_{rule}"] - waves["budget_needed"])
    for name in ("prod", "needed"):
        theta = (waves[f"budget_{name}"] / waves["deficit_usd"]).clip(upper=1.0)
        compare(f"theta_{name}_capped", "budget / deficit, at most 1", theta, 1e-8, "share")
    for rule in RULES:
        ratio = waves[f"ptsr_{rule}"]
        compare(f"rd_nse_{rule}", "ptsr / (1 + ptsr)", ratio / (1 + ratio), 1e-8, "share")
    return found


class Total(NamedTuple):
    """A total over waves: published over all of them, and over those of which there are numbers here."""

    name: str
    value: float
    waves: int


def totals(folder: Path) -> list[Total]:
    """Return the totals that can be formed, with the number of waves each is over."""
    tables = _load(folder)
    waves, equity = tables["adl_policy_per_wave"], tables["adl_wave_equity_delta_h0"]
    gaps = tables["adl_wave_coin_gap"]
    found = [
        Total("needed, USD, from the gaps", float(gaps["gap_usd_x_qty"].sum()), gaps["wave"].nunique()),
        Total("needed, USD", float(equity["budget_needed_usd"].sum()), len(equity)),
        Total("taken by the venue, USD", float(equity["budget_prod_usd"].sum()), len(equity)),
        Total("deficit, USD", float(equity["deficit_usd"].sum()), len(equity)),
    ]
    found += [Total(f"overshoot {rule}, USD", float(waves[f"overshoot_{rule}"].sum()), len(waves)) for rule in RULES]
    found += [Total(f"mean of max_pct {rule}", float(waves[f"max_pct_{rule}"].mean()), len(waves)) for rule in RULES]
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print the rules on the real accounts, the identities and the totals of a folder of tables; raises UserError."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 1:
        raise UserError("give the folder of the tables")
    folder = Path(words[0])
    print(QUESTION)
    needed = float(_load(folder)["adl_wave_equity_delta_h0"]["budget_needed_usd"].sum())
    accounts = read_accounts(folder / "adl_by_user_anon.csv.gz", USUAL)
    print(f"\n{len(accounts):,} accounts, {needed:,.2f} taken: hit, lose all, largest share, top winner")
    for policy in POLICIES:
        if {*policy.columns} <= {*accounts.numbers}:
            row = measures(allocate(policy, accounts, needed), accounts, needed)
            print(
                f"  {policy.name:30} {row['accounts_hit']:>6} {row['accounts_fully_wiped']:>6} "
                f"{row['max_haircut_frac']:9.5f} {row['top_winner_haircut_frac']:9.5f}"
            )
    print("\nNumbers by wave that follow from others: largest difference")
    for each in identities(folder):
        verdict = "holds" if each.holds else "DOES NOT HOLD"
        print(f"  {each.name:34} {each.how:34} {each.waves:2} waves {each.largest:9.2g} {each.unit:5} {verdict}")
    print("\nTotals, and over how many of the 16 waves")
    for total in totals(folder):
        print(f"  {total.name:44} {total.value:18,.4f} {total.waves:3}")


if __name__ == "__main__":
    sys.exit(guarded(main))
