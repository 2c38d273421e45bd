"""Circulating supply of a coin: a stated path, what makers quote of it, and what the venue's limits are shares of.

The rule is deliberately simple. Makers quote a fixed share of the float: when the float halves (a lock-up, a bridge
that is closed, coins withdrawn from trading), so does every quote they make. And where the rules limit a position to a
share of supply (`halts.position_limit.supply_ppm`, R-H17), the limit moves with it. Our choice; that depth follows the
float is what token unlocks are watched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from delever.engine.venue import Venue

Floats = NDArray[np.float64]


class Supply(BaseModel):
    """Coins in circulation from some time on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    at_s: Annotated[float, Field(ge=0.0, le=10 * 366 * 86_400.0)]
    """Seconds after the end of the warm-up; the first entry is at 0 and holds from the beginning."""
    size: Annotated[float, Field(gt=0.0, le=1e18)]
    """Units of the underlying in circulation."""


class Supplies:
    """The supplies of all markets, step by step; a market of which nothing is said has the float it always had."""

    def __init__(
        self, paths: Sequence[tuple[Supply, ...]], lot_sizes: Sequence[float], dt_s: int, warmup_steps: int
    ) -> None:
        """Plan the paths of the markets, whose lots are `lot_sizes` units of the underlying."""
        self._stated = any(paths)
        self._begins = [np.array([warmup_steps + ceil(each.at_s / dt_s) for each in path[1:]]) for path in paths]
        self._sizes = [np.array([each.size for each in path] or [0.0]) for path in paths]
        self._lot_sizes = np.array(lot_sizes)
        self._unchanged = np.ones(len(paths))

    def tell(self, venue: Venue, step: int) -> None:
        """Tell the venue the supply that holds in `step`."""
        if self._stated:
            venue.set_supply(np.floor(self._sizes_at(step) / self._lot_sizes).astype(np.int64))

    def ratio(self, step: int) -> Floats:
        """Return the supply of each market in `step` as a multiple of that of the beginning, (M,)."""
        if not self._stated:
            return self._unchanged
        first = np.array([sizes[0] for sizes in self._sizes])
        known = first > 0.0
        return np.where(known, self._sizes_at(step) / np.where(known, first, 1.0), 1.0)

    def _sizes_at(self, step: int) -> Floats:
        """Return the coins of each market in `step`, 0 where nothing is said."""
        places = [int(np.searchsorted(begins, step, side="right")) for begins in self._begins]
        return np.array([sizes[place] for sizes, place in zip(self._sizes, places, strict=True)])
