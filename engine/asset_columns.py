"""The columns of the tables of collateral assets: `assets`, `haircuts` and `holdings` of tables.py."""

from __future__ import annotations

# assets: one row per collateral asset; haircuts: rows of all assets, one after another (R-C1).
ASSET_MARKET = 0  # fixed: market whose index values it, NONE for a fixed price, NO_MARKET if the venue lacks it
ASSET_PRICE_ATOMS = 1  # fixed: of a million atoms, if the price is fixed
ASSET_HAIRCUTS = 2  # fixed: first row and number of rows in `haircuts`
ASSET_HAIRCUT_COUNT = 3
ASSET_WEIGHT_MAX_PPM = 4  # fixed: the most that a part of the value counts
ASSET_ATOMS_MAX = 5  # fixed: how much of it the venue takes in all
ASSET_SOLD = 6  # fixed: which asset is sold in this place
ASSET_INDEX_SEEN_TICKS = 7  # collateral_looks: index at the last look
ASSET_COLUMNS = 8
NO_MARKET = -2

HAIRCUT_FLOOR_ATOMS = 0
HAIRCUT_PPM = 1
HAIRCUT_COLUMNS = 2

# holdings[unit, asset]: traders' cross units, the fund and the venue's other units; pockets hold money only.
H_ATOMS = 0  # assets: what is held; of OUTSIDE, less than nothing by what all others hold
H_LOOK_NEXT = 1  # collateral_looks: links of the look-out list of an index tick
H_LOOK_BEFORE = 2  # row before it, plus 1; of the first, minus the tick; 0 if not filed
H_COLUMNS = 3
