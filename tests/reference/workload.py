"""Random rule sets, worlds and hostile commands, all determined by a seed.

Prices are low and accounts few, so that orders meet; accounts borrow as much as they may and the index jumps,
so that every layer of the waterfall is reached often.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from . import assets
from .orders import AMOUNT_MAX, HANDLERS, ORDER_KINDS
from .state import PPM, ceil_div
from .venue import ReferenceVenue

Command = dict[str, Any]
COLUMN_MAX = 2**62  # a command's amount is a column of 64 bits
COMPONENTS = ("last", "mid", "index", "index_basis", "book", "index_funding")


def random_rules(seed: int) -> dict[str, Any]:
    """Return a rule set as a nested dict that RuleSet accepts; every axis is drawn."""
    rng = Random(f"rules {seed}")
    initial_quote = rng.choice([0, rng.randint(1, 20), *(int(10 ** rng.uniform(1, 7)) for _ in range(5))])
    leftover = rng.choice(["retry", "fund", "fund", "backstop"])
    isolated_allowed = rng.random() < 0.8
    taker_ppm = rng.choice([0, 500, rng.randint(0, 5_000)])
    drawn = {
        "name": f"random-{seed}",
        "contract": {
            "lots_max": rng.choice([60, 1_000, 100_000, 100_000]),
            "orders_per_account_max": rng.choice([5, 20, 200, 200]),
        },
        "matching": {"self_trade": rng.choice(["cancel_newest", "cancel_oldest", "cancel_both"])},
        "margin": {
            "tiers": _tiers(rng),
            "markets": {"M1": _tiers(rng)} if rng.random() < 0.5 else {},
            "leverage_max": rng.choice([0, 0, 0, 5, 50]),
            "mode": rng.choice(["cross", "isolated"]) if isolated_allowed else "cross",
            "isolated_allowed": isolated_allowed,
            "call_ppm": rng.choice([0, 1_200_000, 1_500_000, 3_000_000]),
        },
        "mark": {
            "components": rng.sample(COMPONENTS, rng.choice([1, 3, 3])),
            "window_s": rng.choice([1, 5, 30, 300]),
            "renew_in_rounds": rng.random() < 0.5,
        },
        "liquidation": _liquidation(rng, leftover),
        "insurance": {
            "initial_quote": initial_quote,
            "floor_quote": rng.choice([0, 0, 0, initial_quote // 2, initial_quote * 9 // 10, initial_quote]),
            "cap_per_event_quote": rng.choice([0, 0, 0, 1, 50]),
            "warehouse_leverage": rng.choice([1, 10, 100, 1_000]),
            "disposal_share_ppm": rng.choice([0, 1, 100_000, 500_000, PPM]),
            "disposal_interval_s": rng.choice([1, 2, 7]),
            "disposal_range_ppm": rng.choice([0, 10_000, 200_000]),
        },
        "deleveraging": {
            "trigger": rng.choice(["none", "fund_empty", "fund_empty", "equity_below_zero"]),
            "rank": rng.choice(["pnl_margin", "entry_leverage"]),
            "price": rng.choice(["bankruptcy", "mark", "previous_mark"]),
            "cancel_orders": rng.random() < 0.5,
        },
        "socialisation": {"rule": rng.choice(["none", "winners", "winners"])},
        "charges": {
            "maker_ppm": rng.choice([0, 200, -taker_ppm, rng.randint(-taker_ppm, 3_000)]),
            "taker_ppm": taker_ppm,
            "liquidation_ppm": rng.choice([0, 5_000, 50_000]),
            "funding": _funding(rng),
        },
        "halts": {"collar_ppm": rng.choice([0, 0, 0, 50_000, 200_000])},
        "rounding": {
            "requirement": rng.choice(["up", "down"]),
            "fee": rng.choice(["up", "down"]),
            "bankruptcy_price": rng.choice(["inward", "outward"]),
        },
    }
    if rng.random() < 0.25:
        _overload_fund(rng, drawn)
    margin = drawn["margin"]
    steepest = max(
        tier["maintenance_ppm"] for tiers in (margin["tiers"], *margin["markets"].values()) for tier in tiers
    )
    call = min(margin["call_ppm"], PPM * PPM // steepest)
    margin["call_ppm"] = call if call > PPM else 0
    return drawn


def _overload_fund(rng: Random, drawn: dict[str, Any]) -> None:
    """Let a small fund take over more than it can bear, so that it has to be deleveraged itself."""
    initial_quote = int(10 ** rng.uniform(1, 4))
    drawn["liquidation"] |= {"act": True, "leftover": "fund", "stage": "takeover_only", "backstop_ppm": 0}
    drawn["insurance"] |= {
        "initial_quote": initial_quote,
        "floor_quote": initial_quote * rng.choice([0, 5, 9]) // 10,
        "cap_per_event_quote": 0,
        "warehouse_leverage": 1_000,
        "disposal_share_ppm": rng.choice([0, 100_000]),
    }


def _tiers(rng: Random) -> list[dict[str, int]]:
    tiers = []
    floor, initial, maintenance = 0, rng.choice([7_001, 10_000, 20_000, 50_000, 100_000]), 0
    for _ in range(rng.choice([1, 1, 2, 4])):
        maintenance = max(maintenance, rng.randint(initial // 5, initial * 4 // 5))
        tiers.append({"floor_quote": floor, "initial_ppm": initial, "maintenance_ppm": maintenance})
        floor = floor * rng.randint(2, 20) + rng.randint(1, 50)
        initial = min(PPM, initial * rng.randint(1, 3) + rng.randint(0, 9))
    return tiers


def _liquidation(rng: Random, leftover: str) -> dict[str, Any]:
    return {
        "act": rng.random() < 0.93,
        "trigger": rng.choice(["below", "at_or_below"]),
        "stage": "book" if leftover == "retry" or rng.random() < 0.7 else "takeover_only",
        "size": rng.choice(["full", "target", "share"]),
        "target_ppm": rng.choice([PPM, 1_200_000, 3_000_000]),
        "share_ppm": rng.choice([1, 100_000, 200_000, 700_000, PPM]),
        "full_below_quote": rng.choice([0, 1, 20, 1_000]),
        "cooldown_s": rng.choice([0, 1, 3, 30]),
        "price": rng.choice(["market", "bankruptcy"]),
        "leftover": leftover,
        "backstop_ppm": rng.choice([0, 0, 300_000, 667_000]),
        "seize_margin": rng.random() < 0.6,
        "latency_s": rng.choice([0, 0, 0, 1, 3]),
        "orders_per_step_max": rng.choice([0, 0, 1, 2, 5]),
        "rounds_max": rng.choice([1, 2, 10]),
    }


def _funding(rng: Random) -> dict[str, Any] | None:
    if rng.random() < 0.15:
        return None
    return {
        "interval_s": rng.choice([1, 3, 8, 20, 50]),
        "period_s": rng.choice([8, 50, 200]),
        "interest_ppb": rng.choice([100_000, 0, -300_000, 5_000_000]),
        "clamp_ppb": rng.choice([0, 500_000, 10_000_000]),
        "cap_ppb": rng.choice([3_000_000, 40_000_000, 40_000_000]),
        "notional": rng.choice(["mark", "index"]),
    }


@dataclass(frozen=True)
class World:
    """Who and what stands in a drawn world; money in atoms."""

    markets: list[dict[str, Any]]
    keys: list[int]
    dt_s: int
    backstops: list[int]
    makers: list[int]
    first_index_ticks: list[int]
    orders_max: int
    deposits_atoms: list[int]
    volatility: float
    jump_chance: float
    depth_lots: int
    quote_chance: float
    commands_per_step: int

    def venue(self, rules: dict[str, Any]) -> ReferenceVenue:
        """Return a new reference venue of this world."""
        return ReferenceVenue(
            rules, self.markets, self.keys, self.dt_s, self.backstops, self.first_index_ticks, self.orders_max
        )


def random_world(seed: int) -> World:
    """Draw accounts, markets, liquidity and wealth."""
    rng = Random(f"world {seed}")
    count = rng.randint(2, 12)
    multiplier = rng.choice([10, 5_000, 20_000, 33_333, 100_000, 1_000_000, 100_000_000])
    markets: list[dict[str, Any]] = [
        {
            "symbol": f"M{m}",
            "multiplier_atoms": multiplier if rng.random() < 0.7 else rng.choice([7, 10_000]),
            "price_max_ticks": rng.choice([256, 1_024, 4_096]),
        }
        for m in range(rng.randint(1, 3))
    ]
    first = [rng.randint(m["price_max_ticks"] // 6, m["price_max_ticks"] // 2) for m in markets]
    wealth_lots = rng.choice([5, 40, 300])
    lot_atoms = max(1, multiplier * first[0])
    deposits = [int(lot_atoms * wealth_lots * 10 ** rng.uniform(-1.5, 1.0)) + 1 for _ in range(count)]
    makers = [a for a in range(count) if rng.random() < 0.35] or [0]
    for a in makers:
        deposits[a] *= rng.choice([1, 3, 30])
    deposits = [min(amount, AMOUNT_MAX) for amount in deposits]
    keys = rng.sample(range(10 * count), count)
    return World(
        markets=markets,
        keys=keys,
        dt_s=rng.choice([1, 1, 2, 5]),
        backstops=rng.sample(range(count), rng.choice([0, 1, min(2, count)])),
        makers=makers,
        first_index_ticks=first,
        orders_max=rng.choice([16, 200, 2_000, 2_000]),
        deposits_atoms=deposits,
        volatility=rng.choice([0.003, 0.01, 0.02]),
        jump_chance=rng.choice([0.005, 0.03]),
        depth_lots=max(2, int(wealth_lots * rng.choice([0.2, 2.0, 10.0]))),
        quote_chance=rng.choice([0.1, 0.3, 0.6]),
        commands_per_step=rng.choice([3, 6, 12]),
    )


def random_path(seed: int, world: World, steps: int) -> list[list[int]]:
    """Return the index of each step and market: a random walk with jumps that turns at the edges."""
    rng = Random(f"path {seed}")
    now = [float(p) for p in world.first_index_ticks]
    path = []
    for _ in range(steps):
        for m, market in enumerate(world.markets):
            change = rng.gauss(0.0, world.volatility)
            if rng.random() < world.jump_chance:
                change += rng.choice([-1, 1]) * rng.uniform(0.03, 0.3)
            now[m] *= max(0.5, 1.0 + change)
            if now[m] < 0.05 * market["price_max_ticks"]:
                now[m] *= 1.3
            if now[m] > 0.85 * market["price_max_ticks"]:
                now[m] *= 0.75
        path.append([max(1, int(p)) for p in now])
    return path


class Trader:
    """Draws the commands of one step from what can be seen of a venue."""

    def __init__(self, rng: Random, world: World, venue: ReferenceVenue) -> None:
        self.rng = rng
        self.world = world
        self.venue = venue

    def command(self, kind: str, account: int, market: int, **fields: Any) -> Command:
        """Return a command in which everything not given is zero or False."""
        empty = {"side": 0, "lots": 0, "price": 0, "trigger": 0, "tag": 0, "amount": 0}
        flags = dict.fromkeys(("ioc", "fok", "post_only", "reduce_only", "by_mark"), False)
        return {"kind": kind, "account": account, "market": market} | empty | flags | fields

    def near(self, market: int, reach: float) -> int:
        """Draw a price around mark or index."""
        centre: int = self.rng.choice([self.venue.mark(market), self.venue.index[market]])
        price = centre + round(centre * self.rng.uniform(-reach, reach))
        top: int = self.world.markets[market]["price_max_ticks"] - 1
        return max(1, min(top, price))

    def affordable_lots(self, account: int, market: int) -> int:
        """Return about as many lots as the account may open with all it has."""
        rules = self.venue.state.rules
        rate: int = rules["margin"]["tiers"][0]["initial_ppm"]
        if rules["margin"]["leverage_max"]:
            rate = max(rate, ceil_div(PPM, rules["margin"]["leverage_max"]))
        free = max(0, self.venue.free_collateral(account))
        lot_value: int = self.venue.state.value(market, 1, self.venue.mark(market))
        limit: int = rules["contract"]["lots_max"]
        return max(1, min(limit, free * PPM // (rate * lot_value)))

    def refill(self) -> list[Command]:
        """Let accounts that have lost nearly everything deposit again."""
        poor = [
            account
            for account, deposit in enumerate(self.world.deposits_atoms)
            if self.venue.free_collateral(account) < deposit // 50 and not self.venue.has_lots(account)
        ]
        return [self.command("DEPOSIT", account, 0, amount=self.world.deposits_atoms[account]) for account in poor]

    def quote(self, account: int, market: int) -> list[Command]:
        """Replace a market maker's orders by a ladder around the index."""
        rng = self.rng
        depth = min(self.world.depth_lots, self.venue.state.rules["contract"]["lots_max"] // 2)
        centre = self.venue.index[market]
        gap = max(1, round(centre * rng.choice([0.002, 0.005, 0.02])))
        found = [self.command("CANCEL_ALL", account, market)] if rng.random() < 0.8 else []
        for level in range(rng.randint(1, 3)):
            for side in (1, -1):
                price = centre - side * gap * (level + 1)
                lots = rng.randint(1, depth)
                found.append(
                    self.command(
                        "LIMIT",
                        account,
                        market,
                        side=side,
                        price=price,
                        lots=lots,
                        tag=level,
                        post_only=rng.random() < 0.3,
                    )
                )
        return found

    def open(self, account: int, market: int) -> list[Command]:
        """Open or add to a position with most of what leverage allows."""
        rng = self.rng
        lots = max(1, int(self.affordable_lots(account, market) * rng.choice([0.3, 0.7, 0.9, 0.97, 1.05])))
        held = self.venue.position(account, market)[0]
        side = rng.choice([1, -1]) if held == 0 or rng.random() < 0.2 else (1 if held > 0 else -1)
        if rng.random() < 0.5:
            return [self.command("MARKET", account, market, side=side, lots=lots, fok=rng.random() < 0.1)]
        price = self.near(market, 0.04)
        flag = rng.choice(["", "", "ioc", "fok"])
        more = {flag: True} if flag else {}
        return [
            self.command("LIMIT", account, market, side=side, lots=lots, price=price, tag=rng.randint(0, 4), **more)
        ]

    def close(self, account: int, market: int) -> list[Command]:
        """Close part of a position, all of it, or flip it."""
        rng = self.rng
        held = self.venue.position(account, market)[0]
        if held == 0:
            return self.open(account, market)
        side = -1 if held > 0 else 1
        lots = max(1, int(abs(held) * rng.choice([0.3, 0.5, 1.0, 1.0, 2.0, 3.0])))
        reduce_only = rng.random() < 0.5
        if rng.random() < 0.6:
            return [self.command("MARKET", account, market, side=side, lots=lots, reduce_only=reduce_only)]
        price = self.near(market, 0.03)
        return [
            self.command(
                "LIMIT",
                account,
                market,
                side=side,
                lots=lots,
                price=price,
                reduce_only=reduce_only,
                tag=rng.randint(0, 4),
                fok=rng.random() < 0.1,
            )
        ]

    def stop(self, account: int, market: int) -> list[Command]:
        """Place a STOP or TAKE_PROFIT near the price."""
        rng = self.rng
        held = self.venue.position(account, market)[0]
        side = rng.choice([1, -1]) if held == 0 else (-1 if held > 0 else 1)
        return [
            self.command(
                rng.choice(["STOP", "TAKE_PROFIT"]),
                account,
                market,
                side=side,
                tag=rng.randint(0, 4),
                lots=max(1, abs(held) or rng.randint(1, 20)),
                trigger=self.near(market, 0.06),
                by_mark=rng.random() < 0.5,
                reduce_only=rng.random() < 0.5,
                fok=rng.random() < 0.15,
            )
        ]

    def manage(self, account: int, market: int) -> list[Command]:
        """Cancel, replace or cross one's own order."""
        rng = self.rng
        tag, kind = rng.randint(0, 5), rng.choice(["CANCEL", "CANCEL_ALL", "REPLACE", "REPLACE", "OWN"])
        if kind != "OWN" and kind != "REPLACE":
            return [self.command(kind, account, market, tag=tag)]
        book = self.venue.book(market)
        mine = [(side, row) for side in (1, -1) for row in book[side] if row[0] == account]
        if kind == "OWN" and mine:
            side, row = rng.choice(mine)
            return [
                self.command(
                    "LIMIT",
                    account,
                    market,
                    side=-side,
                    price=row[2],
                    lots=row[3] + rng.randint(0, 5),
                    tag=tag,
                    fok=rng.random() < 0.2,
                )
            ]
        if mine and rng.random() < 0.7:
            _, row = rng.choice(mine)
            price = row[2] if rng.random() < 0.5 else self.near(market, 0.05)
            lots = max(1, row[3] + rng.randint(-5, 3))
            return [self.command("REPLACE", account, market, tag=row[1], price=price, lots=lots, trigger=price)]
        price = self.near(market, 0.05)
        return [self.command("REPLACE", account, market, tag=tag, price=price, trigger=price, lots=rng.randint(1, 20))]

    def money(self, account: int, market: int) -> list[Command]:
        """Deposit, withdraw, move margin, change leverage or mode."""
        rng, venue = self.rng, self.venue
        kind = rng.choice(["DEPOSIT", "WITHDRAW", "MOVE_MARGIN", "SET_LEVERAGE", "SET_MODE"])
        base = max(1, venue.balance(("cross", account)))
        amount = {
            "DEPOSIT": rng.randint(1, self.world.deposits_atoms[account]),
            "WITHDRAW": int(base * rng.uniform(0.1, 1.1)) + rng.choice([0, 1]),
            "MOVE_MARGIN": rng.choice([-1, 1]) * int(base * rng.uniform(0.0, 0.6)),
            "SET_LEVERAGE": rng.choice([0, 10_000, 50_000, 200_000, PPM]),
            "SET_MODE": rng.choice([0, 1, 1]),
        }[kind]
        return [self.command(kind, account, market, amount=amount)]

    def first_deposits(self) -> list[Command]:
        """Bring the deposits; where assets are taken, every other account brings most of it as the first of them."""
        found: list[Command] = []
        known = assets.listed(self.venue.state)
        for account, deposit in enumerate(self.world.deposits_atoms):
            if known and account % 2 and (known[0]["market"] or "M0") == "M0":
                amount = min(deposit * PPM // assets.price_of(self.venue.state, known[0]), COLUMN_MAX)
                found.append(self.command("DEPOSIT_ASSET", account, 0, amount=amount))
                deposit = deposit // 20 + 1
            found.append(self.command("DEPOSIT", account, 0, amount=deposit))
        return found

    def assets(self) -> list[Command]:
        """Bring in, or take out, collateral: half as much as the account's money is worth, or anything."""
        rng = Random(f"assets {self.rng.random()}")
        found: list[Command] = []
        for account, deposit in enumerate(self.world.deposits_atoms):
            if rng.random() < 0.1:
                kind = rng.choice(["DEPOSIT_ASSET", "DEPOSIT_ASSET", "WITHDRAW_ASSET"])
                place = rng.randint(-1, 3)
                worth = max(1, int(deposit * rng.choice([0.1, 0.5, 2.0])))
                known = assets.listed(self.venue.state)
                price = PPM
                if 0 <= place < len(known) and (known[place]["market"] is None or known[place]["market"] == "M0"):
                    price = assets.price_of(self.venue.state, known[place])
                amount = min(worth * PPM // price, COLUMN_MAX) + rng.choice([0, 0, 1])
                found.append(self.command(kind, account, place, amount=amount))
        return found

    def nonsense(self, account: int, market: int) -> list[Command]:
        """Return a command with something wrong in it, or with a needless flag."""
        rng = self.rng
        kind = rng.choice([*ORDER_KINDS, *HANDLERS])
        price = self.near(market, 0.05)
        sound = self.command(
            kind,
            account,
            market,
            side=rng.choice([1, -1]),
            lots=rng.randint(1, 30),
            price=price,
            trigger=price,
            tag=rng.randint(0, 9),
            amount=rng.randint(-1, 10),
        )
        top = self.world.markets[market]["price_max_ticks"]
        wrong: list[tuple[str, list[Any]]] = [
            ("account", [-1, len(self.world.keys), 2**40]),
            ("market", [-1, len(self.world.markets), 2**40]),
            ("kind", ["NONE"]),
            ("side", [0, 2, -2]),
            ("lots", [0, -1, -(2**62), 2**62, 2**31, self.venue.state.rules["contract"]["lots_max"]]),
            ("price", [0, -5, top, top - 1, 1, 2**62]),
            ("trigger", [0, -5, top, top - 1, 1, 2**62]),
            ("amount", [0, -1, 2, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, -(2**62), PPM + 1]),
        ]
        field, values = rng.choice(wrong)
        sound[field] = rng.choice(values)
        for flag in ("ioc", "fok", "post_only", "reduce_only", "by_mark"):
            sound[flag] = rng.random() < 0.25
        if sound["kind"] in ("DEPOSIT", "WITHDRAW") and sound["amount"] == 2**53:
            sound["amount"] += 1  # a fortune would end all distress in this world
        return [sound]


def random_commands(seed: int, step: int, world: World, venue: ReferenceVenue) -> list[Command]:
    """Return the commands of one step; the first step brings the deposits."""
    trader = Trader(Random(f"commands {seed} {step}"), world, venue)
    rng = trader.rng
    if step == 0:
        return trader.first_deposits()
    found = trader.refill() if rng.random() < 0.3 else []
    for account in world.makers:
        for market in range(len(world.markets)):
            if rng.random() < world.quote_chance:
                found += trader.quote(account, market)
    for _ in range(rng.randint(0, world.commands_per_step)):
        account, market = rng.randrange(len(world.keys)), rng.randrange(len(world.markets))
        actions = [trader.open, trader.close, trader.stop, trader.manage, trader.money, trader.nonsense]
        found += rng.choices(actions, weights=[45, 16, 12, 12, 8, 7])[0](account, market)
    if assets.rule(venue.state):
        found += trader.assets()
    return found
