"""A liquidation storm: of 100,000 leveraged accounts a fifth is liquidated within a minute of one-second steps.

Longs and shorts of equal sizes meet at one price. The index then falls by a tenth in 60 steps, past the liquidation
prices of two longs in five, which lie evenly over the fall. Makers quote a few ticks around the index and take most of
the forced lots; what they leave goes to the fund until it is full, then to auto-deleveraging. All through the public
`Venue`, under the textbook rules with higher leverage and a small fund.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.commands import Kind, Result, batch
from delever.engine.events import E_CAUSE, E_CODE, E_KIND, Code, Event
from delever.engine.rules.margin import Tier
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.venue import Venue

from .measure import Reading, Request, rate

ACCOUNTS = 100_000
STEPS = 60
FALL = 0.1
FIRST_FALL = 0.012  # the first liquidation price, as a fall: initial margin must leave it open
SHARE_AT_RISK = 0.4  # of the longs, which are half of all accounts
PRICE_TICKS = 10_000
MULTIPLIER_ATOMS = 100  # a lot is worth one quote at the opening price
LOTS_MEAN = 100
INITIAL_PPM, MAINTENANCE_PPM = 10_000, 5_000
FEES = 0.0015  # kept beside the margin for the fees of opening
PAIRS_AT_ONCE = 5_000
ACCOUNTS_PER_MAKER = 1_000
MAKER_LEVELS = 5
MAKER_QUOTE = 100_000_000
BOOK_SHARE = 0.85  # of the forced lots expected that the makers' bids can take
FUND_SHARE = 0.01  # of the value expected to be liquidated: what the fund begins with
ATOMS = 1_000_000
CHECKED_SHARE = 0.05  # of the accounts, in the run that is compared with the sweep of everybody

Integers = NDArray[np.int64]


class Crowd(NamedTuple):
    """The traders: rows of longs and shorts, pair by pair, lots of each pair, and what each deposits."""

    longs: Integers
    shorts: Integers
    lots: Integers
    long_atoms: Integers
    short_atoms: Integers
    at_risk: NDArray[np.bool_]


class Stormed(NamedTuple):
    """Seconds of the processor in `Venue.process` during the fall, counts of what happened, digest at the end."""

    seconds: float
    counts: dict[str, int]
    digest: str


def draw_crowd(accounts: int, seed: int = 0) -> Crowd:
    """Return so many traders at random rows; the same count and seed give the same crowd."""
    generator = np.random.default_rng(seed)
    pairs = accounts // 2
    rows = generator.permutation(2 * pairs)
    lots = np.maximum(1, generator.exponential(LOTS_MEAN, pairs)).astype(np.int64)
    at_risk = np.arange(pairs) < round(SHARE_AT_RISK * pairs)
    falls = np.linspace(FIRST_FALL, FALL, int(at_risk.sum()))
    rate = MAINTENANCE_PPM / 1e6
    margin = np.full(pairs, 0.5)
    margin[at_risk] = generator.permutation(falls * (1 - rate) + rate)
    value = lots * PRICE_TICKS * MULTIPLIER_ATOMS
    shorts_margin = generator.uniform(0.05, 0.5, pairs)
    long_atoms, short_atoms = (np.ceil(value * (share + FEES)).astype(np.int64) for share in (margin, shorts_margin))
    return Crowd(rows[:pairs], rows[pairs:], lots, long_atoms, short_atoms, at_risk)


def storm_rules(fund_quote: int) -> RuleSet:
    """Return the textbook rules with 100x leverage and so large a fund."""
    tier = Tier(floor_quote=0, initial_ppm=INITIAL_PPM, maintenance_ppm=MAINTENANCE_PPM)
    margin = TEXTBOOK.margin.model_copy(update={"tiers": (tier,)})
    insurance = TEXTBOOK.insurance.model_copy(update={"initial_quote": fund_quote})
    return TEXTBOOK.model_copy(update={"name": "storm", "margin": margin, "insurance": insurance})


def open_storm(crowd: Crowd, *, check: bool) -> Venue:
    """Return a venue where every pair has met at the opening price, and the makers have their money."""
    risk_lots = int(crowd.lots[crowd.at_risk].sum())
    traders, makers = 2 * len(crowd.lots), _makers(crowd)
    venue = Venue(
        storm_rules(max(1, round(FUND_SHARE * risk_lots))),
        [Market("STORM", MULTIPLIER_ATOMS, 2 * PRICE_TICKS)],
        np.arange(traders + len(makers), dtype=np.int64),
        first_index_ticks=[PRICE_TICKS],
        orders_max=2 * max(PAIRS_AT_ONCE, len(makers) * MAKER_LEVELS),
    )
    index = np.array([PRICE_TICKS])
    venue.process(batch(len(makers), account=makers, kind=Kind.DEPOSIT, amount=MAKER_QUOTE * ATOMS), index)
    for first in range(0, len(crowd.lots), PAIRS_AT_ONCE):
        part = slice(first, first + PAIRS_AT_ONCE)
        longs, shorts, lots = crowd.longs[part], crowd.shorts[part], crowd.lots[part]
        count = len(lots)
        commands = np.concatenate([
            batch(count, account=longs, kind=Kind.DEPOSIT, amount=crowd.long_atoms[part]),
            batch(count, account=shorts, kind=Kind.DEPOSIT, amount=crowd.short_atoms[part]),
            batch(count, account=shorts, kind=Kind.LIMIT, side=-1, lots=lots, price_ticks=PRICE_TICKS),
            batch(count, account=longs, kind=Kind.LIMIT, side=1, lots=lots, price_ticks=PRICE_TICKS),
        ])  # fmt: skip
        results = venue.process(commands, index).results
        assert (results == Result.OK).all(), "everybody has the margin to open"
    venue.drain_events()
    venue.check = check
    return venue


def _makers(crowd: Crowd) -> Integers:
    """Return the rows of the makers, behind those of the crowd."""
    traders = 2 * len(crowd.lots)
    return np.arange(traders, traders + max(2, traders // ACCOUNTS_PER_MAKER))


def quotes(makers: Integers, index_ticks: int, lots: int) -> Integers:
    """Return the makers' commands of a step: cancel everything, then bids and asks around the index."""
    away = np.tile(np.arange(1, MAKER_LEVELS + 1), len(makers))
    each = np.repeat(makers, MAKER_LEVELS)
    count = len(each)
    return np.concatenate([
        batch(len(makers), account=makers, kind=Kind.CANCEL_ALL),
        batch(count, account=each, kind=Kind.LIMIT, side=1, lots=lots, price_ticks=index_ticks - away),
        batch(count, account=each, kind=Kind.LIMIT, side=-1, lots=lots, price_ticks=index_ticks + away),
    ])  # fmt: skip


def run_storm(accounts: int, *, check: bool) -> Stormed:
    """Let the index fall over so many accounts; with `check` every look is compared with a sweep of everybody."""
    crowd = draw_crowd(accounts)
    venue = open_storm(crowd, check=check)
    makers = _makers(crowd)
    bid_lots = BOOK_SHARE * int(crowd.lots[crowd.at_risk].sum()) / STEPS / (len(makers) * MAKER_LEVELS)
    seconds = 0.0
    events = []
    for step in range(1, STEPS + 1):
        index_ticks = PRICE_TICKS - round(PRICE_TICKS * FALL * step / STEPS)
        commands = quotes(makers, index_ticks, max(1, round(bid_lots)))
        began = time.process_time()
        venue.process(commands, np.array([index_ticks]))
        seconds += time.process_time() - began
        events.append(venue.drain_events())
    return Stormed(seconds, _count(np.concatenate(events)), venue.digest())


def _count(events: Integers) -> dict[str, int]:
    """Count what happened to the liquidated."""
    kinds = events[:, E_KIND]
    fund = (kinds == Event.POST) & (events[:, E_CODE] == Code.DEFICIT)
    return {
        "liquidations": int((kinds == Event.LIQUIDATION).sum()),
        "forced fills": int(((kinds == Event.FILL) & (events[:, E_CAUSE] != 0)).sum()),
        "takeovers": int((kinds == Event.TAKEOVER).sum()),
        "deficits": int(fund.sum()),
        "ADL fills": int((kinds == Event.ADL).sum()),
    }


def storm(request: Request) -> list[Reading]:
    """Measure liquidations a second of the venue's time, everything that belongs to them included.

    A smaller storm comes first, with and without the oracle that sweeps everybody at every look: both must end alike.
    """
    small = request.scaled(round(ACCOUNTS * CHECKED_SHARE), least=200)
    checked, plain = run_storm(small, check=True), run_storm(small, check=False)
    if checked[1:] != plain[1:]:
        raise AssertionError(f"the storm differs from the sweep of everybody: {checked[1:]}, {plain[1:]}")
    accounts = request.scaled(ACCOUNTS, least=200)
    stormed = run_storm(accounts, check=False)
    note = ", ".join(f"{number:,} {what}" for what, number in stormed.counts.items())
    return [rate("", stormed.counts["liquidations"], stormed.seconds, "liquidations/s", note, processor=True)]
