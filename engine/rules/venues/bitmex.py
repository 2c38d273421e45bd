"""BitMEX, the inverse XBTUSD perpetual, as documented in 2020."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract, Inverse
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.funding_parts import InterestRates
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import Stepped, Tier
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Ladder
from delever.engine.rules.terms import Surplus

from .model import MODEL, written_out

UNITS = 100  # a unit of account is 0.01 XBT


def _steps() -> tuple[Tier, ...]:
    """Return the risk limits of XBTUSD: from 200 XBT on every 100 XBT add 0.5 % to both rates."""
    return tuple(
        Tier(
            floor_quote=0 if step == 0 else (100 + 100 * step) * UNITS,
            initial_ppm=10_000 + 5_000 * step,
            maintenance_ppm=5_000 + 5_000 * step,
        )
        for step in range(10)
    )


RULES = RuleSet(
    name="bitmex",
    contract=written_out(
        Contract, payoff="inverse", inverse=Inverse(currency="XBT", units_per_coin=UNITS, face_quote=1)
    ),
    matching=written_out(Matching),
    margin=written_out(
        Margin, leverage_max=100, mode="cross", isolated_allowed=True, schedule=Stepped(kind="stepped", steps=_steps())
    ),
    mark=Mark(components=("index_funding",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="at_or_below",
        stage="book",
        size="full",
        step=written_out(Ladder, cut="next", whole_tiers=1, fill_or_kill=True),
        price="bankruptcy",
        leftover="fund",
        seize_margin=True,
        surplus=Surplus(to="fund", covers=True),
    ),
    insurance=written_out(Insurance, initial_quote=12_500),
    deleveraging=Deleveraging(trigger="fund_empty", rank="pnl_leverage", price="bankruptcy", cancel_orders=True),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=-250,
        taker_ppm=750,
        liquidation_ppm=0,
        funding=written_out(
            Funding,
            interval_s=28_800,
            period_s=28_800,
            clamp_ppb=500_000,
            cap_ppb=3_750_000,
            notional="mark",
            interest_rates=InterestRates(quote_ppb=600_000, base_ppb=300_000, intervals=3),
        ),
    ),
    halts=Halts(collar_ppm=950_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_DATE = "2020"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(
        "'Perpetual Contracts Guide': contracts of 1 USD, value contracts / price in XBT",
        _DATE,
        "read",
        "contract.payoff",
        "contract.inverse.currency",
        "contract.inverse.face_quote",
    ),
    **choose("atoms of 10^-8 XBT, the venue's own", "contract.inverse.units_per_coin"),
    **cite("200 open orders per contract and account", _DATE, "memory", "contract.orders_per_account_max"),
    **cite("price-time priority", _DATE, "memory", "matching.priority"),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        "'Risk Limits': both rates rise per risk-limit step; base 200 XBT, steps of 100 XBT",
        _DATE,
        "memory",
        "margin.schedule.kind",
        "margin.schedule.steps",
    ),
    **cite("largest leverage 100", _DATE, "memory", "margin.leverage_max"),
    **cite("'Isolated and Cross Margin'", _DATE, "read", "margin.mode", "margin.isolated_allowed"),
    **cite(
        "'Fair Price Marking': index x (1 + funding rate x time to funding / interval)",
        _DATE,
        "read",
        "mark.components",
    ),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(
        "'Liquidation': the mark reaches the liquidation price",
        _DATE,
        "read",
        "liquidation.trigger",
    ),
    **cite(
        "'Liquidation Process': higher tiers are reduced by fill-or-kill to below a lower risk limit, else, as in the "
        "lowest tier, the engine takes position and margin over and works the bankruptcy price",
        _DATE,
        "read",
        "liquidation.stage",
        "liquidation.step.kind",
        "liquidation.step.cut",
        "liquidation.step.whole_tiers",
        "liquidation.step.fill_or_kill",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **cite(
        "'Liquidation Further Information': better fills feed the fund, worse ones are paid by it",
        _DATE,
        "read",
        "liquidation.surplus.to",
        "liquidation.surplus.covers",
    ),
    **choose("not used: the step says how much", "liquidation.size"),
    **choose(
        "125 XBT: sized to the scenarios (the venue's fund was 35,500 XBT in March 2020); one fund per currency of "
        "settlement (from memory), so one for all markets here",
        "insurance.initial_quote",
    ),
    **cite(
        "'Auto Deleveraging': when the fund is spent, at the bankruptcy price",
        _DATE,
        "read",
        "deleveraging.trigger",
        "deleveraging.price",
    ),
    **cite(
        "'Auto Deleveraging': profit % x effective leverage, of losers profit % / effective leverage",
        _DATE,
        "read",
        "deleveraging.rank",
    ),
    **cite("'Auto Deleveraging': open orders are cancelled", _DATE, "memory", "deleveraging.cancel_orders"),
    **cite("-0.025 % and 0.075 %", _DATE, "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("no fee beyond the bankruptcy price: what is left goes to the fund", "charges.liquidation_ppm"),
    **cite(
        "'Perpetual Contracts Guide': 04:00, 12:00 and 20:00 UTC; premium + clamp(interest - premium, 0.05 %), "
        "interest (quote rate - base rate) / 3",
        _DATE,
        "read",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.clamp_ppb",
        "charges.funding.interest_rates.intervals",
    ),
    **cite(
        "0.06 % and 0.03 % a day, so that interest is 0.01 % per interval",
        _DATE,
        "memory",
        "charges.funding.interest_rates.quote_ppb",
        "charges.funding.interest_rates.base_ppb",
        "charges.funding.notional",
    ),
    **choose("not used: interest_rates says the interest", "charges.funding.interest_ppb"),
    **cite("75 % of initial less maintenance margin at most", _DATE, "memory", "charges.funding.cap_ppb"),
    **choose("no price limit is documented", "halts.collar_ppm"),
}
