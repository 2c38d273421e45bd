"""Drift v2 perpetuals, protocol-v2 at commit 0ae3e3b and its docs at f1021e4."""

from __future__ import annotations

from delever.engine.rules.charges import Charges, Funding
from delever.engine.rules.contract import Contract
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.halts import Halts
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import Guard
from delever.engine.rules.matching import Matching
from delever.engine.rules.rounding import Rounding
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.schedules import SquareRoot
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Cover, Ramp
from delever.engine.rules.terms import FundFee, Keepers, Levels, Rise

from .model import MODEL, written_out

LOTS = 1_000  # lots of 0.001 coins, the size in the scenarios, in a coin

RULES = RuleSet(
    name="drift-v2",
    contract=written_out(Contract, payoff="linear", orders_per_account_max=32),
    matching=written_out(Matching),
    margin=written_out(
        Margin,
        mode="cross",
        isolated_allowed=False,
        schedule=written_out(
            SquareRoot,
            initial_ppm=100_000,
            maintenance_ppm=50_000,
            share_ppm=800_000,
            slope_ppm=500,
            slope_lots=LOTS,
        ),
    ),
    mark=Mark(
        components=("index",),
        window_s=60,
        renew_in_rounds=False,
        guard=Guard(deviation_ppm=500_000, window_s=300),
    ),
    liquidation=written_out(
        Liquidation,
        trigger="below",
        stage="keepers",
        size="full",
        step=Cover(kind="cover", ramp=Ramp(initial_ppm=100_000, duration_s=60, dust_quote=50)),
        levels=Levels(start_ppm=1_000_000, stop_ppm=1_000_000, buffer_ppm=20_000),
        price="market",
        keepers=Keepers(
            around="index",
            bonus_ppm=10_000,
            rise=Rise(grace_s=600, each_second_ppm=2, highest_ppm=50_000),
            fund_fee=FundFee(highest_ppm=10_000, rest_ppm=950_000),
        ),
        leftover="retry",
        seize_margin=False,
    ),
    insurance=written_out(Insurance, initial_quote=1_000_000, disposal_share_ppm=0),
    deleveraging=Deleveraging(trigger="none", rank="pnl", price="mark", cancel_orders=False),
    socialisation=Socialisation(rule="open_interest"),
    charges=Charges(
        maker_ppm=-25,
        taker_ppm=1_000,
        liquidation_ppm=0,
        funding=Funding(
            interval_s=3_600,
            period_s=86_400,
            interest_ppb=0,
            clamp_ppb=0,
            cap_ppb=1_250_000,
            notional="index",
        ),
    ),
    halts=Halts(collar_ppm=100_000),
    rounding=Rounding(requirement="up", fee="up", bankruptcy_price="inward"),
)

_CODE = "protocol-v2 at 0ae3e3b"
_DOCS = "docs at f1021e4"

SOURCES: dict[str, Source] = {
    **MODEL,
    **cite(f"{_DOCS}: linear perpetuals", "2024", "read", "contract.payoff"),
    **cite(f"{_CODE}: 32 orders per user", "2024", "memory", "contract.orders_per_account_max"),
    **choose("auctions, the pool and the book of the venue are one book here", "matching.priority"),
    **choose("not used: the schedule says the rates", "margin.tiers", "margin.markets"),
    **cite(
        f"{_DOCS}, margin: 10 % and 5 %; {_CODE}: size premium max(rate, 0.8 x rate + imf x sqrt(size)); the factor "
        "of 0.0005 at one coin is ours, factors are set per market",
        "2024",
        "secondary",
        *(
            f"margin.schedule.{name}"
            for name in ("kind", "initial_ppm", "maintenance_ppm", "share_ppm", "slope_ppm", "slope_lots")
        ),
    ),
    **choose("no cap on the rate is documented", "margin.schedule.rate_max_ppm"),
    **cite(f"{_DOCS}: cross-margined sub-accounts", "2024", "read", "margin.mode", "margin.isolated_allowed"),
    **cite(f"{_DOCS}: the oracle price values positions", "2024", "read", "mark.components"),
    **choose("not used: the mark has no basis average", "mark.window_s"),
    **cite(
        f"{_CODE}: no liquidation if the oracle deviates 50 % or more from its five-minute average",
        "2024",
        "read",
        "mark.guard.deviation_ppm",
        "mark.guard.window_s",
    ),
    **cite(f"{_CODE}: total collateral below maintenance requirement", "2024", "read", "liquidation.trigger"),
    **cite(
        f"{_CODE}, liquidate_perp: liquidators take base at the oracle price less their fee, until margin with the "
        "buffer is restored; an allowed share of 10 % at first, all after 150 slots of 0.4 s, at once below 50 USD",
        "2024",
        "read",
        "liquidation.stage",
        "liquidation.step.kind",
        "liquidation.step.ramp.initial_ppm",
        "liquidation.step.ramp.duration_s",
        "liquidation.step.ramp.dust_quote",
        "liquidation.keepers.around",
        "liquidation.keepers.bonus_ppm",
        "liquidation.leftover",
    ),
    **cite(
        f"{_CODE}, tests: buffer of 2 %, fees of 1 % and 1 %; insurance fee 95 % of what is left, capped",
        "2024",
        "read",
        "liquidation.levels.start_ppm",
        "liquidation.levels.stop_ppm",
        "liquidation.levels.buffer_ppm",
        "liquidation.keepers.fund_fee.highest_ppm",
        "liquidation.keepers.fund_fee.rest_ppm",
    ),
    **cite(
        f"{_CODE}, constants.rs: the fee rises by 10^-6 a slot (here 2 ppm a second) up to a maximum; grace and "
        "maximum are set per market",
        "2024",
        "secondary",
        "liquidation.keepers.rise.grace_s",
        "liquidation.keepers.rise.each_second_ppm",
        "liquidation.keepers.rise.highest_ppm",
    ),
    **choose("not used: the step and the keepers say it", "liquidation.size", "liquidation.price"),
    **choose("not used: nobody takes whole accounts over", "liquidation.seize_margin", "insurance.disposal_share_ppm"),
    **choose(
        "sized to the scenarios; one fund per asset of settlement, so one for all markets here. The most it pays for a "
        "single market is not played",
        "insurance.initial_quote",
    ),
    **cite(f"{_DOCS}: none", "2024", "read", "deleveraging.trigger"),
    **choose(
        "not used: there is no deleveraging",
        "deleveraging.rank",
        "deleveraging.price",
        "deleveraging.cancel_orders",
    ),
    **cite(
        f"{_CODE}, resolve_perp_bankruptcy: after the fund, over the open base of both sides",
        "2024",
        "read",
        "socialisation.rule",
    ),
    **cite("tier 1: -0.0025 % and 0.1 %", "2024", "memory", "charges.maker_ppm", "charges.taker_ppm"),
    **choose("the insurance fee is the keepers' fund fee", "charges.liquidation_ppm"),
    **cite(
        "hourly, 1/24 of the average difference of mark and oracle, capped at 0.125 % an hour",
        "2024",
        "memory",
        "charges.funding.interval_s",
        "charges.funding.period_s",
        "charges.funding.interest_ppb",
        "charges.funding.clamp_ppb",
        "charges.funding.cap_ppb",
        "charges.funding.notional",
    ),
    **cite("orders within about 10 % of the oracle", "2024", "memory", "halts.collar_ppm"),
}
