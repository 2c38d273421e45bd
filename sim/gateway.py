"""The way to the venue: every command takes its time, and the venue sees commands in order of arrival.

Commands stay in columns from the trader to the venue; nothing here touches them one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.agents.draws import Stream, uniform
from delever.engine.commands import C_ACCOUNT, COMMAND_COLUMNS

US_PER_MS = 1_000
US_PER_S = 1_000_000

Integers = NDArray[np.int64]


class Gateway:
    """Commands under way. They arrive in the order (arrival time, key of the trader, order of submission).

    A command given in step s leaves at s · dt and arrives `base_ms` plus a uniform draw of up to `jitter_ms` later, in
    whole microseconds; the draw is keyed by (seed, trader, waking), so that all commands of one waking travel together.
    A trader's commands never overtake one another: a later one arrives no earlier than those before it.
    """

    def __init__(self, seed: int, keys: Integers, *, base_ms: float, jitter_ms: float, dt_s: int):
        """Open the way for the accounts 0 .. len(keys) - 1, whose label-free identities are `keys`."""
        self.seed = seed
        self.keys = keys
        self.base_us = round(base_ms * US_PER_MS)
        self.jitter_us = round(jitter_ms * US_PER_MS)
        self.step_us = dt_s * US_PER_S
        self._latest_us = np.zeros(len(keys), dtype=np.int64)
        self._batches: list[Integers] = []
        self._arrivals: list[Integers] = []

    @property
    def waiting(self) -> int:
        """Number of commands that have not arrived yet."""
        return sum(len(batch) for batch in self._batches)

    def submit(self, commands: Integers, wakings: Integers, step: int) -> None:
        """Take commands (n, COMMAND_COLUMNS) given in `step`; `wakings` (n,) number the waking of each one's trader."""
        if not len(commands):
            return
        accounts = commands[:, C_ACCOUNT]
        jitter = uniform(self.seed, Stream.LATENCY, self.keys[accounts], wakings) * self.jitter_us
        arrivals = step * self.step_us + self.base_us + jitter.astype(np.int64)
        np.maximum(arrivals, self._latest_us[accounts], out=arrivals)
        # An account may stand here with several commands; all of one waking arrive together, so the last one tells.
        self._latest_us[accounts] = arrivals
        self._batches.append(commands)
        self._arrivals.append(arrivals)

    def collect(self, step: int) -> Integers:
        """Return the commands that arrive before the end of `step`, in the order of arrival, and forget them."""
        if not self._batches:
            return np.empty((0, COMMAND_COLUMNS), dtype=np.int64)
        commands, arrivals = np.concatenate(self._batches), np.concatenate(self._arrivals)
        here = arrivals < (step + 1) * self.step_us
        self._batches = [] if here.all() else [commands[~here]]
        self._arrivals = [] if here.all() else [arrivals[~here]]
        commands, arrivals = commands[here], arrivals[here]
        # lexsort is stable: what ties in time and key stays in the order of submission.
        return commands[np.lexsort((self.keys[commands[:, C_ACCOUNT]], arrivals))]

    def snapshot(self) -> dict[str, Integers]:
        """Return everything that is under way as new arrays."""
        empty = np.empty((0, COMMAND_COLUMNS), dtype=np.int64)
        return {
            "commands": np.concatenate([empty, *self._batches]),
            "arrivals": np.concatenate([empty[:, 0], *self._arrivals]),
            "latest": self._latest_us.copy(),
        }

    def restore(self, snapshot: dict[str, Integers]) -> None:
        """Put back what `snapshot` returned; modifies nothing in it."""
        self._latest_us[:] = snapshot["latest"]
        waiting = len(snapshot["commands"]) > 0
        self._batches = [snapshot["commands"].copy()] if waiting else []
        self._arrivals = [snapshot["arrivals"].copy()] if waiting else []
