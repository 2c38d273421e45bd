"""Plain words for what tables call by short names: measures, layers, reasons of payments, times, amounts, terms."""

from __future__ import annotations

import math
import string
from typing import NamedTuple

MANY = 6
"""More rule sets than this have a line each in tables and figures: letters and blocks can no longer be read."""

LAYER_NAMES = {
    "own_margin": "the liquidated traders' own margin",
    "fund": "the insurance fund",
    "members": "clearing members (contributions, assessments)",
    "backstop": "backstop providers and keepers",
    "adl": "winners who were deleveraged",
    "socialised": "all winners together (socialised loss)",
    "bad_debt": "nobody: the venue's bad debt",
}

LAYER_WORDS = {
    "own_margin": "own margin",
    "fund": "fund",
    "members": "members",
    "backstop": "backstop",
    "adl": "ADL",
    "socialised": "socialised",
    "bad_debt": "bad debt",
}

CODE_NAMES = {
    "DEPOSIT": "deposit",
    "REALISED": "profit and loss on positions taken over",
    "FEE": "trading fees",
    "LIQUIDATION_FEE": "liquidation fees",
    "FUNDING": "funding",
    "ROUNDING": "rounding",
    "TAKEOVER_MARGIN": "margin of accounts taken over",
    "DEFICIT": "deficits covered",
    "SOCIALISED": "socialised loss",
    "BAD_DEBT": "bad debt",
    "CONTRIBUTION": "share of trading fees",
    "DEFAULT_FUND": "default fund",
    "ASSESSMENT": "assessments of members",
    "CONVERSION": "collateral bought",
    "SURPLUS": "what forced closing brought beyond the bankruptcy price",
}


class Measure(NamedTuple):
    """What a number in summary.json is called and how it is written: kind is quote, count, share or speed."""

    label: str
    kind: str


MEASURES = {
    "max_drawdown": Measure("deepest fall of the mark price", "share"),
    "liquidations": Measure("liquidations", "count"),
    "liquidated_notional": Measure("value liquidated", "quote"),
    "forced_notional": Measure("value traded by force in the book", "quote"),
    "forced_share": Measure("forced share of all volume", "share"),
    "volume_notional": Measure("value traded", "quote"),
    "margin_calls": Measure("margin calls", "count"),
    "insurance_fund_start": Measure("insurance fund at the start", "quote"),
    "insurance_fund_min": Measure("insurance fund at its lowest", "quote"),
    "insurance_fund_end": Measure("insurance fund at the end", "quote"),
    "adl_fills": Measure("winners' positions closed (ADL)", "count"),
    "adl_notional": Measure("value closed by ADL", "quote"),
    "socialised_loss": Measure("socialised loss", "quote"),
    "bad_debt": Measure("bad debt", "quote"),
    "unfinished_cascades": Measure("steps that ended mid-cascade", "count"),
    "accounts": Measure("accounts", "count"),
    "steps": Measure("steps", "count"),
    "commands": Measure("commands", "count"),
    "fills": Measure("fills", "count"),
    "conservation_error": Measure("conservation error (atoms)", "count"),
    "commands_per_s": Measure("commands per second", "speed"),
    "wall_s": Measure("wall time in seconds", "speed"),
    **{f"waterfall.{layer}": Measure(f"paid by {name}", "quote") for layer, name in LAYER_NAMES.items()},
}
"""Numbers of summary.json in the order in which they are shown; `a.b` is entry b of the object a."""

GLOSSARY = {
    "initial margin": "The money an account must have to open a position: 1 / largest leverage of its value.",
    "maintenance margin": "The money an account must keep to hold a position. Below it the venue closes it by force.",
    "equity": "What an account is worth now: its balance plus the profit or loss of its open positions at the mark.",
    "leverage": "Value of positions over the equity behind them. At 10x, a fall of 10 % takes all equity of a long.",
    "mark price": "The price at which the venue values positions and decides who is liquidated; not the last trade.",
    "index": "The price of the same thing elsewhere; here the outside world that the run was given.",
    "funding": "A regular payment between longs and shorts that pulls the venue's price towards the index.",
    "open interest": "Contracts that are open; each has one long and one short.",
    "margin call": "A notice to a trader who is close to maintenance margin: add money or reduce the position.",
    "liquidation": "Closing of a position by the venue because equity fell below maintenance margin.",
    "bankruptcy price": "The price at which closing leaves an account with nothing. Beyond it, somebody else pays.",
    "insurance fund": "Money of the venue that covers what bankrupt accounts cannot pay.",
    "takeover": "The fund or a backstop provider takes a position over at its bankruptcy price, outside the book.",
    "backstop": "An account with money of its own that takes over what the book leaves, and bears what it loses.",
    "auto-deleveraging (ADL)": "Winning positions are closed against bankrupt ones where the fund does not pay.",
    "haircut": "What a deleveraged winner gets less than at the mark price.",
    "socialised loss": "A loss shared among all accounts with a profit, in proportion to the profit.",
    "cascade": "Liquidations that move the price so far that they cause further liquidations.",
    "branching ratio": "Liquidations that one liquidation causes on average. Near 1, a cascade hardly stops.",
    "conservation error": "Money made or lost by the program itself. It must be exactly 0.",
}


def measure_words(key: str) -> str:
    """Return what a measure is called; a measure without a name is called by its key."""
    return MEASURES[key].label if key in MEASURES else key.replace("_", " ").replace(".", ": ")


def code_words(code: str) -> str:
    """Return why money moved, in words."""
    return CODE_NAMES.get(code, code.lower().replace("_", " "))


def clock(time_s: float, *, seconds: bool = False) -> str:
    """Write a time since the start as hours:minutes, or minutes:seconds."""
    whole = round(time_s)
    if seconds:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}"


def duration(time_s: float) -> str:
    """Write a length of time in the largest unit that fits, with one decimal at most: 45 seconds, 2.5 hours."""
    for unit_s, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if time_s >= unit_s:
            count = round(time_s / unit_s, 1)
            return f"{count:g} {name}" + ("" if count == 1 else "s")
    return "0 seconds"


def three_figures(value: float) -> str:
    """Write a number with three significant figures, or all before the point: 1.23, 12.3, 1,234."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-12))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(quote: float) -> str:
    """Write an amount of money: 12.3 million, 950 thousand, 2,150, 12.50."""
    size = abs(quote)
    for least, unit, word in ((1e9, 1e9, "billion"), (1e6, 1e6, "million"), (1e4, 1e3, "thousand")):
        if size >= least:
            return f"{three_figures(quote / unit)} {word}"
    if 0 < size < 0.01:
        return three_figures(quote)
    return f"{quote:,.0f}" if size >= 100 or quote == 0 else f"{quote:,.2f}"


def short(value: float) -> str:
    """Write a number with k, M or bn, for tables and axes: 12.3 M, 950, -2.15 k."""
    for unit, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{three_figures(value / unit)} {letter}"
    return three_figures(value)


def written(key: str, value: float, *, brief: bool = False) -> str:
    """Write the value of a measure as its kind wants it, or with k, M and bn if `brief`; exact zeros as 0."""
    if value == 0:
        return "0"
    kind = MEASURES[key].kind if key in MEASURES else "count"
    if kind == "share":
        return f"{three_figures(100 * value)} %"
    if brief:
        return short(value)
    if kind == "quote":
        return amount(value)
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.2f}"


def letters(count: int) -> list[str]:
    """Return A, B, C, ... as short names of so many things."""
    return [f"{string.ascii_uppercase[n % 26]}{n // 26 or ''}" for n in range(count)]


def count_of(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: 1 liquidation, 2,300 liquidations."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
