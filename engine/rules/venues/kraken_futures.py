"""Kraken Futures, the inverse perpetual PI_XBTUSD, equity protection process as documented up to 2026-03."""

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

UNITS = 100  # a unit of account is 0.01 XBT


def _tiers(*brackets: tuple[int, int]) -> tuple[Tier, ...]:
    """Return tiers from (floor in XBT, initial rate in ppm); maintenance is half of it."""
    return tuple(
        Tier(floor_quote=floor * UNITS, initial_ppm=rate, maintenance_ppm=rate // 2) for floor, rate in brackets
    )


RULES = RuleSet(
    name="kraken-futures",
    contract=written_out(
        Contract, payoff="inverse", inverse=Inverse(currency="XBT", units_per_coin=UNITS, face_quote=1)
    ),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        tiers=_tiers((0, 20_000), (50, 40_000), (100, 60_000), (300, 100_000), (500, 150_000), (1_000, 250_000)),
        leverage_max=50,
        mode="cross",
        isolated_allowed=True,
    ),
    mark=Mark(components=("index_basis",), window_s=30, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="book",
        size="full",
        price="bankruptcy",
        leftover="backstop",
        seize_margin=True,
    ),
    insurance=written_out(Insurance, initial_quote=0, disposal_share_ppm=0),
    deleveraging=Deleveraging(trigger="fund_empty", rank="pnl_leverage", price="bankruptcy", cancel_orders=True),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=3_600,
            period_s=86_400,
            interest_ppb=0,
            clamp_ppb=0,
            cap_ppb=2_500_000,
            notional="mark",
        ),
    ),
    halts=Halts(collar_ppm=50_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_EPP = "'Equity Protection Process'"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(
        f"{_EPP}, example: 1,000 contracts of 1 USD at 8,000 are 0.125 XBT",
        "2020",
        "read",
        "contract.payoff",
        "contract.inverse.currency",
        "contract.inverse.face_quote",
    ),
    **choose("atoms of 10^-8 XBT", "contract.inverse.units_per_coin"),
    **cite("price-time priority", "2024", "memory", "matching.priority"),
    **cite(
        f"{_EPP}, example: 2 % initial, 1 % maintenance; the further levels of the margin schedule from memory",
        "2020",
        "memory",
        "margin.tiers",
    ),
    **choose("all markets have one schedule", "margin.markets"),
    **cite("largest leverage 50", "2020", "read", "margin.leverage_max"),
    **cite("one margin account per contract, or multi-collateral", "2024", "memory", "margin.mode"),
    **cite("isolated is offered", "2024", "memory", "margin.isolated_allowed"),
    **cite("index plus average of the basis", "2024", "memory", "mark.components", "mark.window_s"),
    **cite(f"{_EPP}: equity below maintenance margin", "2020", "read", "liquidation.trigger"),
    **cite(
        f"{_EPP}: an immediate-or-cancel order for the whole position at the price of zero equity, better fills stay "
        "with the client; the remainder is assigned to liquidity providers (PAS), which the backstop accounts are here",
        "2020",
        "read",
        "liquidation.stage",
        "liquidation.size",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **choose("providers and unwinding stand where others have a fund", "insurance.initial_quote"),
    **choose("not used: there is no fund", "insurance.disposal_share_ppm"),
    **cite(
        f"{_EPP}: what nobody takes is unwound against profitable positions", "2020", "read", "deleveraging.trigger"
    ),
    **cite(
        "order and price of unwinding",
        "2024",
        "memory",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **cite("tier 1: 0.02 % and 0.05 %", "2024", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("none is documented for this contract", "charges.liquidation_ppm"),
    **cite(
        "hourly, the average premium spread over a day, capped at 0.25 % an hour",
        "2024",
        "memory",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **cite("price collars", "2024", "memory", "halts.collar_ppm"),
}
