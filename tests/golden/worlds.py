"""Six small worlds that between them go through every layer of the waterfall.

`python -m tests.golden.worlds` plays them and prints what they give.

A world is its rules and a flow of commands that depends on nothing but the world's name: makers quote around an index
that wanders, crashes and springs back, leveraged traders open, close, stop and cancel by keyed draws. What the venue
answers never changes what is asked, so that two ways to run a venue meet the same flow.
"""

from __future__ import annotations

import functools
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delever.engine.commands import (
    CAUSE_DISPOSAL,
    FLAG_BY_MARK,
    FLAG_FOK,
    FLAG_IOC,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    Kind,
    Result,
    batch,
)
from delever.engine.events import E_AMOUNT_ATOMS, E_CAUSE, E_CODE, E_KIND, Code, Event
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import V_CALLS, V_CHAIN
from delever.engine.venue import Venue

Ints = NDArray[np.int64]

FIRST_TICKS = 2_000
PRICE_MAX_TICKS = 8_192
MULTIPLIER_ATOMS = 500
MAKERS = 3
TRADERS = 30
BACKSTOPS = 2
ACCOUNTS = MAKERS + TRADERS + BACKSTOPS
STEPS = 90
CRASH = range(30, 38)
SPRING = range(60, 64)

TIERS = [
    {"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000},
    {"floor_quote": 20, "initial_ppm": 125_000, "maintenance_ppm": 62_500},
    {"floor_quote": 60, "initial_ppm": 250_000, "maintenance_ppm": 125_000},
]


@dataclass(frozen=True, eq=False)
class GoldenWorld:
    """A rule set by axes, how many markets and how deep, and what has to happen for the world to prove anything."""

    name: str
    shows: tuple[str, ...]
    rules: Mapping[str, Mapping[str, Any]]
    markets: int = 1
    depth_lots: int = 60
    crash_per_mille: int = 40


WORLDS = (
    GoldenWorld(
        "cross-full-market",
        ("forced", "CURED", "DEFICIT", "BAD_DEBT", "LIQUIDATION_FEE"),
        {
            "margin": {"tiers": TIERS[:1], "isolated_allowed": False},
            "mark": {"components": ("last", "mid", "index")},
            "insurance": {"initial_quote": 2},
            "deleveraging": {"trigger": "none"},
            "charges": {"liquidation_ppm": 5_000},
            "halts": {"collar_ppm": 0},
        },
        depth_lots=12,
        crash_per_mille=60,
    ),
    GoldenWorld(
        "isolated-tiers",
        ("forced", "CURED", "MARGIN_CALL", "MARGIN_IN", "MARGIN_OUT"),
        {
            "margin": {"tiers": TIERS, "mode": "isolated", "call_ppm": 1_500_000},
            "liquidation": {"size": "target", "price": "bankruptcy", "trigger": "at_or_below"},
            "matching": {"self_trade": "cancel_oldest"},
            "rounding": {"requirement": "down", "fee": "down", "bankruptcy_price": "outward"},
        },
    ),
    GoldenWorld(
        "fund-takeover",
        ("TAKEOVER", "TAKEOVER_MARGIN", "ADL", "disposed"),
        {
            "margin": {"tiers": TIERS},
            "liquidation": {"stage": "takeover_only", "leftover": "fund"},
            "insurance": {
                "initial_quote": 30,
                "floor_quote": 4,
                "warehouse_leverage": 20,
                "disposal_share_ppm": 200_000,
                "disposal_interval_s": 2,
            },
            "halts": {"collar_ppm": 0},
        },
        crash_per_mille=60,
    ),
    GoldenWorld(
        "backstop-cooldown",
        ("TAKEOVER", "CURED", "forced"),
        {
            "margin": {"tiers": TIERS},
            "liquidation": {
                "size": "share",
                "full_below_quote": 2,
                "cooldown_s": 3,
                "backstop_ppm": 500_000,
                "latency_s": 1,
                "orders_per_step_max": 6,
                "seize_margin": False,
            },
            "matching": {"self_trade": "cancel_both"},
            "halts": {"collar_ppm": 0},
        },
        depth_lots=20,
        crash_per_mille=12,
    ),
    GoldenWorld(
        "adl-socialised",
        ("ADL", "DEFICIT", "SOCIALISED"),
        {
            "margin": {"tiers": TIERS[:1]},
            "insurance": {"initial_quote": 3, "cap_per_event_quote": 1},
            "deleveraging": {"trigger": "equity_below_zero", "rank": "entry_leverage", "price": "mark"},
            "socialisation": {"rule": "winners"},
        },
        depth_lots=6,
        crash_per_mille=60,
    ),
    GoldenWorld(
        "stops-collars-funding",
        ("forced", "FUNDING", "ROUNDING", "triggered", "COLLAR"),
        {
            "margin": {"tiers": TIERS, "markets": {"M1": TIERS[:1]}, "leverage_max": 8},
            "mark": {"components": ("index_basis", "book", "index_funding"), "window_s": 5, "renew_in_rounds": True},
            "charges": {
                "maker_ppm": -100,
                "funding": {"interval_s": 10, "period_s": 40, "cap_ppb": 3_000_000, "notional": "index"},
            },
            "halts": {"collar_ppm": 30_000},
            "liquidation": {"leftover": "fund"},
        },
        markets=3,
    ),
)


def drawn(below: int, *key: object) -> int:
    """Return a number in 0 .. below - 1 that depends on the key alone."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") % below


@functools.cache
def index_path(world: GoldenWorld) -> Ints:
    """Return the index of each step and market, (STEPS, M): a walk with a crash and a spring back."""
    path = np.zeros((STEPS, world.markets), dtype=np.int64)
    for market in range(world.markets):
        price = FIRST_TICKS
        for step in range(STEPS):
            per_mille = drawn(9, world.name, "walk", step, market) - 4
            if step in CRASH:
                per_mille -= world.crash_per_mille
            if step in SPRING:
                per_mille += 2 * world.crash_per_mille
            price += price * per_mille // 1_000
            path[step, market] = price
    return path


def makers_quotes(world: GoldenWorld, step: int, market: int, price: int) -> list[Ints]:
    """Return what the makers do: take all quotes back, put a ladder around the index."""
    found = []
    for account in range(MAKERS):
        if drawn(3, world.name, "quotes", step, market, account) == 0 and step not in CRASH:
            continue
        found.append(batch(1, account=account, kind=Kind.CANCEL_ALL, market=market))
        levels = np.arange(1, 5)
        gap = 2 + drawn(6, world.name, "gap", step, market, account)
        for side in (1, -1):
            lots = [1 + drawn(world.depth_lots, world.name, "lots", step, market, account, side, i) for i in levels]
            quotes = batch(
                4, account=account, kind=Kind.LIMIT, market=market, side=side, lots=lots,
                price_ticks=price - side * gap * levels, tag=levels,
                flags=FLAG_POST_ONLY if account == 0 else 0,
            )  # fmt: skip
            found.append(quotes)
    return found


def traders_orders(world: GoldenWorld, step: int, account: int) -> list[Ints]:
    """Return what a trader does in a step, most often nothing."""

    def draw(below: int, what: str) -> int:
        return drawn(below, world.name, what, step, account)

    market = draw(world.markets, "market")
    price = int(index_path(world)[step, market])
    side = 1 if draw(2, "side") else -1
    lots = max(1, deposit_atoms(world, account) * (5 + draw(6, "leverage")) // (FIRST_TICKS * MULTIPLIER_ATOMS))
    tag = draw(3, "tag")
    near = price + draw(price // 25, "near") - price // 50
    common = {"account": account, "market": market, "tag": tag}
    choices = (
        {"kind": Kind.MARKET, "side": side, "lots": lots},
        {"kind": Kind.MARKET, "side": side, "lots": lots, "flags": FLAG_FOK},
        {"kind": Kind.LIMIT, "side": side, "lots": lots, "price_ticks": near},
        {"kind": Kind.LIMIT, "side": side, "lots": lots, "price_ticks": near, "flags": FLAG_IOC},
        {"kind": Kind.MARKET, "side": side, "lots": 10 * lots, "flags": FLAG_REDUCE_ONLY},
        {"kind": Kind.LIMIT, "side": side, "lots": lots, "price_ticks": near, "flags": FLAG_REDUCE_ONLY},
        {"kind": Kind.STOP, "side": side, "lots": lots, "trigger_ticks": near, "flags": FLAG_BY_MARK},
        {"kind": Kind.STOP, "side": side, "lots": 10 * lots, "trigger_ticks": near, "flags": FLAG_REDUCE_ONLY},
        {"kind": Kind.TAKE_PROFIT, "side": side, "lots": lots, "trigger_ticks": near},
        {"kind": Kind.REPLACE, "lots": lots, "price_ticks": near, "trigger_ticks": near},
        {"kind": Kind.CANCEL},
        {"kind": Kind.WITHDRAW, "amount": deposit_atoms(world, account) // (2 + draw(8, "amount"))},
        {"kind": Kind.DEPOSIT, "amount": deposit_atoms(world, account) // (2 + draw(8, "amount"))},
        {"kind": Kind.MOVE_MARGIN, "amount": (draw(2, "way") * 2 - 1) * deposit_atoms(world, account) // 4},
        {"kind": Kind.SET_LEVERAGE, "amount": (0, 150_000, 300_000)[draw(3, "rate")]},
        {"kind": Kind.SET_MODE, "amount": draw(2, "mode")},
    )
    if draw(5, "acts"):
        return []
    heavy = draw(2, "opens") == 0
    return [batch(1, **(common | choices[0 if heavy else draw(len(choices), "what")]))]


def deposit_atoms(world: GoldenWorld, account: int) -> int:
    """Return what an account brings along: makers and backstops much, traders 1 to 8 quote units."""
    if MAKERS <= account < MAKERS + TRADERS:
        return 1_000_000 + drawn(7_000_000, world.name, "wealth", account)
    return 400_000_000 if account < MAKERS else 40_000_000


@functools.cache
def flow(world: GoldenWorld) -> tuple[Ints, ...]:
    """Return the commands of every step."""
    everybody = np.arange(ACCOUNTS)
    wealth = [deposit_atoms(world, account) for account in range(ACCOUNTS)]
    steps = [batch(ACCOUNTS, account=everybody, kind=Kind.DEPOSIT, amount=wealth)]
    for step in range(1, STEPS):
        now: list[Ints] = []
        for market in range(world.markets):
            now += makers_quotes(world, step, market, int(index_path(world)[step, market]))
        for account in range(MAKERS, MAKERS + TRADERS):
            now += traders_orders(world, step, account)
        steps.append(np.concatenate(now) if now else batch(0, account=0, kind=0))
    return tuple(steps)


def new_venue(world: GoldenWorld) -> Venue:
    """Open the venue of a world, journal and checks on; keys run against the rows."""
    return Venue(
        RuleSet.model_validate(dict(world.rules)),
        [Market(f"M{m}", MULTIPLIER_ATOMS, PRICE_MAX_TICKS) for m in range(world.markets)],
        np.arange(ACCOUNTS)[::-1].copy(),
        first_index_ticks=[FIRST_TICKS] * world.markets,
        backstops=range(MAKERS + TRADERS, ACCOUNTS),
        orders_max=1_000,
        journal=True,
        check=True,
    )


def play(world: GoldenWorld, venue: Venue, start: int = 0, stop: int = STEPS) -> Ints:
    """Run steps start .. stop - 1 and return all events since the venue was last drained."""
    for step in range(start, stop):
        venue.process(flow(world)[step], index_path(world)[step])
    return venue.drain_events()


def summary(world: GoldenWorld, venue: Venue, events: Ints) -> dict[str, Any]:
    """Return the digest of a venue, and counts by which a reader sees what moved when it changes."""
    kinds = Counter(Event(kind).name for kind in events[:, E_KIND].tolist())
    answered = events[events[:, E_KIND] == Event.COMMAND]
    refusals = Counter(Result(code).name for code in answered[:, E_CODE].tolist() if code != Result.OK)
    # What nobody sent and no liquidation caused was triggered.
    triggered = int((answered[:, E_CAUSE] == 0).sum()) - sum(len(commands) for commands in flow(world))
    posted: Counter[str] = Counter()
    for row in events[events[:, E_KIND] == Event.POST].tolist():
        posted[Code(row[E_CODE]).name] += row[E_AMOUNT_ATOMS]
    causes = events[events[:, E_KIND] == Event.FILL][:, E_CAUSE]
    fills = {"forced": int((causes > 0).sum()), "disposed": int((causes == CAUSE_DISPOSAL).sum())}
    return {
        "digest": venue.digest(),
        "chain": int(venue.tables.venue[V_CHAIN]),
        "margin_calls": int(venue.tables.venue[V_CALLS]),
        "triggered": triggered,
        "fills": fills,
        "events": dict(sorted(kinds.items())),
        "refusals": dict(sorted(refusals.items())),
        "posted_atoms": dict(sorted(posted.items())),
    }


def results() -> dict[str, dict[str, Any]]:
    """Play all worlds from the first step to the last; return a summary by name."""
    found = {}
    for world in WORLDS:
        venue = new_venue(world)
        found[world.name] = summary(world, venue, play(world, venue))
    return found


if __name__ == "__main__":
    json.dump(results(), sys.stdout)
