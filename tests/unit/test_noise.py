"""What patient noise traders do to a market: a paired twin, the same seeds with them and without."""

from __future__ import annotations

import numpy as np

from tests.watched import SHOCK_AT_S, Seen, between, change, falling

PATIENT = {
    "kind": "noise", "name": "patient", "count": 60, "mean_interval_s": 20.0, "market_share": 0.0,
    "wealth_quote_median": 10_000.0, "order_share": 0.1,
}  # fmt: skip
SEEDS = range(1, 7)


def log_depth(market: Seen) -> float:
    """Return the logarithm of the mean depth near the price before the fall."""
    return float(np.log(market.depth_lots[between(600, SHOCK_AT_S)].mean()))


def test_patient_orders_are_depth() -> None:
    """Within a thousandth of the best price, beside makers and other noise traders."""
    assert change(falling([PATIENT]), falling([]), SEEDS, log_depth).low > np.log(1.1)
