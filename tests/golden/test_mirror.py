"""A venue knows no difference between buying and selling: reflect prices, swap sides, and everything is reflected.

A linear contract allows it: price p becomes K - p, so that a profit stays what it is. What hangs on the value of a
position (margin, fees, funding, collars) does not reflect; so here nobody is short of money and nothing is charged.
Realised profit may differ by an atom where a part of a position is closed (the cost of the part is rounded), equity
not.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.commands import (
    C_KIND,
    C_PRICE_TICKS,
    C_SIDE,
    C_TRIGGER_TICKS,
    FLAG_BY_MARK,
    FLAG_FOK,
    FLAG_IOC,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    Kind,
    batch,
)
from delever.engine.rules.charges import Charges
from delever.engine.rules.halts import Halts
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import (
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    M_FILLS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_VOLUME_LOTS,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
)
from delever.engine.venue import Venue

PRICE_MAX = 400  # prices are 1 .. 399, which p -> 400 - p maps onto itself
ACCOUNTS, STEPS, PER_STEP = 12, 150, 8
MULTIPLIER_ATOMS = 7
KINDS = (Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.TAKE_PROFIT, Kind.CANCEL, Kind.CANCEL_ALL, Kind.REPLACE)
WEIGHTS = (0.5, 0.15, 0.08, 0.07, 0.07, 0.03, 0.1)
ORDER_FLAGS = (0, FLAG_IOC, FLAG_FOK, FLAG_POST_ONLY, FLAG_REDUCE_ONLY, FLAG_REDUCE_ONLY | FLAG_IOC)


def free_venue(self_trade: str) -> Venue:
    rules = RuleSet(
        matching=Matching.model_validate({"self_trade": self_trade}),
        mark=Mark(components=("last",)),
        charges=Charges(maker_ppm=0, taker_ppm=0, funding=None),
        halts=Halts(collar_ppm=0),
    )
    market = Market("X", MULTIPLIER_ATOMS, PRICE_MAX)
    return Venue(rules, [market], np.arange(ACCOUNTS), first_index_ticks=[PRICE_MAX // 2], orders_max=2_000, check=True)


def random_commands(rng: np.random.Generator) -> NDArray[np.int64]:
    kind = rng.choice(KINDS, size=PER_STEP, p=WEIGHTS)
    waits = (kind == Kind.STOP) | (kind == Kind.TAKE_PROFIT)
    flags = np.where(kind == Kind.LIMIT, rng.choice(ORDER_FLAGS, size=PER_STEP), 0)
    flags = np.where(waits, rng.choice([0, FLAG_BY_MARK, FLAG_REDUCE_ONLY], size=PER_STEP), flags)
    return batch(
        PER_STEP,
        account=rng.integers(0, ACCOUNTS, PER_STEP),
        kind=kind,
        side=rng.choice([-1, 1], size=PER_STEP),
        lots=rng.integers(1, 30, PER_STEP),
        price_ticks=rng.integers(185, 216, PER_STEP),
        trigger_ticks=rng.integers(185, 216, PER_STEP),
        flags=flags,
        tag=rng.integers(0, 3, PER_STEP),
    )


def mirrored(commands: NDArray[np.int64]) -> NDArray[np.int64]:
    other = commands.copy()
    other[:, C_SIDE] *= -1
    other[:, C_PRICE_TICKS] = PRICE_MAX - other[:, C_PRICE_TICKS]
    other[:, C_TRIGGER_TICKS] = PRICE_MAX - other[:, C_TRIGGER_TICKS]
    return other


def equity_atoms(venue: Venue) -> NDArray[np.int64]:
    t = venue.tables
    position, balance = t.positions[:ACCOUNTS], t.units[:ACCOUNTS, U_CREDITS_ATOMS] - t.units[:ACCOUNTS, U_DEBITS_ATOMS]
    value = position[:, P_LOTS] * MULTIPLIER_ATOMS * t.markets[0, M_MARK_TICKS]
    return balance + value - position[:, P_COST_ATOMS]


@pytest.mark.parametrize("self_trade", ["cancel_newest", "cancel_oldest", "cancel_both"])
@pytest.mark.parametrize("seed", range(4))
def test_a_mirrored_market_gives_mirrored_results(seed: int, self_trade: str) -> None:
    rng = np.random.default_rng(seed)
    plain, mirror = free_venue(self_trade), free_venue(self_trade)
    deposits = batch(ACCOUNTS, account=np.arange(ACCOUNTS), kind=Kind.DEPOSIT, amount=10**9)
    plain.process(deposits, np.array([200]))
    mirror.process(deposits, np.array([200]))
    kinds_done = set()
    for step in range(STEPS):
        commands = random_commands(rng)
        report = plain.process(commands, np.array([200]))
        reflected = mirror.process(mirrored(commands), np.array([200]))
        assert np.array_equal(report.results, reflected.results), f"step {step}"
        kinds_done |= set(commands[report.results == 0, C_KIND].tolist())
        a, b = plain.tables.markets[0], mirror.tables.markets[0]
        assert (a[M_BEST_BID], a[M_BEST_ASK]) == (PRICE_MAX - b[M_BEST_ASK], PRICE_MAX - b[M_BEST_BID])
        if a[M_FILLS]:
            assert a[M_LAST_TICKS] == PRICE_MAX - b[M_LAST_TICKS]
        assert (a[M_FILLS], a[M_VOLUME_LOTS]) == (b[M_FILLS], b[M_VOLUME_LOTS])
        levels = plain.tables.levels[0, 1:, L_LOTS]
        assert np.array_equal(levels, mirror.tables.levels[0, :0:-1, L_LOTS])
        assert np.array_equal(plain.tables.positions[:, P_LOTS], -mirror.tables.positions[:, P_LOTS])
        assert np.array_equal(equity_atoms(plain), equity_atoms(mirror))
    assert plain.tables.markets[0, M_FILLS] > 200
    assert kinds_done == set(KINDS)
