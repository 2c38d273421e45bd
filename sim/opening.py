"""What traders bring at the start: money, or a share of it as collateral assets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from delever.agents.cohort import Cohort
from delever.engine.asset_columns import ASSET_ATOMS_MAX, ASSET_MARKET, NO_MARKET
from delever.engine.assets import asset_price_atoms
from delever.engine.commands import C_AMOUNT, Kind, batch
from delever.engine.units import PPM
from delever.engine.venue import Venue

from .scenario import ScenarioError

Integers = NDArray[np.int64]


def deposits(cohort: Cohort, seat: int, shares: Mapping[str, float], venue: Venue) -> Integers:
    """Return the deposits of a cohort at one of its venues, (k, COMMAND_COLUMNS), a trader's in order of the assets.

    `seat` is the place of the venue among those of the cohort, `shares` the part of each deposit brought in each asset,
    at its price now. What the venue does not take is money.
    Raises ScenarioError if there would be more of an asset than the venue takes.
    """
    whole, rows = cohort.deposits_atoms(seat), cohort.accounts[seat]
    money, parts = whole.copy(), []
    for symbol, place in places_of(venue).items():
        value = (whole * shares.get(symbol, 0.0)).astype(np.int64)
        price = int(asset_price_atoms(venue.tables, place))
        amount = np.array([atoms * PPM // price for atoms in value.tolist()], dtype=np.int64)  # beyond 64 bits between
        if int(amount.sum()) > int(venue.tables.assets[place, ASSET_ATOMS_MAX]):
            raise ScenarioError(f"collateral.{symbol}: all traders together bring more of it than a venue can count")
        parts.append(batch(cohort.n, account=rows, kind=Kind.DEPOSIT_ASSET, market=place, amount=amount))
        money -= np.where(amount > 0, value, 0)
    assert (money >= 0).all()
    parts.append(batch(cohort.n, account=rows, kind=Kind.DEPOSIT, amount=money))
    commands = np.concatenate(parts)
    return commands[commands[:, C_AMOUNT] > 0]


def places_of(venue: Venue) -> dict[str, int]:
    """Return the number of each collateral asset that the venue takes, by symbol."""
    rule = venue.rules.margin.collateral
    assets = rule.assets if rule else ()
    known = venue.tables.assets[:, ASSET_MARKET] != NO_MARKET
    return {asset.symbol: place for place, asset in enumerate(assets) if known[place]}
