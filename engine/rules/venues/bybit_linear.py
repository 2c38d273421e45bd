"""Bybit, USDT perpetuals (unified account), as of the end of 2025."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite

from . import bybit
from .model import MODEL, written_out


def _tiers() -> tuple[Tier, ...]:
    """Return the risk limits of BTCUSDT: every 2 million more of value add 0.5 % to both rates."""
    return tuple(
        Tier(
            floor_quote=2_000_000 * step,
            initial_ppm=10_000 + 5_000 * step,
            maintenance_ppm=5_000 + 5_000 * step,
        )
        for step in range(10)
    )


RULES = RuleSet(
    name="bybit-linear",
    contract=written_out(Contract, payoff="linear", orders_per_account_max=500),
    matching=written_out(Matching),
    margin=Margin(
        tiers=_tiers(),
        markets={},
        leverage_max=100,
        mode="cross",
        isolated_allowed=True,
        call_ppm=0,
    ),
    mark=Mark(components=("index_funding", "index_basis", "last"), window_s=300, renew_in_rounds=False),
    liquidation=bybit.LIQUIDATION,
    insurance=written_out(Insurance, initial_quote=1_000_000),
    deleveraging=bybit.DELEVERAGING,
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=550,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=28_800,
            period_s=28_800,
            interest_ppb=100_000,
            clamp_ppb=500_000,
            cap_ppb=3_750_000,
            notional="mark",
        ),
    ),
    halts=Halts(collar_ppm=50_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

SOURCES: dict[str, Source] = {
    **MODEL,
    **bybit.SOURCES,
    **cite("USDT perpetuals: linear", "2025-11", "read", "contract.payoff"),
    **cite("500 open orders per account", "2025", "memory", "contract.orders_per_account_max"),
    **cite("price-time priority", "2025", "memory", "matching.priority"),
    **cite(
        "'Maintenance Margin (USDT)': value x rate less deduction per risk limit; the steps of 2 million and 0.5 % "
        "of BTCUSDT are those of the older table",
        "2023",
        "memory",
        "margin.tiers",
    ),
    **choose("all markets have the table of BTCUSDT", "margin.markets"),
    **cite("largest leverage 100", "2025", "memory", "margin.leverage_max"),
    **cite("cross is the default of the unified account; isolated", "2025-11", "read", "margin.mode"),
    **cite("cross, isolated and portfolio margin", "2025-11", "read", "margin.isolated_allowed"),
    **cite(
        "median of index with funding, index with the moving average of the basis, last price",
        "2025",
        "memory",
        "mark.components",
        "mark.window_s",
    ),
    **choose(
        "sized to the scenarios. The venue keeps pools of one contract or of several and publishes their balances; "
        "which contracts share one changes. One fund here; insurance.market_funds.only names contracts with a pool of "
        "their own",
        "insurance.initial_quote",
    ),
    **cite("standard tier: 0.02 % and 0.055 %", "2025", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("no fee beyond the bankruptcy price: what is left goes to the fund", "charges.liquidation_ppm"),
    **cite(
        "every eight hours, interest 0.01 %, clamp 0.05 %; capped at 0.75 x maintenance rate of the first tier",
        "2025",
        "memory",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **cite("price limit of BTCUSDT around the mark", "2025", "memory", "halts.collar_ppm"),
    **cite(
        "'What is Bankruptcy Price?': longs round up, shorts down to the tick",
        "2025-11",
        "read",
        "rounding.bankruptcy_price",
    ),
}
