"""The distribution of accounts that was measured: its quantiles, its tail, and how leverage falls with wealth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from delever.agents.noise import Noise
from delever.agents.parameters import CohortParameters
from delever.agents.wealth import PROBABILITIES, RATIOS, measured_ratios
from tests import twins
from tests.tree import ROOT
from tests.unit.board import QUOTE, make

FILE = ROOT.parent / "shared" / "data" / "hl_adl_2025-10-10" / "adl_by_user_anon.csv.gz"
here = pytest.mark.skipif(not FILE.is_file(), reason="the data are not here")
ARTEFACT_LEVERAGE = 40.0
EVENLY = (np.arange(1_000_000) + 0.5) / 1e6


def hill(values: NDArray[np.float64], share: float) -> float:
    """Return Hill's estimate of the tail exponent from so large a share of the largest values."""
    highest = np.sort(values)[::-1]
    count = int(share * len(highest))
    return float(1.0 / np.log(highest[:count] / highest[count]).mean())


def accounts() -> pd.DataFrame:
    frame = pd.read_csv(FILE)
    return frame[frame["account_value_realtime"] > 0]


def test_drawn_accounts_have_the_quantiles_and_the_tail_of_the_law() -> None:
    cohort = make(Noise, 100_000, wealth_law="measured", wealth_quote_median=1_000.0, wealth_ratio_max=1e6)
    ratios = cohort.initial_deposit_atoms() / QUOTE / 1_000.0
    assert np.quantile(ratios, PROBABILITIES[1:]) == pytest.approx(RATIOS[1:], rel=0.1)
    for share in (0.01, 0.025):
        assert hill(ratios, share) == pytest.approx(0.78, abs=0.08)


def test_the_law_rises_and_has_no_gap_where_its_tail_begins() -> None:
    ratios = measured_ratios(EVENLY)
    assert (np.diff(ratios) >= 0.0).all()
    assert ratios[950_000] / ratios[949_999] < 1.0001
    assert measured_ratios(np.array([0.5, 0.95])) == pytest.approx([1.0, 189.0], rel=1e-12)


def test_the_same_money_in_unequal_accounts_leaves_less_to_liquidate() -> None:
    """The rich borrow less, and most of the money is theirs: what is liquidated is little, though all fall alike."""
    most = 300.0
    mean = np.minimum(measured_ratios(EVENLY), most).mean()
    whole = "cohorts.retail.order_quote_max=1e9"  # nobody's position is cut to the size of an order
    unequal = twins.crash(
        "cohorts.retail.wealth_law=measured",
        "cohorts.retail.wealth_quote_median=500",
        f"cohorts.retail.wealth_ratio_max={most}",
        whole,
    )
    equal = twins.crash(
        "cohorts.retail.wealth_law=equal", f"cohorts.retail.wealth_quote_median={500 * mean:.0f}", whole
    )
    share = twins.change("forced_share", unequal, equal, seeds=12)
    assert share.high < -0.02


@pytest.mark.parametrize("law", ["lognormal", "pareto", "measured"])
def test_dealt_wealth_is_the_same_under_every_seed_and_somebody_elses(law: str) -> None:
    """What is drawn for each differs between seeds as a whole; what is dealt are quantiles of the law, other hands."""
    cap = 1e6
    dealt, drawn = (
        [
            make(Noise, 200, seed=seed, wealth_law=law, wealth_draw=draw, wealth_ratio_max=cap).initial_deposit_atoms()
            for seed in (1, 2)
        ]
        for draw in ("dealt", "each")
    )
    assert np.array_equal(np.sort(dealt[0]), np.sort(dealt[1]))
    assert not np.array_equal(dealt[0], dealt[1])
    assert drawn[0].sum() != drawn[1].sum()
    many = make(Noise, 200_000, wealth_law=law, wealth_ratio_max=cap).initial_deposit_atoms()
    quarters = [0.25, 0.5, 0.75]
    assert np.quantile(dealt[0], quarters) == pytest.approx(np.quantile(many, quarters), rel=0.03)
    # The rich are the rich of both: who draws more is dealt more.
    assert np.array_equal(np.argsort(dealt[0], kind="stable"), np.argsort(drawn[0], kind="stable"))


def test_the_most_that_somebody_brings_must_be_possible() -> None:
    with pytest.raises(ValueError, match="wealth_quote_median x wealth_ratio_max"):
        CohortParameters(wealth_law="measured", wealth_quote_median=1e5, wealth_ratio_max=1e6)


@here
def test_the_law_is_that_of_the_accounts() -> None:
    values = accounts()["account_value_realtime"].to_numpy()
    assert np.median(values) == pytest.approx(958, abs=1)
    found = np.quantile(values, PROBABILITIES) / np.median(values)
    assert pytest.approx(found, rel=0.01) == RATIOS
    assert [hill(values, share) for share in (0.05, 0.025, 0.01)] == pytest.approx([0.74, 0.78, 0.82], abs=0.005)
    # Beyond the last quantile only the tail speaks: every percentile of it is within a quarter.
    far = np.array([0.96, 0.97, 0.98, 0.99])
    assert measured_ratios(far) == pytest.approx(np.quantile(values, far) / np.median(values), rel=0.25)


@here
def test_leverage_falls_with_wealth_as_retail_lets_it() -> None:
    frame = accounts()
    frame = frame[(frame["leverage_realtime"] > 0) & (frame["leverage_realtime"] < ARTEFACT_LEVERAGE)]
    value, leverage = np.log(frame["account_value_realtime"]), np.log(frame["leverage_realtime"])
    slope = float(np.polyfit(value, leverage, 1)[0])
    assert slope == pytest.approx(-0.22, abs=0.005)
    assert abs(slope + 0.25) < 0.05, "retail uses the fourth root"
