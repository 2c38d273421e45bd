"""Rule sets drawn over all axes: what `random_rules` draws, and on top of it what later axes added.

Each axis adds one function to `WIDENINGS`. It may change any part of a drawn rule set, with the generator given. An
axis that the reference venue does not know adds a function to `NARROWINGS` that takes it out of a rule set again: such
a world still has to keep all laws, with commands drawn from a reference venue under the narrower rules.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from . import (
    wide_collateral,
    wide_contract,
    wide_fund,
    wide_halts,
    wide_liquidation,
    wide_margin,
    wide_matching,
    wide_pockets,
    wide_prices,
    wide_ranks,
    wide_sharing,
)
from .workload import random_rules

Rules = dict[str, Any]

WIDENINGS: list[Callable[[Random, Rules], None]] = [
    wide_contract.widen_contract,
    wide_fund.fund_watches,
    wide_fund.adl_terms,
    wide_fund.funds,
    wide_pockets.pockets,
    wide_sharing.loss_sharing,
    wide_ranks.draw_rank,
    wide_matching.widen_matching,
    wide_halts.widen_halts,
    # After those that choose the stage of a liquidation.
    wide_liquidation.liquidation_terms,
    wide_liquidation.liquidation_levels,
    wide_liquidation.fund_sale,
    wide_prices.index_sources,
    wide_prices.marks,
    wide_prices.funding,
    wide_margin.schedules,
    wide_margin.add_ons,
    wide_collateral.collateral,
]
NARROWINGS: list[Callable[[Rules], None]] = [wide_fund.without_funds, wide_halts.narrow_halts]


def wide_rules(seed: int) -> Rules:
    """Return a rule set as a nested dict that RuleSet accepts, drawn over all axes there are.

    Every axis beyond those of `random_rules` has its own generator, so that a new axis moves no other draw.
    """
    rules = random_rules(seed)
    for widen in WIDENINGS:
        rng = Random(f"{widen.__name__} {seed}")
        if rng.random() < 0.5:
            widen(rng, rules)
    wide_margin.lower_levels(rules["margin"])
    return rules


def known(rules: Rules) -> Rules:
    """Return the rule set as far as the reference venue knows it; `rules` stays as it is."""
    narrow = deepcopy(rules)
    for remove in NARROWINGS:
        remove(narrow)
    return narrow
