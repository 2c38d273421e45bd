"""Binance COIN-M futures, the inverse perpetual BTCUSD_PERP, brackets of 2021, mark and funding of 2025-09-18."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract, Inverse
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

from .model import MODEL, written_out

UNITS = 100  # a unit of account is 0.01 BTC


def _tiers(*brackets: tuple[int, int, int]) -> tuple[Tier, ...]:
    """Return tiers from (floor in BTC, largest leverage, maintenance rate in ppm)."""
    return tuple(
        Tier(floor_quote=floor * UNITS, initial_ppm=-(-(10**6) // leverage), maintenance_ppm=rate)
        for floor, leverage, rate in brackets
    )


RULES = RuleSet(
    name="binance-coinm",
    contract=written_out(
        Contract,
        payoff="inverse",
        lots_max=1_000_000,
        inverse=Inverse(currency="BTC", units_per_coin=UNITS, face_quote=100),
    ),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        tiers=_tiers(
            (0, 125, 4_000), (5, 100, 5_000), (10, 50, 10_000), (20, 20, 25_000), (50, 10, 50_000), (100, 5, 100_000),
            (200, 4, 125_000), (400, 3, 150_000), (1_000, 2, 250_000), (1_500, 1, 500_000),
        ),
        leverage_max=125,
        mode="cross",
        isolated_allowed=True,
        call_ppm=1_250_000,
    ),
    mark=Mark(components=("index_funding", "index_basis", "last"), window_s=30, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="at_or_below",
        stage="book",
        size="full",
        price="bankruptcy",
        leftover="fund",
        seize_margin=True,
    ),
    insurance=written_out(Insurance, initial_quote=12_500),
    deleveraging=Deleveraging(
        trigger="fund_empty", rank="pnl_margin", least_balance_quote=100, price="bankruptcy", cancel_orders=True
    ),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=15_000,
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
)  # fmt: skip

_FAQ = "FAQ 'How to Calculate Liquidation Price of COIN-M Futures Contracts'"
_SECOND = "announcement of the change of mark price and funding, as restated"

SOURCES: dict[str, Source] = {
    **MODEL,
    **choose("100 M USD; bounds the value of contracts of 100 USD at a tick of 0.1 (R-U4)", "contract.lots_max"),
    **cite(
        f"{_FAQ}: contracts of 100 USD, everything in BTC",
        "2021-02-05",
        "read",
        "contract.payoff",
        "contract.inverse.currency",
        "contract.inverse.face_quote",
    ),
    **choose("atoms of 10^-8 BTC", "contract.inverse.units_per_coin"),
    **cite("200 open orders", "2024", "memory", "contract.orders_per_account_max"),
    **cite("price-time priority", "2024", "memory", "matching.priority"),
    **cite(
        f"{_FAQ}: 5 % from 50 BTC after 2.5 %, with the maintenance amount by recursion; the other brackets of "
        "BTCUSD_PERP from memory",
        "2021-02-05",
        "memory",
        "margin.tiers",
    ),
    **choose("all markets have the table of BTCUSD_PERP", "margin.markets"),
    **cite("largest leverage 125", "2021", "memory", "margin.leverage_max"),
    **cite(f"{_FAQ}: cross and isolated", "2021-02-05", "read", "margin.mode", "margin.isolated_allowed"),
    **cite("as for USD-M: notice at a margin ratio of 80 %", "2024-05-29", "secondary", "margin.call_ppm"),
    **cite(
        f"{_SECOND}: median of price 1 (index with funding), price 2 (index + mean basis of 30 s) and contract price",
        "2025-09-18",
        "secondary",
        "mark.components",
        "mark.window_s",
    ),
    **cite("margin ratio at or above 100 %", "2024-05-29", "read", "liquidation.trigger"),
    **cite(
        "as for USD-M: cancel orders, one immediate-or-cancel order, the rest to the fund at the bankruptcy price",
        "2023",
        "secondary",
        "liquidation.stage",
        "liquidation.size",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **choose("125 BTC: sized to the scenarios; one fund for all contracts in a coin", "insurance.initial_quote"),
    **cite(
        "'What Is Auto-Deleveraging': when the fund cannot take the position, ranked by profit % x margin ratio, at "
        "the bankruptcy price, open orders cancelled",
        "2019-09-09",
        "read",
        "deleveraging.trigger",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **choose(
        "the page prints max(1, wallet balance) once for all contracts, without a unit: 1 BTC here, 100 account units",
        "deleveraging.least_balance_quote",
    ),
    **cite("regular users: 0.02 % and 0.05 %", "2024", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **cite("liquidation clearance fee of BTCUSD_PERP", "2024", "memory", "charges.liquidation_ppm"),
    **cite(
        f"{_SECOND}: (mean premium + clamp(interest - premium, 0.05 %)) / (8 / N), interest 0.01 %, every 8 hours",
        "2025-09-18",
        "secondary",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
    ),
    **cite(
        "caps tied to the maintenance rate of the first bracket",
        "2025",
        "memory",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **cite("PERCENT_PRICE 0.95 to 1.05", "2024", "memory", "halts.collar_ppm"),
}
