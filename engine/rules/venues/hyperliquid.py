"""Hyperliquid, mainnet perpetuals, as documented in August 2026."""

from __future__ import annotations

from delever.engine.rules.base import PPM
from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.funding_parts import Premium
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Composite, Impact, ImpactAmount, SpareAverage, Update
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite

from .model import written_out


def tiers_by_leverage(*brackets: tuple[int, int]) -> tuple[Tier, ...]:
    """Return tiers from (floor in quote units, largest leverage): maintenance is half of initial margin.

    A rate that is no whole number of ppm: initial is rounded up, so that the leverage is never exceeded,
    maintenance to the nearest, which moves the deduction by less than one ppm of the floor.
    """
    assert all(leverage >= 1 for _, leverage in brackets), "leverage below one"
    tiers = tuple(
        Tier(
            floor_quote=floor,
            initial_ppm=-(-PPM // leverage),
            maintenance_ppm=(PPM + leverage) // (2 * leverage),
        )
        for floor, leverage in brackets
    )
    assert all(abs(2 * tier.maintenance_ppm - tier.initial_ppm) <= 1 for tier in tiers), "half of initial margin"
    return tiers


_LARGE = ImpactAmount(notional_quote=20_000)

RULES = RuleSet(
    name="hyperliquid",
    contract=Contract(payoff="linear", lots_max=100_000_000, orders_per_account_max=1_000),
    matching=Matching(priority="price_time", self_trade="cancel_oldest"),
    margin=Margin(
        tiers=tiers_by_leverage((0, 10), (20_000_000, 5)),
        markets={
            "BTC": tiers_by_leverage((0, 40), (150_000_000, 20)),
            "ETH": tiers_by_leverage((0, 25), (100_000_000, 15)),
            "SOL": tiers_by_leverage((0, 20), (70_000_000, 10)),
            "XRP": tiers_by_leverage((0, 20), (40_000_000, 10)),
        },
        leverage_max=0,
        mode="cross",
        isolated_allowed=True,
        call_ppm=0,
    ),
    mark=Mark(
        components=("index_basis", "book", "index"),
        window_s=150,
        renew_in_rounds=False,
        composite=written_out(Composite, method="median", spare=SpareAverage(window_s=30)),
        update=Update(every_s=3),
    ),
    liquidation=Liquidation(
        act=True,
        trigger="below",
        stage="book",
        size="share",
        target_ppm=PPM,
        share_ppm=200_000,
        full_below_quote=100_000,
        cooldown_s=30,
        price="market",
        leftover="retry",
        backstop_ppm=666_667,
        seize_margin=True,
        latency_s=0,
        orders_per_step_max=0,
        rounds_max=10,
    ),
    insurance=Insurance(
        initial_quote=0,
        floor_quote=0,
        cap_per_event_quote=0,
        warehouse_leverage=1,
        disposal_share_ppm=0,
        disposal_interval_s=10,
        disposal_range_ppm=10_000,
    ),
    deleveraging=Deleveraging(
        trigger="equity_below_zero", rank="entry_leverage", price="previous_mark", cancel_orders=False
    ),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=150,
        taker_ppm=450,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=3_600,
            period_s=28_800,
            interest_ppb=100_000,
            clamp_ppb=500_000,
            cap_ppb=40_000_000,
            notional="index",
            premium=written_out(
                Premium,
                source="impact",
                impact=written_out(Impact, notional_quote=6_000, markets={"BTC": _LARGE, "ETH": _LARGE}),
                every_s=5,
                interest="clamped",
            ),
        ),
    ),
    halts=Halts(collar_ppm=950_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_DATE = "2026-08-22"


def _docs(page: str, says: str, *paths: str, date: str = _DATE) -> dict[str, Source]:
    """Cite a page of the official docs, read in dzmbs/hyperliquid-docs (24c1248, 14ba3d4, 04c4062)."""
    return cite(f"Hyperliquid docs, {page}: {says}", date, "read", *paths)


SOURCES: dict[str, Source] = {
    **_docs("trading/contract-specifications", "linear perpetual", "contract.payoff"),
    **choose("no position limit is published; bounds the tables (R-U4)", "contract.lots_max"),
    **_docs(
        "for-developers/api/rate-limits-and-user-limits",
        "1,000 open orders by default (more with volume)",
        "contract.orders_per_account_max",
        date="2026",
    ),
    **_docs("trading/order-book", "matched in price-time priority", "matching.priority", date="2026"),
    **_docs("trading/self-trade-prevention", "the resting order is cancelled", "matching.self_trade", date="2026"),
    **_docs(
        "trading/margin-tiers",
        "10x to 20M, 5x above: the table of AAVE, ADA, AVAX, DOGE, LINK, NEAR, SUI and others, "
        "here for every market without its own",
        "margin.tiers",
    ),
    **_docs(
        "trading/margin-tiers",
        "40x to 150M, 20x above; maintenance is half of initial margin at largest leverage, "
        "with a deduction that makes it continuous",
        "margin.markets.BTC",
    ),
    **_docs(
        "trading/margin-tiers",
        "25x to 100M, 15x above; 1/15 is no whole ppm: 66,667 and 33,333 are used",
        "margin.markets.ETH",
    ),
    **_docs("trading/margin-tiers", "20x to 70M, 10x above", "margin.markets.SOL"),
    **_docs("trading/margin-tiers", "20x to 40M, 10x above", "margin.markets.XRP"),
    **choose("the tiers hold the largest leverage of each asset", "margin.leverage_max"),
    **_docs(
        "trading/margining",
        "cross is the default, isolated is offered",
        "margin.mode",
        "margin.isolated_allowed",
    ),
    **choose("no notice before liquidation is documented", "margin.call_ppm"),
    **_docs(
        "trading/robust-price-indices",
        "median of oracle + EMA of (mid - oracle); median of bid, ask, last; external perp mids. "
        "The index stands in for the external mids, which the model does not have",
        "mark.components",
    ),
    **_docs(
        "trading/robust-price-indices",
        "EMA of 150 s; its weights exp(-t / 150 s) are approximated by dt / window",
        "mark.window_s",
    ),
    **_docs(
        "trading/robust-price-indices",
        "the mark moves when validators publish, about every 3 s, not between liquidations",
        "mark.renew_in_rounds",
        "mark.update.every_s",
    ),
    **_docs(
        "trading/robust-price-indices",
        "median; if exactly two of the three exist, an EMA of 30 s of the second joins. As long as the index stands in "
        "for the external mids that is so until the book has both sides for the first time, and while sources of the "
        "index are all stale",
        "mark.composite.method",
        "mark.composite.spare.window_s",
    ),
    **choose("all inputs weigh alike", "mark.composite.weights"),
    **choose("no age at which an input drops out is documented", "mark.composite.stale_s"),
    **choose("a venue that acts; false is its counterfactual", "liquidation.act"),
    **_docs("trading/liquidations", "account equity below maintenance margin", "liquidation.trigger"),
    **_docs("trading/liquidations", "market orders to the book first", "liquidation.stage", "liquidation.price"),
    **choose("not used with size = share", "liquidation.target_ppm"),
    **_docs(
        "trading/liquidations",
        "of positions above 100k USDC 20 % is sent; for 30 s after that, orders are for the whole position",
        "liquidation.size",
        "liquidation.share_ppm",
        "liquidation.full_below_quote",
        "liquidation.cooldown_s",
    ),
    **_docs(
        "trading/liquidations",
        "what the book does not take is tried again until equity is below 2/3 of maintenance margin",
        "liquidation.leftover",
    ),
    **_docs(
        "trading/liquidations",
        "below 2/3 of maintenance margin the liquidator vault takes over; 2/3 in ppm, rounded up",
        "liquidation.backstop_ppm",
    ),
    **_docs(
        "trading/liquidations",
        "positions and margin go to the vault; the maintenance margin is not returned",
        "liquidation.seize_margin",
    ),
    **choose("nothing is published", "liquidation.latency_s", "liquidation.orders_per_step_max"),
    **choose("bounds a step; more is reported as an unfinished cascade", "liquidation.rounds_max"),
    **_docs(
        "trading/liquidations and auto-deleveraging",
        "the liquidator vault and ADL stand where others have a fund; none is documented",
        "insurance.initial_quote",
    ),
    **choose(
        "not used: there is no fund",
        "insurance.floor_quote",
        "insurance.cap_per_event_quote",
        "insurance.warehouse_leverage",
        "insurance.disposal_share_ppm",
        "insurance.disposal_interval_s",
        "insurance.disposal_range_ppm",
    ),
    **_docs("trading/auto-deleveraging", "account or isolated position value below zero", "deleveraging.trigger"),
    **_docs("trading/auto-deleveraging", "mark / entry x notional / account value", "deleveraging.rank"),
    **_docs(
        "trading/auto-deleveraging",
        "previous mark price (an older copy of the page says previous oracle price)",
        "deleveraging.price",
    ),
    **choose("no cancelling of the counterparty's orders is documented", "deleveraging.cancel_orders"),
    **_docs(
        "trading/auto-deleveraging",
        "a user without positions never shares a loss; no other sharing is documented",
        "socialisation.rule",
    ),
    **_docs("trading/fees", "tier 0: 0.015 % and 0.045 %", "charges.maker_ppm", "charges.taker_ppm", date="2026"),
    **_docs("trading/liquidations", "no clearance fee", "charges.liquidation_ppm"),
    **_docs(
        "trading/funding",
        "paid every hour at one eighth of the 8-hour rate",
        "charges.funding.interval_s",
        "charges.funding.period_s",
    ),
    **_docs(
        "trading/funding",
        "0.01 % per 8 hours; clamp 0.05 %",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.premium.interest",
    ),
    **_docs(
        "trading/funding and contract-specifications",
        "premium of impact prices over the oracle, sampled every 5 s: impact notional of 20,000 USDC for BTC and ETH, "
        "6,000 for all others",
        "charges.funding.premium.source",
        "charges.funding.premium.every_s",
        "charges.funding.premium.impact.notional_quote",
        "charges.funding.premium.impact.over_initial_rate",
        "charges.funding.premium.impact.markets.BTC.notional_quote",
        "charges.funding.premium.impact.markets.ETH.notional_quote",
    ),
    **_docs("trading/funding", "4 % an hour", "charges.funding.cap_ppb"),
    **_docs("trading/funding", "position size at the oracle price", "charges.funding.notional"),
    **cite(
        "error text of the venue's interface, quoted in many public clients: \"Order price cannot be more "
        'than 95% away from the reference price"',
        "2025",
        "secondary",
        "halts.collar_ppm",
    ),
    **choose(
        "not published; in favour of the venue",
        "rounding.requirement",
        "rounding.fee",
        "rounding.bankruptcy_price",
    ),
}
