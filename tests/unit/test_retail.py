"""What each habit of leveraged retail does to a market: paired twins, the same seeds with the habit and without."""

from __future__ import annotations

from delever.sim.scenario import Scenario
from tests.twins import change, crash

SEEDS = 4
SILENT = "cohorts.retail.top_up_share=0"
"""Nobody answers a margin call."""
FIRST = "cohorts.retail.first_share=0.3"
SYMMETRIC = ("cohorts.retail.long_share=0.5", "cohorts.retail.herd_horizon_s=300")


def rise_and_fall(*sets: str) -> Scenario:
    """Return a crash after a rise of 8 % in which nobody answers calls: there is something to win first."""
    ramps = ((200, 200, 0.08), (600, 100, -0.15))
    shocks = ", ".join(f'{{kind="ramp", at_s={at}, length_s={length}, size={size}}}' for at, length, size in ramps)
    return crash(SILENT, f"markets.X.path.shocks=[{shocks}]", *sets)


def test_who_borrows_more_is_liquidated_and_a_crash_is_sold_by_force() -> None:
    """Leverage of 20 against 3, of all volume."""
    high, low = (
        crash(SILENT, f"cohorts.retail.leverages=[{leverage}]", "cohorts.retail.leverage_weights=[1.0]")
        for leverage in (20.0, 3.0)
    )
    assert change("forced_share", high, low, SEEDS).low > 0.1


def test_who_answers_a_margin_call_is_liquidated_less() -> None:
    """With money, or by halving the position."""
    assert change("liquidations", crash(), crash(SILENT), SEEDS).high < -10
    halving = crash(SILENT, "cohorts.retail.reduce_share=1.0")
    assert change("liquidations", halving, crash(SILENT), SEEDS).high < -5


def test_who_adds_to_winners_has_more_to_lose_when_the_rise_is_over() -> None:
    added = rise_and_fall(FIRST, "cohorts.retail.adds_max=4")
    assert change("liquidations", added, rise_and_fall(FIRST), SEEDS).low > 20


def test_a_crowd_that_follows_a_rise_is_long_when_it_ends() -> None:
    herd, alone = (rise_and_fall(*SYMMETRIC, f"cohorts.retail.herd_share={share}") for share in (0.06, 0.0))
    assert change("liquidations", herd, alone, seeds=8).low > 0
