"""Perpetual Protocol v2 (Curie), perp-curie-contract at commit d520bd8."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import Flat
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import CloseFactor
from delever.engine.rules.terms import FundFee, Keepers

from .model import MODEL, written_out

RULES = RuleSet(
    name="perp-v2",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        mode="cross",
        isolated_allowed=False,
        schedule=Flat(kind="flat", initial_ppm=100_000, maintenance_ppm=62_500),
    ),
    mark=Mark(components=("index",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="keepers",
        size="full",
        step=CloseFactor(kind="close_factor", share_ppm=500_000, whole_below_ppm=500_000, whole_quote=100),
        price="market",
        keepers=Keepers(around="index", bonus_ppm=12_500, fund_fee=FundFee(highest_ppm=12_500)),
        leftover="retry",
        seize_margin=False,
    ),
    insurance=written_out(Insurance, initial_quote=1_000_000, disposal_share_ppm=0),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=0,
        taker_ppm=1_000,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=3_600,
            period_s=86_400,
            interest_ppb=0,
            clamp_ppb=0,
            cap_ppb=4_000_000,
            notional="index",
        ),
    ),
    halts=Halts(collar_ppm=0),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_CODE = "perp-curie-contract at d520bd8"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(f"{_CODE}: linear in the stablecoin", "2023", "read", "contract.payoff"),
    **choose("the venue trades on concentrated-liquidity pools; here everybody meets in a book", "matching.priority"),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        f"{_CODE}, CollateralManager and ClearingHouseConfig: 10 % and 6.25 %",
        "2023",
        "read",
        "margin.schedule.kind",
        "margin.schedule.initial_ppm",
        "margin.schedule.maintenance_ppm",
    ),
    **cite(f"{_CODE}: one cross-margined account", "2023", "read", "margin.mode", "margin.isolated_allowed"),
    **cite("index (a time-weighted average of the oracle)", "2023", "memory", "mark.components"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(
        f"{_CODE}, ClearingHouse: half of all positions' value while margin is at least half of maintenance margin, "
        "everything below; positions up to 100 USD whole",
        "2023",
        "read",
        "liquidation.trigger",
        "liquidation.stage",
        "liquidation.step.kind",
        "liquidation.step.share_ppm",
        "liquidation.step.whole_below_ppm",
        "liquidation.step.whole_quote",
        "liquidation.leftover",
    ),
    **cite(
        f"{_CODE}: penalty of 2.5 %, half to the liquidator, half to the insurance fund",
        "2023",
        "read",
        "liquidation.keepers.around",
        "liquidation.keepers.bonus_ppm",
        "liquidation.keepers.fund_fee.highest_ppm",
    ),
    **choose("not used: the step and the keepers say it", "liquidation.size", "liquidation.price"),
    **choose("not used: nobody takes whole accounts over", "liquidation.seize_margin", "insurance.disposal_share_ppm"),
    **choose("sized to the scenarios", "insurance.initial_quote"),
    **cite(f"{_CODE}: none", "2023", "read", "deleveraging.trigger"),
    **choose(
        "not used: there is no deleveraging",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **cite("0.1 % of the pool's fee", "2023", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("the fund's part of the penalty is the keepers' fund fee", "charges.liquidation_ppm"),
    **cite(
        "block by block, mark average less index average over a day, capped at 10 % a day; here hourly",
        "2023",
        "memory",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **choose("no price collar", "halts.collar_ppm"),
}
