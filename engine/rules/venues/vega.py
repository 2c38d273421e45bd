"""Vega 0.79, a perpetual as in the network's specs (vega at commit a50750c, specs at 5fea1f3)."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.disposal import Sale
from delever.engine.rules.funding_parts import Twap
from delever.engine.rules.halts import Halts, VolatilityAuction
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Composite, Impact, Trades, Update
from delever.engine.rules.matching import Auction, Matching
from delever.engine.rules.pockets import SearchPockets
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import Model
from delever.engine.rules.socialisation import Remainder, Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.terms import Takeover

from .model import MODEL, written_out

RULES = RuleSet(
    name="vega-0.79",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(
        Matching, self_trade="cancel_newest", auction=Auction(tie="middle", margin="indicative", persistent_only=True)
    ),
    margin=written_out(
        Margin,
        mode="isolated",
        isolated_allowed=True,
        schedule=Model(
            kind="model",
            long_ppm=20_000,
            short_ppm=20_000,
            slippage_ppm=10_000,
            initial_scale_ppm=1_200_000,
            funding_share_ppm=500_000,
        ),
        pockets=SearchPockets(kind="search", search_ppm=1_100_000, initial_ppm=1_200_000, release_ppm=1_400_000),
    ),
    mark=Mark(
        components=("trades", "impact", "index"),
        window_s=60,
        renew_in_rounds=False,
        composite=Composite(method="median", weights=(1, 1, 1), stale_s=(60, 60, 60)),
        trades=Trades(count_forced=False, window_s=60, decay_ppm=1_000_000, decay_power=1),
        impact=Impact(notional_quote=10_000, over_initial_rate=False),
        update=Update(every_s=5),
    ),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="takeover_only",
        size="full",
        price="market",
        leftover="fund",
        seize_margin=True,
        takeover=Takeover(price="mark", unlimited=True, backstops="covered"),
    ),
    insurance=written_out(
        Insurance,
        initial_quote=0,
        disposal_share_ppm=200_000,
        disposal_interval_s=10,
        disposal_range_ppm=50_000,
        sale=Sale(whole_lots=20, book_share_ppm=100_000, around="mid", fee="taker"),
    ),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="step_profit", remainder=Remainder(rounded="kept", to="last")),
    charges=Charges(
        maker_ppm=0,
        taker_ppm=500,
        liquidation_ppm=0,
        funding=written_out(
            Funding,
            interval_s=28_800,
            period_s=28_800,
            cap_ppb=1_000_000_000,
            notional="index",
            twap=Twap(interest_year_ppb=100_000_000, low_ppb=-500_000, high_ppb=500_000),
        ),
    ),
    halts=Halts(
        collar_ppm=0,
        volatility_auction=VolatilityAuction(
            horizon_s=3_600,
            probability_ppm=999_900,
            volatility_ppm=1_500_000,
            width_ppm=0,
            auction_s=60,
            extension_s=60,
        ),
    ),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_DATE = "0.79"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite("0053-PERP: linear perpetual", _DATE, "read", "contract.payoff"),
    **cite("0068-MATC: price-time priority", _DATE, "read", "matching.priority"),
    **cite("0024-OSTA: wash trades stop the arriving order", _DATE, "memory", "matching.self_trade"),
    **cite(
        "0026-AUCT: uncrossing at maximum volume, middle of the range; orders margined at the indicative price",
        _DATE,
        "read",
        "matching.auction.tie",
        "matching.auction.margin",
    ),
    **cite(
        "0026-AUCT, restriction on orders: no market orders in an auction, and none that never rest; such an order "
        "begins no auction either (vegaprotocol/vega pull 3433)",
        _DATE,
        "read",
        "matching.auction.persistent_only",
    ),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        "0019-MCAL: slippage x mark x size + risk factor x mark x size, plus factor x max(0, funding owed)",
        _DATE,
        "read",
        "margin.schedule.kind",
        "margin.schedule.initial_scale_ppm",
        "margin.schedule.funding_share_ppm",
    ),
    **choose(
        "a market's own: 2 % for both sides and 1 % of slippage give about 30x",
        "margin.schedule.long_ppm",
        "margin.schedule.short_ppm",
        "margin.schedule.slippage_ppm",
    ),
    **cite(
        "0019-MCAL: search, initial and release level 1.1, 1.2 and 1.4 x maintenance margin; 0010-MARG: the general "
        "account is searched and released to",
        _DATE,
        "read",
        "margin.pockets.kind",
        "margin.pockets.search_ppm",
        "margin.pockets.initial_ppm",
        "margin.pockets.release_ppm",
        "margin.mode",
        "margin.isolated_allowed",
    ),
    **cite(
        "0009-MRKP: median of decayed trade price, book price for a cash amount and oracles; close-out trades do not "
        "count; at most every so often",
        _DATE,
        "read",
        "mark.components",
        "mark.composite.method",
        "mark.trades.count_forced",
    ),
    **choose(
        "a market's own numbers",
        "mark.composite.weights",
        "mark.composite.stale_s",
        "mark.trades.window_s",
        "mark.trades.decay_ppm",
        "mark.trades.decay_power",
        "mark.impact.notional_quote",
        "mark.impact.over_initial_rate",
        "mark.update.every_s",
        "mark.window_s",
    ),
    **cite("0012-POSR: after a mark to market, margin below maintenance", _DATE, "read", "liquidation.trigger"),
    **cite(
        "0012-POSR: orders are cancelled, then position and whole margin account go to the network at the mark",
        _DATE,
        "read",
        "liquidation.stage",
        "liquidation.leftover",
        "liquidation.seize_margin",
        "liquidation.takeover.price",
        "liquidation.takeover.unlimited",
    ),
    **choose(
        "not used: the network takes everything",
        "liquidation.size",
        "liquidation.price",
        "liquidation.takeover.backstops",
    ),
    **cite(
        "0012-POSR: the network's margin is the market's insurance pool, empty at first. Each market has one: where a "
        "scenario has several, insurance.market_funds.initial_quote = 0 keeps them apart",
        _DATE,
        "read",
        "insurance.initial_quote",
    ),
    **cite(
        "0012-POSR, disposal strategy: a fraction (rounded up) every step, whole below a size, at most a share of the "
        "book within a slippage range around the mid",
        _DATE,
        "read",
        "insurance.sale.around",
    ),
    **cite(
        "the network pays fees for what it sells (position-resolution-after-auction)",
        _DATE,
        "read",
        "insurance.sale.fee",
    ),
    **choose(
        "a market's own numbers: 20 % every 10 s, whole up to 20 lots, a tenth of the book within 5 %",
        "insurance.disposal_share_ppm",
        "insurance.disposal_interval_s",
        "insurance.disposal_range_ppm",
        "insurance.sale.whole_lots",
        "insurance.sale.book_share_ppm",
    ),
    **cite("none", _DATE, "read", "deleveraging.trigger"),
    **choose(
        "not used: there is no deleveraging",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **cite(
        "0002-STTL, loss socialisation: each winner of the mark to market gets floor(due x collected / total), the "
        "rest goes to the last",
        _DATE,
        "read",
        "socialisation.rule",
        "socialisation.remainder.rounded",
        "socialisation.remainder.to",
    ),
    **choose("fees are set per market", "charges.maker_ppm", "charges.taker_ppm"),
    **cite("0012-POSR: all of the margin goes to the pool", _DATE, "read", "charges.liquidation_ppm"),
    **cite(
        "0053-PERP: f - s + clamp((1 + dt x interest) x s - f, low x s, high x s) from time-weighted averages",
        _DATE,
        "read",
        "charges.funding.notional",
    ),
    **choose(
        "a market's own numbers: every eight hours, 10 % a year, clamp 0.05 %",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.twap.interest_year_ppb",
        "charges.funding.twap.low_ppb",
        "charges.funding.twap.high_ppb",
    ),
    **choose(
        "not used: the payment is not made of a rate",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
    ),
    **choose("price monitoring stands in place of a collar", "halts.collar_ppm"),
    **cite(
        "0032-PRIM: log-normal bounds from horizon and probability; an auction of a minute, extended if it would "
        "leave the bounds",
        _DATE,
        "read",
        "halts.volatility_auction.horizon_s",
        "halts.volatility_auction.probability_ppm",
        "halts.volatility_auction.width_ppm",
        "halts.volatility_auction.auction_s",
        "halts.volatility_auction.extension_s",
    ),
    **choose("the risk model of the network's tests: sigma 1.5", "halts.volatility_auction.volatility_ppm"),
}
