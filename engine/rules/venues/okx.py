"""OKX, USDT perpetual swaps, as restated by public pages of 2023 to 2025."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.drawdown import Drawdown
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import ClosingFee, Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import LotStep, SteppedLots
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Ladder
from delever.engine.rules.terms import Surplus

from .model import MODEL, written_out

LOTS = 10  # lots of 0.001 coins in a contract of 0.01

RULES = RuleSet(
    name="okx",
    contract=written_out(Contract, payoff="linear", orders_per_account_max=500),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        leverage_max=100,
        mode="cross",
        isolated_allowed=True,
        schedule=SteppedLots(
            kind="stepped_lots",
            steps=(
                LotStep(floor_lots=0, initial_ppm=10_000, maintenance_ppm=5_000),
                LotStep(floor_lots=2_001 * LOTS, initial_ppm=20_000, maintenance_ppm=10_000),
                LotStep(floor_lots=12_001 * LOTS, initial_ppm=30_000, maintenance_ppm=20_000),
                LotStep(floor_lots=24_001 * LOTS, initial_ppm=50_000, maintenance_ppm=30_000),
                LotStep(floor_lots=48_001 * LOTS, initial_ppm=100_000, maintenance_ppm=50_000),
            ),
        ),
        closing_fee=ClosingFee(rate_ppm=500, price="mark"),
    ),
    mark=Mark(components=("index_basis",), window_s=60, renew_in_rounds=False),
    liquidation=written_out(
        Liquidation,
        trigger="at_or_below",
        stage="book",
        size="full",
        step=written_out(Ladder, cut="two", whole_tiers=2, fill_or_kill=False),
        price="bankruptcy",
        leftover="fund",
        seize_margin=True,
        surplus=Surplus(to="fund", covers=True),
    ),
    insurance=written_out(Insurance, initial_quote=1_000_000),
    deleveraging=Deleveraging(
        trigger="fund_empty",
        rank="leveraged_return",
        price="mark",
        cancel_orders=True,
        drawdown=Drawdown(window_s=28_800, drop_ppm=300_000),
    ),
    socialisation=Socialisation(rule="none"),
    charges=Charges(
        maker_ppm=200,
        taker_ppm=500,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=28_800,
            period_s=28_800,
            interest_ppb=100_000,
            clamp_ppb=500_000,
            cap_ppb=15_000_000,
            notional="mark",
        ),
    ),
    halts=Halts(collar_ppm=20_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_SECOND = "pages that restate the venue's help"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite("USDT-margined perpetuals: linear", "2024", "read", "contract.payoff"),
    **cite("500 open orders per instrument", "2024", "memory", "contract.orders_per_account_max"),
    **cite("price-time priority", "2024", "memory", "matching.priority"),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        "legacy help on partial liquidation: tier 1 up to 2,000 contracts, tier 3 from 12,001 with 2 %; the other "
        "steps are of the same shape, from memory. Contracts of 0.01 coins are 10 lots of the scenarios",
        "2019",
        "memory",
        "margin.schedule.kind",
        "margin.schedule.steps",
    ),
    **cite(
        f"{_SECOND}: margin level = equity / (maintenance margin + liquidation fee); the fee is that of a taker",
        "2024",
        "secondary",
        "margin.closing_fee.rate_ppm",
        "margin.closing_fee.price",
    ),
    **cite("largest leverage 100", "2024", "memory", "margin.leverage_max"),
    **cite("cross, isolated, portfolio", "2024", "read", "margin.mode", "margin.isolated_allowed"),
    **cite("mark price = index + moving average of the basis", "2024", "memory", "mark.components", "mark.window_s"),
    **cite(f"{_SECOND}: margin level at or below 100 %", "2024", "secondary", "liquidation.trigger"),
    **cite(
        f"{_SECOND}: cut by two tiers per step (legacy: straight to tier 1); tier 2 and below are closed whole and "
        "taken over at the bankruptcy price",
        "2024",
        "secondary",
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
        f"{_SECOND}: what a close-out brings beyond the bankruptcy price goes to the risk reserve",
        "2024",
        "secondary",
        "liquidation.surplus.to",
        "liquidation.surplus.covers",
    ),
    **choose("not used: the step says how much", "liquidation.size"),
    **choose(
        "sized to the scenarios. The venue keeps a fund per product (from memory): with several markets in a scenario "
        "insurance.market_funds gives each its own",
        "insurance.initial_quote",
    ),
    **cite(
        "help, 'ADL': when the risk reserve is insufficient",
        "2024",
        "read",
        "deleveraging.trigger",
    ),
    **cite(
        "help, 'ADL': on when the reserve falls 30 % from its peak within 8 hours; then liquidations match with "
        "ranked counterparties at the current mark price",
        "2024",
        "read",
        "deleveraging.drawdown.window_s",
        "deleveraging.drawdown.drop_ppm",
        "deleveraging.price",
    ),
    **cite("ranked by profit and leverage", "2024", "memory", "deleveraging.rank"),
    **cite("open orders are cancelled", "2024", "memory", "deleveraging.cancel_orders"),
    **cite("regular users: 0.02 % and 0.05 %", "2024", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("no fee beyond the bankruptcy price: what is left goes to the reserve", "charges.liquidation_ppm"),
    **cite(
        "every eight hours, interest 0.01 %, clamp 0.05 %, cap 1.5 %",
        "2024",
        "memory",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **cite("price limits around the index, about 2 %", "2024", "memory", "halts.collar_ppm"),
}
