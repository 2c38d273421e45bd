"""Binance USD-M futures: tiers of October 2024, mark and funding formulas of September 2025."""

from __future__ import annotations

from delever.engine.rules.base import PPM
from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite

# Largest leverage and maintenance rate of the twelve brackets; they are the same for BTCUSDT and ETHUSDT.
_LADDER = (
    (125, 4_000),
    (100, 5_000),
    (75, 6_500),
    (50, 10_000),
    (25, 20_000),
    (20, 25_000),
    (10, 50_000),
    (5, 100_000),
    (4, 125_000),
    (3, 150_000),
    (2, 250_000),
    (1, 500_000),
)


def _tiers(*floors_quote: int) -> tuple[Tier, ...]:
    """Return the tiers of a market from the floors of its brackets; initial is 1 / leverage, rounded up."""
    assert len(floors_quote) == len(_LADDER), "a floor for each step of the ladder"
    return tuple(
        Tier(floor_quote=floor, initial_ppm=-(-PPM // leverage), maintenance_ppm=maintenance)
        for floor, (leverage, maintenance) in zip(floors_quote, _LADDER, strict=True)
    )


_K, _M = 1_000, 1_000_000
_BTC = _tiers(
    0,
    50 * _K,
    600 * _K,
    3 * _M,
    12 * _M,
    70 * _M,
    100 * _M,
    230 * _M,
    480 * _M,
    600 * _M,
    800 * _M,
    1_200 * _M,
)
_ETH = _tiers(0, 50 * _K, 600 * _K, 3 * _M, 12 * _M, 50 * _M, 65 * _M, 150 * _M, 320 * _M, 400 * _M, 530 * _M, 800 * _M)

RULES = RuleSet(
    name="binance-usdm",
    contract=Contract(payoff="linear", lots_max=100_000_000, orders_per_account_max=200),
    matching=Matching(priority="price_time", self_trade="cancel_oldest"),
    margin=Margin(
        tiers=_BTC,
        markets={"BTC": _BTC, "BTCUSDT": _BTC, "ETH": _ETH, "ETHUSDT": _ETH},
        leverage_max=0,
        mode="cross",
        isolated_allowed=True,
        call_ppm=1_250_000,
    ),
    mark=Mark(components=("index_funding", "index_basis", "last"), window_s=30, renew_in_rounds=False),
    liquidation=Liquidation(
        act=True,
        trigger="at_or_below",
        stage="book",
        size="full",
        target_ppm=PPM,
        share_ppm=PPM,
        full_below_quote=0,
        cooldown_s=0,
        price="bankruptcy",
        leftover="fund",
        backstop_ppm=0,
        seize_margin=True,
        latency_s=0,
        orders_per_step_max=0,
        rounds_max=10,
    ),
    insurance=Insurance(
        initial_quote=1_000_000,
        floor_quote=0,
        cap_per_event_quote=0,
        warehouse_leverage=10,
        disposal_share_ppm=100_000,
        disposal_interval_s=10,
        disposal_range_ppm=10_000,
    ),
    deleveraging=Deleveraging(
        trigger="fund_empty", rank="pnl_margin", least_balance_quote=1, price="bankruptcy", cancel_orders=True
    ),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=12_500,
        funding=Funding(
            interval_s=28_800,
            period_s=28_800,
            interest_ppb=100_000,
            clamp_ppb=500_000,
            cap_ppb=3_000_000,
            notional="mark",
        ),
    ),
    halts=Halts(collar_ppm=50_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_TIERS = "bracket table of the venue's interface kept in freqtrade/freqtrade@c9ae5e1, binance_leverage_tiers.json"
_INFO = "stored answer of GET /fapi/v1/exchangeInfo, BTCUSDT"
_INFO_DATE = "2024-03-28"
_PROTOCOLS = "FAQ 360033525271 (futures liquidation protocols)"
_ADL = "FAQ 360033525471 (auto-deleveraging)"
_ANNOUNCED = "announcement of 2025-09-16 as reported by several news pages"

SOURCES: dict[str, Source] = {
    **cite("exchangeInfo: USDT-margined linear perpetual", _INFO_DATE, "read", "contract.payoff"),
    **choose(
        "the venue's own limits are per order (1,000 BTC) and per bracket; bounds the tables (R-U4)",
        "contract.lots_max",
    ),
    **cite(f"{_INFO}: MAX_NUM_ORDERS 200", _INFO_DATE, "read", "contract.orders_per_account_max"),
    **cite("price-time priority", "2024", "memory", "matching.priority"),
    **cite(
        "API docs, new order: default EXPIRE_MAKER in newer copies, NONE in older ones",
        "2025",
        "secondary",
        "matching.self_trade",
    ),
    **choose("the BTCUSDT table for every market without its own", "margin.tiers"),
    **cite(f"{_TIERS}: BTCUSDT", "2024-10", "read", "margin.markets.BTCUSDT"),
    **cite(f"{_TIERS}: BTCUSDT, under the symbol scenarios use", "2024-10", "read", "margin.markets.BTC"),
    **cite(
        f"{_TIERS}: ETHUSDT floors and maintenance rates; leverage taken to be that of the BTCUSDT "
        "brackets with the same rates",
        "2024-10",
        "secondary",
        "margin.markets.ETHUSDT",
        "margin.markets.ETH",
    ),
    **choose("the tiers hold the largest leverage", "margin.leverage_max"),
    **cite("cross and isolated are offered; cross is the default", "2024", "memory", "margin.mode"),
    **cite(
        "FAQ 'How to Calculate Liquidation Price of USD-M Futures Contracts': cross and isolated",
        "2020-08-14",
        "read",
        "margin.isolated_allowed",
    ),
    **cite(
        f"{_PROTOCOLS}: keep the margin ratio below 80 %, which is equity of 1.25 times maintenance margin; "
        "that the notice comes at that level is our reading",
        "2024-05-29",
        "secondary",
        "margin.call_ppm",
    ),
    **cite(
        f"{_ANNOUNCED}: median of price 1, price 2 and contract price; price 1 = index x (1 + last funding "
        "rate x share of the interval left), from the twin page on COIN-M "
        "(FAQ fff6ec1b3f5845d19f1fb924644a0877)",
        "2025-09-18",
        "secondary",
        "mark.components",
    ),
    **cite(
        f"{_ANNOUNCED}: plain mean of 30 samples in 30 s; approximated by an exponential average",
        "2025-09-18",
        "secondary",
        "mark.window_s",
    ),
    **choose("the mark is published once a second, not between liquidations", "mark.renew_in_rounds"),
    **choose("a venue that acts; false is its counterfactual", "liquidation.act"),
    **cite(f"{_PROTOCOLS}: margin ratio reaches 100 %", "2024-05-29", "read", "liquidation.trigger"),
    **cite(
        "protocol as restated by docs.traderwagon.com: cancel orders, one large immediate-or-cancel order, "
        "the rest is closed at the bankruptcy price and taken over by the fund",
        "2023",
        "secondary",
        "liquidation.stage",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **choose(
        "the protocol reduces large positions first; below 12M of value the maintenance rate is below the "
        "liquidation fee, so that reducing cannot cure and the whole is closed (same FAQ: smaller positions "
        "are almost always fully liquidated)",
        "liquidation.size",
    ),
    **choose(
        "not used with size = full",
        "liquidation.target_ppm",
        "liquidation.share_ppm",
        "liquidation.full_below_quote",
        "liquidation.cooldown_s",
    ),
    **choose("no backstop accounts are documented", "liquidation.backstop_ppm"),
    **choose("nothing is published", "liquidation.latency_s", "liquidation.orders_per_step_max"),
    **choose("bounds a step; more is reported as an unfinished cascade", "liquidation.rounds_max"),
    **choose(
        "sized to the scenarios; the venue's fund stands against a market thousands of times larger. Which contracts "
        "share a fund: an older copy of FAQ 360033525371 gives BTCUSDT and ETHUSDT one each and all others a third "
        "(insurance.market_funds.only); that of 2024-05-29 names categories only, so one fund here",
        "insurance.initial_quote",
    ),
    **choose("nothing is published", "insurance.floor_quote", "insurance.cap_per_event_quote"),
    **choose(
        "the FAQ of 2024-05-29 gives no number any more; an older copy lets the fund hold positions worth no more than "
        "itself (1, by default)",
        "insurance.warehouse_leverage",
    ),
    **choose(
        "FAQ 360033525371 (insurance fund): positions are offloaded onto the market slowly; no numbers are published",
        "insurance.disposal_share_ppm",
        "insurance.disposal_interval_s",
        "insurance.disposal_range_ppm",
    ),
    **cite(
        f"{_ADL}: only when the fund cannot accept the positions",
        "2019-09-09",
        "read",
        "deleveraging.trigger",
    ),
    **cite(
        f"{_ADL}: unrealised profit / collateral x margin ratio, max(0, profit) / max(1, wallet balance); exact form "
        "in a thread quoting the page",
        "2019-09-09",
        "read",
        "deleveraging.rank",
        "deleveraging.least_balance_quote",
    ),
    **cite(
        f"{_ADL}: at the bankruptcy price of the liquidated order, without fee; open orders are cancelled",
        "2019-09-09",
        "read",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **choose("no sharing of losses is documented", "socialisation.rule"),
    **cite(
        "fee schedule of regular users: 0.02 % and 0.05 %, as collected by a public fee index",
        "2026-10-12",
        "secondary",
        "charges.maker_ppm",
        "charges.taker_ppm",
    ),
    **cite(f"{_INFO}: liquidationFee 0.0125", _INFO_DATE, "read", "charges.liquidation_ppm"),
    **cite(
        f"{_ANNOUNCED}: (mean premium + clamp(interest - premium, 0.05 %)) / (8 / N), interest 0.01 %; "
        "BTCUSDT settles every 8 hours",
        "2025-09-18",
        "secondary",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
    ),
    **cite(
        "0.3 % = 0.75 x maintenance rate of the first bracket, in undated copies of "
        "GET /fapi/v1/fundingInfo; other copies show 2 % for BTCUSDT",
        "2025",
        "secondary",
        "charges.funding.cap_ppb",
    ),
    **cite("value of the position at the mark price", "2024", "memory", "charges.funding.notional"),
    **cite(
        f"{_INFO}: PERCENT_PRICE 0.95 to 1.05, marketTakeBound 0.05 (the venue bounds the aggressive side only)",
        _INFO_DATE,
        "read",
        "halts.collar_ppm",
    ),
    **choose(
        "not published; in favour of the venue",
        "rounding.requirement",
        "rounding.fee",
        "rounding.bankruptcy_price",
    ),
}
