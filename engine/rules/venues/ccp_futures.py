"""Listed futures behind a central counterparty (CCP): no single venue, but the rules such houses have in common.

Price limits are those of CME Group's equity index futures, the margin rate that of its Bitcoin futures, the waterfall
is the usual one: defaulter's margin, defaulter's contribution, the house's own capital, the members' contributions,
assessments, and gains haircut as a last tool. Members are the venue's backstop accounts.
"""

from __future__ import annotations

from delever.engine.rules.charges import Charges
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.halts import DailyLimits, DynamicBreaker, Halts, LimitLevel, LiquidationPause
from delever.engine.rules.insurance import DefaultFund, Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Trades
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite

from .model import MODEL, written_out

RULES = RuleSet(
    name="ccp-futures",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        tiers=(Tier(floor_quote=0, initial_ppm=440_000, maintenance_ppm=400_000),),
        mode="cross",
        isolated_allowed=False,
        call_ppm=1_100_000,
    ),
    mark=Mark(
        components=("trades",),
        window_s=60,
        renew_in_rounds=False,
        trades=Trades(count_forced=True, window_s=30, decay_ppm=0, decay_power=1),
    ),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="book",
        size="full",
        price="market",
        leftover="retry",
        seize_margin=False,
        latency_s=3_600,
    ),
    insurance=written_out(
        Insurance,
        initial_quote=50_000,
        disposal_share_ppm=0,
        default_fund=DefaultFund(contribution_quote=10_000, assessment_ppm=1_000_000),
    ),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="step_profit"),
    charges=Charges(maker_ppm=10, taker_ppm=10, liquidation_ppm=0, funding=None),
    halts=Halts(
        collar_ppm=50_000,
        breaker=DynamicBreaker(
            width_ppm=35_000,
            window_s=3_600,
            reference="rolling",
            limit_becomes_reference=False,
            pause_s=120,
            reopening="continuous",
        ),
        daily=DailyLimits(
            levels=(
                LimitLevel(fall_ppm=70_000, pause_s=900),
                LimitLevel(fall_ppm=130_000, pause_s=900),
                LimitLevel(fall_ppm=200_000, pause_s=0),
            ),
            hard_ppm=200_000,
            session_s=86_400,
            reopening="continuous",
        ),
        liquidation_pause=LiquidationPause(in_auctions=True),
    ),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_DATE = "2020"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite("cash-settled futures in the currency of account", _DATE, "memory", "contract.payoff"),
    **cite("CME Group, algorithm F: price-time priority", _DATE, "memory", "matching.priority"),
    **cite(
        "CME Group, Bitcoin futures in March 2020: maintenance about 40 % of the value, initial 110 % of it for those "
        "who are no members; risk models such as SPAN give one rate for an outright position",
        _DATE,
        "memory",
        "margin.tiers",
        "margin.call_ppm",
    ),
    **choose("no market has brackets of its own", "margin.markets"),
    **cite("one account for all positions", _DATE, "memory", "margin.mode", "margin.isolated_allowed"),
    **cite(
        "CME Group, daily settlement at the volume-weighted average of 30 s; here the mark at all times, for variation "
        "margin is exchanged in every step",
        _DATE,
        "memory",
        "mark.components",
        "mark.trades.window_s",
        "mark.trades.count_forced",
    ),
    **choose("not used: all trades of the window weigh the same", "mark.trades.decay_ppm", "mark.trades.decay_power"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite("below maintenance margin, whole account", _DATE, "memory", "liquidation.trigger", "liquidation.size"),
    **cite(
        "intraday margin calls are to be met within an hour or so; then the position is closed in the market",
        _DATE,
        "memory",
        "liquidation.latency_s",
        "liquidation.stage",
        "liquidation.price",
        "liquidation.leftover",
    ),
    **choose(
        "not used: nobody takes positions over",
        "liquidation.seize_margin",
        "insurance.disposal_share_ppm",
    ),
    **choose(
        "the house's own capital (EMIR: a quarter of its regulatory capital pays before the members), sized to the "
        "scenarios",
        "insurance.initial_quote",
    ),
    **choose("what a member of the scenarios can spare", "insurance.default_fund.contribution_quote"),
    **cite(
        "assessments up to the contribution once more (houses differ between 100 and 275 %)",
        _DATE,
        "memory",
        "insurance.default_fund.assessment_ppm",
    ),
    **cite(
        "no deleveraging; partial tear-up is a tool of recovery plans only", _DATE, "memory", "deleveraging.trigger"
    ),
    **choose(
        "not used: there is no deleveraging",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **cite("recovery plans: haircuts of variation margin gains, pro rata", _DATE, "memory", "socialisation.rule"),
    **cite("a fee a contract, the same for both sides", _DATE, "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **cite("no fee of liquidation", _DATE, "memory", "charges.liquidation_ppm"),
    **cite("CME Group, price banding around the last price", _DATE, "memory", "halts.collar_ppm"),
    **cite(
        "CME Group, equity index futures: dynamic circuit breaker, 3.5 % within 60 minutes, 2 minutes",
        _DATE,
        "read",
        "halts.breaker.width_ppm",
        "halts.breaker.window_s",
        "halts.breaker.pause_s",
    ),
    **choose(
        "our reading of a move within an hour; reopening is not described",
        "halts.breaker.reference",
        "halts.breaker.limit_becomes_reference",
        "halts.breaker.reopening",
        "halts.daily.reopening",
    ),
    **cite(
        "CME Group, equity index futures: declines of 7, 13 and 20 % (read); pauses of 15 minutes after the first two, "
        "none after the last, with which the day ends (from memory)",
        _DATE,
        "memory",
        "halts.daily.levels",
    ),
    **choose(
        "sessions are days from the beginning of a run; nothing trades beyond the last level, up or down",
        "halts.daily.session_s",
        "halts.daily.hard_ppm",
    ),
    **choose("a market that does not trade cannot be liquidated in", "halts.liquidation_pause.in_auctions"),
}
