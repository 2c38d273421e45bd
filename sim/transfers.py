"""Money on its way between two accounts of one trader: what a venue paid out is brought to the other venue later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.agents.cohort import NO_COMMANDS
from delever.agents.pair import PairParameters
from delever.engine.commands import C_ACCOUNT, C_AMOUNT, C_KIND, Kind, Result, batch

from .accounts import NOBODY, Directory, Roster

Integers = NDArray[np.int64]

# A row of what is under way: the step in which it arrives, where, whose, how much.
W_STEP, W_VENUE, W_ACCOUNT, W_AMOUNT_ATOMS = range(4)
WAY_COLUMNS = 4


class _Ways(NamedTuple):
    """Where money goes that is taken out at one venue, by account row there: venue, account, steps it takes."""

    venue: Integers
    account: Integers
    steps: Integers


class Transfers:
    """All transfers of a world; money of different venues is the same here, atoms of a quote unit."""

    def __init__(self, directory: Directory, rosters: Sequence[Roster], names: Sequence[str], dt_s: int) -> None:
        """Know who has two accounts; `rosters` and `names` are of all venues in one order."""
        self.sent_atoms = 0
        """Money that venues paid out to traders who have another account."""
        self.received_atoms = 0
        """Money that has arrived there."""
        self._ways = [_Ways(*(np.full(roster.accounts, NOBODY) for _ in _Ways._fields)) for roster in rosters]
        for place in directory.cohorts:
            here_and_there = [names.index(venue) for venue in place.member.venues]
            if len(here_and_there) != 2:
                continue
            parameters = place.member.parameters
            assert isinstance(parameters, PairParameters), "only pairs have two accounts"
            steps = max(1, int(np.ceil(parameters.transfer_s / dt_s)))
            for venue, other in (here_and_there, here_and_there[::-1]):
                rows = rosters[venue].rows[place.first : place.last]
                ways = self._ways[venue]
                ways.venue[rows], ways.steps[rows] = other, steps
                ways.account[rows] = rosters[other].rows[place.first : place.last]
        self._anybody = any((ways.venue != NOBODY).any() for ways in self._ways)
        self._under_way: Integers = np.zeros((0, WAY_COLUMNS), dtype=np.int64)

    @property
    def under_way_atoms(self) -> int:
        """Money that is at no venue."""
        return int(self._under_way[:, W_AMOUNT_ATOMS].sum())

    @property
    def lost_atoms(self) -> int:
        """Money sent that neither arrived nor is under way; anything but 0 is a bug."""
        return self.sent_atoms - self.received_atoms - self.under_way_atoms

    def arriving(self, venue: int, step: int) -> Integers:
        """Return the deposits due at a venue in `step`, in the order in which the money was sent, as commands."""
        under_way = self._under_way
        if not len(under_way):
            return NO_COMMANDS
        due = under_way[(under_way[:, W_VENUE] == venue) & (under_way[:, W_STEP] <= step)]
        return batch(len(due), account=due[:, W_ACCOUNT], kind=Kind.DEPOSIT, amount=due[:, W_AMOUNT_ATOMS])

    def after_step(self, venue: int, step: int, deposits: int, commands: Integers, results: Integers) -> None:
        """Take the answers of a venue: the first `deposits` commands are what was arriving, withdrawals set out.

        What the venue refused to take arrives in the next step.
        """
        if not self._anybody:
            return
        if deposits:
            due = np.flatnonzero((self._under_way[:, W_VENUE] == venue) & (self._under_way[:, W_STEP] <= step))
            taken = results[:deposits] == Result.OK
            self.received_atoms += int(commands[:deposits][taken, C_AMOUNT].sum())
            self._under_way = np.delete(self._under_way, due[taken], axis=0)
        ways = self._ways[venue]
        accounts = commands[:, C_ACCOUNT]
        leaves = (commands[:, C_KIND] == Kind.WITHDRAW) & (results == Result.OK) & (ways.venue[accounts] != NOBODY)
        if leaves.any():
            who, amounts = accounts[leaves], commands[leaves, C_AMOUNT]
            rows = np.column_stack([step + ways.steps[who], ways.venue[who], ways.account[who], amounts])
            self._under_way = np.concatenate([self._under_way, rows])
            self.sent_atoms += int(amounts.sum())

    def snapshot(self) -> dict[str, Integers]:
        """Return copies of everything."""
        sums = np.array([self.sent_atoms, self.received_atoms], dtype=np.int64)
        return {"under way": self._under_way.copy(), "sums": sums}

    def restore(self, snapshot: dict[str, Integers]) -> None:
        """Put back what `snapshot` returned."""
        self._under_way = snapshot["under way"].copy()
        self.sent_atoms, self.received_atoms = snapshot["sums"].tolist()
