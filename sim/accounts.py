"""Who has which account: traders stand in one fixed order, whatever rows their accounts have."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.agents.backstop import Backstop
from delever.agents.cohort import Cohort
from delever.agents.parameters import CohortParameters

from .scenario import ScenarioError

Integers = NDArray[np.int64]

NAME_BITS = 0x3FFF_FFFF
KEY_SHIFT = 32


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


class Place(NamedTuple):
    """A member and the numbers of its traders: first .. last - 1."""

    member: Member
    first: int
    last: int


class Directory:
    """Traders are numbered member by member; `rows` (A,) says which account row a trader has.

    A key is made from the name of the member and the number in it, so that it stays with a trader when other cohorts
    come, go or grow. Rows are the numbers themselves unless `labels` permutes them.
    """

    def __init__(self, members: Sequence[Member], labels: Sequence[int] | None = None) -> None:
        """Give every trader a row and a key. Raises ScenarioError if two members have one name or nobody is there."""
        names = [member.name for member in members]
        codes = [zlib.crc32(name.encode()) & NAME_BITS for name in names]
        if len(set(codes)) < len(codes):
            twice = next(name for name, code in zip(names, codes, strict=True) if codes.count(code) > 1)
            raise ScenarioError(f"cohorts and agents need names of their own ({twice!r} stands twice)")
        bounds = np.cumsum([0] + [member.traders for member in members]).tolist()
        self.accounts: int = bounds[-1]
        if self.accounts == 0:
            raise ScenarioError("nobody trades: give cohorts a share or a count")
        self.places = [
            Place(member, first, last)
            for member, first, last in zip(members, bounds[:-1], bounds[1:], strict=True)
            if last > first
        ]
        wanted = np.arange(self.accounts) if labels is None else np.asarray(labels, dtype=np.int64)
        if not np.array_equal(np.sort(wanted), np.arange(self.accounts)):
            raise ValueError(f"labels must be a permutation of 0 .. {self.accounts - 1}")
        self.rows: Integers = wanted.astype(np.int64)
        self.trader_of = np.empty(self.accounts, dtype=np.int64)
        self.trader_of[self.rows] = np.arange(self.accounts)
        parts = [
            (code << KEY_SHIFT) + np.arange(member.traders, dtype=np.int64)
            for member, code in zip(members, codes, strict=True)
        ]
        self.keys: Integers = np.concatenate(parts)
        self.keys_by_row: Integers = self.keys[self.trader_of]

    @property
    def cohorts(self) -> list[Place]:
        """Places of the cohorts, in order."""
        return [place for place in self.places if place.member.is_cohort]

    @property
    def solos(self) -> list[Place]:
        """Places of the solo agents, in order."""
        return [place for place in self.places if not place.member.is_cohort]

    @property
    def cohorts_end(self) -> int:
        """Number of traders in cohorts; solo agents have the numbers from there on."""
        return max((place.last for place in self.cohorts), default=0)

    def backstops(self) -> list[int]:
        """Return the account rows of backstop providers, in the order in which the venue asks them."""
        return [
            int(row)
            for place in self.cohorts
            if issubclass(place.member.behaviour, Backstop)
            for row in self.rows[place.first : place.last]
        ]

    def place_of_row(self) -> Integers:
        """Return for every account row the number of its place in `places`."""
        bounds = [place.first for place in self.places]
        return np.searchsorted(bounds, self.trader_of, side="right") - 1
