"""The plain-words account of a run: what happened, in the order in which it happened, for a reader new to the subject."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .facts import ATOMS_PER_QUOTE, deepest_fall, liquidations_by_cohort, most_forced_market, steepest_minute, waterfall_quote
from .folder import RunFolder
from .metrics.cascades import branching_ratio, causal_cascades, closed_atoms, gap_cascades, peak_minute_share
from .metrics.losses import drawdown, recovery_rate, time_under_water_s
from .words import LAYER_NAMES, amount, clock, count_of, duration, three_figures


class Chapter(NamedTuple):
    """A heading, its paragraphs, the terms a reader may not know, and the pictures that belong to it."""

    heading: str
    paragraphs: list[str]
    terms: tuple[str, ...]
    pictures: tuple[str, ...]


def tell(run: RunFolder) -> list[Chapter]:
    """Return the account of a run, finished or interrupted, in chapters."""
    return [
        Chapter(
            "The price",
            _price(run),
            ("mark price", "index", "liquidation", "maintenance margin"),
            tuple(f"price{end}" for end in ["", *(f"-{symbol}" for symbol in run.symbols)]),
        ),
        Chapter("Positions and margin", _margin(run), ("open interest", "leverage", "equity", "margin call"), ("margin",)),
        Chapter("The cascade", _cascade(run), ("cascade", "branching ratio"), ("sizes",)),
        Chapter(
            "Who paid",
            _payers(run),
            ("bankruptcy price", "takeover", "auto-deleveraging (ADL)", "haircut", "socialised loss"),
            ("losses",),
        ),
        Chapter("The insurance fund", _fund(run), ("insurance fund",), ("fund",)),
    ]


def headline(run: RunFolder) -> str:
    """Return the run in one sentence."""
    begun = count_of(run.liquidations["account"].nunique(), "account")
    if run.liquidations.empty:
        return "Nobody was liquidated."
    closed = amount(float(closed_atoms(run.liquidations).sum()) / ATOMS_PER_QUOTE)
    fall = deepest_fall(run, most_forced_market(run))
    share = run.summary.get("max_drawdown", fall.share if fall else 0.0)
    fell = f"The price fell by {three_figures(100 * share)} %; " if share else ""
    paid = [layer for layer, quote in waterfall_quote(run).items() if quote > 0]
    last = f" The last to pay: {LAYER_NAMES[paid[-1]]}." if paid else ""
    return f"{fell}{begun} lost positions worth {closed} quote by force.{last}"


def _price(run: RunFolder) -> list[str]:
    market = most_forced_market(run)
    symbol, fall = run.symbols[market], deepest_fall(run, market)
    if fall is None:
        return ["The run was interrupted before anything was recorded."]
    told = [
        f"The deepest fall of {symbol} took the mark price from {fall.from_price:,.6g} at {clock(fall.from_s)} to "
        f"{fall.to_price:,.6g} at {clock(fall.to_s)}: {three_figures(100 * fall.share)} % in {duration(fall.to_s - fall.from_s)}."
    ]
    minute = steepest_minute(run, market)
    if minute is not None:
        told.append(f"The worst minute began at {clock(minute.from_s)}: {three_figures(100 * minute.share)} % down.")
    rows = run.series[run.series["market"] == market]
    apart = (rows["mark_ticks"] - rows["index_ticks"]) / rows["index_ticks"]
    widest = int(apart.abs().idxmax())
    told.append(
        f"At {clock(rows['time_s'][widest])} the mark stood furthest from the index, "
        f"{three_figures(100 * abs(float(apart[widest])))} % {'below' if apart[widest] < 0 else 'above'} it: "
        "the part of the movement that this venue made itself."
        if apart[widest]
        else "The mark never left the index."
    )
    hit = run.liquidations
    if hit.empty:
        return [*told, "Nobody was liquidated."]
    first = hit.sort_values(["time_s", "liquidation"]).iloc[0]
    start = float(rows["mark_ticks"].iloc[0])
    moved = float(first["mark_ticks"]) / start - 1 if int(first["market"]) == market else 0.0
    way = "fallen" if moved < 0 else "risen"
    where = f", when the price had {way} {three_figures(100 * abs(moved))} % since the start" if moved else ""
    told.append(f"The first liquidation began at {clock(first['time_s'])}{where}.")
    return told


def _margin(run: RunFolder) -> list[str]:
    market = most_forced_market(run)
    rows = run.series[run.series["market"] == market]
    if rows.empty:
        return []
    first, last = float(rows["open_interest_lots"].iloc[0]), float(rows["open_interest_lots"].iloc[-1])
    peak = float(rows["open_interest_lots"].max())
    told = [
        f"Open interest in {run.symbols[market]} began at {run.size(first, market):,.6g} contracts, reached "
        f"{run.size(peak, market):,.6g} and ended at {run.size(last, market):,.6g}."
    ]
    high = rows["long_leverage_ppm"].idxmax()
    told.append(
        f"The longs together were most stretched at {clock(rows['time_s'][high])}, with positions worth "
        f"{three_figures(float(rows['long_leverage_ppm'][high]) / 1e6)} times their equity."
    )
    calls = run.summary.get("margin_calls")
    if calls:
        told.append(f"The venue sent {count_of(int(calls), 'margin call')}.")
    return told


def _cascade(run: RunFolder) -> list[str]:
    hit = run.liquidations
    if hit.empty:
        return ["There was no liquidation, so there was no cascade."]
    closed = float(closed_atoms(hit).sum()) / ATOMS_PER_QUOTE
    longs, shorts = int((hit["lots"] > 0).sum()), int((hit["lots"] < 0).sum())
    told = [
        f"{count_of(hit['account'].nunique(), 'account')} came under liquidation, {count_of(hit['liquidation'].nunique(), 'time')} "
        f"in all ({count_of(longs, 'long position')}, {count_of(shorts, 'short position')}); positions worth {amount(closed)} "
        "quote were closed."
    ]
    largest = causal_cascades(hit).iloc[0]
    told.append(_largest(largest) if largest["liquidations"] > 1 else "No liquidation was caused by another.")
    ratio = branching_ratio(hit)
    waves = len(gap_cascades(hit))
    told.append(
        f"One liquidation caused {three_figures(ratio)} others on average (branching ratio). Counting all liquidations less than "
        f"5 seconds apart as one wave, whatever caused them, there were {count_of(waves, 'wave')}."
    )
    peak = peak_minute_share(run.series)
    if not np.isnan(peak):
        told.append(f"The busiest minute saw {three_figures(100 * peak)} % of everything that was traded by force.")
    return told + _cohorts(run)


def _largest(cascade: dict[str, float]) -> str:
    return (
        f"The largest cascade by value began at {clock(cascade['start_s'])} with liquidation {int(cascade['root'])} and drew in "
        f"{count_of(int(cascade['liquidations']), 'liquidation')} of {count_of(int(cascade['accounts']), 'account')}, "
        f"{amount(cascade['closed_atoms'] / ATOMS_PER_QUOTE)} quote, within {duration(cascade['duration_s'])}. Its longest "
        f"chain of cause and effect has {count_of(int(cascade['depth']), 'link')}; its largest generation "
        f"{count_of(int(cascade['width']), 'liquidation')}. Half of it was under way after {duration(cascade['t50_s'])}."
    )


def _cohorts(run: RunFolder) -> list[str]:
    table = liquidations_by_cohort(run)
    parts = [
        f"{row.cohort}: {count_of(int(row.accounts), 'account')}, {amount(float(row.lost_quote))} quote"
        for row in table.itertuples()
    ]
    return [f"By kind of trader, liquidated accounts and the margin they lost: {'; '.join(parts)}."] if parts else []


def _payers(run: RunFolder) -> list[str]:
    paid = waterfall_quote(run)
    order = [f"{LAYER_NAMES[layer]} ({amount(quote)} quote)" for layer, quote in paid.items() if quote > 0]
    told = [f"In the order in which the rules make them pay: {', then '.join(order)}." if order else "Nobody lost anything."]
    if paid["fund"] < 0:
        told.append(f"The insurance fund gained {amount(-paid['fund'])} quote on positions it took over.")
    rate = recovery_rate(run.liquidations)
    if not np.isnan(rate):
        told.append(
            f"Liquidated accounts ended {amount(run.liquidations['deficit_atoms'].sum() / ATOMS_PER_QUOTE)} quote below zero; "
            f"{three_figures(100 * rate)} % of the value of their positions was recovered without help."
        )
    adl = run.adl
    if len(adl):
        lost = float(adl["haircut_atoms"].sum()) / ATOMS_PER_QUOTE
        told.append(
            f"{count_of(adl['counterparty'].nunique(), 'winner')} had positions worth {amount(adl['value_atoms'].sum() / ATOMS_PER_QUOTE)} "
            f"quote closed against bankrupt accounts, and together got {amount(abs(lost))} quote "
            f"{'less' if lost >= 0 else 'more'} than at the mark."
        )
    return told


def _fund(run: RunFolder) -> list[str]:
    rows = run.series.drop_duplicates("step")
    if rows.empty:
        return []
    cash = rows["fund_balance_atoms"] / ATOMS_PER_QUOTE
    times = rows["time_s"]
    fall = drawdown(times, cash)
    told = [f"The fund began with {amount(cash.iloc[0])} quote and ended with {amount(cash.iloc[-1])}."]
    if fall.depth > 0:
        told.append(
            f"Its deepest fall took {amount(fall.depth)} quote between {clock(fall.peak_s)} and {clock(fall.trough_s)}; at its "
            f"lowest it held {amount(cash.min())}. The longest time it stayed below an earlier high was "
            f"{duration(time_under_water_s(times, cash))}."
        )
    return told
