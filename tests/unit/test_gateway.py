"""Commands travel: they arrive late, in one order that depends on nobody's row, and never overtake their own."""

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT, C_TAG, Kind, batch
from delever.sim.gateway import Gateway
from tests.twins import change, crash


def open_gateway(
    keys: list[int], base_ms: float = 0.0, jitter_ms: float = 0.0, dt_s: int = 1, seed: int = 1
) -> Gateway:
    """Traders are numbered from the last row back, so that nothing may take one for the other."""
    rows = np.arange(len(keys))
    wakings = np.zeros(len(keys), dtype=np.int64)
    return Gateway(seed, np.array(keys), rows[::-1].copy(), wakings, base_ms=base_ms, jitter_ms=jitter_ms, dt_s=dt_s)


def commands(accounts: list[int], tags: list[int] | None = None) -> NDArray[np.int64]:
    return batch(len(accounts), account=accounts, kind=Kind.LIMIT, tag=tags or range(len(accounts)))


def send(gateway: Gateway, accounts: list[int], step: int, tags: list[int] | None = None, waking: int = 0) -> None:
    gateway._wakings[:] = waking
    assert gateway.submit(commands(accounts, tags), 0, len(gateway.keys), step)


def arrivals(gateway: Gateway, step: int) -> list[tuple[int, int]]:
    return [(row[C_ACCOUNT], row[C_TAG]) for row in gateway.collect(step).tolist()]


def test_without_latency_commands_arrive_in_their_step_by_key_then_in_the_order_given() -> None:
    gateway = open_gateway([30, 10, 20])
    send(gateway, [0, 0, 1, 2], step=4, tags=[1, 2, 3, 4])
    send(gateway, [1], step=4, tags=[5])
    assert arrivals(gateway, 4) == [(1, 3), (1, 5), (2, 4), (0, 1), (0, 2)]
    assert gateway.waiting == 0
    assert arrivals(gateway, 5) == []


@pytest.mark.parametrize(("base_ms", "arrives"), [(999.999, 0), (1000.0, 1), (2500.0, 2)])
def test_a_command_arrives_in_the_step_in_which_its_time_lies(base_ms: float, arrives: int) -> None:
    gateway = open_gateway([0], base_ms=base_ms)
    send(gateway, [0], step=0)
    found = [step for step in range(4) if arrivals(gateway, step)]
    assert found == [arrives]


def test_arrival_is_uniform_between_base_and_base_plus_jitter() -> None:
    count = 4_000
    gateway = open_gateway(list(range(count)), base_ms=5_000, jitter_ms=10_000)
    send(gateway, list(range(count)), step=0)
    per_step = [len(gateway.collect(step)) for step in range(20)]
    assert per_step[:5] == [0] * 5
    assert per_step[15:] == [0] * 5
    assert min(per_step[5:15]) > count / 10 * 0.8


def test_commands_of_one_waking_travel_together_and_keep_their_order() -> None:
    gateway = open_gateway(list(range(50)), jitter_ms=900)
    send(gateway, [account for account in range(50) for _ in range(3)], step=0)
    order = arrivals(gateway, 0)
    assert [account for account, _ in order] != sorted(account for account, _ in order)
    for place in range(0, 150, 3):
        account = order[place][0]
        assert order[place : place + 3] == [(account, 3 * account + i) for i in range(3)]


def test_a_trader_never_overtakes_themselves() -> None:
    gateway = open_gateway(list(range(200)), jitter_ms=5_000)
    for step in range(5):
        send(gateway, list(range(200)), step=step, tags=[step] * 200, waking=step)
    seen: dict[int, list[int]] = {}
    for step in range(12):
        for account, tag in arrivals(gateway, step):
            seen.setdefault(account, []).append(tag)
    assert all(tags == [0, 1, 2, 3, 4] for tags in seen.values())
    assert len(seen) == 200


def test_latency_depends_on_seed_key_and_waking_and_not_on_rows_or_company() -> None:
    keys = [7, 8, 9, 10]
    steps = {}
    for name, gateway, accounts, waking in (
        ("plain", open_gateway(keys, jitter_ms=10**6), [0, 1, 2, 3], 0),
        ("alone", open_gateway(keys, jitter_ms=10**6), [2], 0),
        ("relabelled", open_gateway(keys[::-1], jitter_ms=10**6), [0, 1, 2, 3], 0),
        ("later", open_gateway(keys, jitter_ms=10**6), [0, 1, 2, 3], 1),
        ("seeded", open_gateway(keys, jitter_ms=10**6, seed=2), [0, 1, 2, 3], 0),
    ):
        send(gateway, accounts, step=0, waking=waking)
        arrived = {}
        for step in range(1001):
            arrived |= {int(gateway.keys[account]): step for account, _ in arrivals(gateway, step)}
        steps[name] = arrived
    assert steps["plain"] == steps["relabelled"]
    assert steps["alone"] == {9: steps["plain"][9]}
    assert steps["plain"] != steps["later"]
    assert steps["plain"] != steps["seeded"]


def test_what_is_under_way_survives_a_snapshot() -> None:
    gateway, other = (open_gateway(list(range(100)), jitter_ms=3_000) for _ in range(2))
    send(gateway, list(range(100)), step=0)
    gateway.collect(0)
    kept = gateway.snapshot()
    other.restore(kept)
    send(gateway, list(range(100)), step=1, waking=1)
    send(other, list(range(100)), step=1, waking=1)
    assert gateway.waiting == other.waiting > 100
    assert [arrivals(gateway, step) for step in range(1, 6)] == [arrivals(other, step) for step in range(1, 6)]
    assert len(kept["commands"]) < 100


@pytest.mark.parametrize("stranger", [-1, 1, 4])
def test_a_batch_with_a_command_of_somebody_else_is_not_taken(stranger: int) -> None:
    gateway = open_gateway([30, 10, 20, 40])
    # Rows 3 and 2 belong to the traders 0 and 1.
    assert not gateway.submit(commands([2, 3, stranger]), 0, 2, 0)
    assert gateway.waiting == 0
    assert gateway.submit(commands([2, 3]), 0, 2, 0)
    assert len(gateway.collect(0)) == 2


def test_a_long_queue_grows_and_keeps_its_order() -> None:
    count = 5_000
    gateway = open_gateway(list(range(count)), base_ms=1_500, jitter_ms=7_000)
    for step in range(3):
        send(gateway, list(range(count)), step=step, tags=[step] * count, waking=step)
    rows = [gateway.collect(step).copy() for step in range(14)]
    sent = np.concatenate(rows)
    assert len(sent) == 3 * count
    for account in (0, 17, count - 1):
        assert sent[sent[:, C_ACCOUNT] == account, C_TAG].tolist() == [0, 1, 2]


def test_nothing_is_sent_where_nothing_is_given() -> None:
    gateway = open_gateway([1, 2])
    send(gateway, [], step=0)
    assert gateway.waiting == 0
    assert gateway.collect(0).shape == (0, 11)


@pytest.mark.parametrize("latency", [{"base_ms": 20_000, "jitter_ms": 0}, {"base_ms": 0, "jitter_ms": 40_000}], ids=str)
def test_the_longer_commands_take_the_more_accounts_are_liquidated(latency: dict[str, float]) -> None:
    """Paired twin: the same crash in which commands are there within a second: top-ups come too late."""
    assert change("liquidations", crash(latency=latency), crash(), seeds=4).low > 0
