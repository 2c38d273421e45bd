"""Which currency the money of a run is in, and what a lot of a scenario's market is under the venue's contract.

Scenarios speak of quote units. A venue of inverse or quanto contracts accounts in a coin: what traders bring in, and
sizes they think of in quote units, are converted at the first index price, once and for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.contract import Contract

from .places import AnyMarket
from .scenario import ScenarioError

ONE_COIN = Fraction(3, 2)  # first prices further apart than by this are those of different coins


class Money(NamedTuple):
    """The currency of all money of a run."""

    currency: str
    """Name of the coin, `quote` for the quote currency."""
    atoms_per_unit: int
    """Atoms of one unit of that currency."""
    quote_per_unit: Fraction
    """Its price in quote units when the run begins."""

    @property
    def units_per_quote(self) -> float:
        """Account units (10**6 atoms) that one quote unit is turned into."""
        return float(self.atoms_per_unit / (self.quote_per_unit * ATOMS_PER_QUOTE))


def money_of(contract: Contract, markets: Sequence[AnyMarket], first_ticks: Sequence[int]) -> Money:
    """Return the money of a venue with this contract; raises ScenarioError if its markets are on different coins."""
    if contract.quanto is not None:
        return Money(contract.currency, contract.atoms_per_coin, Fraction(contract.quanto.coin_quote))
    if contract.inverse is None:
        return Money(contract.currency, contract.atoms_per_coin, Fraction(1))
    prices = [Fraction(spec.tick_size) * int(ticks) for spec, ticks in zip(markets, first_ticks, strict=True)]
    for spec, price in zip(markets, prices, strict=True):
        if max(price, prices[0]) > ONE_COIN * min(price, prices[0]):
            raise ScenarioError(
                f"contract.payoff = 'inverse' settles all markets in one coin, but markets.{markets[0].symbol} begins "
                f"at {float(prices[0]):g} and markets.{spec.symbol} at {float(price):g}: leave one out, or use 'linear'"
            )
    return Money(contract.currency, contract.atoms_per_coin, prices[0])


def multiplier_atoms(contract: Contract, spec: AnyMarket) -> int:
    """Return what `engine.state.Market` calls so: the value of a lot per tick, of an inverse one at one tick (R-U5).

    A lot is that of the scenario if the contract is linear, else one contract. Raises ScenarioError if it is no whole
    number of atoms.
    """
    if contract.inverse is not None:
        atoms = Fraction(contract.inverse.face_quote * contract.atoms_per_coin) / Fraction(spec.tick_size)
        what = "contract.inverse.face_quote x units_per_coin x 10^6 / tick_size"
    elif contract.quanto is not None:
        atoms = contract.quanto.point_atoms * Fraction(spec.tick_size)
        what = "contract.quanto.point_atoms x tick_size"
    else:
        return spec.multiplier_atoms
    if atoms.denominator != 1 or atoms < 1:
        raise ScenarioError(
            f"markets.{spec.symbol}: {what} must be a whole number of atoms, at least one (got {float(atoms):g} with a "
            f"tick_size of {spec.tick_size})"
        )
    return int(atoms)


def lot_size(contract: Contract, spec: AnyMarket) -> Decimal:
    """Return the size of a lot in contracts: units of the underlying if they are linear, else a lot is one of them."""
    return spec.lot_size if contract.payoff == "linear" else Decimal(1)
