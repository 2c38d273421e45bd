"""Arbitrageurs: what they do to the gap between two venues, how far their money goes, and that none of it is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from delever.agents.arbitrage import Arbitrage
from delever.agents.conformance import check_cohort, sample_scenes
from delever.engine.commands import C_AMOUNT, C_KIND, C_LOTS, C_SIDE, Kind, Result, batch
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.tables import M_MARK_TICKS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, ScenarioError, from_toml
from tests.unit.board import LOT, MARK, Board, everybody, make

APART = """
name = "apart"
duration_s = 600
traders = 100
[rules]
mark.components = ["mid"]
charges.funding = "none"
[[markets]]
symbol = "BTC"
tick_size = "0.5"
lot_size = "0.001"
path = {kind = "constant", price = 8000}
[[venues]]
name = "other"
rules = {mark.components = ["mid"], charges.funding = "none"}
[[venues.markets]]
symbol = "BTC"
tick_size = "0.5"
lot_size = "0.001"
"""
CROWD = """
[[cohorts]]
kind = "maker"
name = "{name}-maker"
venue = "{venue}"
count = 3
index_share = {index_share}
skew_ppm = 3000
wealth_quote_median = 100_000
[[cohorts]]
kind = "noise"
name = "{name}-noise"
venue = "{venue}"
count = 40
mean_interval_s = 30
market_share = 0.4
order_share = 0.3
leverage = 2
wealth_quote_median = 10_000
"""


def apart(wealth_quote: float, path: dict[str, Any] | None = None, **numbers: Any) -> Scenario:
    """Return two perpetuals that wander, each where its own crowd drives it; four arbitrageurs with so much money."""
    text = APART
    for name, venue in (("here", "main"), ("there", "other")):
        text += CROWD.format(name=name, venue=venue, index_share=0.3 if path else 0.0)
    plain = from_toml(text, "apart.toml").model_dump(mode="json", exclude_unset=True)
    cohort = {
        "kind": "arbitrage", "other_venue": "other", "count": 4, "wealth_law": "equal",
        "wealth_quote_median": wealth_quote, **numbers,
    }  # fmt: skip
    market = {**plain["markets"][0], **({"path": path} if path else {})}
    return from_toml(text, "apart.toml").replaced({"markets": [market], "cohorts": [*plain["cohorts"], cohort]})


def gap_ppm(world: Scenario, seed: int) -> float:
    """Return the mean distance of the two marks over a run."""
    model = MarketModel(world, rules=TEXTBOOK, seed=seed, collect=False)
    seen = []
    while model.running:
        model.step()
        here, there = (site.venue.tables.markets[0, M_MARK_TICKS] for site in model.sites)
        seen.append(abs(here / there - 1.0) * 1e6)
    assert [site.venue.conservation_error_atoms() for site in model.sites] == [0, 0]
    assert model.transfers.lost_atoms == 0
    model.close()
    return float(np.mean(seen))


def test_the_gap_is_the_narrower_the_more_money_they_have() -> None:
    """One quote unit each is no money at all: the twin without arbitrage."""
    gaps = [np.array([gap_ppm(apart(wealth), seed) for seed in range(1, 7)]) for wealth in (1.0, 3_000.0, 60_000.0)]
    for richer, poorer in ((1, 0), (2, 1)):
        change = paired_difference(gaps[richer], gaps[poorer])
        assert change.high < 0, f"{richer} against {poorer}: {change}"
    # Inside the fees of a round trip no arbitrage pays: 2 x (500 + 500) ppm, and what it asks for besides.
    assert 500 < np.median(gaps[2]) < 2_500


RISE = {"kind": "constant", "price": 8000, "shocks": [{"kind": "ramp", "at_s": 60, "size": 0.8, "length_s": 500}]}


def test_the_gap_is_the_wider_the_longer_money_takes_between_the_venues() -> None:
    """A rise of both venues drains the account that is short: who waits for money lets the gap be.

    They borrow as much as they may, so that it does; the gaps of seeds differ, so ratios are compared.
    """
    gaps = [
        np.array([gap_ppm(apart(10_000.0, RISE, leverage=10.0, transfer_s=transfer_s), seed) for seed in range(1, 13)])
        for transfer_s in (5.0, 1e6)
    ]
    change = paired_difference(np.log(gaps[1]), np.log(gaps[0]))
    assert change.low > 0, f"{change}"


def test_money_under_way_is_at_no_venue_and_arrives_in_time() -> None:
    """What is refused does not leave; a snapshot holds what is under way; every atom is somewhere."""
    world = apart(1_000.0, transfer_s=7.0)
    model = MarketModel(world, rules=TEXTBOOK, seed=1, collect=False)
    cohort = model.cohorts[-1]
    here, there = (rows[0] for rows in cohort.accounts)

    def money() -> list[int]:
        views = [site.view() for site in model.sites]
        return [int(view.balance_atoms(rows[:1])[0]) for view, rows in zip(views, cohort.accounts, strict=True)]

    def ask(amount: int) -> None:
        command = batch(1, account=here, kind=Kind.WITHDRAW, amount=amount)
        assert model.gateway.submit(command, 0, model.directory.traders, model.step_now)

    before = money()
    assert before[0] + before[1] == cohort.initial_deposit_atoms()[0]
    ask(before[0] + 1)
    model.step()
    assert model.report.results[model.arrived[:, C_KIND] == Kind.WITHDRAW].tolist() == [Result.MARGIN]
    assert (money(), model.transfers.under_way_atoms) == (before, 0)
    ask(1_000_000)
    model.step()
    sent_in = model.step_now - 1
    assert money() == [before[0] - 1_000_000, before[1]]
    resumed = MarketModel(world, rules=TEXTBOOK, seed=1, collect=False)
    resumed.restore(model.snapshot())
    for _ in range(6):
        model.step()
        assert (money()[1], model.transfers.under_way_atoms) == (before[1], 1_000_000)
    model.step()
    assert model.step_now - 1 == sent_in + 7
    assert (money()[1], model.transfers.under_way_atoms, model.transfers.lost_atoms) == (before[1] + 1_000_000, 0, 0)
    arrived = model.sites[1].arrived
    assert arrived[0, [C_KIND, C_AMOUNT]].tolist() == [Kind.DEPOSIT, 1_000_000]
    assert there == arrived[0, 0]
    for _ in range(7):
        resumed.step()
    assert [site.venue.digest() for site in resumed.sites] == [site.venue.digest() for site in model.sites]


def orders(here: Board, there: Board, **numbers: Any) -> list[list[int]]:
    """Return side and lots of what one arbitrageur with 10,000 lots of value at each venue orders at both."""
    cohort = make(Arbitrage, 1, other_venue="other", **numbers)
    said = cohort.decide_at((here.view(), there.view()), everybody(cohort))
    return [commands[:, [C_SIDE, C_LOTS]].tolist() for commands in said]


def venue_at(mark: int, held: int = 0) -> Board:
    """Return a venue with 1,000 lots at the best prices, a tick each side of the mark."""
    board = Board(1)
    board.price(mark, index=mark)
    board.tables.levels[0, [mark - 1, mark + 1], -1] = 1_000
    board.hold(0, held)
    return board


@pytest.mark.parametrize(
    ("ticks_above", "held", "expected"),
    [
        # Fees of 4 x 500 ppm, 200 to earn, 300 to close: 2,500 ppm are 40 ticks, and 2 the spread.
        (41, 0, [[], []]),
        (43, 0, [[[1, 1000]], [[-1, 1000]]]),
        (-43, 0, [[[-1, 1000]], [[1, 1000]]]),
        # Bought here and sold there, it closes where that costs 300 ppm at most: 4.8 ticks, of them 2 the spread.
        (43, 400, [[[1, 1000]], [[-1, 1000]]]),
        (3, 400, [[], []]),
        (2, 400, [[[-1, 400]], [[1, 400]]]),
        (-20, 400, [[[-1, 400]], [[1, 400]]]),
    ],
)
def test_it_trades_what_pays_after_fees_and_closes_when_the_gap_is_gone(
    ticks_above: int, held: int, expected: list[list[list[int]]]
) -> None:
    assert orders(venue_at(MARK, held), venue_at(MARK + ticks_above, -held)) == expected


def test_legs_that_differ_are_made_equal_first() -> None:
    assert orders(venue_at(MARK, 700), venue_at(MARK + 100, -400)) == [[[-1, 300]], []]
    assert orders(venue_at(MARK, 100), venue_at(MARK + 100, -400)) == [[], [[1, 300]]]


def test_money_goes_from_the_full_account_to_the_dry_one_once_at_a_time() -> None:
    here, there = venue_at(MARK), venue_at(MARK)
    there.tables.units[0, 1] = 1_000 * LOT  # of 10,000 lots' worth; the other has ten times as much
    cohort = make(Arbitrage, 1, other_venue="other", transfer_s=50.0)
    said = cohort.decide_at((here.view(), there.view()), everybody(cohort))
    assert said[0][:, [C_KIND, C_AMOUNT]].tolist() == [[Kind.WITHDRAW, 4_500 * LOT]]
    for step, moves in ((120, 0), (160, 1)):
        said = cohort.decide_at((here.view(step), there.view(step)), everybody(cohort))
        assert [len(commands) for commands in said] == [moves, 0]


def test_it_conforms_and_acts() -> None:
    cohort = make(Arbitrage, 60, first_row=3, other_venue="other")
    check_cohort(cohort)
    said = [cohort.decide_at(scene, everybody(cohort)) for scene in sample_scenes(cohort)]
    assert sum(len(commands) for each in said for commands in each) > 0


def test_accounts_at_two_venues_need_the_same_money_at_both() -> None:
    inverse = {"base": "binance-coinm", "rules": {}}
    plain = apart(1.0).model_dump(mode="json", exclude_unset=True)
    world = apart(1.0).replaced({"venues": [{**plain["venues"][0], **inverse}]})
    with pytest.raises(ScenarioError, match=r"cohorts\.arbitrage: moves money between venues.*'other' settles in"):
        MarketModel(world, rules=TEXTBOOK)
    lots = [{**plain["venues"][0]["markets"][0], "lot_size": "0.002"}]
    with pytest.raises(ScenarioError, match=r"cohorts\.arbitrage: .*lot_size of BTC must be the same"):
        apart(1.0).replaced({"venues": [{**plain["venues"][0], "markets": lots}]})
