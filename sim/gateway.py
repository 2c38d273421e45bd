"""The way to the venue: every command takes its time, and the venue sees commands in order of arrival.

Commands stay in columns from the trader to the venue; a step costs three kernel calls however many there are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.agents.draw_kernels import Words, stream_roots, uniform
from delever.agents.draws import Stream
from delever.engine.commands import C_ACCOUNT, COMMAND_COLUMNS
from delever.engine.kernel import kernel

US_PER_MS = 1_000
US_PER_S = 1_000_000
ROOM_MIN = 1024
LATENCY = int(Stream.LATENCY)

# A packet is a trader's commands that arrive together: what it is sorted by, and its first command.
K_ARRIVAL_US, K_KEY, K_FIRST = range(3)
PACKET_COLUMNS = 3

Integers = NDArray[np.int64]


class Gateway:
    """Commands under way. They arrive in the order (arrival time, key of the trader, order of submission).

    A command given in step s leaves at s · dt and arrives `base_ms` plus a uniform draw of up to `jitter_ms` later, in
    whole microseconds, if nothing else is said when it is submitted; the draw is keyed by (seed, trader, waking), so
    that all commands of one waking travel together.
    A trader's commands never overtake one another: a later one arrives no earlier than those before it.
    """

    def __init__(
        self, seed: int, keys: Integers, trader_of: Integers, wakings: Integers, *, base_ms: float, jitter_ms: float,
        dt_s: int,
    ) -> None:  # fmt: skip
        """Open the way for the account rows 0 .. n - 1.

        `keys` and `trader_of` (n,) say the label-free identity and the number of the trader of each row, `wakings` (n,)
        how often the trader of each number has woken; it is kept and read at every submission.
        """
        self.keys = keys
        self.base_us = round(base_ms * US_PER_MS)
        self.jitter_us = round(jitter_ms * US_PER_MS)
        self.step_us = dt_s * US_PER_S
        self.waiting = 0
        """Number of commands that have not arrived yet."""
        self._trader_of = trader_of
        self._wakings = wakings
        self._roots = stream_roots(seed)
        self._latest_us = np.zeros(len(keys), dtype=np.int64)
        self._commands: Integers = np.zeros((0, COMMAND_COLUMNS), dtype=np.int64)
        self._arrivals: Integers = np.zeros(0, dtype=np.int64)
        self._make_room(ROOM_MIN)

    def submit(
        self, commands: Integers, first: int, last: int, step: int, *, base_ms: float | None = None,
        jitter_ms: float | None = None,
    ) -> bool:  # fmt: skip
        """Take commands (n, COMMAND_COLUMNS) given in `step` by traders of the numbers `first` .. `last` - 1.

        `base_ms` and `jitter_ms` say how long these travel where that is not as long as others do. Returns False,
        having taken none, if one is for an account of somebody else.
        """
        count = len(commands)
        if count == 0:
            return True
        if self.waiting + count > len(self._arrivals):
            self._make_room(2 * (self.waiting + count))
        base_us = self.base_us if base_ms is None else round(base_ms * US_PER_MS)
        jitter_us = self.jitter_us if jitter_ms is None else round(jitter_ms * US_PER_MS)
        sent_us = step * self.step_us + base_us
        taken = take_commands(
            commands, self._commands, self._arrivals, self.waiting, first, last, sent_us, jitter_us,
            self._trader_of, self._wakings, self.keys, self._roots, self._latest_us,
        )  # fmt: skip
        self.waiting += count if taken else 0
        return taken

    def collect(self, step: int) -> Integers:
        """Return the commands that arrive before the end of `step`, in the order of arrival, and forget them.

        The array is good until the next call.
        """
        waiting = self.waiting
        self.waiting = arrive(
            self._commands, self._arrivals, waiting, (step + 1) * self.step_us, self.keys, self._packets, self._order,
            self._spare, self._arrived,
        )  # fmt: skip
        return self._arrived[: waiting - self.waiting]

    def snapshot(self) -> dict[str, Integers]:
        """Return everything that is under way as new arrays."""
        return {
            "commands": self._commands[: self.waiting].copy(),
            "arrivals": self._arrivals[: self.waiting].copy(),
            "latest": self._latest_us.copy(),
        }

    def restore(self, snapshot: dict[str, Integers]) -> None:
        """Put back what `snapshot` returned; modifies nothing in it."""
        self.waiting = 0
        self._latest_us[:] = snapshot["latest"]
        self._make_room(max(ROOM_MIN, len(snapshot["commands"])))
        self.waiting = len(snapshot["commands"])
        self._commands[: self.waiting] = snapshot["commands"]
        self._arrivals[: self.waiting] = snapshot["arrivals"]

    def _make_room(self, rows: int) -> None:
        """Make room for so many commands under way; those that are stay."""
        commands = np.zeros((rows, COMMAND_COLUMNS), dtype=np.int64)
        arrivals = np.zeros(rows, dtype=np.int64)
        commands[: self.waiting] = self._commands[: self.waiting]
        arrivals[: self.waiting] = self._arrivals[: self.waiting]
        self._commands, self._arrivals = commands, arrivals
        self._arrived = np.zeros((rows, COMMAND_COLUMNS), dtype=np.int64)
        self._packets = np.zeros((rows, PACKET_COLUMNS), dtype=np.int64)
        self._order, self._spare = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)


@kernel
def take_commands(
    given: Integers, commands: Integers, arrivals: Integers, count: int, first: int, last: int, sent_us: int,
    jitter_us: int, trader_of: Integers, wakings: Integers, keys: Integers, roots: Words, latest_us: Integers,
) -> bool:  # fmt: skip
    """Append the commands `given` to those under way, with their arrivals; writes latest_us too.

    Returns False, having written nothing, if one is for an account whose trader is not first .. last - 1.
    """
    for i in range(given.shape[0]):
        account = given[i, C_ACCOUNT]
        if account < 0 or account >= trader_of.shape[0] or not first <= trader_of[account] < last:
            return False
    before = -1
    arrival = 0
    for i in range(given.shape[0]):
        account = given[i, C_ACCOUNT]
        if account != before:
            chance = uniform(roots, LATENCY, keys[account], wakings[trader_of[account]], 0)
            arrival = max(sent_us + int(chance * jitter_us), latest_us[account])
            latest_us[account] = arrival
            before = account
        arrivals[count + i] = arrival
        for column in range(COMMAND_COLUMNS):
            commands[count + i, column] = given[i, column]
    return True


@kernel
def arrive(
    commands: Integers, arrivals: Integers, count: int, before_us: int, keys: Integers, packets: Integers,
    order: Integers, spare: Integers, arrived: Integers,
) -> int:  # fmt: skip
    """Move the commands that arrive before `before_us` to `arrived`, in order; return how many stay, closed up.

    `packets` (count, PACKET_COLUMNS), `order` and `spare` (count,) are working space.
    """
    number = 0
    for i in range(count):
        if arrivals[i] < before_us and not _follows(commands, arrivals, i):
            packets[number, K_ARRIVAL_US] = arrivals[i]
            packets[number, K_KEY] = keys[commands[i, C_ACCOUNT]]
            packets[number, K_FIRST] = i
            order[number] = number
            number += 1
    if _sort_packets(packets, order, spare, number):
        order, spare = spare, order
    row = 0
    for place in range(number):
        i = packets[order[place], K_FIRST]
        more = True
        while more:
            for column in range(COMMAND_COLUMNS):
                arrived[row, column] = commands[i, column]
            row += 1
            i += 1
            more = i < count and _follows(commands, arrivals, i)
    kept = 0
    for i in range(count):
        if arrivals[i] >= before_us:
            arrivals[kept] = arrivals[i]
            for column in range(COMMAND_COLUMNS):
                commands[kept, column] = commands[i, column]
            kept += 1
    assert row + kept == count
    return kept


@kernel
def _follows(commands: Integers, arrivals: Integers, i: int) -> bool:
    """Say whether a command travels in one packet with the one before: same account, same arrival."""
    return i > 0 and commands[i, C_ACCOUNT] == commands[i - 1, C_ACCOUNT] and arrivals[i] == arrivals[i - 1]


@kernel
def _is_later(packets: Integers, one: int, other: int) -> bool:
    """Say whether packet `one` comes after packet `other`, which was submitted after it."""
    if packets[one, K_ARRIVAL_US] != packets[other, K_ARRIVAL_US]:
        return packets[one, K_ARRIVAL_US] > packets[other, K_ARRIVAL_US]
    return packets[one, K_KEY] > packets[other, K_KEY]


@kernel
def _sort_packets(packets: Integers, order: Integers, spare: Integers, count: int) -> bool:
    """Merge sort: put the packets of `order` in order of arrival, stable; return True if the result is in `spare`."""
    swapped = False
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, end = min(start + width, count), min(start + 2 * width, count)
            left, right = start, middle
            for place in range(start, end):
                from_left = right >= end
                if left < middle and right < end:
                    from_left = not _is_later(packets, order[left], order[right])
                if from_left:
                    spare[place] = order[left]
                    left += 1
                else:
                    spare[place] = order[right]
                    right += 1
        order, spare = spare, order
        swapped = not swapped
        width *= 2
    return swapped
