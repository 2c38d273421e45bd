"""What must not matter: how accounts are numbered, and which way is up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import Observation, ReferenceSide, first_difference
from tests.engine_side import EngineSide
from tests.plain_world import plain_world
from tests.reference.workload import World, random_commands, random_path, random_rules, random_world
from tests.unit.desk import PLAIN

from .streams import ACCOUNTS, HIGH, LOW, Step, command, streams, tier_tables

Command = dict[str, Any]
STEPS = 60
RICH = 2**40
TIER = [{"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 100_000}]
TOP = 200  # price_max_ticks: prices 1 .. TOP - 1 are mirrored onto themselves by p -> TOP - p


def renamed(seen: Observation, row_of: Callable[[Any], Any]) -> Observation:
    """Return an observation in which every account has another row; order in logs and queues stays."""

    def unit(name: Any) -> Any:
        return name if isinstance(name, str) else (name[0], row_of(name[1]), *name[2:])

    found: Observation = {}
    for key, value in seen.items():
        kind = key if isinstance(key, str) else key[0]
        if kind == "balance":
            found["balance", unit(key[1])] = value
        elif kind in ("position", "isolated", "own_ppm", "liquidation price"):
            found[kind, row_of(key[1]), key[2]] = value
        elif kind in ("book", "waiting"):
            found[key] = [(row_of(row[0]), *row[1:]) for row in value]
        elif kind == "distressed":
            found[key] = {unit(name): since for name, since in value.items()}
        elif kind == "notices":
            found[key] = {unit(name) for name in value}
        elif kind == "fills":
            found[key] = [(row_of(taker), row_of(maker), *rest) for taker, maker, *rest in value]
        elif kind == "liquidations":
            found[key] = [(*row[:2], row_of(row[2]), *row[3:]) for row in value]
        elif kind in ("takeovers", "adl"):
            found[key] = [(*row[:2], row_of(row[2]), row[3], row_of(row[4]), *row[5:]) for row in value]
        elif kind == "postings":
            found[key] = {(code, unit(debit), unit(credit)): atoms for (code, debit, credit), atoms in value.items()}
        else:
            found[key] = value
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), data=st.data())
def test_relabelled_accounts_have_the_same_fate(seed: int, data: st.DataObject) -> None:
    """R-W2, R-W9, R-L1, R-L2: rows may be numbered in any order, keys travel with their accounts and break ties.

    Any drawn world under any drawn rules; every observation after every step is the same but for the names.
    """
    world = random_world(seed)
    rules = RuleSet.model_validate(random_rules(seed)).model_dump()
    count = len(world.keys)
    new_row = data.draw(st.permutations(range(count)))
    keys = [world.keys[new_row.index(row)] for row in range(count)]
    other = replace(world, keys=keys, backstops=[new_row[a] for a in world.backstops])

    def row_of(account: Any) -> Any:
        return new_row[account] if isinstance(account, int) and 0 <= account < count else account

    # The reference only draws the commands: what comes next depends on what a trader sees.
    reference, first, second = ReferenceSide(world, rules), EngineSide(world, rules), EngineSide(other, rules)
    for step, index_ticks in enumerate(random_path(seed, world, STEPS)):
        commands = random_commands(seed, step, world, reference.venue)
        reference.process(commands, index_ticks)
        answers = first.process(commands, index_ticks)
        assert second.process([one | {"account": row_of(one["account"])} for one in commands], index_ticks) == answers
        assert first_difference(renamed(first.observe(), row_of), second.observe()) == ""


def mirrored_command(one: Command) -> Command:
    """Return the command of the looking glass: the other side, prices from the other end."""
    return one | {"side": -one["side"], "price": TOP - one["price"], "trigger": TOP - one["trigger"]}


def mirrored(seen: Observation) -> Observation:
    """Return an observation as the looking glass shows it, without what R-M4 rounds: balances and entry costs."""
    found: Observation = {}
    for key, value in seen.items():
        kind = key if isinstance(key, str) else key[0]
        if kind == "position":
            found[key] = -value[0]
        elif kind == "book":
            found["book", key[1], -key[2]] = [(a, tag, TOP - price, *rest) for a, tag, price, *rest in value]
        elif kind == "waiting":
            found[key] = [(a, tag, what, -side, lots, TOP - at) for a, tag, what, side, lots, at in value]
        elif kind == "mark":
            found[key] = TOP - value
        elif kind == "fills":
            found[key] = [(a, b, m, -lots, TOP - price, cause) for a, b, m, lots, price, cause in value]
        elif kind in ("takeovers", "adl"):
            found[key] = [(*row[:5], -row[5], TOP - row[6]) for row in value]
        elif kind in ("distressed", "notices", "liquidations", "refusals", "unfinished"):
            found[key] = value
    return found


def as_it_is(seen: Observation) -> Observation:
    """Return the parts of an observation that `mirrored` keeps."""
    kinds = ("book", "waiting", "mark", "distressed", "notices", "fills", "liquidations", "takeovers", "adl")
    found: Observation = {}
    for key, value in seen.items():
        kind = key if isinstance(key, str) else key[0]
        if kind == "position":
            found[key] = value[0]
        elif kind in (*kinds, "refusals", "unfinished"):
            found[key] = value
    return found


def equities(seen: Observation, multiplier: int) -> Counter[Any]:
    """Return the equity of every cross unit and of the fund at the marks: balance + lots * c * mark - cost."""
    found: Counter[Any] = Counter()
    for key, value in seen.items():
        if key[0] == "balance":
            found[key[1]] += value
        elif key[0] == "position":
            unit = key[1] if key[1] == "FUND" else ("cross", key[1])
            found[unit] += value[0] * multiplier * seen["mark", key[2]] - value[1]
    return Counter({unit: atoms for unit, atoms in found.items() if unit == "FUND" or unit[0] == "cross"})


def play_both_ways(world: World, axes: dict[str, Any], steps: list[tuple[list[Command], int]]) -> EngineSide:
    """Play steps (commands, index) and their mirror image; assert that they mirror; return a side."""
    rules = RuleSet.model_validate(PLAIN | axes).model_dump()
    first = [TOP - p for p in world.first_index_ticks]
    plain, glass = EngineSide(world, rules), EngineSide(replace(world, first_index_ticks=first), rules)
    multiplier, fills = world.markets[0]["multiplier_atoms"], 0
    for commands, index in steps:
        answers = plain.process(commands, [index])
        assert glass.process([mirrored_command(one) for one in commands], [TOP - index]) == answers
        left, right = plain.observe(), glass.observe()
        assert first_difference(mirrored(left), as_it_is(right)) == ""
        assert equities(left, multiplier) == equities(right, multiplier)
        # R-M4 rounds the removed cost of a closing fill by less than an atom, and in the mirror the other way.
        fills += len(left["fills"])
        for account in range(len(world.keys)):
            unit = ("balance", ("cross", account))
            assert abs(left.get(unit, 0) - right.get(unit, 0)) <= fills
    return plain


@settings(max_examples=100)
@given(
    stream=streams,
    indices=st.lists(st.integers(LOW, HIGH), min_size=9, max_size=9),
    self_trade=st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"]),
    component=st.sampled_from(["index", "last", "book"]),
    lots_max=st.sampled_from([15, 100_000]),
)
def test_a_mirrored_market_trades_the_mirror_image(
    stream: list[Step], indices: list[int], self_trade: str, component: str, lots_max: int
) -> None:
    """Prices p -> TOP - p, sides swapped: answers, fills, queues, lots and equities are mirrored exactly.

    The profit of n lots from p to q is n * c * (q - p), which does not change when n, p and q are mirrored. Three
    things do know which way is up, and are kept out here: fees and margin are shares of the price (no fees; everybody
    is rich); mid and averages of the basis are rounded down (the mark is the index, the last trade or the book); the
    collar is a share of the mark (none). A fourth, R-M4, is inside: the cost removed by a partial close is rounded
    towards zero, so that realised profit may differ by one atom a fill - from unrealised profit only, which is why
    equity is exact.
    """
    axes = {
        "matching": {"self_trade": self_trade},
        "mark": {"components": [component]},
        "contract": {"lots_max": lots_max},
    }
    deposits = [command("DEPOSIT", account, amount=RICH) for account in range(ACCOUNTS)]
    steps = list(zip([deposits, *stream, []], [100, *indices], strict=False))
    play_both_ways(plain_world(ACCOUNTS, price_max=TOP), axes, steps)


@st.composite
def waterfalls(draw: st.DrawFn) -> dict[str, Any]:
    """Draw rules that look at equity alone: every requirement is one atom, whatever the price."""
    leftover = draw(st.sampled_from(["retry", "fund", "backstop"]))
    stages = ["book"] if leftover == "retry" else ["book", "takeover_only"]
    return {
        "margin": {
            "tiers": [{"floor_quote": 0, "initial_ppm": 1, "maintenance_ppm": 1}],
            "call_ppm": draw(st.sampled_from([0, 30_000_000])),
        },
        "mark": {
            "components": [draw(st.sampled_from(["index", "last", "book"]))],
            "renew_in_rounds": draw(st.booleans()),
        },
        "liquidation": {
            "trigger": draw(st.sampled_from(["below", "at_or_below"])),
            "stage": draw(st.sampled_from(stages)),
            "size": draw(st.sampled_from(["full", "target", "share"])),
            "target_ppm": draw(st.sampled_from([1_000_000, 10_000_000])),
            "full_below_quote": 0,
            "cooldown_s": draw(st.sampled_from([0, 2])),
            "price": draw(st.sampled_from(["market", "bankruptcy"])),
            "leftover": leftover,
            "seize_margin": draw(st.booleans()),
            "latency_s": draw(st.sampled_from([0, 1])),
            "rounds_max": draw(st.sampled_from([1, 10])),
        },
        "insurance": {
            "initial_quote": draw(st.sampled_from([0, 1])),
            "warehouse_leverage": 1_000,
            "disposal_share_ppm": draw(st.sampled_from([0, 300_000])),
            "disposal_range_ppm": 0,
        },
        "rounding": {"bankruptcy_price": draw(st.sampled_from(["inward", "outward"]))},
    }


@settings(max_examples=150)
@given(
    axes=waterfalls(),
    stream=streams,
    indices=st.lists(st.sampled_from([60, 85, 95, 100, 103, 120, 140]), min_size=10, max_size=10),
    deposits=st.tuples(st.integers(5, 30), st.integers(5, 100), st.integers(500, 5_000), st.integers(1, 500)),
    deals=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1, -1]), st.integers(1, 30)), min_size=1, max_size=3),
)
def test_a_mirrored_market_liquidates_the_mirror_image_where_requirements_do_not_know_the_price(
    axes: dict[str, Any],
    stream: list[Step],
    indices: list[int],
    deposits: tuple[int, ...],
    deals: list[tuple[int, int, int]],
) -> None:
    """Whoever is ruined is ruined at the mirrored price, sold to the same hands, and costs fund and venue the same.

    Rates are 1 ppm of values below a quote unit, so that a requirement is one atom for any position at any price and
    "distressed" means "no equity". Then everything a liquidation looks at is equity (R-W1, R-W4, R-W5, R-A9), a count
    of lots or an order of keys, and the law of the test above holds through the waterfall. Left out is what knows
    the price (scores of R-W9, value limits of full_below and warehouse, a disposal range) or unrealised profit, which
    R-M4 rounds (R-L2).
    """
    pay = [command("DEPOSIT", account, amount=amount) for account, amount in enumerate(deposits)]
    deal = [
        command("LIMIT", who, side=sign * side, lots=lots, price=100)
        for account, side, lots in deals
        for who, sign in ((account, 1), (2, -1))
    ]
    steps = list(zip([pay, deal, *stream, [], []], [100, 100, *indices], strict=False))
    play_both_ways(plain_world(4, price_max=TOP, backstops=[3]), axes, steps)


def test_the_mirror_has_seen_the_waterfall() -> None:
    """The law above is not about nothing: a ruined long and its mirror image go through book, takeover and fund."""
    axes = {
        "margin": {"tiers": [{"floor_quote": 0, "initial_ppm": 1, "maintenance_ppm": 1}]},
        "liquidation": {"leftover": "backstop"},
        "insurance": {"initial_quote": 1, "disposal_share_ppm": 0},
    }
    pay = [command("DEPOSIT", account, amount=amount) for account, amount in enumerate((50, 40, 5_000, 500))]
    deal = [command("LIMIT", a, side=s, lots=6, price=100) for a, s in ((0, 1), (2, -1), (1, 1), (2, -1))]
    bid = [command("LIMIT", 2, side=1, lots=8, price=85)]
    side = play_both_ways(
        plain_world(4, price_max=TOP, backstops=[3]), axes, [(pay, 100), (deal, 100), (bid, 100), ([], 85), ([], 60)]
    )
    assert len(side.liquidations) == 2
    assert len(side.takeovers) == 1
    assert side.observe()["balance", "FUND"] < 10**6


@given(
    tiers=tier_tables(),
    lots=st.integers(1, 50),
    wealth=st.integers(1, 100_000),
    distance=st.integers(0, TOP // 2 - 1),
    rounding=st.sampled_from(["up", "down"]),
)
def test_a_short_is_never_liquidated_later_than_its_mirrored_long(
    tiers: list[dict[str, int]], lots: int, wealth: int, distance: int, rounding: str
) -> None:
    """R-A2: with real rates the mirror tilts, one way: at the same loss a short needs more margin than a long.

    Both entered at the middle with the same money. After x ticks both have lost n * c * x; the long's requirement is
    a share of a price that fell, the short's of one that rose, and requirements never fall as values rise. So where
    the long is distressed the short is; the other way round it need not be.
    """
    rules = PLAIN | {"margin": {"tiers": tiers}, "rounding": {"requirement": rounding}, "liquidation": {"act": False}}
    desk = EngineSide(plain_world(2, price_max=TOP, multiplier=1_000), RuleSet.model_validate(rules).model_dump())
    pay = [command("DEPOSIT", account, amount=wealth * 1_000) for account in (0, 1)]
    desk.process(pay, [100])
    deal = [command("LIMIT", account, side=side, lots=lots, price=100) for account, side in ((0, 1), (1, -1))]
    assume(desk.process(deal, [100]) == ["OK", "OK"])
    saved = desk.venue.snapshot()
    ruined = {}
    for account, index in ((0, 100 - distance), (1, 100 + distance)):
        desk.venue.restore(saved)
        desk.process([], [index])
        ruined[account] = ("cross", account) in desk.observe()["distressed"]
    assert ruined[1] or not ruined[0]


def test_the_tilt_is_real() -> None:
    """R-A2: 10 lots at 100, 10 %: with 191 atoms the long at 91 needs 91 of 101, the short at 109 109 of 101."""
    rules = PLAIN | {"margin": {"tiers": TIER}, "liquidation": {"act": False}}
    desk = EngineSide(plain_world(2, price_max=TOP), RuleSet.model_validate(rules).model_dump())
    desk.process([command("DEPOSIT", account, amount=191) for account in (0, 1)], [100])
    desk.process(
        [command("LIMIT", account, side=side, lots=10, price=100) for account, side in ((0, 1), (1, -1))], [100]
    )
    found = []
    for index in (91, 109):
        desk.process([], [index])
        found.append(set(desk.observe()["distressed"]))
    assert found == [set(), {("cross", 1)}]
