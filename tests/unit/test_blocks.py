"""Commands in blocks: when they close, what fits, in which order, and what a full block does to a crash."""

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT, C_TAG, FLAG_REDUCE_ONLY, Kind, batch
from delever.experiments.paired import paired_difference
from delever.sim.blocks import BlockGateway, Blocks, is_urgent, lowest_so_far
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, ScenarioError
from tests.golden.shocks import shock_world
from tests.twins import change, crash
from tests.unit.test_makers import INFORMED, TIERED, WANDERING
from tests.watched import NOISE, edges_ppm, world


def open_gateway(
    keys: list[int], base_ms: float = 0.0, jitter_ms: float = 0.0, dt_s: int = 1, **numbers: object
) -> BlockGateway:
    rows, wakings = np.arange(len(keys)), np.zeros(len(keys), dtype=np.int64)
    blocks = Blocks.model_validate(numbers)
    return BlockGateway(blocks, 1, np.array(keys), rows, wakings, base_ms=base_ms, jitter_ms=jitter_ms, dt_s=dt_s)


def send(gateway: BlockGateway, accounts: list[int], step: int, kind: Kind = Kind.LIMIT, waking: int = 0) -> None:
    """Send commands whose tags are their numbers of submission."""
    gateway._wakings[:] = waking
    tags = gateway.sent = getattr(gateway, "sent", 0) + len(accounts)  # type: ignore[attr-defined]
    given = batch(len(accounts), account=accounts, kind=kind, tag=np.arange(tags - len(accounts), tags))
    assert gateway.submit(given, 0, len(gateway.keys), step)


def tags(arrived: NDArray[np.int64]) -> list[int]:
    return arrived[:, C_TAG].tolist()


def test_a_block_takes_many_steps() -> None:
    """Blocks close at 3, 6, 9 s: what arrives in [3, 6) is executed in the step that ends at 6 s."""
    gateway = open_gateway([1, 2], block_ms=3_000)
    for step in range(7):
        send(gateway, [0], step)
        expected = {2: [0, 1, 2], 5: [3, 4, 5]}.get(step, [])
        assert tags(gateway.collect(step)) == expected


def test_a_step_has_many_blocks() -> None:
    """Ten blocks of a tenth of a second, with room for two: twenty commands a step, and order holds across blocks."""
    gateway = open_gateway(list(range(30)), block_ms=100, capacity=2, order="shuffle")
    send(gateway, list(range(30)), 0)
    assert len(gateway.collect(0)) == 20
    assert gateway.waiting == 10
    assert len(gateway.collect(1)) == 10
    late = open_gateway([5, 6, 7], base_ms=550, block_ms=100, capacity=1)
    send(late, [0, 1, 2], 0)
    assert len(late.collect(0)) == 3, "blocks at 600, 700 and 800 ms"


def test_blocks_as_long_as_a_step_without_a_limit_are_no_blocks() -> None:
    """By arrival, to the bit, a whole crash long."""
    plain = MarketModel(shock_world("duration_s=500"), seed=2, collect=False)
    blocks = MarketModel(
        shock_world("duration_s=500", "blocks.block_ms=1000", 'blocks.order="arrival"'), seed=2, collect=False
    )
    while plain.running:
        plain.step()
        blocks.step()
        assert np.array_equal(plain.arrived, blocks.arrived)
    assert plain.venue.digest() == blocks.venue.digest()


def test_the_highest_fee_goes_first_and_urgent_wakings_pay_more() -> None:
    gateway = open_gateway(list(range(100)), capacity=10, block_ms=1_000, urgent_ratio=1e6)
    send(gateway, list(range(90)), 0)
    send(gateway, list(range(90, 100)), 0, kind=Kind.DEPOSIT)
    assert sorted(tags(gateway.collect(0))) == list(range(90, 100))
    bids = gateway._bids[:90].copy()
    best = np.argsort(-bids)[:10]
    assert tags(gateway.collect(1)) == best.tolist()


def test_a_trader_never_overtakes_themselves_and_a_low_bid_holds_back_what_follows_it() -> None:
    gateway = open_gateway(list(range(50)), capacity=7, block_ms=1_000)
    for waking in range(6):
        send(gateway, list(range(50)) * 2, 0, waking=waking)
    seen: dict[int, list[int]] = {}
    while gateway.waiting:
        for row in gateway.collect(0):
            seen.setdefault(int(row[C_ACCOUNT]), []).append(int(row[C_TAG]))
    assert sum(map(len, seen.values())) == 600
    assert all(each == sorted(each) for each in seen.values())
    accounts = np.array([4, 2, 4, 2, 4, 9])
    found = lowest_so_far(accounts, np.array([0.5, 3.0, 0.7, 1.0, 0.1, 2.0]))
    assert found.tolist() == [0.5, 3.0, 0.5, 1.0, 0.1, 2.0]


def test_lots_are_drawn_anew_for_every_block_and_depend_on_nobody_else() -> None:
    orders = []
    for keys in ([7, 8, 9, 10], [10, 9, 8, 7], [8, 9]):
        gateway = open_gateway(keys, block_ms=1_000, order="shuffle")
        now = []
        for step in range(40):
            send(gateway, list(range(len(keys))), step)
            now.append([int(gateway.keys[row[C_ACCOUNT]]) for row in gateway.collect(step)])
        orders.append(now)
    assert orders[0] == orders[1]
    assert [[key for key in block if key in (8, 9)] for block in orders[0]] == orders[2]
    assert {tuple(block) for block in orders[2]} == {(8, 9), (9, 8)}


def test_urgent_is_what_the_rule_says() -> None:
    given = batch(5, account=0, kind=[Kind.DEPOSIT, Kind.MARKET, Kind.MARKET, Kind.STOP, Kind.CANCEL_ALL],
                  flags=[0, 0, FLAG_REDUCE_ONLY, FLAG_REDUCE_ONLY, 0])  # fmt: skip
    assert is_urgent(given, ("deposit", "reduce")).tolist() == [True, False, True, False, False]
    assert is_urgent(given, ("cancel",)).tolist() == [False, False, False, False, True]


def test_what_waits_survives_a_snapshot() -> None:
    gateway, other = (open_gateway(list(range(100)), jitter_ms=3_000, block_ms=700, capacity=9) for _ in range(2))
    send(gateway, list(range(100)), 0)
    gateway.collect(0)
    other.restore(gateway.snapshot())
    other.sent = gateway.sent  # type: ignore[attr-defined]
    for each in (gateway, other):
        send(each, list(range(100)), 1, waking=1)
    assert [tags(gateway.collect(step)) for step in range(1, 30)] == [
        tags(other.collect(step)) for step in range(1, 30)
    ]


def test_more_blocks_in_a_step_than_can_be_gone_through_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"blocks.block_ms: a step of 10 s .* at least 10 ms \(got 5\)"):
        crash(dt_s=10, blocks={"block_ms": 5.0})


BLOCKS = {"block_ms": 2_000.0, "order": "arrival"}


def test_in_full_blocks_commands_come_late_and_more_accounts_are_liquidated() -> None:
    """Paired twin: blocks as long, with room for all."""
    full, twin = crash(blocks={**BLOCKS, "capacity": 9}), crash(blocks=BLOCKS)
    assert backlog(full, seed=1) > 2 * backlog(twin, seed=1)
    assert change("liquidations", full, twin, seeds=12).low > 0


def backlog(world: Scenario, seed: int) -> float:
    """Return how many commands were under way on average while the price fell."""
    model, waiting = MarketModel(world, seed=seed, collect=False), []
    while model.running:
        model.step()
        waiting.append(model.gateway.waiting)
    return float(np.mean(waiting[600:700]))


def test_who_bids_for_urgency_is_liquidated_less() -> None:
    """Paired twin: the same fees, but nobody pays more for what is urgent."""
    full = {"block_ms": 2_000.0, "capacity": 9}
    plain = crash(blocks={**full, "urgent_ratio": 1.0})
    assert change("liquidations", crash(blocks={**full, "urgent_ratio": 50.0}), plain, seeds=8).high < 0


def ahead_ppm(seed: int, order: str) -> float:
    """Return how much more makers a second faster than others earn, in blocks of two seconds."""
    others = [
        each | {"latency_ms": 0, "jitter_ms": 1_900}
        for each in (NOISE | {"market_share": 1.0, "cancel_share": 0.0}, INFORMED)
    ]
    tiers = {"fast": 0, "slow": 1_000}
    makers = [TIERED | {"name": name, "latency_ms": ms, "jitter_ms": 0} for name, ms in tiers.items()]
    blocks = f'[blocks]\nblock_ms = 2000\norder = "{order}"\n[[markets]]'
    text = world([*makers, *others], WANDERING, duration_s=1_800).replace("[[markets]]", blocks, 1)
    fast, slow = edges_ppm(text, seed, *tiers)
    return float(fast - slow)


def test_shuffling_a_block_takes_from_the_fast_what_speed_is_worth() -> None:
    """Paired twin: by arrival within the block. Budish, Cramton and Shim (2015)."""
    shuffled, by_arrival = (
        np.array([ahead_ppm(seed, order) for seed in range(1, 5)]) for order in ("shuffle", "arrival")
    )
    assert paired_difference(shuffled, 0.5 * by_arrival).high < 0.0, "less than half of it is left"
