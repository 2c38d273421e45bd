"""Allocating, saving and restoring the tables of a venue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .adl_terms import TERM_SWITCHES, fill_terms
from .asset_columns import ASSET_COLUMNS, H_COLUMNS, HAIRCUT_COLUMNS
from .assets import fill_assets
from .contract import CONTRACT_SWITCHES, fill_contract
from .drawdown import WATCH_SWITCHES, peak_rows
from .events import EVENT_COLUMNS, EVENTS_PER_MATCH
from .formulas import MARK_COMPONENTS
from .funds import FUND_SWITCHES, fill_funds
from .halts import HALT_SWITCHES, fill_halts, memory_s
from .liquidating import LIQUIDATION_SWITCHES, fill_liquidation, fill_window, window_seconds
from .margin_columns import fill_margin, tier_rows
from .matching_columns import MATCHING_SWITCHES, fill_matching, holds_auctions, lead_keys
from .occupancy import words_needed
from .pockets import fill_pockets
from .prices import PRICE_SWITCHES, check_prices, fill_prices, history_rows, source_count
from .rules.deleveraging import Deleveraging
from .rules.halts import Halts
from .rules.insurance import Insurance
from .rules.mark import Mark
from .rules.ruleset import RuleSet
from .tables import (
    A_FIRST_ORDER,
    A_KEY,
    ACCOUNT_COLUMNS,
    ADL_PRICES,
    ADL_RANKS,
    ADL_TRIGGERS,
    HISTORY_COLUMNS,
    L_HEAD,
    L_TAIL,
    LEAD_MAKERS_MAX,
    LEFTOVERS,
    LEVEL_COLUMNS,
    LINE_BYTES,
    M_BAND_HIGH,
    M_BAND_LOW,
    M_BEST_ASK,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_FORCED_STEP,
    M_INDEX_TICKS,
    M_LIMIT_SINCE,
    M_MARK_BEFORE_TICKS,
    M_MARK_SEEN_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    M_PRICE_MAX_TICKS,
    M_RATE_MAX_PPM,
    M_TIER_COUNT,
    M_TIERS,
    M_WAIT_MARK_TICKS,
    MARKET_COLUMNS,
    NONE,
    ORDER_COLUMNS,
    P_ISOLATED,
    PEAK_COLUMNS,
    PEAK_WATCHES,
    POSITION_COLUMNS,
    QUEUE,
    RANDOM_START,
    SOURCE_COLUMNS,
    TIER_COLUMNS,
    TRIGGER_COLUMNS,
    U_COOLDOWN_STEP,
    U_SINCE_STEP,
    UNIT_COLUMNS,
    V_ACCOUNTS,
    V_ADL_AT_TURN,
    V_ADL_BALANCE_ATOMS,
    V_ADL_CANCELS,
    V_ADL_PRICE,
    V_ADL_RANK,
    V_ADL_SPREAD,
    V_ADL_TRIGGER,
    V_AT_OR_BELOW,
    V_CALL_PPM,
    V_COLLAR_PPM,
    V_DUE_UNITS_MAX,
    V_DUE_VALUE_MAX_ATOMS,
    V_EVENTS_MAX,
    V_FREE_ORDERS,
    V_FRESH_ORDER,
    V_FUND_CAP_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_ISOLATED_ALLOWED,
    V_JOURNAL,
    V_LEFTOVER,
    V_LIQUIDATION_PPM,
    V_LOTS_MAX,
    V_MAKER_PPM,
    V_MARK_FIRST,
    V_MARK_SECOND,
    V_MARK_THIRD,
    V_MARKETS,
    V_MEMBERS_AT,
    V_ORDERS_PER_ACCOUNT_MAX,
    V_POCKETS_AT,
    V_ROUND_BANKRUPTCY_INWARD,
    V_ROUND_FEE_UP,
    V_ROUND_REQUIREMENT_UP,
    V_SEIZE_MARGIN,
    V_SELF_TRADE,
    V_SESSION,
    V_TAKER,
    V_TAKER_PPM,
    V_TRADER_UNITS_END,
    V_WAREHOUSE_LEVERAGE,
    VENUE_COLUMNS,
    VENUE_UNITS,
    Tables,
)

EVENTS_MIN = 65_536
LONG_AGO = -(2**40)
PRICE_TICKS_LIMIT = 32**4
# What `_fill_marks` and `_fill_waterfall` take from the rules.
RULE_SWITCHES = [
    V_LEFTOVER, V_SEIZE_MARGIN, V_WAREHOUSE_LEVERAGE, V_ADL_TRIGGER, V_ADL_RANK, V_ADL_PRICE, V_ADL_CANCELS,
    V_ADL_SPREAD, V_ADL_AT_TURN, V_ADL_BALANCE_ATOMS,
    V_MARK_FIRST, V_MARK_SECOND, V_MARK_THIRD, V_COLLAR_PPM, *TERM_SWITCHES, *WATCH_SWITCHES,
    *CONTRACT_SWITCHES, V_SESSION, *MATCHING_SWITCHES, *LIQUIDATION_SWITCHES, *HALT_SWITCHES, *FUND_SWITCHES,
    *PRICE_SWITCHES,
]  # fmt: skip
RULE_TABLES = ("leads",)  # likewise
VALUE_MAX_ATOMS = 2**58  # leaves room for multiples of a requirement, and for money beside positions


class Market(NamedTuple):
    """A market of a venue: its symbol, the value of a lot per tick in atoms, and the price range.

    Of an inverse contract `multiplier_atoms` is the value of a lot at a price of one tick (R-U5).
    """

    symbol: str
    multiplier_atoms: int
    price_max_ticks: int


def allocate(
    rules: RuleSet, markets: Sequence[Market], keys: NDArray[np.int64], first_index_ticks: Sequence[int],
    orders_max: int, journal: bool,
) -> Tables:  # fmt: skip
    """Return all tables of a new venue; raise ValueError if a limit could overflow int64 or makes no sense (R-U4)."""
    _check_limits(rules, markets, keys, first_index_ticks, orders_max)
    traders, count = len(keys), len(markets)
    price_max = max(market.price_max_ticks for market in markets)
    own_funds = rules.insurance.market_funds is not None
    pocket_rows = traders * count if rules.margin.isolated_allowed or own_funds else 0
    tiers = [tier_rows(rules.margin, market.symbol) for market in markets]
    events_max = max(EVENTS_MIN, 4 * (rules.contract.orders_per_account_max + EVENTS_PER_MATCH))
    ladders = 2 * count if holds_auctions(rules) else count
    members_at = traders + VENUE_UNITS + pocket_rows + count * own_funds
    cleared = rules.insurance.default_fund is not None
    unit_rows = members_at + traders * cleared

    t = Tables(
        venue=table(VENUE_COLUMNS),
        markets=table(count, MARKET_COLUMNS),
        tiers=np.array([row for rows in tiers for row in rows], dtype=np.int64).reshape(-1, TIER_COLUMNS),
        units=table(unit_rows, UNIT_COLUMNS),
        accounts=table(traders + 1, ACCOUNT_COLUMNS),
        positions=table((traders + 1) * count, POSITION_COLUMNS),
        orders=table(orders_max + 1, ORDER_COLUMNS),
        levels=table(ladders, price_max, LEVEL_COLUMNS),
        occupied=table(ladders, words_needed(price_max)),
        triggers=table(count, price_max, TRIGGER_COLUMNS),
        touched=table(unit_rows),
        lasts=table(count, 1 + memory_s(rules.halts)),
        listed=table(unit_rows),
        owing=table(unit_rows),
        shares=table(orders_max + 1),
        leads=table(LEAD_MAKERS_MAX),
        history=table(count, history_rows(rules), HISTORY_COLUMNS),
        sources=table(count, source_count(rules), SOURCE_COLUMNS),
        triggered=table(orders_max + 1),
        windows=table(count, window_seconds(rules.liquidation)),
        events=table(events_max, EVENT_COLUMNS),
        sessions=table(traders if counts_sessions(rules) else 1),
        **_asset_tables(rules, traders, price_max),
        peaks=table(PEAK_WATCHES, peak_rows(rules), PEAK_COLUMNS),
    )
    _fill_venue(t.venue, rules, traders, count, NONE if pocket_rows == 0 else traders + VENUE_UNITS, journal)
    t.venue[V_MEMBERS_AT] = members_at if cleared else NONE
    t.venue[V_TRADER_UNITS_END] = traders + VENUE_UNITS + pocket_rows
    t.venue[V_EVENTS_MAX] = events_max
    t.venue[V_FREE_ORDERS] = orders_max + 1
    t.units[:, U_SINCE_STEP] = NONE
    t.units[:, U_COOLDOWN_STEP] = LONG_AGO
    t.accounts[:, A_FIRST_ORDER] = NONE
    t.accounts[:traders, A_KEY] = keys
    t.accounts[traders, A_KEY] = np.iinfo(np.int64).max
    t.positions[: traders * count, P_ISOLATED] = int(rules.margin.mode == "isolated")
    fill_funds(t, rules, [market.symbol for market in markets])
    t.triggers.fill(NONE)
    t.levels[:, :, L_HEAD] = NONE
    t.levels[:, :, L_TAIL] = NONE
    t.leads[:] = lead_keys(rules)
    t.occupied[:, 0] = -(-price_max // 32)
    fill_assets(t, rules.margin.collateral, markets, first_index_ticks)
    first_tier = 0
    for row, market in enumerate(markets):
        _fill_market(t.markets[row], market, tiers[row], first_tier, first_index_ticks[row])
        fill_window(t.markets[row], rules.liquidation)
        first_tier += len(tiers[row])
    assert first_tier == len(t.tiers)
    fill_margin(t, rules.margin, [market.symbol for market in markets])
    fill_prices(t.venue, t.markets, rules)
    return t


def counts_sessions(rules: RuleSet) -> bool:
    """Say whether the profits of a session have to be known (R-L6)."""
    return rules.socialisation.rule == "session_profit"


def _asset_tables(rules: RuleSet, traders: int, price_max: int) -> dict[str, NDArray[np.int64]]:
    """Return the tables of collateral assets, empty ones without them."""
    assets = rules.margin.collateral.assets if rules.margin.collateral else ()
    return {
        "assets": table(len(assets), ASSET_COLUMNS),
        "haircuts": table(sum(len(asset.haircuts) for asset in assets), HAIRCUT_COLUMNS),
        "holdings": table(traders + VENUE_UNITS if assets else 0, len(assets), H_COLUMNS),
        "index_looks": table(len(assets), price_max if assets else 0),
    }


def table(*shape: int) -> NDArray[np.int64]:
    """Return zeros that begin with a cache line; memory is taken when a page is first written."""
    cells, spare = math.prod(shape), LINE_BYTES // 8
    room = np.zeros(cells + spare, dtype=np.int64)
    first = -(room.ctypes.data // 8) % spare
    assert (room.ctypes.data + 8 * first) % LINE_BYTES == 0
    return room[first : first + cells].reshape(shape)


def _check_limits(
    rules: RuleSet, markets: Sequence[Market], keys: NDArray[np.int64], first_index_ticks: Sequence[int],
    orders_max: int,
) -> None:  # fmt: skip
    """Refuse what cannot be: no market, prices out of range, values beyond int64."""
    if not markets or len(first_index_ticks) != len(markets):
        raise ValueError(f"a venue needs at least one market and one first index each (got {len(markets)} markets)")
    if len(keys) == 0 or len(np.unique(keys)) != len(keys):
        raise ValueError("a venue needs at least one account, and keys must be distinct")
    if orders_max < 1:
        raise ValueError(f"orders_max must be at least 1 (got {orders_max})")
    for market, index in zip(markets, first_index_ticks, strict=True):
        if not 2 <= market.price_max_ticks <= PRICE_TICKS_LIMIT or not 1 <= index < market.price_max_ticks:
            raise ValueError(
                f"{market.symbol}: the first index ({index} ticks) must lie below price_max_ticks "
                f"({market.price_max_ticks}), which may be at most {PRICE_TICKS_LIMIT}; choose a larger tick size"
            )
        if market.multiplier_atoms < 1:
            raise ValueError(f"{market.symbol}: multiplier_atoms must be at least 1 (got {market.multiplier_atoms})")
        if rules.contract.payoff == "inverse" and market.multiplier_atoms < market.price_max_ticks:
            raise ValueError(
                f"{market.symbol}: an inverse lot would be worth less than an atom at high prices: multiplier_atoms "
                f"({market.multiplier_atoms}) must be at least price_max_ticks ({market.price_max_ticks}); "
                "raise contract.inverse.face_quote or units_per_coin"
            )
    largest = sum(rules.contract.largest_value_atoms(m.multiplier_atoms, m.price_max_ticks) for m in markets)
    check_prices(rules, [(market.symbol, market.multiplier_atoms * market.price_max_ticks) for market in markets])
    if largest > VALUE_MAX_ATOMS:
        of = "multiplier_atoms" if rules.contract.payoff == "inverse" else "multiplier_atoms x price_max_ticks"
        raise ValueError(
            f"2 x lots_max x {of}, over all markets, is {largest} atoms "
            f"and could overflow 64 bits; lower contract.lots_max ({rules.contract.lots_max}) "
            f"until it is at most {VALUE_MAX_ATOMS}"
        )


def _fill_venue(
    venue: NDArray[np.int64], rules: RuleSet, traders: int, markets: int, pockets_at: int, journal: bool
) -> None:
    """Copy sizes and the numbers kernels need from the rule set."""
    venue[V_ACCOUNTS] = traders
    venue[V_MARKETS] = markets
    venue[V_POCKETS_AT] = pockets_at
    venue[V_TAKER] = NONE
    venue[V_DUE_UNITS_MAX] = venue[V_DUE_VALUE_MAX_ATOMS] = NONE
    venue[V_JOURNAL] = int(journal)
    fill_contract(venue, rules.contract)
    venue[V_LOTS_MAX] = rules.contract.lots_max
    venue[V_ORDERS_PER_ACCOUNT_MAX] = rules.contract.orders_per_account_max
    venue[V_SELF_TRADE] = ("cancel_newest", "cancel_oldest", "cancel_both").index(rules.matching.self_trade)
    venue[V_TAKER_PPM] = rules.charges.taker_ppm
    venue[V_MAKER_PPM] = rules.charges.maker_ppm
    venue[V_LIQUIDATION_PPM] = rules.charges.liquidation_ppm
    venue[V_ROUND_REQUIREMENT_UP] = int(rules.rounding.requirement == "up")
    venue[V_ROUND_FEE_UP] = int(rules.rounding.fee == "up")
    venue[V_ROUND_BANKRUPTCY_INWARD] = int(rules.rounding.bankruptcy_price == "inward")
    venue[V_AT_OR_BELOW] = int(rules.liquidation.trigger == "at_or_below")
    venue[V_CALL_PPM] = rules.margin.call_ppm
    venue[V_ISOLATED_ALLOWED] = int(rules.margin.isolated_allowed)
    venue[V_FUND_FLOOR_ATOMS] = rules.insurance.floor_atoms
    venue[V_FUND_CAP_ATOMS] = rules.insurance.cap_per_event_atoms
    _fill_marks(venue, rules)
    _fill_waterfall(venue, rules)
    fill_terms(venue, rules)
    fill_pockets(venue, rules.margin)
    venue[V_SESSION] = int(counts_sessions(rules))
    fill_matching(venue, rules)
    fill_liquidation(venue, rules.liquidation)
    fill_halts(venue, rules.halts)


def _fill_marks(venue: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy what the mark is made of, if kernels know all of it; else the rules are asked in every step."""
    mark, halts = rules.mark, rules.halts
    ours = type(mark).mark_ticks is Mark.mark_ticks and type(halts).bounds_ticks is Halts.bounds_ticks
    plain = mark.composite is None and mark.trades is None and mark.band is None
    known = [MARK_COMPONENTS.index(name) for name in mark.components if name in MARK_COMPONENTS]
    if not ours or not plain or len(known) not in (1, 3) or len(known) < len(mark.components):
        known = [NONE]
    venue[[V_MARK_FIRST, V_MARK_SECOND, V_MARK_THIRD]] = known
    venue[V_COLLAR_PPM] = halts.collar_ppm


def _fill_waterfall(venue: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy the switches of takeover and deleveraging; a rule with a method of its own is asked instead."""
    liquidation, insurance, adl = rules.liquidation, rules.insurance, rules.deleveraging
    venue[V_LEFTOVER] = LEFTOVERS.index(liquidation.leftover)
    venue[V_SEIZE_MARGIN] = int(liquidation.seize_margin)
    ours = type(insurance).accepts is Insurance.accepts
    venue[V_WAREHOUSE_LEVERAGE] = insurance.warehouse_leverage if ours else NONE
    venue[V_ADL_TRIGGER] = ADL_TRIGGERS.index(adl.trigger)
    ours = type(adl).scores is Deleveraging.scores
    venue[V_ADL_RANK] = rank = ADL_RANKS.index(adl.rank) if ours else NONE
    venue[V_ADL_SPREAD] = adl.spread
    venue[V_ADL_BALANCE_ATOMS] = adl.least_balance_atoms
    venue[V_ADL_AT_TURN] = int(rank in (NONE, RANDOM_START) or adl.spread != QUEUE)
    venue[V_ADL_PRICE] = ADL_PRICES.index(adl.price)
    venue[V_ADL_CANCELS] = int(adl.cancel_orders)


def _fill_market(
    row: NDArray[np.int64],
    market: Market,
    tiers: list[tuple[int, int, int, int]],
    first_tier: int,
    index_ticks: int,
) -> None:
    """Start a market: empty book, mark at the first index (R-P3)."""
    row[M_MULTIPLIER_ATOMS] = market.multiplier_atoms
    row[M_PRICE_MAX_TICKS] = market.price_max_ticks
    row[M_BEST_ASK] = market.price_max_ticks
    row[M_TIERS] = first_tier
    row[M_TIER_COUNT] = len(tiers)
    row[M_RATE_MAX_PPM] = max(maintenance for _, _, maintenance, _ in tiers)
    row[[M_INDEX_TICKS, M_MARK_TICKS, M_MARK_BEFORE_TICKS, M_MARK_SEEN_TICKS, M_WAIT_MARK_TICKS]] = index_ticks
    row[M_COLLAR_LOW] = 1
    row[M_COLLAR_HIGH] = market.price_max_ticks - 1
    row[M_FORCED_STEP] = LONG_AGO
    row[M_LIMIT_SINCE] = NONE
    row[M_BAND_LOW] = 1
    row[M_BAND_HIGH] = market.price_max_ticks - 1


def _in_use(t: dict[str, NDArray[np.int64]], name: str) -> int:
    """Return how many rows of a table may hold anything: orders never used are zeros."""
    return int(t["venue"][V_FRESH_ORDER]) if name in ("orders", "shares", "triggered") else len(t[name])


def snapshot(t: Tables) -> dict[str, NDArray[np.int64]]:
    """Return a copy of all tables by name; the events still in the buffer are part of it."""
    tables = t.as_dict()
    saved = {name: np.zeros(array.shape, dtype=np.int64) for name, array in tables.items()}
    for name, array in tables.items():
        used = _in_use(tables, name)
        saved[name][:used] = array[:used]
    return saved


def restore(t: Tables, saved: dict[str, NDArray[np.int64]]) -> None:
    """Put a snapshot back into tables of the same shape; raise ValueError if the shapes differ.

    Which rules are asked stays as it was in `t`: a snapshot does not hold the rules.
    """
    tables = t.as_dict()
    for name, array in tables.items():
        if saved[name].shape != array.shape:
            raise ValueError(f"snapshot does not fit: {name} has shape {saved[name].shape}, the venue {array.shape}")
    switches = t.venue[RULE_SWITCHES].copy()
    used = {name: max(_in_use(tables, name), _in_use(saved, name)) for name in tables}
    for name, array in tables.items():
        if name not in RULE_TABLES:
            array[: used[name]] = saved[name][: used[name]]
    t.venue[RULE_SWITCHES] = switches
