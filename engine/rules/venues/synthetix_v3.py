"""Synthetix v3 perps markets (synthetix-v3 at commit 23585f7), with the house pool as the insurance fund."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.funding_parts import Velocity
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import SkewScaled
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Rolling
from delever.engine.rules.terms import Keepers

from .model import MODEL, written_out

SKEW_SCALE_LOTS = 100_000_000  # 100,000 coins in lots of 0.001

RULES = RuleSet(
    name="synthetix-v3",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        mode="cross",
        isolated_allowed=False,
        schedule=written_out(
            SkewScaled,
            initial_ppm=20_000,
            slope_ppm=3_000_000,
            slope_lots=SKEW_SCALE_LOTS,
            maintenance_scale_ppm=500_000,
            minimum_atoms=0,
        ),
    ),
    mark=Mark(components=("index",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="keepers",
        size="full",
        price="market",
        leftover="retry",
        seize_margin=False,
        rolling=Rolling(scale_lots=SKEW_SCALE_LOTS, rate_ppm=700, multiplier_ppm=1_000_000, window_s=30),
        keepers=Keepers(around="index", bonus_ppm=0),
    ),
    insurance=written_out(Insurance, initial_quote=10_000_000, disposal_share_ppm=0),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=0,
        funding=written_out(
            Funding,
            interval_s=60,
            period_s=86_400,
            cap_ppb=1_000_000_000,
            notional="index",
            velocity=Velocity(skew_scale_lots=SKEW_SCALE_LOTS, velocity_ppb=9_000_000_000),
        ),
    ),
    halts=Halts(collar_ppm=0),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_CODE = "synthetix-v3 at 23585f7"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(f"{_CODE}: linear in the stablecoin", "2024", "read", "contract.payoff"),
    **choose(
        "the venue has no book: traders trade with the pool at an oracle price moved by the skew; here they meet in a "
        "book, and the pool takes over what is liquidated",
        "matching.priority",
    ),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        f"{_CODE}, PerpsMarketConfiguration: initial ratio = size / skewScale x fraction + minimum, maintenance = it x "
        "scalar + minimum margin; fraction 3 and scalar 0.5 as in its tests",
        "2024",
        "read",
        "margin.schedule.kind",
        "margin.schedule.slope_ppm",
        "margin.schedule.maintenance_scale_ppm",
        "margin.schedule.minimum_atoms",
    ),
    **choose(
        "a market's own: 2 % at least, skew scale of 100,000 coins",
        "margin.schedule.initial_ppm",
        "margin.schedule.slope_lots",
        "margin.schedule.rate_max_ppm",
    ),
    **cite(f"{_CODE}: one cross-margined account", "2024", "read", "margin.mode", "margin.isolated_allowed"),
    **cite(f"{_CODE}: oracle price", "2024", "read", "mark.components"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(
        f"{_CODE}, liquidation: a keeper flags the account and its positions are closed against the pool at the oracle "
        "price; here the backstop accounts are the pool, and what is left of the collateral stays with the trader",
        "2024",
        "read",
        "liquidation.trigger",
        "liquidation.stage",
        "liquidation.leftover",
        "liquidation.keepers.around",
        "liquidation.keepers.bonus_ppm",
    ),
    **cite(
        f"{_CODE}: at most (maker fee + taker fee) x skewScale x multiplier x window seconds in a window",
        "2024",
        "read",
        "liquidation.rolling.multiplier_ppm",
        "liquidation.rolling.window_s",
    ),
    **choose(
        "a market's own skew scale; maker and taker fee together, as charged here",
        "liquidation.rolling.scale_lots",
        "liquidation.rolling.rate_ppm",
    ),
    **choose("whole positions, as far as the rolling cap allows", "liquidation.size"),
    **choose("not used: the pool takes at the oracle price", "liquidation.price", "liquidation.seize_margin"),
    **choose("what the pool lacks is taken from here; sized to the scenarios", "insurance.initial_quote"),
    **choose("not used: the fund takes nothing over", "insurance.disposal_share_ppm"),
    **cite(f"{_CODE}: none", "2024", "read", "deleveraging.trigger"),
    **choose(
        "not used: there is no deleveraging",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **choose("fees are set per market", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("keepers' rewards are small and left out", "charges.liquidation_ppm"),
    **cite(
        f"{_CODE}: the rate moves with skew / skewScale x maxFundingVelocity a day; here paid every minute",
        "2024",
        "read",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.notional",
    ),
    **choose(
        "a market's own: velocity 9 a day",
        "charges.funding.velocity.skew_scale_lots",
        "charges.funding.velocity.velocity_ppb",
    ),
    **choose(
        "not used: the rate moves with the skew alone",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
    ),
    **choose("no price collar", "halts.collar_ppm"),
}
