"""The plain-words account of a run: what happened, in order, for a reader who is new to the subject."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .facts import (
    MINUTE_S,
    backstop_equity,
    deepest_fall,
    fund_movements,
    liquidations_by_cohort,
    most_forced_market,
    steepest_minute,
    waterfall_paid,
)
from .failures import tell_failures
from .folder import RunFolder
from .metrics.cascades import (
    branching_from_counts,
    branching_ratio,
    causal_cascades,
    closed_atoms,
    counts_in_windows,
    episodes,
    gap_cascades,
    peak_minute_share,
)
from .metrics.losses import (
    bad_debt_ratio,
    closed_by_way_atoms,
    drawdown,
    fund_flows_atoms,
    recovery_rate,
    shortfall_atoms,
    time_under_water_s,
)
from .words import LAYER_NAMES, amount, clock, code_words, count_of, duration, three_figures

WAYS_IN_WORDS = {
    "book": "found a counterparty in the book",
    "takeover": "was taken over by the fund or by backstop providers",
    "adl": "was closed against winners",
}


class Chapter(NamedTuple):
    """A heading, its paragraphs, the terms a reader may not know, and the pictures that belong to it."""

    heading: str
    paragraphs: list[str]
    terms: tuple[str, ...]
    pictures: tuple[str, ...]


def tell(run: RunFolder) -> list[Chapter]:
    """Return the account of a run, finished or interrupted, in chapters."""
    failed = tell_failures(run)
    return [
        *([Chapter("What failed", failed, (), ())] if failed else []),
        Chapter(
            "The price",
            _price(run),
            ("mark price", "index", "liquidation", "maintenance margin"),
            tuple(f"price{end}" for end in ["", *(f"-{symbol}" for symbol in run.symbols)]),
        ),
        Chapter(
            "Positions and margin", _margin(run), ("open interest", "leverage", "equity", "margin call"), ("margin",)
        ),
        Chapter("The cascade", _cascade(run), ("cascade", "branching ratio"), ("sizes",)),
        Chapter(
            "Who paid",
            _payers(run),
            ("bankruptcy price", "takeover", "auto-deleveraging (ADL)", "haircut", "socialised loss"),
            ("losses",),
        ),
        Chapter("The insurance fund", _fund(run), ("insurance fund", "backstop"), ("fund",)),
    ]


def headline(run: RunFolder) -> str:
    """Return the run in one or two sentences."""
    if run.liquidations.empty:
        return "Nobody was liquidated."
    begun = count_of(run.liquidations["account"].nunique(), "account")
    fall = deepest_fall(run, most_forced_market(run))
    share = run.summary.get("max_drawdown", fall.share if fall else 0.0)
    fell = f"The price fell by {_percent(share)}; " if share else ""
    paid = [layer for layer, units in waterfall_paid(run).items() if units > 0]
    last = f" The last to pay: {LAYER_NAMES[paid[-1]]}." if paid else ""
    return (
        f"{fell}{begun} lost positions worth {run.currency.told(closed_atoms(run.liquidations).sum())} by force.{last}"
    )


def _price(run: RunFolder) -> list[str]:
    market = most_forced_market(run)
    fall, minute = deepest_fall(run, market), steepest_minute(run, market)
    if fall is None:
        return ["The run was interrupted before anything was recorded."]
    told = [
        f"The deepest fall of {run.symbols[market]} took the mark price from {fall.from_price:,.6g} at "
        f"{clock(fall.from_s)} to {fall.to_price:,.6g} at {clock(fall.to_s)}: {_percent(fall.share)} in "
        f"{duration(fall.to_s - fall.from_s)}, as far as it was recorded."
    ]
    if minute is not None:
        told.append(f"The worst minute began at {clock(minute.from_s)}: {_percent(minute.share)} down.")
    return [*told, _dislocation(run, market), _beginning(run, market)]


def _dislocation(run: RunFolder, market: int) -> str:
    rows = run.series[run.series["market"] == market]
    apart = ((rows["mark_ticks"] - rows["index_ticks"]) / rows["index_ticks"]).to_numpy()
    widest = int(np.abs(apart).argmax())
    gap = float(apart[widest])
    if gap == 0:
        return "The mark never left the index."
    return (
        f"At {clock(rows['time_s'].iloc[widest])} the mark stood furthest from the index, {_percent(abs(gap))} "
        f"{'below' if gap < 0 else 'above'} it: the part of the movement that this venue made itself."
    )


def _beginning(run: RunFolder, market: int) -> str:
    if run.liquidations.empty:
        return "Nobody was liquidated."
    first = run.liquidations.sort_values(["time_s", "liquidation"]).iloc[0]
    rows = run.series[run.series["market"] == market]
    moved = float(first["mark_ticks"]) / float(rows["mark_ticks"].iloc[0]) - 1
    if int(first["market"]) != market or moved == 0:
        return f"The first liquidation began at {clock(first['time_s'])}."
    way = "fallen" if moved < 0 else "risen"
    return (
        f"The first liquidation began at {clock(first['time_s'])}, when the price had {way} "
        f"{_percent(abs(moved))} since the start."
    )


def _margin(run: RunFolder) -> list[str]:
    market = most_forced_market(run)
    rows = run.series[run.series["market"] == market]
    if rows.empty:
        return []
    interest = rows["open_interest_lots"]
    first, peak, last = (
        f"{run.size(lots, market):,.6g}" for lots in (interest.iloc[0], interest.max(), interest.iloc[-1])
    )
    leverage = rows["long_leverage_ppm"].to_numpy()
    high = int(leverage.argmax())
    told = [
        f"Open interest in {run.symbols[market]} began at {first} contracts, reached {peak} and ended at {last}.",
        f"The longs together were most stretched at {clock(rows['time_s'].iloc[high])}, with positions worth "
        f"{three_figures(float(leverage[high]) / 1e6)} times their equity.",
    ]
    calls = run.summary.get("margin_calls")
    return [*told, f"The venue sent {count_of(int(calls), 'margin call')}."] if calls else told


def _cascade(run: RunFolder) -> list[str]:
    hit = run.liquidations
    if hit.empty:
        return ["There was no liquidation, so there was no cascade."]
    longs, shorts = int((hit["lots"] > 0).sum()), int((hit["lots"] < 0).sum())
    ratio = branching_ratio(hit)
    told = [
        f"{count_of(hit['account'].nunique(), 'account')} came under liquidation, "
        f"{count_of(hit['liquidation'].nunique(), 'time')} in all ({count_of(longs, 'long position')}, "
        f"{count_of(shorts, 'short position')}); positions worth "
        f"{run.currency.told(closed_atoms(hit).sum())} were closed.",
        _largest(run, causal_cascades(hit)) if ratio else "No liquidation was caused by another.",
        f"One liquidation caused {three_figures(ratio)} others on average (branching ratio){_by_counts(run)}. Counting "
        f"all liquidations less than 5 seconds apart as one wave, whatever caused them, there were "
        f"{count_of(len(gap_cascades(hit)), 'wave')}.",
    ]
    peak = peak_minute_share(run.series)
    if not np.isnan(peak):
        told.append(f"The busiest minute saw {_percent(peak)} of everything that was traded by force.")
    return told + _cohorts(run)


def _by_counts(run: RunFolder) -> str:
    """Return the branching ratio as somebody would estimate it who sees only how many liquidations a minute has."""
    times = episodes(run.liquidations)["time_s"]
    ratio = branching_from_counts(counts_in_windows(times, MINUTE_S, int(times.max())))
    return "" if np.isnan(ratio) else f"; from the counts per minute alone one would estimate {three_figures(ratio)}"


def _largest(run: RunFolder, cascades: pd.DataFrame) -> str:
    """Describe the cascade of the most liquidations, of several the one of the largest value."""
    one = cascades.sort_values(["liquidations", "closed_atoms"], ascending=False, kind="stable").iloc[0]
    return (
        f"The largest cascade began at {clock(one['start_s'])} with liquidation {int(one['root'])} and drew in "
        f"{count_of(int(one['liquidations']), 'liquidation')} of {count_of(int(one['accounts']), 'account')}, worth "
        f"{run.currency.told(one['closed_atoms'])}, within {duration(one['duration_s'])}. Its longest "
        f"chain of cause and effect "
        f"has {count_of(int(one['depth']), 'link')}; its largest generation "
        f"{count_of(int(one['width']), 'liquidation')}. Half of its value was under way after {duration(one['t50_s'])}."
    )


def _cohorts(run: RunFolder) -> list[str]:
    table = liquidations_by_cohort(run)
    columns = (table[name].tolist() for name in ("cohort", "accounts", "lost"))
    parts = [
        f"{cohort}: {count_of(accounts, 'account')}, {amount(lost)} {run.currency.name}"
        for cohort, accounts, lost in zip(*columns, strict=True)
    ]
    return [f"By kind of trader, liquidated accounts and the margin they lost: {'; '.join(parts)}."]


def _payers(run: RunFolder) -> list[str]:
    paid = waterfall_paid(run)
    order = [
        f"{LAYER_NAMES[layer]} ({amount(units)} {run.currency.name})" for layer, units in paid.items() if units > 0
    ]
    told = [f"In the order in which they pay: {', then '.join(order)}." if order else "Nobody lost anything."]
    if paid["fund"] < 0:
        told.append(f"The insurance fund gained {amount(-paid['fund'])} {run.currency.name} on positions it took over.")
    if len(run.liquidations):
        told += _recovered(run)
    return [*told, _deleveraged(run)] if len(run.adl) else told


def _recovered(run: RunFolder) -> list[str]:
    """Say which way positions were closed, and how much of their value was recovered without anybody's help."""
    liquidations = run.liquidations
    closed, short_of = closed_by_way_atoms(liquidations), shortfall_atoms(liquidations)
    whole = sum(closed.values())
    if not whole:
        return []
    ways = [f"{_percent(closed[way] / whole)} {words}" for way, words in WAYS_IN_WORDS.items() if closed[way]]
    told = [f"Of the value that was closed, {', '.join(ways)}."]
    if short_of:
        told.append(
            f"Liquidated accounts ended {run.currency.told(short_of)} below zero, "
            f"{_percent(bad_debt_ratio(liquidations, whole))} of the value that was closed."
        )
    if short_of or closed["book"] < whole:
        told.append(
            f"{_percent(recovery_rate(liquidations))} was recovered without help: in the book, less what accounts "
            "ended below zero. After a takeover or deleveraging at the bankruptcy price an account ends with nothing "
            "instead of a debt, but somebody else has its position."
        )
    return told


def _deleveraged(run: RunFolder) -> str:
    lost = int(run.adl["haircut_atoms"].sum())
    return (
        f"{count_of(run.adl['counterparty'].nunique(), 'winner')} had positions worth "
        f"{run.currency.told(run.adl['value_atoms'].sum())} closed against bankrupt accounts, and together got "
        f"{run.currency.told(abs(lost))} {'less' if lost >= 0 else 'more'} than at the mark."
    )


def _fund(run: RunFolder) -> list[str]:
    rows = run.series.drop_duplicates("step")
    if rows.empty:
        return []
    cash, times = rows["fund_balance_atoms"], rows["time_s"]
    fall = drawdown(times, cash)
    told = [f"The fund began with {run.currency.told(cash.iloc[0])} and ended with {run.currency.told(cash.iloc[-1])}."]
    flows = fund_flows_atoms(fund_movements(run))
    for side, verb in (("in_atoms", "Into it came"), ("out_atoms", "Out of it went")):
        paid = [
            f"{run.currency.told(atoms)} ({code_words(code)})"
            for code, atoms in zip(flows["code"].tolist(), flows[side].tolist(), strict=True)
            if atoms
        ]
        if paid:
            told.append(f"{verb} {', '.join(paid)}.")
    if fall.depth > 0:
        told.append(
            f"Its deepest fall took {run.currency.told(fall.depth)} between {clock(fall.peak_s)} and "
            f"{clock(fall.trough_s)}; at "
            f"its lowest it held {run.currency.told(cash.min())}. The longest time it stayed below an earlier high was "
            f"{duration(time_under_water_s(times, cash))}."
        )
    return told + _backstop(run)


def _backstop(run: RunFolder) -> list[str]:
    """Say what became of the money of the backstop providers, if anything did."""
    equity = backstop_equity(run)
    if equity is None:
        return []
    times = run.series.drop_duplicates("step")["time_s"].to_numpy()
    return [
        f"Backstop providers, who take over what the book leaves, began with {amount(equity[0])} "
        f"{run.currency.name} and ended with "
        f"{amount(equity[-1])}; at {clock(times[equity.argmin()])} they had least, {amount(equity.min())}."
    ]


def _percent(share: float) -> str:
    return "more than 99.9 %" if 0.9995 <= share < 1 else f"{three_figures(100 * share)} %"
