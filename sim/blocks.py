"""Block-based arrival: commands wait in a pool, and a block takes as many of them as it has room for, in its own order.

As on chains: a sequencer or proposer closes a block every so many milliseconds and orders it by priority fee (Daian et
al. 2020, "Flash Boys 2.0"), by lot, or by arrival. In a burst there are more commands than a block has room for; what
does not fit waits, and with it margin top-ups and cancellations (as on Ethereum on 12 and 13 March 2020).
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from delever.agents.draws import Stream, normal, uniform
from delever.agents.elementary import log
from delever.engine.commands import C_ACCOUNT, C_FLAGS, C_KIND, COMMAND_COLUMNS, FLAG_REDUCE_ONLY, Kind

from .gateway import US_PER_MS, Gateway

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCKS_PER_STEP_MAX = 1_000
URGENT_KINDS: dict[str, tuple[Kind, ...]] = {
    "deposit": (Kind.DEPOSIT, Kind.DEPOSIT_ASSET, Kind.MOVE_MARGIN),
    "cancel": (Kind.CANCEL, Kind.CANCEL_ALL),
    "reduce": (Kind.LIMIT, Kind.MARKET),
}


class Blocks(BaseModel):
    """Blocks in which commands reach the venue."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    block_ms: Annotated[float, Field(ge=1.0, le=86_400_000.0)] = 2_000.0
    """Time from one block to the next, in milliseconds; a step may have many blocks, or a block take many steps."""
    capacity: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Commands that fit into a block; 0: all that have arrived."""
    order: Literal["fee", "shuffle", "arrival"] = "fee"
    """Order within a block: highest fee first; by a lot drawn for every trader and block; or by time of arrival."""
    fee_spread: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    """Fees are lognormal: standard deviation of the logarithm, drawn anew for every waking ..."""
    trader_spread: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    """... and on top of it that of a part drawn once for each trader."""
    urgent_ratio: Annotated[float, Field(ge=1.0, le=1e6)] = 5.0
    """Fees of urgent wakings are so many times as high."""
    urgent: tuple[Literal["deposit", "reduce", "cancel"], ...] = ("deposit", "reduce")
    """A waking is urgent if it sends one of: money for margin; a reduce-only order to be executed; a cancellation."""


class BlockGateway(Gateway):
    """Commands under way to a venue that takes them in blocks.

    Block k closes at k · `block_ms`. Of all commands whose time of arrival lies before, it takes the first `capacity`
    in its order; the venue executes it in the step in which, or at whose end, it closes. A trader's commands never
    overtake one another: one that bids more than an earlier one of the same account waits for it, as with nonces. Fees
    only order; no money moves. Blocks as long as a step, by arrival and without a limit, are as no blocks at all.
    """

    def __init__(
        self, blocks: Blocks, seed: int, keys: Integers, trader_of: Integers, wakings: Integers, *, base_ms: float,
        jitter_ms: float, dt_s: int,
    ) -> None:  # fmt: skip
        """Open the way as `Gateway` does."""
        self.blocks = blocks
        self.block_us = round(blocks.block_ms * US_PER_MS)
        self._seed = seed
        self._bids: Floats = np.zeros(0)
        super().__init__(seed, keys, trader_of, wakings, base_ms=base_ms, jitter_ms=jitter_ms, dt_s=dt_s)

    def submit(
        self, commands: Integers, first: int, last: int, step: int, *, base_ms: float | None = None,
        jitter_ms: float | None = None,
    ) -> bool:  # fmt: skip
        """See `Gateway`; the commands of a waking bid one fee."""
        before = self.waiting
        taken = super().submit(commands, first, last, step, base_ms=base_ms, jitter_ms=jitter_ms)
        if self.waiting > before and self.blocks.order == "fee":
            self._bids[before : self.waiting] = self._log_fees(commands)
        return taken

    def collect(self, step: int) -> Integers:
        """Return the commands of all blocks that close in `step`, block after block, and forget them."""
        first, last = (time * self.step_us // self.block_us for time in (step, step + 1))
        taken = [self._take_block(number) for number in range(first + 1, last + 1) if self.waiting]
        return np.concatenate(taken) if taken else np.zeros((0, COMMAND_COLUMNS), dtype=np.int64)

    def snapshot(self) -> dict[str, Integers]:
        """See `Gateway`."""
        # Bids go by their bits, so that all of a snapshot is whole numbers.
        return {**super().snapshot(), "bids": self._bids[: self.waiting].view(np.int64).copy()}

    def restore(self, snapshot: dict[str, Integers]) -> None:
        """See `Gateway`."""
        super().restore(snapshot)
        self._bids[: self.waiting] = snapshot["bids"].view(np.float64)

    def _make_room(self, rows: int) -> None:
        super()._make_room(rows)
        bids = np.zeros(rows)
        bids[: self.waiting] = self._bids[: self.waiting]
        self._bids = bids

    def _take_block(self, number: int) -> Integers:
        """Return the commands of one block in order; those left close up."""
        count = self.waiting
        ready = np.flatnonzero(self._arrivals[:count] < number * self.block_us)
        if not len(ready):
            return self._commands[:0]
        chosen = ready[self._order_of(ready, number)[: self.blocks.capacity or len(ready)]]
        taken = self._commands[chosen]
        stays = np.ones(count, dtype=np.bool_)
        stays[chosen] = False
        self.waiting = count - len(chosen)
        for column in (self._commands, self._arrivals, self._bids):
            column[: self.waiting] = column[:count][stays]
        return taken

    def _order_of(self, ready: Integers, number: int) -> Integers:
        """Return the places in `ready` (rising, so in order of submission) in the order of block `number`."""
        accounts, arrivals = self._commands[ready, C_ACCOUNT], self._arrivals[ready]
        keys = self.keys[accounts]
        if self.blocks.order == "arrival":
            return np.lexsort((keys, arrivals))
        if self.blocks.order == "shuffle":
            return np.lexsort((keys, uniform(self._seed, Stream.BLOCK, keys, number)))
        return np.lexsort((keys, arrivals, -lowest_so_far(accounts, self._bids[ready])))

    def _log_fees(self, commands: Integers) -> Floats:
        """Return the logarithm of the fee that each command bids, in multiples of the usual fee."""
        blocks = self.blocks
        accounts, of = np.unique(commands[:, C_ACCOUNT], return_inverse=True)
        keys, wakings = self.keys[accounts], self._wakings[self._trader_of[accounts]]
        own = normal(self._seed, Stream.FEE, keys, 0)
        now = normal(self._seed, Stream.FEE, keys, wakings + 1)
        urgent = np.bincount(of, is_urgent(commands, blocks.urgent)) > 0
        ratio = float(log(np.array(blocks.urgent_ratio)))
        return (blocks.trader_spread * own + blocks.fee_spread * now + ratio * urgent)[of]


def is_urgent(commands: Integers, urgent: tuple[str, ...]) -> NDArray[np.bool_]:
    """Say which commands are of a kind that is urgent."""
    found = np.zeros(len(commands), dtype=np.bool_)
    for word in urgent:
        wanted = np.isin(commands[:, C_KIND], URGENT_KINDS[word])
        if word == "reduce":
            wanted &= commands[:, C_FLAGS] & FLAG_REDUCE_ONLY != 0
        found |= wanted
    return found


def lowest_so_far(accounts: Integers, bids: Floats) -> Floats:
    """Return for each command the lowest bid among those of its account up to it."""
    levels, rank = np.unique(bids, return_inverse=True)
    order = np.argsort(accounts, kind="stable")
    group = np.cumsum(np.diff(accounts[order], prepend=accounts[order[0]]) != 0)
    # Each account's ranks lie below those of the account before, so that one running minimum serves all.
    floor = (group[-1] - group) * len(levels)
    lowest = np.empty(len(bids), dtype=np.int64)
    lowest[order] = np.minimum.accumulate(rank[order] + floor) - floor
    return levels[lowest]
