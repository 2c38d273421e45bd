"""Bybit, inverse perpetuals settled in the coin (BTCUSD), as of 2026-05."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import ClosingFee, Contract, Inverse
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

UNITS = 100  # a unit of account is 0.01 BTC


def _tiers() -> tuple[Tier, ...]:
    """Return the risk limits of BTCUSD: every 150 BTC more of value add 0.5 % to both rates."""
    return tuple(
        Tier(
            floor_quote=150 * UNITS * step,
            initial_ppm=10_000 + 5_000 * step,
            maintenance_ppm=5_000 + 5_000 * step,
        )
        for step in range(10)
    )


RULES = RuleSet(
    name="bybit-inverse",
    contract=written_out(
        Contract,
        payoff="inverse",
        orders_per_account_max=500,
        inverse=Inverse(currency="BTC", units_per_coin=UNITS, face_quote=1),
        closing_fee=ClosingFee(fee_ppm=550),
    ),
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
    insurance=written_out(Insurance, initial_quote=12_500),
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
    **cite(
        "'Initial Margin (Inverse Contract)': value = contracts of 1 USD / price, in the coin",
        "2026-05",
        "read",
        "contract.payoff",
        "contract.inverse.currency",
        "contract.inverse.face_quote",
    ),
    **choose("atoms of 10^-8 BTC, as finely as the coin itself", "contract.inverse.units_per_coin"),
    **cite(
        "'What is Bankruptcy Price?' (cross): (1 + taker fee) x contracts / (contracts / entry + balance)",
        "2026-05",
        "read",
        "contract.closing_fee.fee_ppm",
    ),
    **cite("500 open orders per account", "2025", "memory", "contract.orders_per_account_max"),
    **cite("price-time priority", "2025", "memory", "matching.priority"),
    **cite("steps of 150 BTC and 0.5 % of BTCUSD, older table", "2023", "memory", "margin.tiers"),
    **choose("all markets have the table of BTCUSD", "margin.markets"),
    **cite("largest leverage 100", "2025", "memory", "margin.leverage_max"),
    **cite("cross and isolated", "2026-05", "read", "margin.mode", "margin.isolated_allowed"),
    **cite(
        "median of index with funding, index with the moving average of the basis, last price",
        "2025",
        "memory",
        "mark.components",
        "mark.window_s",
    ),
    **choose(
        "125 BTC: sized to the scenarios. Pools of one contract or of several as for linear contracts: one fund here, "
        "insurance.market_funds.only names contracts with a pool of their own",
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
    **cite("price limit of BTCUSD around the mark", "2025", "memory", "halts.collar_ppm"),
    **cite(
        "'What is Bankruptcy Price?': 7,735.37 becomes 7,735.5 for a long: longs round up, shorts down to the tick",
        "2025-11",
        "read",
        "rounding.bankruptcy_price",
    ),
}
