"""What the linear and the inverse contracts of Bybit share: how it liquidates and deleverages."""

from __future__ import annotations

from delever.engine.rules.adl_terms import FarFromMark
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.drawdown import Drawdown
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Ladder
from delever.engine.rules.terms import Surplus

from .model import written_out

LIQUIDATION = written_out(
    Liquidation,
    trigger="at_or_below",
    stage="book",
    size="full",
    step=written_out(Ladder, cut="next", whole_tiers=1, fill_or_kill=True),
    price="bankruptcy",
    leftover="fund",
    seize_margin=True,
    surplus=Surplus(to="fund", covers=True),
)

DELEVERAGING = Deleveraging(
    trigger="fund_empty",
    rank="leveraged_return",
    price="bankruptcy",
    cancel_orders=True,
    drawdown=Drawdown(window_s=28_800, drop_ppm=1_000_000),
    far_from_mark=FarFromMark(distance_ppm=50_000),
)

SOURCES: dict[str, Source] = {
    **cite(
        "help, 'Liquidation Process': when the account's maintenance margin rate reaches 100 %",
        "2025-11",
        "read",
        "liquidation.trigger",
    ),
    **cite(
        "help, 'Liquidation Process' (isolated, higher risk tiers): cancel orders, fill-or-kill of what does not fit "
        "into a lower tier, else the whole position at the bankruptcy price; lowest tier: takeover at once",
        "2025-11",
        "read",
        "liquidation.stage",
        "liquidation.step.kind",
        "liquidation.step.cut",
        "liquidation.step.whole_tiers",
        "liquidation.step.fill_or_kill",
        "liquidation.price",
        "liquidation.leftover",
        "liquidation.seize_margin",
    ),
    **choose("not used: the step says how much", "liquidation.size"),
    **cite(
        "'Insurance Fund': filled better than bankruptcy goes to the fund, worse is paid by it",
        "2025-11",
        "read",
        "liquidation.surplus.to",
        "liquidation.surplus.covers",
    ),
    **choose("what the fund cannot take is deleveraged whatever the drawdown", "deleveraging.trigger"),
    **cite(
        "'Auto-Deleveraging': on when the drawdown of eight hours reaches 100 % of the fund's highest balance in them "
        "(30 % for the pools of new listings and portfolios since 2025-12-19)",
        "2025-11",
        "read",
        "deleveraging.drawdown.window_s",
        "deleveraging.drawdown.drop_ppm",
    ),
    **cite("'Auto-Deleveraging': ranked by leveraged return", "2025-11", "read", "deleveraging.rank"),
    **cite("'Auto-Deleveraging': settled at the bankruptcy price", "2025-11", "read", "deleveraging.price"),
    **cite(
        "restated by wuyelx.com/6291: at the mark if the bankruptcy price is more than 5 % from it",
        "2025-12-19",
        "secondary",
        "deleveraging.far_from_mark.distance_ppm",
    ),
    **cite("'Auto-Deleveraging': open orders are cancelled", "2025-11", "read", "deleveraging.cancel_orders"),
}
