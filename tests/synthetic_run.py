"""A made-up run folder in the layout of a real one, for tests of what reads run folders.

The numbers are drawn, not simulated; they only have to be plausible, and to agree with each other
where a reader relies on it.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from delever.experiments.folder import COLUMNS

STEP_S = 10
MULTIPLIER_ATOMS = 10_000  # tick 0.5 x lot 0.02


def write_run(
    folder: Path,
    *,
    seed: int = 1,
    hours: float = 6.0,
    symbols: tuple[str, ...] = ("BTC-PERP",),
    crash: bool = True,
    finished: bool = True,
) -> Path:
    """Write a run into `folder` and return it; without `crash` nobody is liquidated and the fund never moves."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    times = np.arange(0, int(hours * 3600), STEP_S)
    liquidations = _liquidations(random, times, len(symbols)) if crash else _empty("liquidations")
    fund = _fund(random, liquidations)
    series = pd.concat(
        [_series(random, times, market, liquidations, fund) for market in range(len(symbols))],
        ignore_index=True,
    ).sort_values(["step", "market"], ignore_index=True)
    adl = _adl(random, liquidations)
    for name, frame in {"series": series, "liquidations": liquidations, "adl": adl, "fund": fund}.items():
        frame[list(COLUMNS[name])].to_parquet(folder / f"{name}.parquet")
    manifest = {
        "format": 1,
        "scenario": {"name": "made-up", "dt_s": 1, "description": "Numbers drawn for a test."},
        "rules": {"name": "textbook"},
        "rules_hash": "0" * 64,
        "seed": seed,
        "markets": [
            {
                "symbol": s,
                "tick_size": 0.5,
                "lot_size": 0.02,
                "multiplier_atoms": MULTIPLIER_ATOMS,
                "price_max_ticks": 65536,
            }
            for s in symbols
        ],
        "cohorts": [{"name": "retail", "kind": "retail", "first_row": 0, "count": 900}],
        "delever": "0.1.0",
        "python": "3.11.0",
        "finished": finished,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if finished:
        (folder / "summary.json").write_text(json.dumps(_summary(seed, series, liquidations, adl, fund)))
    return folder


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series(dtype="object" if c in ("code", "cohort") else "int64") for c in COLUMNS[name]})


def _liquidations(random: np.random.Generator, times: np.ndarray, markets: int) -> pd.DataFrame:
    """Three bursts; within a burst each liquidation is the child of one of the last few before it."""
    start = np.sort(
        np.concatenate([times[-1] * at + random.exponential(240, n) for at, n in ((0.4, 40), (0.6, 400), (0.8, 60))])
    )
    n = len(start)
    ids = np.arange(1, n + 1)
    gap = np.diff(start, prepend=-1e9) > 60
    parent = np.where(gap, 0, np.maximum(0, ids - random.integers(1, 5, n)))
    lots = (random.pareto(1.3, n) * 500 + 20).astype(np.int64) * np.where(random.random(n) < 0.93, 1, -1)
    mark = (20_000 - 6_000 * start / times[-1]).astype(np.int64)
    value = np.abs(lots) * mark * MULTIPLIER_ATOMS
    adl_lots = np.where(random.random(n) < 0.1, np.abs(lots) // 2, 0)
    book = np.abs(lots) - adl_lots
    deficit = np.where(random.random(n) < 0.25, value // 200, 0)
    return pd.DataFrame(
        {
            "liquidation": ids, "parent": parent, "step": start.astype(np.int64), "time_s": start.astype(np.int64),
            "account": random.integers(0, 900, n), "cohort": "retail", "market": ids % markets, "isolated": 0,
            "lots": lots, "value_atoms": value, "mark_ticks": mark, "bankruptcy_ticks": mark - 100,
            "equity_atoms": value // 40 - deficit, "maintenance_atoms": value // 40, "book_lots": book,
            "book_atoms": book * mark * MULTIPLIER_ATOMS, "takeover_lots": 0, "adl_lots": adl_lots,
            "margin_lost_atoms": value // 25, "deficit_atoms": deficit, "end_step": start.astype(np.int64) + 3,
        }
    )  # fmt: skip


def _fund(random: np.random.Generator, liquidations: pd.DataFrame) -> pd.DataFrame:
    rows, balance = [(0, 0, "DEPOSIT", 3_000_000_000_000, 3_000_000_000_000, 0)], 3_000_000_000_000
    for row in liquidations.itertuples():
        paid = min(balance, int(row.deficit_atoms))
        for code, change in (("LIQUIDATION_FEE", int(row.value_atoms // 1000)), ("DEFICIT", -paid)):
            if change:
                balance += change
                rows.append((int(row.step), int(row.time_s), code, change, balance, int(row.liquidation)))
    return pd.DataFrame(rows, columns=list(COLUMNS["fund"]))


def _adl(random: np.random.Generator, liquidations: pd.DataFrame) -> pd.DataFrame:
    hit = liquidations[liquidations["adl_lots"] > 0]
    if hit.empty:
        return _empty("adl")
    return pd.DataFrame(
        {
            "step": hit["step"], "time_s": hit["time_s"], "market": hit["market"], "liquidation": hit["liquidation"],
            "account": hit["account"], "counterparty": random.integers(0, 900, len(hit)),
            "counterparty_cohort": "trend", "lots": hit["adl_lots"], "price_ticks": hit["mark_ticks"] + 50,
            "mark_ticks": hit["mark_ticks"],
            "value_atoms": hit["adl_lots"] * hit["mark_ticks"] * MULTIPLIER_ATOMS,
            "haircut_atoms": hit["adl_lots"] * 50 * MULTIPLIER_ATOMS,
        }
    )  # fmt: skip


def _series(
    random: np.random.Generator,
    times: np.ndarray,
    market: int,
    liquidations: pd.DataFrame,
    fund: pd.DataFrame,
) -> pd.DataFrame:
    n = len(times)
    fallen = 0.3 / (1 + np.exp(-12 * (times / times[-1] - 0.6))) if len(liquidations) else np.zeros(n)
    index = (20_000 * (1 - fallen) * np.exp(np.cumsum(random.normal(0, 0.0004, n)))).astype(np.int64)
    mine = liquidations[liquidations["market"] == market]
    bucket = (mine["time_s"] // STEP_S).to_numpy(dtype=np.int64)
    forced = np.bincount(bucket, mine["book_atoms"].to_numpy(dtype=float), minlength=n).astype(np.int64)[:n]
    mark = index - (index * np.minimum(forced / 3e14, 0.05)).astype(np.int64)
    balance = (
        fund.set_index("time_s")["balance_atoms"]
        .groupby(level=0)
        .last()
        .reindex(times, method="ffill")
        .astype(np.int64)
    )
    stress = np.convolve(np.bincount(bucket, minlength=n)[:n], np.ones(30), "same")
    return pd.DataFrame(
        {
            "step": times, "time_s": times, "market": market, "index_ticks": index, "mark_ticks": mark,
            "last_ticks": mark, "bid_ticks": mark - 1, "ask_ticks": mark + 1,
            "depth_bid_lots": 5000, "depth_ask_lots": 5000,
            "volume_lots": 900, "volume_atoms": forced + random.integers(1, 400, n) * 10**9, "forced_lots": 10,
            "forced_atoms": forced, "fills": 20, "open_interest_lots": (900_000 * (1 - 1.4 * fallen)).astype(np.int64),
            "funding_ppb": 10_000, "distressed": stress // 3, "called": stress + 5,
            "fund_equity_atoms": balance.to_numpy() + 10**9,
            "fund_balance_atoms": balance.to_numpy(),
            "backstop_equity_atoms": (5e11 * (1 - fallen)).astype(np.int64), "bad_debt_atoms": 0, "socialised_atoms": 0,
            "margin_ratio_p50_ppm": (350_000 + 500_000 * fallen).astype(np.int64),
            "margin_ratio_p90_ppm": (700_000 + 200_000 * fallen).astype(np.int64),
            "long_leverage_ppm": (6e6 + 9e6 * fallen * (1 - fallen)).astype(np.int64),
            "short_leverage_ppm": (4e6 - 3e6 * fallen).astype(np.int64),
        }
    ).astype("int64")  # fmt: skip


def _summary(
    seed: int, series: pd.DataFrame, liquidations: pd.DataFrame, adl: pd.DataFrame, fund: pd.DataFrame
) -> dict[str, object]:
    mark = series.loc[series["market"] == 0, "mark_ticks"]
    paid = -int(fund.loc[fund["amount_atoms"] < 0, "amount_atoms"].sum())
    traded, forced = int(series["volume_atoms"].sum()), int(series["forced_atoms"].sum())
    return {
        "scenario": "made-up", "rules": "textbook", "seed": seed, "digest": "ab" * 32, "accounts": 900,
        "steps": int(series["step"].max()) + 1, "commands": 1_234_567, "fills": int(series["fills"].sum()),
        "liquidations": len(liquidations), "liquidated_notional": int(liquidations["value_atoms"].sum()) / 1e6,
        "max_drawdown": float((1 - mark / mark.cummax()).max()),
        "insurance_fund_start": fund["balance_atoms"].iloc[0] / 1e6,
        "insurance_fund_min": fund["balance_atoms"].min() / 1e6,
        "insurance_fund_end": fund["balance_atoms"].iloc[-1] / 1e6, "adl_fills": len(adl),
        "adl_notional": int(adl["value_atoms"].sum()) / 1e6, "socialised_loss": 0.0, "bad_debt": 0.0,
        "unfinished_cascades": 0, "conservation_error": 0, "commands_per_s": 250_000.0, "wall_s": 4.9,
        "volume_notional": traded / 1e6, "forced_notional": forced / 1e6, "forced_share": forced / traded,
        "margin_calls": 321, "refusals": {"COLLAR": 12, "MARGIN": 34}, "events_chain": "0" * 16,
        "waterfall": {
            "own_margin": int(liquidations["margin_lost_atoms"].sum()) / 1e6, "fund": paid / 1e6, "members": 0.0,
            "backstop": 0.0,
            "adl": int(adl["haircut_atoms"].sum()) / 1e6, "socialised": 0.0, "bad_debt": 0.0,
        },
    }  # fmt: skip
