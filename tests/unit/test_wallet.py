"""Wallets: what costs trust, who runs and how, what a gate does, and what a run does to the book."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.depositor import Depositor
from delever.agents.maker import Maker
from delever.agents.retail import Retail
from delever.agents.view import View
from delever.agents.wallet import WalletParameters
from delever.engine.commands import C_AMOUNT, C_FLAGS, C_LOTS, C_SIDE, FLAG_REDUCE_ONLY, Kind
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import BAD_DEBT, FUND, L_LOTS, OUTSIDE, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import apply_sets, load_scenario
from tests.unit.board import LOT, Board, everybody, make, of_kind
from tests.watched import MAKERS, NOISE, Seen, change, world

TRADERS = 400
CERTAIN = {"threshold_min": 0.5, "threshold_max": 0.5}
"""Everybody runs below one half."""


def bank(board: Board, *, fund: int = 1_000, deposits: int = 10_000, written_off: int = 0) -> Board:
    """Give the venue's own units balances, in lots of value."""
    for unit, column, lots in ((FUND, U_CREDITS_ATOMS, fund), (OUTSIDE, U_DEBITS_ATOMS, deposits)):
        board.tables.units[TRADERS + unit, column] = lots * LOT
    board.tables.units[TRADERS + BAD_DEBT, U_DEBITS_ATOMS] = written_off * LOT
    return board


def holders(**wallet: Any) -> tuple[Board, Depositor]:
    """Return depositors who have looked once, when all was well."""
    board = bank(Board(TRADERS))
    cohort = make(Depositor, TRADERS, wallet=wallet)
    assert isinstance(cohort, Depositor)
    assert not len(cohort.act(board.view(10), everybody(cohort)))
    return board, cohort


@pytest.mark.parametrize(
    ("wallet", "now", "share"),
    [
        ({"fund_weight": 1.0}, {"fund": 400}, 0.6),
        ({"fund_weight": 1.0}, {"written_off": 300}, 0.3),
        ({"fund_weight": 0.5}, {"written_off": 2_000}, 0.5),
        ({"outflow_weight": 2.0}, {"deposits": 8_000}, 0.4),
        ({"outflow_weight": 1.0, "fund_weight": 1.0}, {"deposits": 9_000, "fund": 900}, 0.2),
    ],
)
def test_trust_falls_with_the_fund_and_with_what_others_take(
    wallet: dict[str, Any], now: dict[str, int], share: float
) -> None:
    """Thresholds are spread from 0 to 1, so the share that runs is the trust lost."""
    board, cohort = holders(threshold_min=0.0, threshold_max=1.0, **wallet)
    commands = cohort.act(bank(board, **now).view(20), everybody(cohort))
    assert len(of_kind(commands, Kind.WITHDRAW)) == len(commands) == pytest.approx(share * TRADERS, abs=0.06 * TRADERS)
    assert (commands[:, C_AMOUNT] == 10_000 * LOT).all(), "without positions all of it"


def test_a_threshold_of_nothing_is_never_crossed() -> None:
    board, cohort = holders(threshold_max=0.0, threshold_min=0.0, fund_weight=100.0)
    assert not len(cohort.act(bank(board, fund=0).view(20), everybody(cohort)))


def test_a_withdrawal_that_does_not_come_costs_trust_and_one_that_comes_is_remembered() -> None:
    board, cohort = holders(refusal_weight=0.4, fund_weight=0.6, patience_s=30.0, forget_s=1e9, **CERTAIN)
    bank(board, fund=0)
    cohort.act(board.view(20), everybody(cohort))
    board.tables.units[: TRADERS // 2, U_DEBITS_ATOMS] = 10_000 * LOT
    assert not len(cohort.act(board.view(40), everybody(cohort))), "half have it, the others still wait"
    again = cohort.act(board.view(60), everybody(cohort))
    assert len(of_kind(again, Kind.WITHDRAW)) == TRADERS // 2
    memory = cohort.columns["wallet"]
    assert (memory["grudge"] == np.where(np.arange(TRADERS) < TRADERS // 2, 0.0, 0.4)).all()
    assert (memory["taken_atoms"][: TRADERS // 2] == 10_000 * LOT).all()
    bank(board)
    back = cohort.act(board.view(80), everybody(cohort))
    assert (of_kind(back, Kind.DEPOSIT)[:, C_AMOUNT] == 10_000 * LOT).all()
    assert len(of_kind(back, Kind.DEPOSIT)) == TRADERS // 2, "who took nothing has nothing to bring"


def test_who_leaves_also_cancels_and_closes_and_who_does_not_takes_what_is_free() -> None:
    for leaves in (True, False):
        board = bank(Board(TRADERS))
        for trader in range(TRADERS):
            board.hold(trader, 2_000)
            board.orders(trader, bids=10)
        cohort = make(Retail, TRADERS, wallet={"leaves": leaves, "take_share": 0.5, **CERTAIN})
        cohort.act(board.view(10), everybody(cohort))
        commands = cohort.act(bank(board, fund=0).view(20), everybody(cohort))
        closes = of_kind(commands, Kind.MARKET)
        takes = of_kind(commands, Kind.WITHDRAW)
        # Free: 10,000 lots less the initial margin of 5 % of 2,010.
        assert takes[:, C_AMOUNT] == pytest.approx(0.5 * 9_899.5 * LOT, rel=1e-6)
        assert len(takes) == TRADERS
        if leaves:
            assert len(of_kind(commands, Kind.CANCEL_ALL)) == len(closes) == TRADERS
            assert (closes[:, C_SIDE] == -1).all() and (closes[:, C_LOTS] == 2_000).all()
            assert (closes[:, C_FLAGS] & FLAG_REDUCE_ONLY).all()
        else:
            assert len(closes) < TRADERS / 10, "the others go on as always"


def test_a_winning_position_that_is_gone_without_an_order_costs_trust() -> None:
    board = bank(Board(TRADERS))
    for trader in range(TRADERS):
        board.hold(trader, 100, entry=15_000 if trader % 2 else 17_000)
    cohort = make(Depositor, TRADERS, wallet={"taken_weight": 0.4})
    cohort.act(board.view(10), everybody(cohort))
    for trader in range(TRADERS):
        board.hold(trader, 50, entry=16_000)
    cohort.act(board.view(20), everybody(cohort))
    assert (cohort.columns["wallet"]["grudge"] == np.where(np.arange(TRADERS) % 2, 0.4, 0.0)).all()


def test_flows_go_both_ways_and_never_beyond_what_there_is() -> None:
    board = bank(Board(TRADERS))
    cohort = make(Depositor, TRADERS, wallet={"flow_share": 0.5, "flow_size": 0.5, "reserve_ratio": 0.01})
    commands = cohort.act(board.view(10), everybody(cohort))
    brings, takes = of_kind(commands, Kind.DEPOSIT), of_kind(commands, Kind.WITHDRAW)
    assert len(brings) == pytest.approx(100, abs=30) and len(takes) == pytest.approx(100, abs=30)
    assert takes[:, C_AMOUNT].max() <= 10_000 * LOT
    assert (cohort.columns["wallet"]["outside_atoms"] >= 0).all()


@pytest.mark.parametrize("kind", [Depositor, Retail, Maker])
@pytest.mark.parametrize("leaves", [False, True])
def test_every_behaviour_conforms_with_a_wallet(kind: Any, leaves: bool) -> None:
    check_cohort(make(kind, 40, first_row=3, wallet={"flow_share": 0.3, "fund_weight": 3.0, "leaves": leaves}))


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="threshold_min must not be above threshold_max"):
        WalletParameters(threshold_min=0.5, threshold_max=0.2)


UNTIL = ("duration_s=14400", "dt_s=20")
CALM = tuple(f"cohorts.{name}.wallet.threshold_max=0" for name in ("maker", "value", "depositor"))
GATE = ("rules.halts.withdrawal_gate.duration_s=14400",)


SALE_LOTS = 10_000
REACH_MAX = 0.05


def reach(view: View) -> float:
    """Return how far below the best bid a sale of SALE_LOTS goes, as a share of it; at most REACH_MAX."""
    best = int(view.bid_ticks[0])
    if best == 0:
        return REACH_MAX
    bids = view.tables.levels[0, best - int(best * REACH_MAX) : best + 1, L_LOTS][::-1]
    return (1 + int(np.searchsorted(np.cumsum(bids), SALE_LOTS))) / best


def between_shocks(seed: int, *sets: str) -> tuple[float, float, float]:
    """Return money before the second shock, and until then the mean depth of bids within 1 %, and log reach."""
    scenario, rules = apply_sets(load_scenario("bank-run"), PRESETS["textbook"], [*UNTIL, *sets])
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    depth, reaches, money = [], [], 0.0
    while model.running:
        model.step()
        view = model.look()
        if view.time_s >= 7_200:
            depth.append(view.depth_lots(0, 1, int(view.mark_ticks[0]) // 100))
            reaches.append(np.log(reach(view)))
            money = view.deposits_atoms / 1e6
    model.close()
    return money, float(np.mean(depth)), float(np.mean(reaches))


def test_a_run_takes_depth_and_a_sale_reaches_further_unless_a_gate_is_shut() -> None:
    """Paired twins: the same luck, nobody runs; and a venue that pays nothing out until the second shock."""
    seeds = range(1, 7)
    run, calm = (np.array([between_shocks(seed, *sets) for seed in seeds]) for sets in ((), CALM))
    for column, share in ((0, 0.8), (1, 0.75)):
        assert paired_difference(run[:, column], share * calm[:, column]).high < 0, "money and depth are gone"
    assert paired_difference(run[:, 2], calm[:, 2]).low > 0.0, "a sale reaches further"
    gate = np.array([between_shocks(seed, *GATE) for seed in seeds])
    assert gate[:, 0] == pytest.approx(calm[:, 0], rel=0.02)
    assert paired_difference(gate[:, 1], 0.9 * calm[:, 1]).low > 0 < paired_difference(gate[:, 1], run[:, 1]).low
    assert paired_difference(gate[:, 2], run[:, 2]).high < 0.0, "with the gate shut it does not"


def log_unrest(market: Seen) -> float:
    """Return the logarithm of the standard deviation of depth over its mean."""
    return float(np.log(market.depth_lots.std() / market.depth_lots.mean()))


def test_money_that_comes_and_goes_makes_depth_come_and_go() -> None:
    """Paired twin: makers whose money stays; nobody distrusts the venue."""
    trusting = "fund_weight = 0.0, outflow_weight = 0.0, refusal_weight = 0.0, taken_weight = 0.0, flow_size = 0.3"
    plain = world([MAKERS, NOISE], duration_s=1_200)
    flowing, staying = (
        plain.replace('kind = "maker"', f'kind = "maker"\nwallet = {{{trusting}, flow_share = {share}}}')
        for share in (0.2, 0.0)
    )
    assert change(flowing, staying, range(1, 5), log_unrest).low > np.log(2.0)
