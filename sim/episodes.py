"""Liquidations as they unfold: from the events of a venue to one row per liquidation and market.

Only liquidations still under way are kept; what has ended is handed out and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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

BEGINNINGS = (Event.LIQUIDATION, Event.BANKRUPTCY)
CLOSINGS = (Event.FILL, Event.TAKEOVER, Event.ADL)
COVERS = (Code.DEFICIT, Code.SOCIALISED, Code.BAD_DEBT)


@dataclass(slots=True)
class Part:
    """What happened to one position of a liquidated unit; lots of the three ways out are positive."""

    market: int
    lots: int
    mark_ticks: int
    bankruptcy_ticks: int
    maintenance_atoms: int
    book_lots: int = 0
    book_atoms: int = 0
    takeover_lots: int = 0
    takeover_atoms: int = 0
    adl_lots: int = 0
    adl_atoms: int = 0


@dataclass(slots=True)
class Episode:
    """One liquidation: a unit from the first treatment until it is cured or gone."""

    liquidation: int
    parent: int
    step: int
    account: int
    unit: int
    equity_atoms: int
    deficit_atoms: int = 0
    end_step: int = NONE
    parts: dict[int, Part] = field(default_factory=dict)

    @property
    def maintenance_atoms(self) -> int:
        """Maintenance margin of the unit when its liquidation began."""
        return sum(part.maintenance_atoms for part in self.parts.values())

    def margin_lost_atoms(self, equity_end_atoms: int) -> int:
        """Return what the trader lost of the margin that was left when equity fell to maintenance margin.

        Counted from maintenance margin, not from the equity at which the venue found the unit: what a jump of the
        price took between the two is the trader's loss too.
        """
        return max(0, self.maintenance_atoms - max(0, equity_end_atoms))


class Episodes:
    """All liquidations under way."""

    def __init__(self) -> None:
        """Start with none."""
        self.count = 0
        self._open: dict[int, Episode] = {}
        self._of_unit: dict[int, Episode] = {}

    def take(self, rows: Integers) -> None:
        """Take events in their order, shape (n, EVENT_COLUMNS)."""
        kinds = rows[:, E_KIND]
        for row in rows[np.isin(kinds, BEGINNINGS)].tolist():
            self._begin(row)
        for kind in CLOSINGS:
            self._close(kind, rows[(kinds == kind) & (rows[:, E_CAUSE] > 0)])
        covers = rows[(kinds == Event.POST) & np.isin(rows[:, E_CODE], COVERS)]
        for row in covers.tolist():
            episode = self._of_unit.get(row[E_OTHER])
            if episode is not None:
                episode.deficit_atoms += row[E_AMOUNT_ATOMS]
        for row in rows[kinds == Event.CURED].tolist():
            episode = self._of_unit.get(row[E_OTHER])
            if episode is not None:
                episode.end_step = row[E_STEP]

    def ended(self) -> list[Episode]:
        """Return the liquidations that have ended, by id, and forget them."""
        return self._pop(lambda episode: episode.end_step != NONE)

    def rest(self) -> list[Episode]:
        """Return all liquidations under way, by id, and forget them."""
        return self._pop(lambda episode: True)

    def _pop(self, chosen: Callable[[Episode], bool]) -> list[Episode]:
        found = [episode for episode in self._open.values() if chosen(episode)]
        for episode in found:
            del self._open[episode.liquidation]
            if self._of_unit.get(episode.unit) is episode:
                del self._of_unit[episode.unit]
        return sorted(found, key=lambda episode: episode.liquidation)

    def _begin(self, row: list[int]) -> None:
        """Open a liquidation or add one of its positions; later treatments of the same liquidation change nothing."""
        liquidation = row[E_CAUSE]
        episode = self._open.get(liquidation)
        if row[E_KIND] == Event.LIQUIDATION:
            if episode is None:
                episode = Episode(
                    liquidation, row[E_CODE], row[E_STEP], row[E_ACCOUNT], row[E_OTHER], row[E_AMOUNT_ATOMS]
                )
                self._open[liquidation] = episode
                self._of_unit[episode.unit] = episode
                self.count += 1
        elif episode is not None and row[E_MARKET] not in episode.parts:
            market, mark, ticks = row[E_MARKET], row[E_CODE], row[E_PRICE_TICKS]
            episode.parts[market] = Part(market, row[E_LOTS], mark, ticks, row[E_AMOUNT_ATOMS])

    def _close(self, kind: Event, rows: Integers) -> None:
        """Add up what was closed in one way, a whole liquidation and market at a time."""
        if not len(rows):
            return
        keys, place = np.unique(rows[:, (E_CAUSE, E_MARKET)], axis=0, return_inverse=True)
        lots = np.zeros(len(keys), dtype=np.int64)
        atoms = np.zeros(len(keys), dtype=np.int64)
        np.add.at(lots, place, np.abs(rows[:, E_LOTS]))
        np.add.at(atoms, place, rows[:, E_AMOUNT_ATOMS])
        for (liquidation, market), size, value in zip(keys.tolist(), lots.tolist(), atoms.tolist(), strict=True):
            episode = self._open.get(liquidation)
            part = episode.parts.get(market) if episode is not None else None
            if part is None:
                continue
            if kind == Event.FILL:
                part.book_lots += size
                part.book_atoms += value
            elif kind == Event.TAKEOVER:
                part.takeover_lots += size
                part.takeover_atoms += value
            else:
                part.adl_lots += size
                part.adl_atoms += value
