"""dYdX v4, genesis parameters of the chain (v4-chain at commit 84d4664) and docs (v4-documentation at 3e475b7)."""

from __future__ import annotations

from delever.engine.rules.add_ons import OpenInterestCaps, OpenInterestScaling
from delever.engine.rules.adl_terms import Eligibility
from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.funding_parts import CumulativeIndex, MarginCap, Premium
from delever.engine.rules.halts import Halts, WithdrawalGate
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Impact
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Portion
from delever.engine.rules.terms import Fillable, Refusal, Surplus

from .model import MODEL, written_out

LARGE = (Tier(floor_quote=0, initial_ppm=20_000, maintenance_ppm=12_000),)
MID = (Tier(floor_quote=0, initial_ppm=50_000, maintenance_ppm=30_000),)
NO_CAPS = OpenInterestCaps(lower_quote=0, upper_quote=0)

RULES = RuleSet(
    name="dydx-v4",
    contract=written_out(Contract, payoff="linear"),
    matching=written_out(Matching, self_trade="cancel_oldest"),
    margin=written_out(
        Margin,
        tiers=MID,
        markets={"BTC": LARGE, "ETH": LARGE},
        mode="cross",
        isolated_allowed=False,
        open_interest=OpenInterestScaling(
            lower_quote=40_000_000, upper_quote=100_000_000, markets={"BTC": NO_CAPS, "ETH": NO_CAPS}
        ),
    ),
    mark=Mark(components=("index",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="book",
        size="full",
        step=Portion(kind="portion", share_ppm=100_000, least_quote=1_000, account_quote=100_000),
        price="market",
        limit=Fillable(kind="fillable", adjustment_ppm=1_000_000, spread_ppm=1_500_000),
        insolvent="skip",
        surplus=Surplus(to="fund", cap_ppm=15_000, covers=True, refusal=Refusal(lost_quote=1_000_000)),
        leftover="retry",
        seize_margin=False,
        rounds_max=1,
    ),
    insurance=written_out(Insurance, initial_quote=1_000_000, disposal_share_ppm=0),
    deleveraging=Deleveraging(
        trigger="equity_below_zero",
        rank="random_start",
        price="bankruptcy",
        cancel_orders=False,
        eligible=written_out(Eligibility, overlap=True),
    ),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=100,
        taker_ppm=500,
        liquidation_ppm=0,
        funding=written_out(
            Funding,
            interval_s=3_600,
            period_s=28_800,
            interest_ppb=0,
            clamp_ppb=0,
            cap_ppb=1_000_000_000,
            notional="index",
            premium=written_out(
                Premium,
                source="impact",
                impact=Impact(notional_quote=500, over_initial_rate=True),
                median_s=60,
                interest="added",
            ),
            margin_cap=MarginCap(factor_ppm=6_000_000),
            cumulative=CumulativeIndex(decimals=6),
        ),
    ),
    halts=Halts(collar_ppm=0, withdrawal_gate=WithdrawalGate(duration_s=50, below_floor=False)),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_CHAIN = "v4-chain at 84d4664"
_DOCS = "v4-documentation at 3e475b7"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(f"{_CHAIN}, perpetuals: linear in USDC", "2025", "read", "contract.payoff"),
    **cite("price-time priority", "2025", "memory", "matching.priority"),
    **cite(f"{_CHAIN}, memclob: the resting order is removed", "2025", "memory", "matching.self_trade"),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: mid-cap 5 %, maintenance 60 % of it (the docs page still lists 10/5)",
        "2025",
        "read",
        "margin.tiers",
    ),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: large-cap 2 %, maintenance 60 % of it (the docs page still lists 5/3)",
        "2025",
        "read",
        "margin.markets.BTC",
        "margin.markets.ETH",
    ),
    **cite("cross subaccounts; isolated markets have subaccounts of their own", "2025", "read", "margin.mode"),
    **choose("a market is isolated by the venue, not by the trader", "margin.isolated_allowed"),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: mid-cap 40M to 100M of open interest; none for large-cap",
        "2025",
        "read",
        "margin.open_interest.lower_quote",
        "margin.open_interest.upper_quote",
        *(f"margin.open_interest.markets.{coin}.{end}_quote" for coin in ("BTC", "ETH") for end in ("lower", "upper")),
    ),
    **cite(f"{_DOCS}: the oracle price is the mark", "2025", "read", "mark.components"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(f"{_DOCS}: total net collateral below maintenance requirement", "2025", "read", "liquidation.trigger"),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: at least 1,000 USDC, at most 10 % of the position and 100,000 USDC of a "
        "subaccount per block; one position of a subaccount per block",
        "2025",
        "read",
        "liquidation.step.kind",
        "liquidation.step.share_ppm",
        "liquidation.step.least_quote",
        "liquidation.step.account_quote",
        "liquidation.rounds_max",
    ),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: fillable price with adjustment 1 and spread 1.5 x maintenance margin",
        "2025",
        "read",
        "liquidation.stage",
        "liquidation.limit.kind",
        "liquidation.limit.adjustment_ppm",
        "liquidation.limit.spread_ppm",
        "liquidation.leftover",
    ),
    **cite(
        f"{_CHAIN}, testing/genesis.sh: at most 1.5 % of the notional beyond the bankruptcy price goes to the fund, "
        "which pays what is missing",
        "2025",
        "read",
        "liquidation.surplus.to",
        "liquidation.surplus.cap_ppm",
        "liquidation.surplus.covers",
    ),
    **cite(
        f"{_CHAIN}, ProcessSingleMatch: a match is not made, and the order ends, if it would leave the fund below zero "
        "or cost it more than the limit of a subaccount and block, 1,000,000 USDC in testing/genesis.sh; while equity "
        "is not below zero, CanDeleverageSubaccount does not let such an account be deleveraged",
        "2025",
        "read",
        "liquidation.surplus.refusal.lost_quote",
    ),
    **cite(
        f"{_DOCS}, contract loss mechanisms: a negative account is deleveraged immediately. (The chain's keeper tries "
        "the book first and deleverages those of which nothing was filled: the two sources differ.)",
        "2025",
        "read",
        "liquidation.insolvent",
    ),
    **choose("not used: step and limit say how much and at what price", "liquidation.size", "liquidation.price"),
    **choose("not used: nobody takes positions over", "liquidation.seize_margin", "insurance.disposal_share_ppm"),
    **choose(
        "sized to the scenarios. Cross markets, which all are here, share one fund; an isolated market has its own: "
        "insurance.market_funds.only names them",
        "insurance.initial_quote",
    ),
    **cite(f"{_DOCS}: once net collateral is below zero, without the fund", "2025", "read", "deleveraging.trigger"),
    **cite(
        f"{_CHAIN}, deleveraging.go: from a pseudo-random index on, at the bankruptcy price, passing over accounts "
        "whose own bankruptcy price does not overlap",
        "2025",
        "read",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.eligible.overlap",
    ),
    **choose(
        "no other filter is documented",
        "deleveraging.eligible.profitable",
        "deleveraging.eligible.minimum_quote",
        "deleveraging.eligible.spare_backstops",
    ),
    **choose("no cancelling of the counterparty's orders is documented", "deleveraging.cancel_orders"),
    **cite("tier 1: 0.01 % and 0.05 %", "2025", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("no fee beyond the surplus", "charges.liquidation_ppm"),
    **cite(
        f"{_DOCS}: hourly at one eighth of the rate; premium votes per block, median per minute, mean per hour; "
        "impact notional 500 USDC / initial margin fraction; clamp 600 % x (initial - maintenance) per 8 hours",
        "2025",
        "read",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.notional",
        "charges.funding.premium.source",
        "charges.funding.premium.impact.notional_quote",
        "charges.funding.premium.impact.over_initial_rate",
        "charges.funding.premium.median_s",
        "charges.funding.premium.interest",
        "charges.funding.margin_cap.factor_ppm",
    ),
    **cite(
        f"{_CHAIN}, GetFundingIndexDelta: truncated towards zero", "2025", "read", "charges.funding.cumulative.decimals"
    ),
    **choose(
        "not used: interest is added, the margin cap caps", "charges.funding.clamp_ppb", "charges.funding.cap_ppb"
    ),
    **choose("no price collar", "halts.collar_ppm"),
    **cite(
        f"{_CHAIN}: 50 blocks after a subaccount with negative net collateral; a block of about a second",
        "2025",
        "read",
        "halts.withdrawal_gate.duration_s",
        "halts.withdrawal_gate.below_floor",
    ),
}
