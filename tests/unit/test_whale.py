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
from delever.experiments.studies import wall_attack
from delever.experiments.studies.wall_attack import BY_DEPTH, GROUP, NO_LIMIT, accounts_of, venue
from delever.experiments.studying import run_study
from delever.sim.scenario import load_scenario
from tests.unit.board import MARK, Board, everybody, make, of_kind

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


def test_the_vault_loses_about_what_the_attacker_does_unless_positions_are_limited() -> None:
    """Paired by seed: result 7, and its twin with a limit of a fifth of the depth."""
    world = load_scenario(GROUP).replaced({"dt_s": 20, "duration_s": 13_000})
    for seed in (1, 2, 3):
        free, limited = (
            wall_attack.observe(world, venue(wall_attack.LIMITS[limit]), seed).summary for limit in (NO_LIMIT, BY_DEPTH)
        )
        assert 0.8 <= free["ratio"] <= 3.0 and free["inherited"] > 10e6
        assert limited["ratio"] < 0.5 and limited["inherited"] < 1e6
        assert free["conservation_error"] == limited["conservation_error"] == 0


def test_the_command_makes_its_table_in_a_small_attack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study("wall-attack", sets=["traders=100", "dt_s=100"], seeds=1, jobs=1, out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert {row["arm"] for row in told["rows"]} == {arm.name for arm in wall_attack.design()}
    assert (tmp_path / "wall-attack.png").read_bytes().startswith(b"\x89PNG")
    assert np.isfinite([row["median"] for row in told["rows"]]).all()
    assert PRESETS["hyperliquid"].halts.position_limit is None
