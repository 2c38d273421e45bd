"""The whole path of a command: the flow of the book with accounts, margin, settlement, marks and liquidation check.

Orders belong to accounts drawn at random over all rows. Each step is one call of `Venue.process` with STEP_COMMANDS
commands; the index of a step is the mid of the flow at its end. Deposits are made before and not measured.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from delever.engine.commands import Kind, Result, batch
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.state import Market
from delever.engine.tables import M_FILLS
from delever.engine.venue import Venue

from .flow import (
    CANCEL,
    F_KIND,
    F_LOTS,
    F_MID_TICKS,
    F_ORDER,
    F_PRICE_TICKS,
    F_SIDE,
    LIMIT,
    MARKET,
    MID_FIRST_TICKS,
    PRICE_MAX_TICKS,
    Messages,
    stored_flow,
)
from .measure import MESSAGES, MIB, Reading, Request, peak_mib, rate

KINDS = {LIMIT: Kind.LIMIT, CANCEL: Kind.CANCEL, MARKET: Kind.MARKET}
STEP_COMMANDS = 10_000
DEPOSIT_ATOMS = 200_000_000  # 200 quote; a lot is worth about one
MULTIPLIER_ATOMS = 100
ORDERS_MAX = 50_000
ACCOUNTS_BASE = 1_000
DEPOSITS_AT_ONCE = 10_000


class Played(NamedTuple):
    """Seconds of the processor in `Venue.process`, share of commands that were refused, fills."""

    seconds: float
    refused: float
    fills: int


def open_venue(accounts: int, markets: int = 1, *, check: bool = False) -> Venue:
    """Return a venue under the textbook rules where every account has its deposit."""
    venue = Venue(
        TEXTBOOK,
        [Market(f"M{number}", MULTIPLIER_ATOMS, PRICE_MAX_TICKS) for number in range(markets)],
        np.arange(accounts, dtype=np.int64),
        first_index_ticks=[MID_FIRST_TICKS] * markets,
        orders_max=ORDERS_MAX,
        check=check,
    )
    venue.set_sink(lambda events: None)
    index = np.full(markets, MID_FIRST_TICKS)
    for first in range(0, accounts, DEPOSITS_AT_ONCE):
        rows = np.arange(first, min(first + DEPOSITS_AT_ONCE, accounts))
        venue.process(batch(len(rows), account=rows, kind=Kind.DEPOSIT, amount=DEPOSIT_ATOMS), index)
    return venue


def owners(messages: Messages, accounts: int, seed: int = 0) -> Messages:
    """Return the account of every message: drawn anew for each order, of a cancel the one of its order."""
    drawn = np.random.default_rng(seed).integers(0, accounts, len(messages))
    return drawn[messages[:, F_ORDER]]


def play(venue: Venue, messages: Messages, accounts: Messages, markets: int = 1) -> Played:
    """Send a flow to a venue, order by order to one market after another, and measure `process` alone."""
    seconds, refused = 0.0, 0
    fills_before = int(venue.tables.markets[:, M_FILLS].sum())
    kinds = np.array([int(KINDS[kind]) for kind in sorted(KINDS)])
    for first in range(0, len(messages), STEP_COMMANDS):
        part = messages[first : first + STEP_COMMANDS]
        commands = batch(
            len(part), account=accounts[first : first + STEP_COMMANDS], market=part[:, F_ORDER] % markets,
            kind=kinds[part[:, F_KIND]], side=part[:, F_SIDE], lots=part[:, F_LOTS],
            price_ticks=part[:, F_PRICE_TICKS], tag=part[:, F_ORDER],
        )  # fmt: skip
        index = np.full(markets, part[-1, F_MID_TICKS])
        began = time.process_time()
        report = venue.process(commands, index)
        seconds += time.process_time() - began
        refused += int((report.results != Result.OK).sum())
    fills = int(venue.tables.markets[:, M_FILLS].sum()) - fills_before
    return Played(seconds, refused / len(messages), fills)


def _path(request: Request, accounts: int) -> list[Reading]:
    """Measure the path at so many accounts, and the memory that the accounts take.

    The same flow is played at ACCOUNTS_BASE accounts first: what the process grows beyond that is the accounts'.
    """
    count, base = request.scaled(accounts, least=10), request.scaled(ACCOUNTS_BASE, least=10)
    messages = stored_flow(request.folder, request.scaled(MESSAGES, least=100)).messages
    play(open_venue(base), messages, owners(messages, base))
    before = peak_mib()
    played = play(open_venue(count), messages, owners(messages, count))
    note = f"{played.fills:,} fills, {played.refused:.2%} refused, {STEP_COMMANDS:,} commands a step"
    readings = [rate("", len(messages), played.seconds, "commands/s", note, processor=True)]
    if count == base:
        return [*readings, Reading("base", before, "MiB", note="the process with such a venue and the flow")]
    bytes_each = (peak_mib() - before) * MIB / (count - base)
    return [*readings, Reading("bytes", bytes_each, "bytes", note="per account and market")]


def path_1k(request: Request) -> list[Reading]:
    """Measure the path at a thousand accounts."""
    return _path(request, 1_000)


def path_100k(request: Request) -> list[Reading]:
    """Measure the path at a hundred thousand accounts."""
    return _path(request, 100_000)


def path_1m(request: Request) -> list[Reading]:
    """Measure the path at a million accounts."""
    return _path(request, 1_000_000)
