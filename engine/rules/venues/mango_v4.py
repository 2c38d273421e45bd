"""Mango v4 perpetuals (mango-v4 at commit 1303a4a)."""

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
from delever.engine.rules.schedules import Weights
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Cover
from delever.engine.rules.terms import FundFee, Keepers, Levels

from .model import MODEL, written_out

RULES = RuleSet(
    name="mango-v4",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        mode="cross",
        isolated_allowed=False,
        schedule=Weights(
            kind="weights",
            initial_asset_ppm=900_000,
            maintenance_asset_ppm=950_000,
            initial_liability_ppm=1_100_000,
            maintenance_liability_ppm=1_050_000,
        ),
    ),
    mark=Mark(components=("index",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="keepers",
        size="full",
        step=written_out(Cover),
        levels=Levels(start_ppm=1_000_000, stop_ppm=2_000_000, buffer_ppm=0),
        price="market",
        keepers=Keepers(around="index", bonus_ppm=30_000, fund_fee=FundFee(highest_ppm=20_000)),
        leftover="retry",
        seize_margin=False,
    ),
    insurance=written_out(Insurance, initial_quote=1_000_000, disposal_share_ppm=0),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="open_interest"),
    charges=Charges(
        maker_ppm=-50,
        taker_ppm=1_000,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=3_600,
            period_s=86_400,
            interest_ppb=0,
            clamp_ppb=0,
            cap_ppb=2_000_000,
            notional="index",
        ),
    ),
    halts=Halts(collar_ppm=0),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_CODE = "mango-v4 at 1303a4a"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(f"{_CODE}: linear perpetuals", "2023", "read", "contract.payoff"),
    **cite(f"{_CODE}: price-time priority", "2023", "memory", "matching.priority"),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        f"{_CODE}: base weighed as asset and as liability, initial and maintenance (0.6/0.7 and 1.4/1.3 in its tests)",
        "2023",
        "read",
        "margin.schedule.kind",
    ),
    **choose(
        "a market's own: 10x to open, 5 % to keep, on either side",
        "margin.schedule.initial_asset_ppm",
        "margin.schedule.maintenance_asset_ppm",
        "margin.schedule.initial_liability_ppm",
        "margin.schedule.maintenance_liability_ppm",
    ),
    **cite(f"{_CODE}: one health for the account", "2023", "read", "margin.mode", "margin.isolated_allowed"),
    **cite(f"{_CODE}: oracle price", "2023", "read", "mark.components"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(
        f"{_CODE}, perp_liq_base: when maintenance health is negative, base at the oracle price less 3 % for the "
        "liquidator and 2 % for the platform, until initial health is restored: twice maintenance margin here",
        "2023",
        "read",
        "liquidation.trigger",
        "liquidation.stage",
        "liquidation.step.kind",
        "liquidation.levels.start_ppm",
        "liquidation.levels.stop_ppm",
        "liquidation.levels.buffer_ppm",
        "liquidation.keepers.around",
        "liquidation.keepers.bonus_ppm",
        "liquidation.keepers.fund_fee.highest_ppm",
        "liquidation.leftover",
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
    **cite(
        f"{_CODE}, perp_liq_negative_pnl_or_bankruptcy: insurance vault, then socialised through funding over both "
        "sides",
        "2023",
        "read",
        "socialisation.rule",
    ),
    **choose("fees are set per market", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("the platform's fee is the keepers' fund fee", "charges.liquidation_ppm"),
    **cite(
        "continuous in the venue, by the impact price over the oracle within 5 % a day; here hourly",
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
