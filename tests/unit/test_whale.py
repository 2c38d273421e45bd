"""Whales and attackers: what each phase sends, what the wall shows, and what the attack costs whom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.whale import Attacker, Whale
from delever.engine.commands import C_ACCOUNT, C_FLAGS, C_LOTS, C_PRICE_TICKS, C_SIDE, FLAG_IOC, Kind
from delever.engine.rules.presets import PRESETS
from delever.experiments.paired import paired_difference
from delever.experiments.studies import wall_attack
from delever.experiments.studies.wall_attack import BY_DEPTH, GROUP, NO_LIMIT, accounts_of, venue
from delever.experiments.studying import run_study
from delever.sim.model import MarketModel
from delever.sim.scenario import load_scenario, set_values
from tests.unit.board import MARK, Board, everybody, make, of_kind
from tests.watched import Seen, change, falling, see

PHASES = {"open_at_s": 100.0, "build_s": 100.0, "hold_s": 100.0, "leverage": 8.0, "reach_ppm": 10_000.0}


def test_a_whale_builds_evenly_and_then_holds() -> None:
    board = Board(3, equity_lots=1_000)
    whale = make(Whale, 3, open_at_s=100.0, build_s=100.0, leverage=8.0, reach_ppm=10_000.0)
    board.hold(1, 3_000)
    for step, lots in ((50, []), (150, [4_000, 1_000, 4_000]), (199, [7_920, 4_920, 7_920]), (200, [])):
        orders = whale.decide(board.view(step), everybody(whale))
        assert orders[:, C_LOTS].tolist() == lots
        assert (orders[:, C_SIDE] == 1).all() and (orders[:, C_FLAGS] == FLAG_IOC).all()
        assert (orders[:, C_PRICE_TICKS] == MARK * 1.01).all()


def test_a_short_is_built_below_the_mark() -> None:
    whale = make(Whale, 1, open_at_s=0.0, build_s=100.0, direction="short", reach_ppm=10_000.0)
    orders = whale.decide(Board(1).view(50), everybody(whale))
    assert (orders[:, C_SIDE] == -1).all() and (orders[:, C_PRICE_TICKS] == MARK * 0.99).all()


def test_an_attacker_puts_its_wall_up_once_pulls_it_and_sells_from_accounts_it_kept() -> None:
    board = Board(10, equity_lots=1_000)
    attacker = make(Attacker, 10, wall_leverage=3.0, wall_ppm=30_000.0, dump_share=0.2, **PHASES)
    built = attacker.decide(board.view(150), everybody(attacker))
    assert built[:, C_ACCOUNT].tolist() == list(range(8)), "the last two build nothing"
    for trader in range(8):
        board.hold(trader, 8_000)
    wall = attacker.decide(board.view(210), everybody(attacker))
    assert (wall[:, C_PRICE_TICKS] == MARK * 0.97).all() and (wall[:, C_LOTS] == 3_000).all() and len(wall) == 8
    assert not len(attacker.decide(board.view(220), everybody(attacker))), "it stands"
    for trader in range(8):
        board.orders(trader, bids=3_000)
    pulled = attacker.decide(board.view(300), everybody(attacker))
    assert of_kind(pulled, Kind.CANCEL_ALL)[:, C_ACCOUNT].tolist() == list(range(8))
    dumped = of_kind(pulled, Kind.LIMIT)
    assert dumped[:, C_ACCOUNT].tolist() == [8, 9] and (dumped[:, C_SIDE] == -1).all()


def test_they_conform() -> None:
    check_cohort(make(Whale, 6, first_row=3, open_at_s=0.0))
    for hold_s in (10.0, 1e6):
        check_cohort(make(Attacker, 6, first_row=3, open_at_s=0.0, build_s=100.0, hold_s=hold_s, dump_share=0.3))


def test_the_arms_differ_in_the_limit_or_in_the_wall() -> None:
    arms = wall_attack.design()
    assert [arm.rules.halts.position_limit is None for arm in arms] == [True, False, False, True]
    world = load_scenario(GROUP)
    assert [arm.scenario == world for arm in arms] == [True, True, True, False]
    assert len(accounts_of(world, "attacker")) == 19
    with pytest.raises(ValueError, match="no cohort 'nobody'"):
        accounts_of(world, "nobody")


SEEDS = (1, 2, 3)


def test_the_vault_loses_about_what_the_attacker_does_unless_positions_are_limited_or_nobody_attacks() -> None:
    """Paired twins: a limit of a fifth of the depth, and an attacker who builds next to nothing (result 7)."""
    attack = load_scenario(GROUP).replaced({"dt_s": 20, "duration_s": 13_000})
    none = set_values(attack, ["cohorts.attacker.leverage=0.001"])
    lost = []
    for seed in SEEDS:
        free, limited, calm = (
            wall_attack.observe(each, venue(wall_attack.LIMITS[limit]), seed).summary
            for each, limit in ((attack, NO_LIMIT), (attack, BY_DEPTH), (none, NO_LIMIT))
        )
        assert 0.8 <= free["ratio"] <= 3.0 and free["inherited"] > 10e6
        assert limited["ratio"] < 0.5 and limited["inherited"] < 1e6
        assert free["conservation_error"] == limited["conservation_error"] == 0
        lost.append([free["vault"], limited["vault"], calm["vault"]])
    for twin in (1, 2):
        assert paired_difference(np.array(lost)[:, 0], np.array(lost)[:, twin]).low > 1e6


def log_bids(seed: int, wall: float) -> float:
    """Return the logarithm of the bids within 5 % of the mark while the wall stands, or would."""
    world = load_scenario(GROUP).replaced({"dt_s": 20, "duration_s": 10_900})
    model = MarketModel(
        set_values(world, [f"cohorts.attacker.wall_leverage={wall}"]), rules=venue(0), seed=seed, collect=False
    )
    seen = []
    while model.running:
        model.step()
        view = model.look()
        if 9_100 <= view.time_s < 10_700:
            seen.append(view.depth_lots(0, 1, int(view.mark_ticks[0]) // 20))
    model.close()
    return float(np.log(np.mean(seen)))


def test_a_wall_doubles_the_bids_that_are_seen() -> None:
    """Paired twin: the same attacker without a wall."""
    deeper = [[log_bids(seed, wall) for seed in SEEDS] for wall in (3.0, 0.0)]
    assert paired_difference(*np.array(deeper)).low > np.log(2.0)


def premium_bp(market: Seen) -> float:
    """Return the mean of mark over index while the whale builds, and holds."""
    return market.premium_bp(900, 1_700)


def falls_bp(market: Seen) -> float:
    """Return how much further the mark falls than the index: what it is above it before, and after the fall."""
    return market.discount_bp() - premium_bp(market)


def test_a_whale_lifts_the_price_and_deepens_the_fall_that_liquidates_it() -> None:
    """Paired twin: the same account, which builds nothing."""
    big = {
        "kind": "whale", "count": 1, "mean_interval_s": 5, "wealth_quote_median": 40_000, "leverage": 15.0,
        "open_at_s": 1_200, "build_s": 900, "reach_ppm": 3_000,
    }  # fmt: skip
    whale, none = (falling([big | {"leverage": leverage}], size=-0.08) for leverage in (15.0, 1e-6))
    assert change(whale, none, range(1, 9), premium_bp).low > 0.0
    assert change(whale, none, range(1, 9), falls_bp).high < 0.0
    assert see(whale, 1).lots["whale"].max() > 0 == see(whale, 1).lots["whale"][-1].sum(), "it is liquidated"


def test_the_command_makes_its_table_in_a_small_attack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study("wall-attack", sets=["traders=100", "dt_s=100"], seeds=1, jobs=1, out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert {row["arm"] for row in told["rows"]} == {arm.name for arm in wall_attack.design()}
    assert (tmp_path / "wall-attack.png").read_bytes().startswith(b"\x89PNG")
    assert np.isfinite([row["median"] for row in told["rows"]]).all()
    assert PRESETS["hyperliquid"].halts.position_limit is None
