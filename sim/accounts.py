"""Who has which account at which venue: traders stand in one fixed order, whatever rows their accounts have."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.agents.backstop import Backstop
from delever.agents.cohort import Cohort
from delever.agents.parameters import MAIN, CohortParameters

from .scenario import ScenarioError

Integers = NDArray[np.int64]

NAME_BITS = 0x3FFF_FFFF
KEY_SHIFT = 32
NOBODY = -1


class Member(NamedTuple):
    """A cohort or a solo agent that is to get accounts."""

    name: str
    kind: str
    traders: int
    behaviour: type[Any]
    parameters: CohortParameters | None
    arguments: Mapping[str, Any]

    @property
    def is_cohort(self) -> bool:
        """Whether the member is a cohort (or else a solo agent)."""
        return issubclass(self.behaviour, Cohort)

    @property
    def venues(self) -> tuple[str, ...]:
        """Names of the venues at which each of its traders has an account; solo agents trade at the main one."""
        return (MAIN,) if self.parameters is None else self.parameters.venues


class Place(NamedTuple):
    """A member and the numbers of its traders: first .. last - 1."""

    member: Member
    first: int
    last: int


class Directory:
    """All traders of a world, numbered member by member.

    A key is made from the name of the member and the number in it, so that it stays with a trader when other cohorts
    come, go or grow.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        """Give every trader a number and a key. Raises ScenarioError if two members share a name or nobody is there."""
        names = [member.name for member in members]
        codes = [zlib.crc32(name.encode()) & NAME_BITS for name in names]
        if len(set(codes)) < len(codes):
            twice = next(name for name, code in zip(names, codes, strict=True) if codes.count(code) > 1)
            raise ScenarioError(f"cohorts and agents need names of their own ({twice!r} stands twice)")
        bounds = np.cumsum([0] + [member.traders for member in members]).tolist()
        self.traders: int = bounds[-1]
        if self.traders == 0:
            raise ScenarioError("nobody trades: give cohorts a share or a count")
        self.places = [
            Place(member, first, last)
            for member, first, last in zip(members, bounds[:-1], bounds[1:], strict=True)
            if last > first
        ]
        self.cohorts = [place for place in self.places if place.member.is_cohort]
        """Places of the cohorts, in order."""
        self.solos = [place for place in self.places if not place.member.is_cohort]
        """Places of the solo agents, in order."""
        parts = [
            (code << KEY_SHIFT) + np.arange(member.traders, dtype=np.int64)
            for member, code in zip(members, codes, strict=True)
        ]
        self.keys: Integers = np.concatenate(parts)

    @property
    def cohorts_end(self) -> int:
        """Number of traders in cohorts; solo agents have the numbers from there on."""
        return max((place.last for place in self.cohorts), default=0)


class Roster:
    """Who has which account row at one venue.

    Rows go to the traders of the venue in the order of their numbers, unless `labels` permutes them. `rows` (traders of
    the world,) says which row a trader has, NOBODY if none; `trader_of` and `keys_by_row` (accounts,) lead back.
    """

    def __init__(self, directory: Directory, venue: str, labels: Sequence[int] | None = None) -> None:
        """Give everybody who trades at `venue` a row there. Raises ScenarioError if nobody does."""
        self.places = [place for place in directory.places if venue in place.member.venues]
        numbers = [np.arange(place.first, place.last) for place in self.places]
        self.accounts = sum(len(part) for part in numbers)
        if self.accounts == 0:
            raise ScenarioError(f"nobody trades at the venue {venue!r}: give a cohort venue = {venue!r}")
        wanted = np.arange(self.accounts) if labels is None else np.asarray(labels, dtype=np.int64)
        if not np.array_equal(np.sort(wanted), np.arange(self.accounts)):
            raise ValueError(f"labels must be a permutation of 0 .. {self.accounts - 1}")
        self.trader_of: Integers = np.empty(self.accounts, dtype=np.int64)
        self.trader_of[wanted] = np.concatenate(numbers)
        self.rows: Integers = np.full(directory.traders, NOBODY, dtype=np.int64)
        self.rows[self.trader_of] = np.arange(self.accounts)
        self.keys_by_row: Integers = directory.keys[self.trader_of]

    def backstops(self) -> list[int]:
        """Return the account rows of backstop providers, in the order in which the venue asks them."""
        return [
            int(row)
            for place in self.places
            if issubclass(place.member.behaviour, Backstop)
            for row in self.rows[place.first : place.last]
        ]

    def place_of_row(self) -> Integers:
        """Return for every account row the number of its place in `places`."""
        bounds = [place.first for place in self.places]
        return np.searchsorted(bounds, self.trader_of, side="right") - 1

    def first_row(self, place: Place) -> int:
        """Return the row of the first trader of a place."""
        return int(self.rows[place.first])
