"""Drawn index, mark and funding rules beyond the plain ones; the reference venue knows all of them."""

from __future__ import annotations

from random import Random
from typing import Any

Rules = dict[str, Any]
PLAIN_COMPONENTS = ["last", "mid", "index", "index_basis", "book", "index_funding"]


def _maybe(rng: Random, value: Any) -> Any:
    return value if rng.random() < 0.4 else None


def _impact(rng: Random) -> dict[str, Any]:
    amounts = rng.choice([1, 5, 50])
    own = rng.choice([None, None, {"M0": {"notional_quote": 2}, "M2": {"notional_quote": 20}}])
    return {"notional_quote": amounts, "over_initial_rate": rng.random() < 0.3, "markets": own}


def said_by_sources(seed: int, step: int, path_ticks: list[int], rule: dict[str, Any] | None) -> list[Any]:
    """Return what each source says of each market in a step: about the path, now and then nonsense or nothing (0)."""
    if rule is None:
        return path_ticks
    rng = Random(f"sources {seed} {step}")

    def said(price: int) -> int:
        wrong = rng.choice([0.3, 1.7]) if rng.random() < 0.08 else rng.gauss(1.0, 0.01)
        return 0 if rng.random() < 0.2 else max(1, int(price * wrong))

    return [[said(price) for _ in rule["weights"]] for price in path_ticks]


def index_sources(rng: Random, rules: Rules) -> None:
    """Draw an index of one to five sources; `said_by_sources` says what they say."""
    rules["mark"]["index"] = {
        "weights": [rng.randint(1, 4) for _ in range(rng.randint(1, 5))],
        "method": rng.choice(["median", "mean", "trimmed_mean"]),
        "outliers": rng.choice(["keep", "drop", "clamp"]),
        "outlier_ppm": rng.choice([1, 5_000, 100_000]),
        "stale_s": rng.choice([None, 0, 7]),
        "delay_s": rng.choice([0, 0, 2, 9]),
    }


def marks(rng: Random, rules: Rules) -> None:
    """Draw any number of components and what becomes of them."""
    mark = rules["mark"]
    sources = len((mark.get("index") or {"weights": []})["weights"])
    names = [*PLAIN_COMPONENTS, "impact", "trades", *(f"source_{number + 1}" for number in range(sources))]
    mark["components"] = [rng.choice(names) for _ in range(rng.randint(1, 6))]
    count = len(mark["components"])
    composite = {
        "method": rng.choice(["median", "mean"]),
        "weights": [rng.randint(0, 5) for _ in range(count - 1)] + [3] if rng.random() < 0.6 else [],
        "stale_s": [rng.choice([0, 1, 10, 100]) for _ in range(count)] if rng.random() < 0.6 else [],
        "spare": _maybe(rng, {"window_s": rng.choice([1, 5, 30])}),
    }
    trades = {
        "count_forced": rng.random() < 0.4,
        "window_s": rng.choice([1, 4, 30]),
        "decay_ppm": rng.choice([0, 300_000, 1_000_000]),
        "decay_power": rng.choice([1, 2, 3]),
    }
    mark["composite"] = _maybe(rng, composite)
    mark["trades"] = trades if "trades" in mark["components"] else _maybe(rng, trades)
    mark["impact"] = _impact(rng) if "impact" in mark["components"] else None
    mark["update"] = _maybe(rng, {"every_s": rng.choice([1, 3, 20])})
    mark["band"] = _maybe(rng, {"width_ppm": rng.choice([1, 5_000, 100_000])})
    mark["guard"] = _maybe(rng, {"deviation_ppm": rng.choice([10_000, 100_000]), "window_s": rng.choice([1, 10, 300])})


def funding(rng: Random, rules: Rules) -> None:
    """Draw one of the funding formulas."""
    rule = rules["charges"]["funding"]
    if rule is None:
        return
    per_lot = rules["contract"].get("payoff") != "inverse"
    kind = rng.choice(["premium", "premium", "continuous", "velocity", "twap"])
    if kind == "twap" and per_lot:
        low, high = sorted(rng.choice([-500_000_000, -1_000_000, 0, 2_000_000, 10**9]) for _ in range(2))
        rule["twap"] = {"interest_year_ppb": rng.choice([0, 10**9]), "low_ppb": low, "high_ppb": high}
        return
    if kind == "velocity":
        rule["velocity"] = {"skew_scale_lots": rng.choice([10, 500]), "velocity_ppb": 900 * 10**9}
        return
    if kind == "continuous":
        rule["continuous"] = {"damper_ppb": rng.choice([0, 500_000])}
    source = rng.choice(["mid", "impact", "mark", "last"])
    rule["premium"] = {
        "source": source,
        "impact": _impact(rng) if source == "impact" else None,
        "interest": rng.choice(["clamped", "added"]),
        "median_s": rng.choice([None, rule["interval_s"]]),
    }
    if rule["premium"]["median_s"] is None:
        rule["premium"]["every_s"] = rng.choice([None, 1, 2, 5])
    rule["margin_cap"] = _maybe(rng, {"factor_ppm": rng.choice([0, 10_000, 6_000_000])})
    if kind in ("premium", "twap"):
        rule["interest_rates"] = _maybe(rng, {"quote_ppb": 600_000, "base_ppb": rng.choice([0, 900_000])})
        rule["cumulative"] = _maybe(rng, {"decimals": rng.choice([0, 3, 4])}) if per_lot else None
