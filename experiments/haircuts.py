"""What a rule of deleveraging takes from whom, on a table of accounts, and how unequal that is.

Scores and weights are those of the engine (`Deleveraging.scores`); a queue is filled best score first, pro rata in
proportion to the weight up to each account's profit (`delever.engine.allocation`).
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from delever.engine.allocation import PART_CAP, PART_COLUMNS, PART_DUE, PART_KEY, fill_queue, split, spread
from delever.engine.chance import draw
from delever.engine.rules.deleveraging import Deleveraging, Holders
from delever.engine.tables import FAIREST, QUEUE

from .account_table import USUAL, AccountTable, Floats
from .errors import UserError

EXACT = 2**61
FULL_FROM = 1.0 - 1e-9
"""From this share of a profit on an account counts as fully closed: the last digits of a sum are not its fault."""


class Policy(NamedTuple):
    """A rule by the name under which its results are reported, and the columns it needs beside the profit."""

    name: str
    rule: Deleveraging
    columns: tuple[str, ...]
    words: str


def _policy(name: str, rank: str, columns: str, words: str) -> Policy:
    return Policy(name, Deleveraging.model_validate({"rank": rank}), tuple(columns.split()), words)


POLICIES = (
    _policy("queue_pnlpct_x_leverage", "leveraged_return", "pnl_percent leverage_realtime", "profit share x leverage"),
    _policy("queue_pnl_usd", "pnl", "", "the largest profit first"),
    _policy("queue_leverage", "leverage", "leverage_realtime", "the highest leverage first"),
    _policy("prorata_pnl", "pro_rata_pnl", "", "everybody the same share of the profit"),
    _policy("prorata_equity_capped", "pro_rata_equity", "account_value_realtime", "by equity"),
    _policy("prorata_leverage_x_pnl_capped", "pro_rata_leverage_pnl", "leverage_realtime", "by leverage x profit"),
    _policy(
        "queue_effective_leverage", "pnl_leverage", "pnl_percent leverage_realtime",
        "BitMEX: profit share x leverage, of losers over leverage",
    ),
    _policy("queue_size", "size", "adl_notional", "the largest position first"),
    _policy("queue_random_start", "random_start", "", "in order of ids from a drawn one on"),
    _policy(
        "queue_entry_x_leverage", "entry_leverage", "pnl_percent adl_notional account_value_realtime side",
        "Hyperliquid: mark / entry x leverage",
    ),
    _policy(
        "queue_pnl_x_margin_ratio", "pnl_margin", "account_value_realtime maintenance",
        "Binance: profit share x margin ratio",
    ),
    _policy("prorata_contracts", "pro_rata_lots", "adl_notional", "by value of the positions"),
    _policy("prorata_capped_wealth", "pro_rata_wealth", "account_value_realtime", "by profit, at most equity"),
    _policy("min_max_contracts", "min_max", "adl_notional", "whole contracts, the largest share as small as can be"),
)  # fmt: skip
OPTIONAL = ("side", "maintenance")
"""Columns without which a rule is left out when all are asked for."""


class Listed(Holders):
    """Accounts as a rule sees them, in the money of the table; shares and leverages are given, not worked out."""

    given: tuple[Floats, Floats]

    @property
    def gain(self) -> Floats:
        """Profit as a share of the value at entry."""
        return self.given[0]

    @property
    def leverage(self) -> Floats:
        """Leverage of the account, 0 to 40."""
        return self.given[1]


class Outcome(NamedTuple):
    """What one rule took."""

    policy: str
    taken: Floats
    """(n,) from each row."""
    uncovered: float
    """What nobody with a weight could give."""


def find_policy(name: str) -> Policy:
    """Return a rule by its name, by the word of `deleveraging.rank`, or out of a Python file; raise UserError."""
    for policy in POLICIES:
        if name in (policy.name, policy.rule.rank):
            return policy
    if name.endswith(".py"):
        return _own_policy(Path(name))
    names = ", ".join(policy.name for policy in POLICIES)
    raise UserError(f"unknown rule {name!r}: there are {names}; a rule of your own is a Python file (docs/allocate.md)")


def _own_policy(path: Path) -> Policy:
    """Return the rule of a Python file: its one subclass of Deleveraging with a `scores` of its own."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; a rule is one of those listed, or a Python file")
    spec = importlib.util.spec_from_file_location(f"delever_rule_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  (whatever a file of the user's raises is told to the user)
        raise UserError(f"{path}: cannot be run: {type(error).__name__}: {error}") from None
    found = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Deleveraging) and kind.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"{path}: must hold one subclass of Deleveraging with a method scores (it holds {len(found)})")
    try:
        return Policy(path.stem, found[0](), (), str(found[0].__doc__ or path.stem))
    except ValueError as error:
        raise UserError(f"{path}: {found[0].__name__}() is refused: {error}") from None


def columns_needed(policies: list[Policy], *, all_of_them: bool) -> list[str]:
    """Return the columns the rules need; when all rules are asked for those every table should have."""
    if all_of_them:
        return list(USUAL)
    return list(dict.fromkeys(["closed_pnl", *(column for policy in policies for column in policy.columns)]))


def allocate(policy: Policy, accounts: AccountTable, budget: float, seed: int = 0) -> Outcome:
    """Return what a rule takes from each row for a budget of at most all profits; nothing is modified."""
    profits = accounts.profits
    assert 0 < budget <= profits.sum() * (1 + 1e-12)
    winners = profits > 0
    rows = accounts.rows(winners)
    if policy.rule.spread == FAIREST and type(policy.rule).scores is Deleveraging.scores:
        given = _whole_contracts(rows, budget)
    else:
        scores = _scores(policy, rows, seed)
        if policy.rule.spread == QUEUE:
            given = _filled(scores, rows, budget)
        else:
            given = spread(np.maximum(0.0, scores), rows.profits, budget)
    taken = np.zeros(len(accounts))
    taken[winners] = given
    short = budget - float(given.sum())
    return Outcome(policy.name, taken, short if short > 1e-9 * budget else 0.0)


def _scores(policy: Policy, rows: AccountTable, seed: int) -> Floats:
    """Let the rule score the rows; raise UserError if a rule of the user's own does not give numbers."""
    own = type(policy.rule) is not Deleveraging
    try:
        scores = np.asarray(policy.rule.scores(_listed(rows, seed, own=own)), dtype=np.float64)
    except UserError:
        raise
    except Exception as error:
        if not own:
            raise
        raise UserError(f"{policy.name}: scores fails: {type(error).__name__}: {error}") from None
    if (
        scores.shape != (len(rows),)
        or np.isnan(scores).any()
        or (policy.rule.spread != QUEUE and np.isinf(scores).any())
    ):
        raise UserError(f"{policy.name}: scores must give each of the {len(rows)} accounts a number")
    return scores


def _listed(rows: AccountTable, seed: int, *, own: bool) -> Listed:
    """Return the rows as a rule sees holders of positions; what the table does not say is 0 (a side: long)."""
    nothing = np.zeros(len(rows))
    numbers = {name: rows.numbers.get(name, nothing) for name in (*USUAL, "maintenance")}
    side = rows.numbers.get("side", nothing + 1.0)
    value = np.maximum(numbers["adl_notional"], 0.0)
    gain, equity = numbers["pnl_percent"] / 100.0, numbers["account_value_realtime"]
    paid = 1.0 + side * gain
    if "side" in rows.numbers and (paid <= 0).any():
        raise UserError(f"{rows.source}: pnl_percent of a short cannot be 100 or more, of a long -100 or less")
    cost = side * value / np.where(paid > 0, paid, 1.0)
    balance = rows.numbers.get("balance", equity - rows["closed_pnl"])
    draws = np.array([draw(seed, 0, 0, key) for key in rows.keys.tolist()], dtype=np.int64)
    lots = side * np.maximum(value, np.finfo(np.float64).tiny)
    columns = (lots, cost, value, rows["closed_pnl"], balance, equity, numbers["maintenance"], rows.keys, draws)
    listed = Listed(*(cast(Any, column) for column in columns))
    # A rank only compares: the venue's own take percents as they are, so that ties in a table stay ties.
    listed.given = (gain if own else numbers["pnl_percent"], numbers["leverage_realtime"])
    return listed


def _filled(scores: Floats, rows: AccountTable, budget: float) -> Floats:
    """Fill a queue; money is counted in a decimal unit so small that what a table says is exact."""
    digits = min(12, math.floor(math.log10(EXACT / float(rows.profits.sum()))))
    unit = 10.0**digits
    parts = _parts(rows, np.rint(rows.profits * unit))
    fill_queue(scores, parts, min(round(budget * unit), int(parts[:, PART_CAP].sum())))
    full = parts[:, PART_DUE] == parts[:, PART_CAP]
    return np.where(full, rows.profits, parts[:, PART_DUE] / unit)


def _whole_contracts(rows: AccountTable, budget: float) -> Floats:
    """Close as few whole contracts as bring the budget, the largest share of anybody's as small as can be (R-W84)."""
    contracts = np.ceil(np.maximum(1.0, rows["contracts" if "contracts" in rows.numbers else "adl_notional"]))
    if contracts.sum() > EXACT:
        raise UserError(f"{rows.source}: more contracts than can be counted; give a column contracts of larger ones")

    def taken(closed: int) -> Floats:
        parts = _parts(rows, contracts)
        left = split(contracts, parts, 0, len(rows), closed, True)
        assert left == 0
        return rows.profits * (parts[:, PART_DUE] / contracts)

    low, high = 1, int(contracts.sum())
    while low < high:
        middle = (low + high) // 2
        if taken(middle).sum() >= budget:
            high = middle
        else:
            low = middle + 1
    return taken(low)


def _parts(rows: AccountTable, caps: Floats) -> NDArray[np.int64]:
    """Return the table that `fill_queue` and `split` work on."""
    parts = np.zeros((len(rows), PART_COLUMNS), dtype=np.int64)
    parts[:, PART_CAP] = caps
    parts[:, PART_KEY] = rows.keys
    return parts


def measures(outcome: Outcome, accounts: AccountTable, budget: float) -> dict[str, str | float | int]:
    """Return what is told of an outcome: numbers hit, largest share, how unequal, what the top winner loses.

    Shares of profits are of those who have a profit; amounts are of all accounts. With coins, an account's rows count
    together.
    """
    taken, profits, keys = outcome.taken, accounts.profits, accounts.keys
    if accounts.coins is not None:
        count = int(keys.max()) + 1
        taken = np.bincount(keys, weights=taken, minlength=count).astype(np.float64)
        profits = np.bincount(keys, weights=profits, minlength=count).astype(np.float64)
        keys = np.arange(count, dtype=np.int64)
    share = np.divide(taken, profits, out=np.zeros_like(taken), where=profits > 0)
    top = np.lexsort((keys, -profits))[0]
    parts = taken / max(taken.sum(), np.finfo(float).tiny)  # all 0 where nobody has a weight
    return {
        "budget_usd": float(budget),
        "policy": outcome.policy,
        "accounts_hit": int((taken > 0).sum()),
        "accounts_fully_wiped": int((share >= FULL_FROM).sum()),
        "max_haircut_frac": float(share.max()),
        "gini_haircut_frac": gini(share[profits > 0]),
        "gini_haircut_usd": gini(taken),
        "hhi_haircut_usd": float((parts**2).sum()),
        "top_winner_haircut_frac": float(share[top]),
        "ptsr_like_max_post_pnl_over_budget": float((profits - taken).max() / budget),
    }


def gini(values: Floats) -> float:
    """Return the Gini coefficient of amounts that are not negative: 0 if all are alike."""
    ordered = np.sort(values)
    total, n = float(ordered.sum()), len(ordered)
    if total == 0:
        return 0.0
    return max(0.0, float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n))
