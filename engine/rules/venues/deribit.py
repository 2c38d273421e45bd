"""Deribit, linear perpetual futures under standard margin (BTC_USDC), as documented in 2025."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.funding_parts import Continuous
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Band
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import Affine
from delever.engine.rules.socialisation import Session, Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Slices

from .model import MODEL, written_out

LOTS = 1_000  # lots of 0.001 coins, the size in the scenarios, in a coin

BTC = written_out(Affine, initial_ppm=20_000, maintenance_ppm=10_000, slope_ppm=50, slope_lots=LOTS)
SOL = written_out(Affine, initial_ppm=40_000, maintenance_ppm=20_000, slope_ppm=5, slope_lots=LOTS)

RULES = RuleSet(
    name="deribit",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching),
    margin=written_out(Margin, mode="cross", isolated_allowed=False, schedule=BTC, schedules={"SOL": SOL}),
    mark=Mark(components=("index_basis",), window_s=30, renew_in_rounds=False, band=Band(width_ppm=5_000)),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="book",
        size="full",
        step=Slices(kind="slices", lots=200 * LOTS // 100, rounds=1),
        price="market",
        leftover="retry",
        seize_margin=True,
        rounds_max=1,
    ),
    insurance=written_out(Insurance, initial_quote=500_000),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="session_profit", session=Session(length_s=86_400, at_end=True)),
    charges=Charges(
        maker_ppm=0,
        taker_ppm=500,
        liquidation_ppm=3_750,
        funding=written_out(
            Funding,
            interval_s=60,
            period_s=28_800,
            cap_ppb=10_416,
            notional="mark",
            continuous=Continuous(damper_ppb=250_000),
        ),
    ),
    halts=Halts(collar_ppm=15_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_DATE = "2025"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite("'Linear perpetual' (BTC_USDC): linear, settled in USDC", _DATE, "read", "contract.payoff"),
    **cite("price-time priority", _DATE, "memory", "matching.priority"),
    **choose("not used: the schedules say the rates", "margin.tiers", "margin.markets"),
    **cite(
        "'Margin' (linear): BTC 2 % + 0.005 % per BTC initial, 1 % + 0.005 % per BTC maintenance; lots of 0.001 BTC",
        _DATE,
        "read",
        *(f"margin.schedule.{name}" for name in ("kind", "initial_ppm", "maintenance_ppm", "slope_ppm", "slope_lots")),
    ),
    **cite(
        "'Margin' (linear): SOL 4 % and 2 % + 0.0005 % per SOL",
        _DATE,
        "read",
        *(
            f"margin.schedules.SOL.{name}"
            for name in ("kind", "initial_ppm", "maintenance_ppm", "slope_ppm", "slope_lots")
        ),
    ),
    **choose("no cap on the rate is documented", "margin.schedule.rate_max_ppm", "margin.schedules.SOL.rate_max_ppm"),
    **cite("standard margin is cross", _DATE, "read", "margin.mode", "margin.isolated_allowed"),
    **cite(
        "index plus 30 s average of the basis, kept within 0.5 % of the index",
        _DATE,
        "memory",
        "mark.components",
        "mark.window_s",
        "mark.band.width_ppm",
    ),
    **cite("'Liquidations': when maintenance margin exceeds the margin balance", _DATE, "read", "liquidation.trigger"),
    **cite(
        "'Liquidations': incremental, one round a second (earlier texts 10 to 200 contracts, 20 rounds a second); the "
        "size of a round, two coins, is our reading",
        _DATE,
        "secondary",
        "liquidation.step.kind",
        "liquidation.step.lots",
        "liquidation.step.rounds",
        "liquidation.rounds_max",
    ),
    **cite(
        "'Liquidations': orders to the market, what is not filled is tried in the next round",
        _DATE,
        "read",
        "liquidation.stage",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **choose("not used: the step says how much", "liquidation.size"),
    **choose(
        "sized to the scenarios (the venue started with 100 BTC and added 500 in 2020); one fund per currency, so one "
        "for all markets here",
        "insurance.initial_quote",
    ),
    **cite("none is documented", _DATE, "read", "deleveraging.trigger"),
    **choose("not used: there is no deleveraging", "deleveraging.rank", "deleveraging.price"),
    **choose("not used: there is no deleveraging", "deleveraging.cancel_orders"),
    **cite(
        "'Insurance': if depleted, bankruptcies are socialised among the winning traders of that day's session",
        _DATE,
        "read",
        "socialisation.rule",
        "socialisation.session.length_s",
        "socialisation.session.at_end",
    ),
    **cite("0 % and 0.05 %", _DATE, "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **cite("liquidation fee to the fund; its rate", _DATE, "memory", "charges.liquidation_ppm"),
    **cite(
        "'Perpetual': continuous, an eight-hour rate of the premium beyond a dead band; paid here every minute",
        _DATE,
        "read",
        "charges.funding.interval_s",
        "charges.funding.period_s",
    ),
    **cite(
        "dead band 0.025 %, cap 0.5 % of eight hours, a 480th of it a minute",
        _DATE,
        "memory",
        "charges.funding.continuous.damper_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **choose("not used: continuous funding has neither", "charges.funding.interest_ppb", "charges.funding.clamp_ppb"),
    **cite("price bandwidth around the mark", _DATE, "memory", "halts.collar_ppm"),
}
