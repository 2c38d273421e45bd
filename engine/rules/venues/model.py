"""What no venue publishes and every preset has to choose: limits of tables, rounding, fields not in use."""

from __future__ import annotations

from typing import Any, TypeVar

from delever.engine.rules.base import Rule
from delever.engine.rules.sources import Source, choose

Kind = TypeVar("Kind", bound=Rule)

MODEL: dict[str, Source] = {
    **choose("no such limit is published; bounds the tables (R-U4)", "contract.lots_max"),
    **choose("enough for a market maker's levels on both sides", "contract.orders_per_account_max"),
    **choose("the simplest: the arriving order goes, the book stays as it is", "matching.self_trade"),
    **choose("the tiers hold the largest leverage", "margin.leverage_max"),
    **choose("no notice before liquidation is documented", "margin.call_ppm"),
    **choose("the mark is not taken anew between liquidations", "mark.renew_in_rounds"),
    **choose("a venue that acts; false is its counterfactual", "liquidation.act"),
    **choose(
        "not used here",
        "liquidation.target_ppm",
        "liquidation.share_ppm",
        "liquidation.full_below_quote",
        "liquidation.cooldown_s",
        "liquidation.backstop_ppm",
    ),
    **choose("nothing is published", "liquidation.latency_s", "liquidation.orders_per_step_max"),
    **choose("bounds a step; more is reported as an unfinished cascade", "liquidation.rounds_max"),
    **choose(
        "nothing is published",
        "insurance.floor_quote",
        "insurance.cap_per_event_quote",
        "insurance.warehouse_leverage",
        "insurance.disposal_share_ppm",
        "insurance.disposal_interval_s",
        "insurance.disposal_range_ppm",
    ),
    **choose("no sharing of losses is documented", "socialisation.rule"),
    **choose(
        "not published; in favour of the venue",
        "rounding.requirement",
        "rounding.fee",
        "rounding.bankruptcy_price",
    ),
}
"""Reasons that hold for a venue unless its own file says otherwise."""


def written_out(kind: type[Kind], **given: Any) -> Kind:
    """Return a rule with every field written down: those given, and the model's defaults for all others.

    A preset must not move when a default does: what it takes over it takes over here, with a source for each field.
    """
    defaults = {name: field.default for name, field in kind.model_fields.items() if not field.is_required()}
    kept = {name: value for name, value in defaults.items() if value is not None and name not in given}
    return kind(**kept, **given)
