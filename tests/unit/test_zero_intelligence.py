"""Zero intelligence: shares of what is done, where limit orders go, and what a book of it looks like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from delever.agents.conformance import check_cohort
from delever.agents.zero_intelligence import (
    CANCELLED_EDGES_TICKS,
    CANCELLED_PER_S,
    MEASURED_EDGES_TICKS,
    MEASURED_ORDERS,
    ZeroIntelligence,
    ZeroIntelligenceParameters,
    measured_distance_ticks,
)
from delever.engine.commands import C_ACCOUNT, C_KIND, C_LOTS, C_PRICE_TICKS, C_SIDE, Kind
from delever.experiments.errors import UserError
from delever.experiments.paired import Difference, paired_difference
from delever.experiments.studies import zero_intelligence as study
from tests.tree import ROOT
from tests.unit.board import MARK, Board, everybody, make
from tests.watched import steps, world

SAMPLE = ROOT.parent / "shared" / "data" / "lob_btcusdt_2024-08-08"
here = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the data are not here")


def test_shares_of_wakings_are_those_asked_for_and_who_has_an_order_only_cancels() -> None:
    cohort = make(ZeroIntelligence, 20_000, limit_share=0.3, market_share=0.1, cancel_share=0.5, order_lots=7)
    board = Board(20_000)
    orders = cohort.decide(board.view(), everybody(cohort))
    assert (orders[:, C_KIND] == Kind.LIMIT).sum() / 20_000 == pytest.approx(0.3, abs=0.015)
    assert (orders[:, C_KIND] == Kind.MARKET).sum() / 20_000 == pytest.approx(0.1, abs=0.01)
    assert (orders[:, C_LOTS] == 7).all()
    assert (orders[:, C_SIDE] == 1).mean() == pytest.approx(0.5, abs=0.02)
    for trader in range(20_000):
        board.orders(trader, bids=7)
    cancels = cohort.decide(board.view(), everybody(cohort))
    assert (cancels[:, C_KIND] == Kind.CANCEL_ALL).all()
    assert len(cancels) / 20_000 == pytest.approx(0.5, abs=0.015)


def test_limit_orders_are_spread_evenly_over_the_window_behind_the_best_opposite_price() -> None:
    cohort = make(ZeroIntelligence, 20_000, limit_share=1.0, market_share=0.0, window_ticks=100)
    board = Board(20_000)
    board.price(MARK, index=MARK, bid=MARK - 10, ask=MARK + 20)
    orders = cohort.decide(board.view(), everybody(cohort))
    for side, opposite in ((1, MARK + 20), (-1, MARK - 10)):
        behind = side * (opposite - orders[orders[:, C_SIDE] == side, C_PRICE_TICKS])
        assert (behind.min(), behind.max()) == (1, 100)
        assert np.histogram(behind, 4, (0.5, 100.5))[0] / len(behind) == pytest.approx([0.25] * 4, abs=0.02)


def test_measured_places_have_the_shares_that_were_counted() -> None:
    """A million evenly spaced numbers: as many at the best price, and beyond 200 ticks, as were counted."""
    found = measured_distance_ticks((np.arange(1_000_000) + 0.5) / 1_000_000)
    assert (found.min(), found.max()) == (0, 500)
    assert (found == 0).mean() == pytest.approx(MEASURED_ORDERS[0] / sum(MEASURED_ORDERS), abs=1e-5)
    assert (found > 200).mean() == pytest.approx(MEASURED_ORDERS[-1] / sum(MEASURED_ORDERS), abs=1e-5)
    cohort = make(ZeroIntelligence, 1_000, limit_share=1.0, market_share=0.0, placement="measured")
    board = Board(1_000)
    for ask, best in ((MARK - 9, MARK - 10), (MARK + 20, MARK - 9)):
        board.price(MARK, index=MARK, bid=MARK - 10, ask=ask)
        orders = cohort.decide(board.view(), everybody(cohort))
        assert orders[orders[:, C_SIDE] == 1, C_PRICE_TICKS].max() == best, "a tick better where there is room"


def test_orders_are_cancelled_as_often_as_was_measured_at_their_distance() -> None:
    """Half of those at the best price; of the others less in proportion, wherever the best price has gone since."""
    edges = (0, 1, 62, 63, 123, 124, 308, 309, 5_000)
    rates = np.repeat(CANCELLED_PER_S, (1, 2, 2, 2, 2)) / CANCELLED_PER_S[0]
    numbers = {"limit_share": 1.0, "market_share": 0.0, "window_ticks": 1, "cancel_share": 0.5}
    cohort = make(ZeroIntelligence, 20_000, cancellation="measured", **numbers)
    board = Board(20_000)
    orders = cohort.decide(board.view(), everybody(cohort))
    side = orders[:, C_SIDE]
    assert (orders[:, C_PRICE_TICKS] == MARK).all(), "a tick from the best price of the other side"
    for trader in range(20_000):
        board.orders(trader, bids=10)
    cohort.wakings += 1
    for distance, rate in zip(edges, rates, strict=True):
        board.price(MARK, index=MARK, bid=MARK + distance, ask=MARK - distance)
        cancels = cohort.decide(board.view(), everybody(cohort))
        assert (cancels[:, C_KIND] == Kind.CANCEL_ALL).all()
        for each in (1, -1):
            share = np.isin(np.flatnonzero(side == each), cancels[:, C_ACCOUNT]).mean()
            assert share == pytest.approx(0.5 * rate, abs=0.02), (distance, each)


@here
def test_cancellations_are_those_of_the_sample() -> None:
    """Lots taken away in a second for each that rested, from the files, as said where the numbers stand."""
    top, flow = pd.read_csv(SAMPLE / "top_of_book.csv.gz"), pd.read_csv(SAMPLE / "order_flow_by_distance.csv")
    times = top["T_ms"].to_numpy() / 1e3
    span_s = times[-1] - times[0]
    gone, at_best = -pd.read_csv(SAMPLE / "trades.csv.gz")["qty"].sum(), 0.0
    for name, side in (("bid", 1), ("ask", -1)):
        worse, lots = -side * np.diff(top[name]), top[f"{name}_qty"].to_numpy()
        fallen = np.where(np.abs(worse) < 0.01, np.maximum(-np.diff(lots), 0.0), np.where(worse > 0, lots[:-1], 0.0))
        gone, at_best = gone + fallen.sum(), at_best + (lots[:-1] * np.diff(times)).sum()
    removed = np.append(0.0, (flow["n_rem"] * flow["q_rem"])[1:].cumsum())
    bands_ticks = np.array([0, *CANCELLED_EDGES_TICKS[1:], 500])
    lots = np.diff(np.interp(bands_ticks, MEASURED_EDGES_TICKS[1:], removed))
    depth = pd.read_csv(SAMPLE / "depth_bands_1s.csv")
    best = top.groupby(top["T_ms"].sub(top["T_ms"].iloc[0]) // 1_000)["bid_qty"].mean().loc[depth["sec"]].mean()
    bids = np.diff([best, *(depth[f"bidqty_{band}bp"].mean() for band in (1, 2, 5, 10))])
    bids[-1] *= (500 - 308) / (617 - 308)
    assert gone / at_best == pytest.approx(CANCELLED_PER_S[0], abs=0.01)
    assert lots / span_s / (2.0 * bids) == pytest.approx(CANCELLED_PER_S[1:], abs=0.01)


def test_it_conforms_and_its_shares_must_leave_room() -> None:
    check_cohort(make(ZeroIntelligence, 60, first_row=3, limit_share=0.5, market_share=0.2))
    check_cohort(make(ZeroIntelligence, 60, first_row=3, limit_share=0.5, market_share=0.2, cancellation="measured"))
    with pytest.raises(ValueError, match="must be at most 1"):
        ZeroIntelligenceParameters(limit_share=0.7, market_share=0.4)


def test_what_is_predicted_follows_from_rates_by_hand() -> None:
    """10 lots; 200 limit orders, 40 market orders and 100 cancellations in 100 s; 50 orders rest on average."""
    best = np.tile([[100, 110]], (1_000, 1))
    best[:, :] += np.arange(1_000)[:, np.newaxis] % 2
    counts = np.zeros(len(Kind) + 1)
    counts[[Kind.LIMIT, Kind.MARKET, Kind.CANCEL_ALL]] = 2_000, 400, 1_000
    told = study.measured(best, counts, 50_000, 10, 500, 1)
    limit, market, cancel = 2_000 * 10 / 1_000 / 1_000, 400 * 10 / 2 / 1_000, 1_000 / 50_000
    assert (told["limit_rate"], told["market_rate"], told["cancel_rate"]) == pytest.approx((limit, market, cancel))
    assert told["spread_ticks"] == 10
    assert told["spread_predicted"] == pytest.approx(market / limit * (0.28 + 1.86 * (cancel * 10 / market) ** 0.75))
    assert told["empty_share"] == 0


def test_a_perfect_prediction_explains_everything_and_a_wrong_one_does_not() -> None:
    rng = np.random.default_rng(1)
    predicted = np.exp(rng.normal(size=40))
    runs = pd.DataFrame({
        "arm": [str(each) for each in range(40)], "seed": 0,
        "spread_ticks": 2 * predicted, "spread_predicted": predicted,
        "diffusion": np.exp(rng.normal(size=40)), "diffusion_predicted": predicted,
    })  # fmt: skip
    fitted = study.fits(runs)
    assert fitted["spread"] == pytest.approx((1.0, 1.0))
    assert fitted["diffusion"][0] < 0.3


def test_worlds_are_those_of_the_grid_and_what_cannot_be_is_refused() -> None:
    arms = study.design()
    assert len({arm.name for arm in arms}) == len(arms) == 18
    for wrong in ("none", "0", "-1"):
        with pytest.raises(UserError, match="--set market_share"):
            study.world({"market_share": wrong})


def test_more_market_orders_widen_the_spread_at_least_as_predicted() -> None:
    """Four times as many: twice the spread by the prediction; it is that or more, and less than three times."""
    told = {}
    for share in ("0.01", "0.04"):
        arm = study.world({"market_share": share, "traders": "1000"})
        told[share] = study.observe(arm.scenario.replaced({"duration_s": 5_000}), arm.rules, 1).summary
    seen = told["0.04"]["spread_ticks"] / told["0.01"]["spread_ticks"]
    predicted = told["0.04"]["spread_predicted"] / told["0.01"]["spread_predicted"]
    assert 1.9 < predicted < seen < 3.0
    assert told["0.01"]["empty_share"] < 0.01


CHANCE = {
    "kind": "zero_intelligence", "count": 500, "mean_interval_s": 25, "limit_share": 0.5, "market_share": 0.02,
    "cancel_share": 0.5, "window_ticks": 500,
}  # fmt: skip
AT_BEST, NEAR, ALL = 0, 62, 500


def book(seed: int, **choices: object) -> NDArray[np.float64]:
    """Return the mean lots of both sides at the best prices, within 62 and within 500 ticks, of chance alone."""
    seen = []
    for model in steps(world([CHANCE | choices], duration_s=900), seed):
        view = model.look()
        seen.append([view.depth_lots(0, 1, reach) + view.depth_lots(0, -1, reach) for reach in (AT_BEST, NEAR, ALL)])
    return np.mean(seen, axis=0)


def log_change(place: int, outside: int, one: dict[str, object], other: dict[str, object]) -> Difference:
    """Return how much larger the logarithm of the share of a book that is within a place is, over 3 seeds."""
    books = [np.array([book(seed, **choices) for seed in range(1, 4)]) for choices in (one, other)]
    return paired_difference(*(np.log(each[:, place] / each[:, outside]) for each in books))


def test_where_orders_are_cancelled_less_they_pile_up() -> None:
    """Paired twin: the same rate everywhere. Beyond 62 ticks it is a half to a third of that nearer to the price."""
    more = log_change(1, 2, {"cancellation": "constant"}, {"cancellation": "measured"})
    assert more.low > np.log(1.3), "the share of the book that is near"


def test_places_as_measured_put_more_of_the_book_at_the_best_price() -> None:
    """Paired twin: orders evenly over a window. 4.5 % of those counted were added at the best price, 0.2 % a tick off.

    With few market orders, so that the spread is often as narrow as it was where they were counted.
    """
    calm = {"market_share": 0.004}
    more = log_change(0, 1, calm | {"placement": "measured"}, calm | {"placement": "uniform"})
    assert more.low > np.log(1.2), "of what is near"
