"""What the linear and the inverse contracts of Bybit share: how it liquidates and deleverages."""

from __future__ import annotations

from delever.engine.rules.adl_terms import FarFromMark
from delever.engine.rules.deleveraging import Deleveraging
from delever.engine.rules.drawdown import Drawdown
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.sources import Source, choose, cite
from delever.engine.rules.steps import Ladder

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
)

DELEVERAGING = Deleveraging(
    trigger="fund_empty",
    rank="leveraged_return",
    price="bankruptcy",
    cancel_orders=True,
    drawdown=Drawdown(window_s=28_800, drop_ppm=300_000),
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
        "deleveraging.trigger",
    ),
    **cite(
        "'Auto-Deleveraging', 2025 texts: rolling eight hours; a drawdown of 30 % of the fund's highest balance is the "
        "condition of the pools for new listings and portfolios (another condition, 100 %, stands in older pages)",
        "2025-12-19",
        "secondary",
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
