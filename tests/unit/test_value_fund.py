"""Value funds and holders: what a fund wants, the auction it foresees, money in and out, exits, tails of a market."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.holder import Holder, ask_lots, best_bid_rung, bid_lots, rung_of_trade
from delever.agents.value_fund import ValueFund, ValueFundParameters
from delever.engine.commands import C_ACCOUNT, C_AMOUNT, C_KIND, C_LOTS, C_PRICE_TICKS, C_SIDE, Kind
from delever.engine.rules.io import replace
from delever.engine.tables import P_LOTS, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.experiments.errors import UserError
from delever.experiments.paired import Difference, paired_difference
from delever.experiments.studies import tfg
from delever.experiments.studies.study import arms_of, settings, tasks_of
from delever.experiments.studying import run_study
from delever.sim.model import MarketModel
from delever.sim.scenario import ScenarioError, set_values
from tests.unit.board import MARK, MULTIPLIER_ATOMS, Board, everybody, make

SUPPLY = 1_000_000
W0 = 2_000.0
FUND = {"value_ticks": float(MARK), "supply_lots": SUPPLY, "wealth_quote_median": W0}


def fund(traders: int = 1, **numbers: object) -> ValueFund:
    cohort = make(ValueFund, traders, **{**FUND, **numbers})
    assert isinstance(cohort, ValueFund)
    return cohort


def board(traders: int, *, mark: int, index: int, wealth: float = W0) -> Board:
    made = Board(traders)
    made.tables.units[:traders, U_CREDITS_ATOMS] = int(wealth * 1_000_000)
    made.price(mark, index=index)
    return made


def target(cohort: ValueFund, at: Board) -> int:
    """Return the position a lone fund orders."""
    orders = cohort.decide(at.view(), everybody(cohort))
    orders = orders[orders[:, C_KIND] == Kind.MARKET]
    return int(at.tables.positions[0, P_LOTS] + (orders[:, C_SIDE] * orders[:, C_LOTS]).sum())


@pytest.mark.parametrize(
    ("aggression", "leverage", "multiple"), [(5.0, 10.0, 0.5), (50.0, 3.0, 3.0), (50.0, 10.0, 5.0)]
)
def test_a_fund_wants_aggression_times_mispricing_up_to_its_leverage(
    aggression: float, leverage: float, multiple: float
) -> None:
    """Ten percent below the value, in a market so large that the fund does not move it."""
    cohort = fund(aggression_min=aggression, aggression_max=aggression, leverage=leverage, supply_lots=2**30 - 1)
    price = int(0.9 * MARK)
    wanted = multiple * W0 * 1e6 / (price * MULTIPLIER_ATOMS)
    assert target(cohort, board(1, mark=price, index=price)) == int(wanted)


def test_a_fund_at_its_limit_sells_when_the_price_falls_and_a_fund_of_equity_buys() -> None:
    """At leverage 4 a fall of 5 % takes a fifth of the wealth: 4 x 0.8 / 0.95 is less than before."""
    for leverage, sells in ((4.0, True), (0.9, False)):
        cohort = fund(leverage=leverage, aggression_min=50.0, supply_lots=2**30 - 1)
        before, after = int(0.9 * MARK), int(0.855 * MARK)
        held = target(cohort, board(1, mark=before, index=before))
        fallen = board(1, mark=before, index=after)
        fallen.hold(0, held, entry=before)
        assert (target(cohort, fallen) < held) == sells


def test_nothing_is_wanted_at_the_value_or_above() -> None:
    dear = board(1, mark=MARK, index=MARK + 100)
    dear.hold(0, 50)
    assert target(fund(), dear) == 0


def test_the_ladder_is_the_demand_curve_and_funds_foresee_where_it_is_met() -> None:
    index, held = 900, -12_345
    best = best_bid_rung(SUPPLY, index, held)
    assert bid_lots(SUPPLY, index, best) > held >= bid_lots(SUPPLY, index, best + 1)
    for price in (950, 905, 899):
        assert bid_lots(SUPPLY, index, price) == pytest.approx(SUPPLY * (index / (price - 0.5) - 1), abs=1)
        assert bid_lots(SUPPLY, index, price + 1) == ask_lots(SUPPLY, index, price), "the same edge between two rungs"
    for price in range(best - 40, best + 1):
        assert rung_of_trade(SUPPLY, index, held, bid_lots(SUPPLY, index, price)) == price
    for price in range(best + 1, best + 40):
        assert rung_of_trade(SUPPLY, index, held, ask_lots(SUPPLY, index, price)) == price


def test_a_holder_quotes_what_it_wants_and_takes_the_old_ladder_back() -> None:
    cohort = make(Holder, 1, supply_lots=SUPPLY, anchor_ticks=1_000, reach_ppm=10_000)
    at = Board()
    at.price(950, index=900)
    at.hold(0, -20_000)
    at.orders(0, bids=5)
    cancel, *quotes = cohort.decide(at.view(), everybody(cohort))
    assert cancel[C_KIND] == Kind.CANCEL_ALL
    prices = np.array([order[C_PRICE_TICKS] for order in quotes])
    sides = np.array([order[C_SIDE] for order in quotes])
    best = int(prices[sides > 0].max())
    assert sorted(prices) == list(range(int(900 * 0.99) - 1, int(1_000 * 1.01) + 2)), "a rung a tick, index to anchor"
    assert prices[sides < 0].min() == best + 1
    assert (
        sum(order[C_LOTS] for order in quotes if order[C_SIDE] > 0) == bid_lots(SUPPLY, 900, int(prices.min())) + 20_000
    )


def test_flows_follow_returns_and_redemptions_leave_at_the_next_waking() -> None:
    """Profit of 2 %: the average is 0.2 %, below the benchmark; 0.15 x (0.2 % - 0.5 %) of the wealth is withdrawn."""
    cohort = fund()
    first = board(1, mark=MARK, index=MARK)
    cohort.decide(first.view(), everybody(cohort))
    richer = board(1, mark=MARK, index=MARK, wealth=1.02 * W0)
    assert not len(cohort.decide(richer.view(), everybody(cohort))), "at the value: no order, and redemptions wait"
    due = cohort.columns["fund"]["flow_atoms"][0]
    assert due == pytest.approx(0.15 * (0.1 * 0.02 - 0.005) * 1.02 * W0 * 1e6, rel=1e-6)
    (paid,) = cohort.decide(richer.view(), everybody(cohort))
    assert (paid[C_KIND], paid[C_AMOUNT]) == (Kind.WITHDRAW, -due)
    winner = board(1, mark=MARK, index=MARK, wealth=1.2 * W0)
    (came,) = fund_after(winner, benchmark_return=0.0)
    assert came[C_KIND] == Kind.DEPOSIT
    assert came[C_AMOUNT] == pytest.approx(0.15 * 0.1 * 0.2 * 1.2 * W0 * 1e6, rel=1e-6)


def fund_after(at: Board, **numbers: object) -> np.ndarray:
    """Return what a fund commands that began with W0 and finds itself at `at`."""
    cohort = fund(**numbers)
    cohort.decide(board(1, mark=MARK, index=MARK).view(), everybody(cohort))
    return cohort.decide(at.view(), everybody(cohort))


def test_a_fund_below_a_tenth_leaves_and_a_new_one_comes_with_the_first_wealth() -> None:
    cohort = fund(out_wakings=3)
    cohort.decide(board(1, mark=MARK, index=MARK).view(), everybody(cohort))
    poor = board(1, mark=MARK, index=MARK, wealth=0.09 * W0)
    poor.hold(0, 40)
    (sale,) = cohort.decide(poor.view(), everybody(cohort))
    assert (sale[C_KIND], sale[C_SIDE], sale[C_LOTS]) == (Kind.MARKET, -1, 40)
    assert cohort.columns["fund"]["exits"][0] == 1
    poor.hold(0, 0)
    assert not len(cohort.decide(poor.view(), everybody(cohort)))
    (fresh,) = cohort.decide(poor.view(), everybody(cohort))
    assert (fresh[C_KIND], fresh[C_AMOUNT]) == (Kind.DEPOSIT, pytest.approx(0.91 * W0 * 1e6, abs=2))
    assert cohort.columns["fund"]["wealth_atoms"][0] == W0 * 1e6


def test_a_limit_by_volatility_is_inverse_to_it_within_its_room() -> None:
    price = int(0.8 * MARK)
    lots = {}
    for move in (0.001, 0.01, 0.02, 0.5):
        cohort = fund(
            leverage=2.0, aggression_min=50.0, volatility_ppm=10_000, volatility_steps=20, supply_lots=2**30 - 1
        )
        at = board(1, mark=price, index=price)
        history = np.full((50, 1), price, dtype=np.int64)
        history[1::2] = price * (1 + move)
        view = at.view(50, history)
        (order,) = cohort.decide(view, everybody(cohort))
        lots[move] = order[C_LOTS]
    whole = W0 * 1e6 / (price * MULTIPLIER_ATOMS)
    for move, multiple in ((0.001, 6.0), (0.01, 2.0), (0.02, 1.0), (0.5, 1.0)):
        assert lots[move] == pytest.approx(multiple * whole, rel=0.02), move


def test_parameters_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="aggression_min must not be above"):
        ValueFundParameters(aggression_min=10, aggression_max=5)
    with pytest.raises(ValueError, match="leverage"):
        ValueFundParameters(leverage=0)


@pytest.mark.parametrize("kind", [ValueFund, Holder])
def test_they_conform_and_act(kind: type) -> None:
    cohort = make(kind, 12, first_row=3)
    check_cohort(cohort)
    at = Board(20)
    at.price(800, index=780)
    commands = cohort.decide(at.view(), everybody(cohort))
    assert len(commands) and commands[:, C_ACCOUNT].min() == 3


# In a market.


@cache
def play(leverage: str, seed: int, *sets: str) -> dict[str, float]:
    """Return the summary of 3,000 auctions."""
    arm = tfg.world({"max_leverage": leverage})
    scenario = set_values(arm.scenario.replaced({"duration_s": 3_000 * tfg.STEP_S}), sets)
    return tfg.observe(scenario, arm.rules, seed).summary


def gap(key: str, one: list[dict[str, float]], other: list[dict[str, float]]) -> Difference:
    """Return what a number is more in some runs than in their twins."""
    return paired_difference(*(np.array([run[key] for run in runs]) for runs in (one, other)))


def test_with_leverage_tails_are_fat_and_the_venue_never_has_to_call() -> None:
    """Same demand of the holders: the worst fall is deeper and kurtosis higher, within a limit that is used up."""
    one, eight = ([play(leverage, seed) for seed in range(3)] for leverage in ("1", "8"))
    assert gap("worst_log_return", eight, one).high < 0
    assert gap("excess_kurtosis_all", eight, one).low > 1
    assert gap("exits_per_10k", eight, one).low > 0 == sum(run["exits_per_10k"] for run in one)
    for each in (*one, *eight):
        assert 0.99 < each["limit_used"] <= 1.0
        assert each["margin_calls"] == each["forced_orders"] == 0


def test_investors_who_leave_after_losses_drive_funds_out() -> None:
    """Paired twin: nobody brings or takes money. What is redeemed has to be sold, into the fall."""
    flows, none = ([play("8", seed, *sets) for seed in range(3)] for sets in ((), ("cohorts.value_fund.flow_share=0",)))
    assert gap("exits_per_10k", flows, none).low > 0


def test_the_auction_finds_the_price_that_was_foreseen_and_money_is_only_moved() -> None:
    """After each auction a fund's equity is the wealth it planned with, at the price that came, to an atom a lot."""
    arm = tfg.world({"max_leverage": "5"})
    model = MarketModel(
        arm.scenario.replaced({"duration_s": 400 * tfg.STEP_S}), rules=arm.rules, seed=4, collect=False, check=True
    )
    holder, funds = model.cohorts
    assert isinstance(funds, ValueFund)
    everyone = np.concatenate([holder.rows, funds.rows])
    traded = 0
    while model.running:
        before = model.look().mark_ticks[0]
        model.step()
        view, plans = model.look(), funds.plans
        lots = view.lots(funds.rows, 0)
        assert (lots == plans["target_lots"]).all(), "every order is filled whole"
        assert lots.sum() == -view.lots(holder.rows, 0).sum()
        due = np.maximum(-plans["flow_atoms"], 0)
        multiplier = view.multiplier_atoms[0]
        planned = (
            plans["wealth_atoms"] + plans["flow_atoms"] + plans["lots"] * (view.mark_ticks[0] - before) * multiplier
        )
        within = plans["out_wakings"] == 0
        assert (np.abs(view.equity_atoms(funds.rows) - due - planned)[within] <= 1).all()
        traded += int((plans["target_lots"] != plans["lots"]).any())
    units = model.venue.tables.units[everyone]
    assert (units[:, U_CREDITS_ATOMS] - units[:, U_DEBITS_ATOMS] > 0).all()
    assert traded > 100
    model.close()


def test_funds_that_sleep_through_a_fall_are_called_and_closed_by_the_venue() -> None:
    """Awake every tenth step, at a venue that lends no more than they use: it enforces their limit; twin: the usual."""
    arm = tfg.world({"max_leverage": "8"})
    tiers = [{"floor_quote": 0, "initial_ppm": 125_000, "maintenance_ppm": 125_000}]
    strict = replace(arm.rules, {"margin.tiers": tiers, "margin.call_ppm": 1_500_000})
    scenario = arm.scenario.replaced({"duration_s": 2_000 * tfg.STEP_S})
    cohorts = [each.model_dump(mode="json") for each in scenario.cohorts]
    slow = scenario.replaced({"cohorts": [cohorts[0], cohorts[1] | {"mean_interval_s": 10 * tfg.STEP_S}]})
    told, twin = ([tfg.observe(slow, rules, seed).summary for seed in range(4)] for rules in (strict, arm.rules))
    for key in ("margin_calls", "forced_orders"):
        more = (np.log1p([run[key] for run in runs]) for runs in (told, twin))
        assert paired_difference(*more).low > 0


# The study.


def test_keys_of_the_study_make_worlds_and_what_cannot_be_is_refused() -> None:
    arms, rest = arms_of(tfg.STUDY, ["max_leverage=2,7.5", "duration_s=36000"])
    assert [arm.given for arm in arms] == [
        {"max_leverage": 2, "limit": "constant"}, {"max_leverage": 7.5, "limit": "constant"},
    ]  # fmt: skip
    assert rest == ["duration_s=36000"]
    assert [arm.given["max_leverage"] for arm in arms_of(tfg.STUDY, [])[0]] == [0.001, 1, 3, 5, 10, 3.45, 3]
    wrong = (
        ("max_leverage=0", "from 0.001 to 100"), ("max_leverage=ten", "got ten"),
        ("limit=none", "constant, volatility"), ("max_levrage=3", "max_leverage"),
    )  # fmt: skip
    for text, said in wrong:
        with pytest.raises(UserError, match=said):
            arms_of(tfg.STUDY, [text])
    with pytest.raises(ScenarioError, match=r"cohorts\.value_fund\.speed"):
        tasks_of(arms, settings(["cohorts.value_fund.speed=3"])[0], 1)


def test_the_table_has_a_row_per_world_of_medians(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["max_leverage=1,5", f"duration_s={300 * tfg.STEP_S}"]
    run_study("tfg", sets=sets, seeds=2, jobs=1, out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [(row["max_leverage"], row["limit"], row["seeds"]) for row in told["rows"]] == [
        (1, "constant", 2), (5, "constant", 2),
    ]  # fmt: skip
    measured = {measure.key for measure in tfg.STUDY.measures}
    assert all(measured <= row.keys() for row in told["rows"])
