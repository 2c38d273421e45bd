"""`delever allocate`: from what the user wrote to the table, the files and the figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delever.engine.allocation import spread

from .account_table import COIN, USER, AccountTable, read_accounts, read_table
from .allocation_figure import allocation_figure
from .drawing import save
from .errors import UserError, advised, whole_file, writable_folder
from .haircuts import OPTIONAL, POLICIES, Outcome, Policy, allocate, columns_needed, find_policy, measures
from .words import count_of, short

BUDGET = "budget"
SLACK = 1e-9
"""By so much, relatively, a budget may be above all profits: the last digits of a sum are not the user's."""
Row = dict[str, Any]


def allocate_accounts(
    accounts: Path,
    budget: str,
    *,
    rules: Sequence[str],
    by_coin: bool,
    columns: Sequence[str],
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Do what `delever allocate` says; see there. Raises UserError."""
    asked = [find_policy(name) for name in dict.fromkeys(rules)]
    needed = columns_needed(asked, all_of_them=not asked)
    table = read_accounts(accounts, needed, _renamed(columns), by_coin=by_coin)
    chosen, without = (asked, []) if asked else _possible(table)
    budgets = _budgets(budget, table)
    folder = writable_folder(out or Path("results") / f"{accounts.name.split('.')[0]}-allocate")
    outcomes, rows, of_coins = [], [], []
    for policy in chosen:
        outcome, coin_rows = _one_policy(policy, table, budgets, seed)
        outcomes.append(outcome)
        rows.append(measures(outcome, table, sum(budgets.values())))
        of_coins += coin_rows
    if by_coin:
        rows = [{**row, COIN: "all"} for row in rows] + of_coins
    _store(folder, table, outcomes, rows)
    screen = Console(stderr=as_json)
    if as_json:
        print(json.dumps(rows))
    else:
        _print_rows(rows, table, screen, by_coin=by_coin)
        screen.print(f"Written: {folder}", highlight=False, soft_wrap=True)
    _print_notes(outcomes, without, screen)


def _possible(table: AccountTable) -> tuple[list[Policy], list[tuple[str, str]]]:
    """Return the rules for which the table has all columns, and which others lack which column."""
    chosen, without = [], []
    for policy in POLICIES:
        missing = [name for name in policy.columns if name in OPTIONAL and name not in table.numbers]
        if missing:
            without.append((policy.name, ", ".join(missing)))
        else:
            chosen.append(policy)
    return chosen, without


def _renamed(columns: Sequence[str]) -> dict[str, str]:
    """Return what `--column NAME=NAME IN FILE` says."""
    renamed = {}
    for text in columns:
        column, equals, name = text.partition("=")
        if not equals or not column.strip() or not name.strip():
            raise UserError(f"--column is written NAME=NAME_IN_FILE, e.g. closed_pnl=profit (got {text!r})")
        renamed[column.strip()] = name.strip()
    return renamed


def _budgets(text: str, table: AccountTable) -> dict[str, float]:
    """Return the budget, by coin if the table has coins: from a file, or one amount shared out by value of positions.

    A budget that is not above zero, or more than there is, raises UserError.
    """
    try:
        amount = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        if table.coins is None:
            raise UserError(f"--budget must be an amount (got {text!r}); a file of budgets needs --by-coin") from None
        return _budget_file(Path(text), table)
    if not math.isfinite(amount) or amount <= 0:
        raise UserError(f"--budget must be an amount above zero (got {text})")
    _refuse_more(amount, table, "")
    if table.coins is None:
        return {"": amount}
    names = sorted(set(table.coins.tolist()))
    weights = table.numbers.get("adl_notional", table.profits)
    profits, value = (
        np.array([column[table.coins == name].sum() for name in names]) for column in (table.profits, weights)
    )
    parts = spread(value, profits, min(amount, float(profits.sum())))
    return {name: float(part) for name, part in zip(names, parts, strict=True) if part > 0}


def _budget_file(path: Path, table: AccountTable) -> dict[str, float]:
    """Return the budget of each coin out of a file with columns coin and budget."""
    frame = read_table(path)
    missing = [name for name in (COIN, BUDGET) if name not in frame.columns]
    if missing:
        raise UserError(
            f"{path}: a file of budgets has the columns {COIN} and {BUDGET} (missing: {', '.join(missing)})"
        )
    if frame[COIN].duplicated().any() or len(frame) == 0:
        raise UserError(f"{path}: must name each coin once")
    assert table.coins is not None
    amounts = pd.to_numeric(frame[BUDGET], errors="coerce").to_numpy(dtype=np.float64)
    found = dict(zip(frame[COIN].astype(str).tolist(), amounts.tolist(), strict=True))
    for name, amount in found.items():
        if not math.isfinite(amount) or amount <= 0:
            raise UserError(f"{path}: the budget of {name} must be above zero (got {amount:g})")
        of_coin = table.rows(table.coins == name)
        if len(of_coin) == 0:
            raise UserError(f"{path}: nobody in {table.source} holds {name}")
        _refuse_more(amount, of_coin, f" of {name}")
    return found


def _refuse_more(amount: float, table: AccountTable, where: str) -> None:
    """Raise UserError if all profits together are less than an amount."""
    profits = float(table.profits.sum())
    if profits <= 0:
        raise UserError(f"{table.source}: no account{where} has a profit that could be taken (closed_pnl above zero)")
    if amount > profits * (1 + SLACK):
        raise UserError(
            f"the budget{where} ({amount:,.2f}) is more than all profits of the accounts ({profits:,.2f} of "
            f"{count_of(int((table.profits > 0).sum()), 'account')}): no rule can take it; give at most that"
        )


def _one_policy(
    policy: Policy, table: AccountTable, budgets: Mapping[str, float], seed: int
) -> tuple[Outcome, list[Row]]:
    """Return what a rule takes, and the measures by coin if the table has coins."""
    if table.coins is None:
        (amount,) = budgets.values()
        return allocate(policy, table, min(amount, float(table.profits.sum())), seed), []
    taken, uncovered = np.zeros(len(table)), 0.0
    rows: list[Row] = []
    for name, amount in budgets.items():
        here = table.coins == name
        of_coin = table.rows(here)
        alone = AccountTable(of_coin.source, of_coin.users, of_coin.keys, None, of_coin.numbers)
        outcome = allocate(policy, alone, min(amount, float(alone.profits.sum())), seed)
        taken[here] = outcome.taken
        uncovered += outcome.uncovered
        rows.append({**measures(outcome, alone, amount), COIN: name})
    return Outcome(policy.name, taken, uncovered), rows


def _store(folder: Path, table: AccountTable, outcomes: Sequence[Outcome], rows: Sequence[Row]) -> None:
    """Write who loses how much, the measures and the figure; each file appears whole or not at all."""
    first: dict[str, Any] = {USER: table.users}
    if table.coins is not None:
        first[COIN] = table.coins
    who = pd.DataFrame({**first, "profit": table.profits, **{each.policy: each.taken for each in outcomes}})
    with advised("Choose another folder with --out."):
        with whole_file(folder / "allocation.csv") as part:
            who.to_csv(part, index=False)
        with whole_file(folder / "policies.csv") as part:
            pd.DataFrame(rows).to_csv(part, index=False)
        with whole_file(folder / "allocation.png") as part:
            save(allocation_figure(table, outcomes, rows), part)


def _print_rows(rows: Sequence[Row], table: AccountTable, screen: Console, *, by_coin: bool) -> None:
    """Print a line a rule, and a coin if there are coins."""
    all_of_them = [row for row in rows if row.get(COIN, "all") == "all"]
    profits, budget = table.profits, float(all_of_them[0]["budget_usd"])
    head = f"{short(budget)} of {short(float(profits.sum()))} profit of {(profits > 0).sum():,} accounts"
    screen.print(f"\n[bold]{escape(Path(table.source).name)}[/bold]: {head} is taken\n", highlight=False)
    screen.print(_grid(all_of_them, by_coin=False))
    if by_coin:
        screen.print(_grid([row for row in rows if row[COIN] != "all"], by_coin=True))
    screen.print(
        "\nLargest share of an account's profit; Gini of these shares (0: all alike,\n"
        "1: one loses all); share that the account with the largest profit loses.",
        highlight=False,
        style="dim",
    )


def _grid(rows: Sequence[Row], *, by_coin: bool) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*(["coin", "budget"] if by_coin else []), "rule"):
        grid.add_column(name, justify="left", overflow="fold")
    for name in ("hit", "fully", "largest share", "Gini", "top winner"):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        start = [escape(str(row[COIN])), short(row["budget_usd"])] if by_coin else []
        counts = [f"{row[name]:,}" for name in ("accounts_hit", "accounts_fully_wiped")]
        largest, top = (f"{row[name]:.2%}" for name in ("max_haircut_frac", "top_winner_haircut_frac"))
        grid.add_row(*start, escape(str(row["policy"])), *counts, largest, f"{row['gini_haircut_frac']:.3f}", top)
    return grid


def _print_notes(outcomes: Sequence[Outcome], without: Sequence[tuple[str, str]], screen: Console) -> None:
    """Say what a rule could not take, and which rules were left out."""
    for outcome in outcomes:
        if outcome.uncovered > 0:
            screen.print(
                f"{outcome.policy}: {outcome.uncovered:,.2f} not covered: all who have a weight have lost everything",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
    for name, missing in without:
        screen.print(f"{name}: left out, the table has no column {missing}", highlight=False, style="dim")
