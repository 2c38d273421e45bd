"""What an impaired liquidation engine still does in a step: nothing, so many units, or so much value (R-W61)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contract import value_atoms
from .kernel import kernel
from .margin import in_unit, owner_of
from .rounds import S_UNIT
from .tables import M_MARK_TICKS, NONE, P_LOTS, V_DUE_UNITS_MAX, V_DUE_VALUE_MAX_ATOMS, V_MARKETS, Table, Tables

Rows = NDArray[np.int64]
UNLIMITED = 2**62


class Allowance:
    """What is left of a step's allowance; a unit counts in every round in which it is due."""

    def __init__(self, t: Tables) -> None:
        """Begin a step with the limits that the venue has been given."""
        self._t = t
        limits = t.venue.item(V_DUE_UNITS_MAX), t.venue.item(V_DUE_VALUE_MAX_ATOMS)
        self._impaired = limits != (NONE, NONE)
        self._units_left, self._value_left_atoms = (UNLIMITED if limit == NONE else limit for limit in limits)
        self.stopped = self._units_left == 0 or self._value_left_atoms == 0

    def cut(self, due: Rows) -> Rows:
        """Return the first of the survey rows `due`: those of one round that are within the allowance, and use it."""
        if not self._impaired or len(due) == 0:
            return due
        values = np.zeros(len(due), dtype=np.int64)
        values_of_units(self._t, np.ascontiguousarray(due[:, S_UNIT]), values)
        before = np.cumsum(values) - values
        count = min(int(np.searchsorted(before, self._value_left_atoms)), self._units_left, len(due))
        self._units_left -= count
        self._value_left_atoms = max(0, self._value_left_atoms - int(values[:count].sum()))
        assert self._units_left >= 0
        return due[:count]


@kernel
def values_of_units(t: Tables, units: Table, values: Table) -> None:
    """Write the value of all positions of each unit at the marks into `values` (n,)."""
    for i in range(units.shape[0]):
        account = owner_of(t, units[i])
        for market in range(t.venue[V_MARKETS]):
            lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
            if lots != 0 and in_unit(t, units[i], account, market):
                values[i] += value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])
