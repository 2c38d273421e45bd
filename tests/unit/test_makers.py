"""Makers who price by Avellaneda and Stoikov, who leave a busy market, and who are faster than others."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.cohort import Commands
from delever.agents.conformance import check_cohort
from delever.agents.maker import Maker
from delever.agents.volatility import SD_PER_MEAN_ABSOLUTE
from delever.engine.commands import C_ACCOUNT, C_KIND, C_PRICE_TICKS, C_SIDE, Kind
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import from_toml
from tests.unit.board import Board, everybody, make, of_kind
from tests.watched import NOISE, SHOCK_AT_S, SHOCK_LENGTH_S, Seen, between, change, edges_ppm, falling, world

SEEDS = range(1, 5)
PRICE = 32_000
GAMMA, DECAY, HORIZON_S = 2e-4, 0.01, 60.0
PAPER = {
    "pricing": "avellaneda_stoikov", "levels": 1, "risk_aversion_per_ppm": GAMMA, "fill_decay_per_ppm": DECAY,
    "risk_horizon_s": HORIZON_S, "width_spread": 0.0, "shade_ppm": 0.0, "quote_leverage": 0.01,
}  # fmt: skip


def quotes(held: int, volatility_ppm: float = 50.0, **numbers: object) -> tuple[float, float]:
    """Return distance of bid and ask from the price in ppm, of a maker whose orders are of 100 lots."""
    board = Board(equity_lots=20_000)  # at half of the price
    board.price(PRICE, index=PRICE, bid=PRICE - 2_000, ask=PRICE + 2_000)
    board.hold(0, held, entry=PRICE)
    commands = make(Maker, 1, **(PAPER | numbers)).decide(board.view(volatility_ppm=volatility_ppm), np.arange(1))
    prices = {int(row[C_SIDE]): int(row[C_PRICE_TICKS]) for row in of_kind(commands, Kind.LIMIT)}
    return (PRICE - prices[1]) * 1e6 / PRICE, (prices[-1] - PRICE) * 1e6 / PRICE


@pytest.mark.parametrize("volatility_ppm", [20.0, 50.0, 100.0])
@pytest.mark.parametrize("orders", [-3, 0, 1])
def test_quotes_are_those_of_the_paper(volatility_ppm: float, orders: int) -> None:
    """Reservation price s - q gamma sigma^2 T, half spread gamma sigma^2 T / 2 + ln(1 + gamma / k) / gamma."""
    bid, ask = quotes(100 * orders, volatility_ppm)
    risk = GAMMA * (SD_PER_MEAN_ABSOLUTE * volatility_ppm) ** 2 * HORIZON_S
    half = risk / 2.0 + np.log(1.0 + GAMMA / DECAY) / GAMMA
    tick = 1e6 / PRICE
    assert (bid, ask) == pytest.approx((half + orders * risk, half - orders * risk), abs=1.5 * tick)


def test_the_symmetric_maker_has_the_same_spread_and_no_shift() -> None:
    skewed, symmetric = quotes(300), quotes(300, skew_share=0.0)
    assert sum(symmetric) == pytest.approx(sum(skewed), abs=2e6 / PRICE)
    assert symmetric == pytest.approx(quotes(0), abs=1e6 / PRICE)
    assert skewed[0] > symmetric[0] > skewed[1]


def test_a_maker_leaves_a_busy_market_and_comes_back_when_it_is_quiet() -> None:
    board = Board()
    cohort = make(Maker, volatility_limit_ppm=100.0, width_spread=0.0, pause_s=50.0)

    def kinds(step: int, volatility_ppm: float) -> set[int]:
        board.orders(0, bids=10, asks=10)
        commands: Commands = cohort.decide(board.view(step, volatility_ppm=volatility_ppm), everybody(cohort))
        return set(commands[:, C_KIND].tolist())

    assert Kind.LIMIT in kinds(100, 99.0)
    assert kinds(110, 101.0) == {Kind.CANCEL_ALL}
    assert kinds(159, 50.0) == {Kind.CANCEL_ALL}, "it stays away for its pause"
    assert Kind.LIMIT in kinds(160, 50.0)
    assert kinds(200, 150.0) == kinds(250, 150.0) == {Kind.CANCEL_ALL}, "and longer while the market is busy"


def test_makers_do_not_leave_all_at_once() -> None:
    cohort = make(Maker, 2_000, volatility_limit_ppm=100.0, width_spread=0.5)
    commands = cohort.decide(Board(2_000).view(volatility_ppm=100.0), everybody(cohort))
    assert len(set(commands[:, C_ACCOUNT])) == pytest.approx(1_000, abs=100)


def test_it_conforms() -> None:
    check_cohort(make(Maker, 60, first_row=3, pricing="avellaneda_stoikov", volatility_limit_ppm=100.0))


LATENCIES = """
duration_s = 20
traders = 1
[latency]
base_ms = 2000
jitter_ms = 0
[[markets]]
symbol = "X"
tick_size = "1"
lot_size = "0.001"
[markets.path]
kind = "constant"
price = 10000
"""
TIER = '[[cohorts]]\nkind = "maker"\nname = "{}"\ncount = 5\nmean_interval_s = 1\nwealth_quote_median = {}\n{}\n'


def test_each_tier_of_makers_has_capital_and_speed_of_its_own() -> None:
    """Everybody wakes in the first steps: the fast arrive at once, others after 2 s, the slow after 5."""
    tiers = {"fast": (1_000_000, "latency_ms = 0"), "usual": (100_000, ""), "slow": (10_000, "latency_ms = 5000")}
    text = LATENCIES + "".join(TIER.format(name, *tier) for name, tier in tiers.items())
    model = MarketModel(from_toml(text, "latencies.toml"), seed=3)
    first: dict[str, int] = {}
    while model.running:
        model.step()
        arrived = set(model.arrived[:, C_ACCOUNT].tolist())
        for cohort in model.cohorts:
            if arrived & set(cohort.rows.tolist()):
                first.setdefault(cohort.name, model.step_now - 1)
    assert [first["usual"] - first["fast"], first["slow"] - first["fast"]] == [2, 5]
    deposits = [np.median(cohort.initial_deposit_atoms()) for cohort in model.cohorts]
    assert deposits[0] > 4 * deposits[1] > 16 * deposits[2]


WANDERING = 'kind = "gbm"\nstart_price = 10000\nvolatility = 0.8'
TAKERS = {"kind": "noise", "count": 100, "mean_interval_s": 20, "market_share": 1.0, "cancel_share": 0.0}
QUOTING = {
    "kind": "maker", "name": "tested", "count": 6, "pricing": "avellaneda_stoikov", "levels": 1, "mean_interval_s": 2,
    "requote_ppm": 10, "index_share": 1.0, "shade_ppm": 0, "quote_leverage": 0.02, "wealth_law": "equal",
    "wealth_quote_median": 100_000,
}  # fmt: skip


def log_inventory(market: Seen) -> float:
    """Return the logarithm of the makers' mean squared inventory."""
    return float(np.log((market.lots["tested"].astype(np.float64) ** 2).mean()))


def log_volume(market: Seen) -> float:
    return float(np.log(market.volume_lots[-1] - market.volume_lots[0]))


def test_inventory_varies_less_than_a_symmetric_makers_at_equal_volume() -> None:
    """Avellaneda and Stoikov's own comparison; the symmetric maker quotes the same spread around the price itself."""
    skewed, symmetric = (
        world([TAKERS, QUOTING | {"skew_share": share}], WANDERING, duration_s=1_800) for share in (1, 0)
    )
    assert change(skewed, symmetric, SEEDS, log_inventory).high < np.log(1 / 2), "less than half"
    volume = change(skewed, symmetric, SEEDS, log_volume)
    assert -0.02 < volume.low < volume.high < 0.02, "equal within 2 %"


# A seller who comes right after the fall of the index, when those who leave have left.
SELLER = {
    "kind": "whale", "direction": "short", "open_at_s": 600 + SHOCK_AT_S + SHOCK_LENGTH_S, "build_s": 120,
    "mean_interval_s": 2, "wealth_quote_median": 300_000, "leverage": 1.0, "reach_ppm": 20_000,
}  # fmt: skip
STAYING = {"width_spread": 0.1, "mean_interval_s": 2, "pause_s": 300}
AFTER = between(SHOCK_AT_S + SHOCK_LENGTH_S, SHOCK_AT_S + SHOCK_LENGTH_S + 120)


def depth_left(market: Seen) -> float:
    """Return depth in the two minutes after the fall, as a share of that of the ten minutes before it."""
    before = market.depth_lots[between(SHOCK_AT_S - 600, SHOCK_AT_S)]
    return float(market.depth_lots[AFTER].mean() / before.mean())


def log_trough(market: Seen) -> float:
    """Return the logarithm of how far below the index the lowest trade of these two minutes was, in ppm."""
    return float(np.log((1.0 - market.last_ticks / market.index_ticks)[AFTER].max() * 1e6))


def test_makers_who_leave_take_depth_with_them_and_the_trough_is_deeper() -> None:
    """Twin: the same makers, who do not look at volatility."""
    leaving, staying = falling([SELLER], volatility_limit_ppm=110.0, **STAYING), falling([SELLER], **STAYING)
    seeds = range(1, 7)
    assert change(leaving, staying, seeds, depth_left).high < -0.1, "a tenth of the usual depth and more"
    assert change(leaving, staying, seeds, log_trough).low > 0.0


def test_makers_with_a_tight_limit_stop_buying_and_the_trough_is_deeper() -> None:
    """Twin: the same makers, who may hold ten times as much. Ho and Stoll (1981): inventory bounds what is provided."""
    tight, wide = (falling([SELLER], inventory_leverage=leverage, mean_interval_s=2) for leverage in (0.3, 3.0))
    assert change(tight, wide, SEEDS, log_trough).low > 0.0
    assert change(tight, wide, SEEDS, lambda market: float(np.abs(market.lots["maker"]).max())).high < 0.0


INFORMED = {
    "kind": "value", "count": 20, "mean_interval_s": 5, "wealth_quote_median": 30_000, "full_ppm": 3_000,
    "threshold_ppm": 0, "belief_sd_ppm": 0, "noise_sd_ppm": 0,
}  # fmt: skip
TIERED = {
    "kind": "maker", "count": 3, "mean_interval_s": 2, "wealth_law": "equal", "wealth_quote_median": 100_000,
    "index_share": 1.0, "requote_ppm": 10, "width_spread": 0, "shade_ppm": 0, "half_spread_ppm": 200,
    "jitter_ms": 1_500,
}  # fmt: skip


def tiers(*, latency_ms: int = 0, wealth_quote: int = 100_000) -> str:
    """Return a market of two tiers of makers, of which one is slower or richer, and of traders who know the index."""
    other = {"name": "other", "latency_ms": latency_ms, "wealth_quote_median": wealth_quote}
    makers = [TIERED | {"name": "first", "latency_ms": 0}, TIERED | other]
    others = [NOISE | {"market_share": 1.0, "cancel_share": 0.0}, INFORMED]
    return world([*makers, *others], WANDERING, duration_s=1_800)


def test_the_faster_tier_earns_what_the_slower_loses_to_informed_traders() -> None:
    """Twin: both as fast. Quotes that are stale are picked off: Foucault, Roell and Sandas (2003)."""
    slow, equal = (
        np.array([edges_ppm(tiers(latency_ms=latency), seed, "first", "other") for seed in SEEDS])
        for latency in (4_000, 0)
    )
    assert paired_difference(slow[:, 0], equal[:, 0]).low > 0.0, "the fast earn more"
    assert paired_difference(slow[:, 1], equal[:, 1]).high < 0.0, "the slow less"


def traded_by_other(market: Seen) -> float:
    """Return the logarithm of what the second tier traded over what the first did."""
    first, other = (np.abs(np.diff(market.lots[name], axis=0)).sum() for name in ("first", "other"))
    return float(np.log(other / first))


def test_the_richer_tier_trades_more_in_proportion() -> None:
    """Twin: both as rich. Quotes are a share of equity, so four times the money is at most four times the volume."""
    more = change(tiers(wealth_quote=400_000), tiers(), SEEDS, traded_by_other)
    assert np.log(2.0) < more.low < more.high < np.log(4.0)
