"""What noise traders do to a market: paired twins, the same seeds with them and without."""

from __future__ import annotations

from tests.twins import change, crash

PATIENT = {
    "kind": "noise", "name": "patient", "count": 100, "mean_interval_s": 20, "market_share": 0.0,
    "wealth_quote_median": 50_000, "order_share": 0.1,
}  # fmt: skip


def test_patient_orders_hold_a_fall_up_and_spare_accounts_their_liquidation() -> None:
    """The index falls by 12 %; what is bought on the way keeps the price, and the mark that looks at it, above."""
    alone = crash("cohorts.retail.top_up_share=0")
    cohorts = alone.model_dump(mode="json", exclude_unset=True)["cohorts"]
    held = alone.replaced({"cohorts": [*cohorts, PATIENT]})
    assert change("max_drawdown", held, alone, seeds=4).high < -0.03
    assert change("liquidations", held, alone, seeds=4).high < -10


def test_market_orders_by_chance_are_volume_and_nothing_more() -> None:
    """Half of their wakings send one, and none a limit order; the fall is as deep as without them."""
    quiet = crash("cohorts.retail.top_up_share=0")
    cohorts = quiet.model_dump(mode="json", exclude_unset=True)["cohorts"]
    takers = PATIENT | {"market_share": 0.5, "cancel_share": 0.5}
    lively = quiet.replaced({"cohorts": [*cohorts, takers]})
    assert change("volume_notional", lively, quiet, seeds=4).low > 0
    deeper = change("max_drawdown", lively, quiet, seeds=4)
    assert max(abs(deeper.low), abs(deeper.high)) < 0.001
