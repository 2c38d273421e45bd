"""Liquidations as they unfold: from the events of a venue to one row per liquidation and market.

Only liquidations still under way are kept, in columns and in order of their ids; what has ended is handed out and
forgotten. Every batch of events is taken in a few calls over whole columns, however many liquidations it tells of.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.events import (
    E_ACCOUNT,
    E_AMOUNT_ATOMS,
    E_CAUSE,
    E_CODE,
    E_KIND,
    E_LOTS,
    E_MARKET,
    E_OTHER,
    E_PRICE_TICKS,
    E_STEP,
    Code,
    Event,
)
from delever.engine.tables import NONE

Integers = NDArray[np.int64]

# As plain integers: an enum in a comparison of arrays is slow.
LIQUIDATION, BANKRUPTCY, POST, CURED = (
    int(kind) for kind in (Event.LIQUIDATION, Event.BANKRUPTCY, Event.POST, Event.CURED)
)
COVERS = np.array([Code.DEFICIT, Code.SOCIALISED, Code.BAD_DEBT], dtype=np.int64)

# One row per liquidation: a unit from the first treatment until it is cured or gone.
I_LIQUIDATION, I_PARENT, I_STEP, I_ACCOUNT, I_UNIT, I_EQUITY_ATOMS, I_DEFICIT_ATOMS, I_END_STEP = range(8)
EPISODE_COLUMNS = 8
BEGINNING = (E_CAUSE, E_CODE, E_STEP, E_ACCOUNT, E_OTHER, E_AMOUNT_ATOMS)
"""Columns of an event LIQUIDATION that are the first columns of its row."""

# One row per position of a liquidated unit; lots of the three ways out are positive.
J_LIQUIDATION, J_MARKET, J_LOTS, J_MARK_TICKS, J_BANKRUPTCY_TICKS, J_MAINTENANCE_ATOMS = range(6)
J_BOOK_LOTS, J_BOOK_ATOMS, J_TAKEOVER_LOTS, J_TAKEOVER_ATOMS, J_ADL_LOTS, J_ADL_ATOMS = range(6, 12)
PART_COLUMNS = 12
PART = (E_CAUSE, E_MARKET, E_LOTS, E_CODE, E_PRICE_TICKS, E_AMOUNT_ATOMS)
"""Columns of an event BANKRUPTCY that are the first columns of its row."""
CLOSINGS = (
    (int(Event.FILL), J_BOOK_LOTS),
    (int(Event.TAKEOVER), J_TAKEOVER_LOTS),
    (int(Event.ADL), J_ADL_LOTS),
)
"""Ways out and the column of their lots; that of the value follows."""
MARKET_BITS = 16


class Told(NamedTuple):
    """Liquidations handed out, in order of their ids."""

    episodes: Integers
    """(n, EPISODE_COLUMNS)."""
    parts: Integers
    """(k, PART_COLUMNS): their positions, those of a liquidation together, market ascending."""

    @property
    def episode_of_part(self) -> Integers:
        """Return the row of `episodes` that each part belongs to, (k,)."""
        return np.searchsorted(self.episodes[:, I_LIQUIDATION], self.parts[:, J_LIQUIDATION])

    @property
    def maintenance_atoms(self) -> Integers:
        """Return the maintenance margin of each unit when its liquidation began, (n,)."""
        whole = np.zeros(len(self.episodes), dtype=np.int64)
        np.add.at(whole, self.episode_of_part, self.parts[:, J_MAINTENANCE_ATOMS])
        return whole

    def margin_lost_atoms(self, equity_end_atoms: Integers) -> Integers:
        """Return what each trader lost of the margin that was left when equity fell to maintenance margin, (n,).

        Counted from maintenance margin, not from the equity at which the venue found the unit: what a jump of the
        price took between the two is the trader's loss too.
        """
        return np.maximum(0, self.maintenance_atoms - np.maximum(0, equity_end_atoms))


NOTHING = Told(np.zeros((0, EPISODE_COLUMNS), dtype=np.int64), np.zeros((0, PART_COLUMNS), dtype=np.int64))


class Episodes:
    """All liquidations under way."""

    def __init__(self) -> None:
        """Start with none."""
        self.count = 0
        self._open = NOTHING
        self._has_ended = False

    def take(self, rows: Integers) -> None:
        """Take events in their order, shape (n, EVENT_COLUMNS)."""
        kinds = rows[:, E_KIND]
        if len(self._open.episodes) == 0 and not (kinds == LIQUIDATION).any():
            return
        self._begin(rows[kinds == LIQUIDATION], rows[kinds == BANKRUPTCY])
        for kind, column in CLOSINGS:
            self._close(column, rows[(kinds == kind) & (rows[:, E_CAUSE] > 0)])
        posts = rows[kinds == POST]
        self._cover(posts[np.isin(posts[:, E_CODE], COVERS)])
        cured = rows[kinds == CURED]
        found, place = _find(self._open.episodes[:, I_LIQUIDATION], cured[:, E_CAUSE])
        self._open.episodes[place, I_END_STEP] = cured[found, E_STEP]
        self._has_ended |= len(place) > 0

    def ended(self) -> Told:
        """Return the liquidations that have ended and forget them."""
        if not self._has_ended:
            return NOTHING
        self._has_ended = False
        episodes, parts = self._open
        over = episodes[:, I_END_STEP] != NONE
        of_over = over[self._open.episode_of_part]
        self._open = Told(episodes[~over], parts[~of_over])
        return Told(episodes[over], parts[of_over])

    def rest(self) -> Told:
        """Return all liquidations under way and forget them."""
        told, self._open, self._has_ended = self._open, NOTHING, False
        return told

    def _begin(self, liquidations: Integers, positions: Integers) -> None:
        """Open liquidations with their positions; the venue tells of both once, ids ascending, markets ascending."""
        if len(liquidations) == 0:
            return
        episodes = np.zeros((len(liquidations), EPISODE_COLUMNS), dtype=np.int64)
        episodes[:, : len(BEGINNING)] = liquidations[:, BEGINNING]
        episodes[:, I_END_STEP] = NONE
        parts = np.zeros((len(positions), PART_COLUMNS), dtype=np.int64)
        parts[:, : len(PART)] = positions[:, PART]
        self.count += len(liquidations)
        self._open = Told(np.concatenate([self._open.episodes, episodes]), np.concatenate([self._open.parts, parts]))

    def _close(self, column: int, rows: Integers) -> None:
        """Add up what was closed in one way."""
        if len(rows) == 0:
            return
        parts = self._open.parts
        keys = (parts[:, J_LIQUIDATION] << MARKET_BITS) + parts[:, J_MARKET]
        found, place = _find(keys, (rows[:, E_CAUSE] << MARKET_BITS) + rows[:, E_MARKET])
        np.add.at(parts[:, column], place, np.abs(rows[found, E_LOTS]))
        np.add.at(parts[:, column + 1], place, rows[found, E_AMOUNT_ATOMS])

    def _cover(self, rows: Integers) -> None:
        """Add up deficits: by liquidation, or after its end, which comes before loss sharing, by unit."""
        if len(rows) == 0:
            return
        episodes = self._open.episodes
        named = rows[:, E_CAUSE] > 0
        for column, cause, told in (
            (I_LIQUIDATION, E_CAUSE, rows[named]),
            (I_UNIT, E_OTHER, rows[~named]),
        ):
            order = np.argsort(episodes[:, column], kind="stable") if len(told) else np.zeros(0, dtype=np.int64)
            found, place = _find(episodes[order, column], told[:, cause])
            np.add.at(episodes[:, I_DEFICIT_ATOMS], order[place], told[found, E_AMOUNT_ATOMS])


def _find(sorted_keys: Integers, keys: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """Return which keys are among the sorted ones, and the last place of each that is."""
    place = np.searchsorted(sorted_keys, keys, side="right") - 1
    found = np.zeros(len(keys), dtype=np.bool_)
    found[place >= 0] = sorted_keys[place[place >= 0]] == keys[place >= 0]
    return found, place[found]
