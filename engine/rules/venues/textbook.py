"""A venue of no particular name: round numbers, one bracket, every layer of the waterfall present."""

from __future__ import annotations

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
from delever.engine.rules.sources import Source, choose

RULES = RuleSet(
    name="textbook",
    contract=Contract(payoff="linear", lots_max=100_000_000, orders_per_account_max=200),
    matching=Matching(priority="price_time", self_trade="cancel_newest"),
    margin=Margin(
        tiers=(Tier(floor_quote=0, initial_ppm=50_000, maintenance_ppm=25_000),),
        markets={},
        leverage_max=0,
        mode="cross",
        isolated_allowed=True,
        call_ppm=1_500_000,
    ),
    mark=Mark(components=("index_basis",), window_s=60, renew_in_rounds=False),
    liquidation=Liquidation(
        act=True,
        trigger="below",
        stage="book",
        size="full",
        target_ppm=1_200_000,
        share_ppm=200_000,
        full_below_quote=100_000,
        cooldown_s=30,
        price="market",
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
    deleveraging=Deleveraging(trigger="fund_empty", rank="pnl_margin", price="bankruptcy", cancel_orders=True),
    socialisation=Socialisation(rule="winners"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=5_000,
        funding=Funding(
            interval_s=28_800,
            period_s=28_800,
            interest_ppb=100_000,
            clamp_ppb=500_000,
            cap_ppb=7_500_000,
            notional="mark",
        ),
    ),
    halts=Halts(collar_ppm=100_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

SOURCES: dict[str, Source] = {
    **choose("the only payoff of the model", "contract.payoff"),
    **choose("far above any position of a scenario", "contract.lots_max"),
    **choose("enough for a market maker's levels on both sides", "contract.orders_per_account_max"),
    **choose("the common rule of order books", "matching.priority"),
    **choose("the simplest: the arriving order goes, the book stays as it is", "matching.self_trade"),
    **choose("one bracket: 20x and half of that as maintenance, easy by hand", "margin.tiers"),
    **choose("all markets share the one bracket", "margin.markets", "margin.leverage_max"),
    **choose("what most venues start with, and offer", "margin.mode", "margin.isolated_allowed"),
    **choose("halfway: notice at one and a half times maintenance margin", "margin.call_ppm"),
    **choose("one fair price: index plus the average basis of a minute", "mark.components", "mark.window_s"),
    **choose("one mark a step", "mark.renew_in_rounds"),
    **choose("a venue that acts; false is its counterfactual", "liquidation.act"),
    **choose("distress is equity below maintenance margin", "liquidation.trigger"),
    **choose(
        "the whole position at once, at any price the book gives",
        "liquidation.stage",
        "liquidation.size",
        "liquidation.price",
    ),
    **choose("not used with size = full", "liquidation.target_ppm", "liquidation.share_ppm"),
    **choose("not used with size = full", "liquidation.full_below_quote", "liquidation.cooldown_s"),
    **choose("what the book does not take the fund takes", "liquidation.leftover", "liquidation.seize_margin"),
    **choose("no backstop accounts", "liquidation.backstop_ppm"),
    **choose("an engine as fast as the step", "liquidation.latency_s", "liquidation.orders_per_step_max"),
    **choose("bounds a step; more is reported as an unfinished cascade", "liquidation.rounds_max"),
    **choose("a round number", "insurance.initial_quote"),
    **choose("the fund pays to the last unit, for anybody", "insurance.floor_quote"),
    **choose("the fund pays to the last unit, for anybody", "insurance.cap_per_event_quote"),
    **choose("a fund as leveraged as a careful trader", "insurance.warehouse_leverage"),
    **choose(
        "a tenth every ten seconds, within one percent of the mark",
        "insurance.disposal_share_ppm",
        "insurance.disposal_interval_s",
        "insurance.disposal_range_ppm",
    ),
    **choose("winners are closed only when the fund is spent", "deleveraging.trigger"),
    **choose("the profit x leverage rank most venues use in some form", "deleveraging.rank"),
    **choose("nobody gains or loses beyond the bankrupt's margin", "deleveraging.price"),
    **choose("the counterparty starts afresh", "deleveraging.cancel_orders"),
    **choose("the last layer, so that no bad debt is left to nobody", "socialisation.rule"),
    **choose("0.02 % and 0.05 %: what large venues charge newcomers", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("half a percent, so that the fund also earns", "charges.liquidation_ppm"),
    **choose(
        "the usual eight-hour perpetual: 0.01 % interest, 0.05 % clamp; the cap is a round 0.75 %",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **choose("ten percent around the mark", "halts.collar_ppm"),
    **choose("in favour of the venue", "rounding.requirement", "rounding.fee", "rounding.bankruptcy_price"),
}
