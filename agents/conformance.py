"""Does a cohort keep to what the world relies on? For behaviours in this package and in users' scripts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from delever.engine.commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_CAUSE,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_PRICE_TICKS,
    C_SIDE,
    C_TRIGGER_TICKS,
    COMMAND_COLUMNS,
    FLAG_FOK,
    FLAG_FORCED,
    FLAG_IOC,
    FLAG_POST_ONLY,
    Kind,
)
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    FLAG_NOTICE,
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_FLAGS,
    U_SINCE_STEP,
)

from .cohort import Cohort, Columns, Commands
from .draws import Stream, integers
from .view import Bools, Ints, View

AMOUNT_MAX = 2**53
# Tables that a cohort could be tempted to write.
READ_ONLY = ("venue", "markets", "tiers", "units", "accounts", "positions", "orders", "levels")
Scene = tuple[View, ...]
SOLO_WAKERS = 5
INDEX_TICKS = 8_000
MULTIPLIER_ATOMS = 500


class NotConforming(AssertionError):
    """What a cohort does that the world cannot rely on."""


def check_cohort(cohort: Cohort, views: Sequence[View | Scene] | None = None) -> None:
    """Raise NotConforming, with the reason, unless `cohort` behaves as the world needs it to.

    For every view: the commands are int64 of the right shape, belong to wakers and could be taken by a venue;
    the same state gives the same commands; all state is in `columns`; a trader's commands depend neither on
    who else is awake nor on their order; neither the view nor the arguments are changed. `cohort` has not
    traded yet; its state is the same afterwards. Without `views` those of `sample_scenes` are used.
    """
    deposits = cohort.initial_deposit_atoms()
    if deposits.shape != (cohort.n,) or deposits.dtype != np.int64:
        _fail(cohort, f"initial_deposit_atoms() must be int64 of shape ({cohort.n},) (got {_what(deposits)})")
    if cohort.n and not 1 <= deposits.min() <= deposits.max() <= AMOUNT_MAX:
        _fail(cohort, f"deposits must be from 1 to 2^53 atoms (got {deposits.min()} to {deposits.max()})")
    start = cohort.snapshot()
    given = [_scene(view) for view in views] if views is not None else sample_scenes(cohort)
    for scene in given:
        cohort.restore(start)
        _check_on(cohort, scene, start)
    cohort.restore(start)


def _scene(view: View | Scene) -> Scene:
    """Return the views of all venues of a cohort: one, or those given together."""
    return (view,) if isinstance(view, View) else view


def sample_scenes(cohort: Cohort) -> list[Scene]:
    """Return made-up views of every venue of `cohort`: those of `sample_views`, the second venue one of them behind.

    So a pair meets empty books, books a fall apart either way, and venues of different markets.
    """
    views = sample_views(cohort)
    return [tuple(views[number - seat] for seat in range(len(cohort.accounts))) for number in range(len(views))]


def sample_views(cohort: Cohort) -> list[View]:
    """Return made-up views of a venue that `cohort` trades on.

    They are: nobody has traded yet; a calm market with a book, positions and a history; a fall with margin
    calls and liquidations; and the calm market twice, as a venue of two markets.
    """
    rules = RuleSet()
    return [
        _sample(cohort, rules, 1, steps=0, fall_ticks=0),
        _sample(cohort, rules, 1, steps=2_000, fall_ticks=0),
        _sample(cohort, rules, 1, steps=2_000, fall_ticks=INDEX_TICKS // 5),
        _sample(cohort, rules, 2, steps=2_000, fall_ticks=0),
    ]


def _sample(cohort: Cohort, rules: RuleSet, markets: int, *, steps: int, fall_ticks: int) -> View:
    """Return a view after `steps` steps in which the mark fell by `fall_ticks` in the last tenth."""
    traders = int(cohort.rows.max(initial=0)) + 1
    symbols = [f"SAMPLE{market}" for market in range(markets)]
    listed = [Market(symbol, MULTIPLIER_ATOMS, 2 * INDEX_TICKS) for symbol in symbols]
    tables = allocate(rules, listed, np.arange(traders), [INDEX_TICKS] * markets, 1, False)
    mark = INDEX_TICKS - fall_ticks
    tables.markets[:, M_INDEX_TICKS] = mark - fall_ticks // 10
    tables.markets[:, M_MARK_TICKS] = mark
    low, high = rules.halts.bounds_ticks(mark, 2 * INDEX_TICKS)
    tables.markets[:, M_COLLAR_LOW], tables.markets[:, M_COLLAR_HIGH] = low, high
    tables.units[cohort.rows, U_CREDITS_ATOMS] = cohort.initial_deposit_atoms()
    history = np.full((steps, markets), INDEX_TICKS, dtype=np.int64)
    if steps:
        history[steps - steps // 10 :] = mark
        tables.markets[:, M_LAST_TICKS] = mark
        tables.markets[:, M_BEST_BID], tables.markets[:, M_BEST_ASK] = mark - 1, mark + 1
        tables.levels[:, mark - 1, L_LOTS] = tables.levels[:, mark + 1, L_LOTS] = 1_000
        _give_positions(cohort, tables.positions, markets)
    if fall_ticks:
        tables.units[cohort.rows[::2], U_FLAGS] = FLAG_NOTICE
        tables.units[cohort.rows[::5], U_SINCE_STEP] = steps - 1
    volatility_ppm = np.full(markets, 100.0 + fall_ticks)
    return View(tables, rules, symbols, steps, 1, history, volatility_ppm)


def _give_positions(cohort: Cohort, positions: Ints, markets: int) -> None:
    """Write positions worth up to the deposit of each trader, entered at the first index."""
    lot_atoms = MULTIPLIER_ATOMS * INDEX_TICKS
    largest = np.maximum(cohort.initial_deposit_atoms() // (lot_atoms * markets), 1)
    for market in range(markets):
        lots = integers(-largest, largest + 1, 0, Stream.SIZE, cohort.keys, market)
        positions[cohort.rows * markets + market, P_LOTS] = lots
        positions[cohort.rows * markets + market, P_COST_ATOMS] = lots * lot_atoms


def _check_on(cohort: Cohort, scene: Scene, start: Columns) -> None:
    wakers = np.arange(cohort.n)
    wakings = cohort.wakings.copy()
    tables = [{name: getattr(view.tables, name).copy() for name in READ_ONLY} for view in scene]
    together = _decide(cohort, scene, wakers)
    if not np.array_equal(wakers, np.arange(cohort.n)):
        _fail(cohort, "decide() changed its argument wakers")
    if not np.array_equal(cohort.wakings, wakings):
        _fail(cohort, "decide() changed wakings; the world does that")
    for view, before in zip(scene, tables, strict=True):
        if not all(np.array_equal(table, getattr(view.tables, name)) for name, table in before.items()):
            _fail(cohort, "decide() changed the tables of the venue behind the view")
    for view, commands in zip(scene, together, strict=True):
        _check_fields(cohort, view, commands)

    after = cohort.snapshot()
    later = _decide(cohort, scene, wakers)
    cohort.restore(after)
    if not _equal(later, _decide(cohort, scene, wakers)):
        _fail(
            cohort,
            "restore() does not bring back all state: keep it in columns, and draw with self.uniform(...)",
        )
    cohort.restore(start)
    if not _equal(together, _decide(cohort, scene, wakers)):
        _fail(cohort, "the same state gave other commands: draw with self.uniform(...) and the like")
    cohort.restore(start)
    backwards = _decide(cohort, scene, wakers[::-1].copy())
    for waker in wakers[:SOLO_WAKERS]:
        cohort.restore(start)
        alone = _decide(cohort, scene, np.array([waker]))
        for others, said in (("who else is awake", together), ("the order of wakers", backwards)):
            if not _equal(alone, _of_trader(cohort, waker, said)):
                _fail(cohort, f"the commands of trader {waker} depend on {others}")
    cohort.restore(start)
    if any(len(commands) for commands in _decide(cohort, scene, wakers[:0])):
        _fail(cohort, "decide() returned commands though nobody is awake")


def _decide(cohort: Cohort, scene: Scene, wakers: Ints) -> tuple[Commands, ...]:
    said = cohort.decide_at(scene, wakers)
    if len(said) != len(cohort.accounts):
        _fail(cohort, f"decide_at() must return commands for each of {len(cohort.accounts)} venues (got {len(said)})")
    for commands, rows in zip(said, cohort.accounts, strict=True):
        if not isinstance(commands, np.ndarray) or commands.dtype != np.int64:
            _fail(cohort, f"decide() must return an int64 array (got {_what(commands)})")
        if commands.ndim != 2 or commands.shape[1] != COMMAND_COLUMNS:
            _fail(cohort, f"decide() must return commands of shape (n, {COMMAND_COLUMNS}) (got {_what(commands)})")
        if not np.isin(commands[:, C_ACCOUNT], rows[wakers]).all():
            _fail(cohort, "decide() returned commands of accounts that are not awake")
    return said


def _equal(one: Sequence[Commands], other: Sequence[Commands]) -> bool:
    """Say whether the commands for every venue are the same."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _of_trader(cohort: Cohort, waker: int, said: Sequence[Commands]) -> list[Commands]:
    """Return what one trader said at each venue."""
    return [
        commands[commands[:, C_ACCOUNT] == rows[waker]] for commands, rows in zip(said, cohort.accounts, strict=True)
    ]


def _check_fields(cohort: Cohort, view: View, commands: Commands) -> None:
    """Find what a venue would refuse whatever its state (R-O9, ACCOUNT to FLAGS, and AMOUNT)."""
    kind, flags = commands[:, C_KIND], commands[:, C_FLAGS]
    market = commands[:, C_MARKET]
    wrong_market = (market < 0) | (market >= view.markets)
    if wrong_market.any():
        _fail(cohort, f"market {market[wrong_market][0]} does not exist: markets are 0 to {view.markets - 1}")
    trades = np.isin(kind, (Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.TAKE_PROFIT))
    sized = trades | (kind == Kind.REPLACE)
    priced = (kind == Kind.LIMIT) | (kind == Kind.REPLACE)
    waiting = (kind == Kind.STOP) | (kind == Kind.TAKE_PROFIT)
    paid = (kind == Kind.DEPOSIT) | (kind == Kind.WITHDRAW)
    price_max = view.price_max_ticks[market] - 1
    _check_range(cohort, "kind", kind, kind == kind, min(Kind), max(Kind))
    _check_range(cohort, "side", np.abs(commands[:, C_SIDE]), trades, 1, 1)
    _check_range(cohort, "lots", commands[:, C_LOTS], sized, 1, view.lots_max)
    _check_range(cohort, "price_ticks", commands[:, C_PRICE_TICKS], priced, 1, price_max[priced])
    _check_range(cohort, "trigger_ticks", commands[:, C_TRIGGER_TICKS], waiting, 1, price_max[waiting])
    _check_range(cohort, "amount", commands[:, C_AMOUNT], paid, 1, AMOUNT_MAX)
    _check_range(cohort, "cause", commands[:, C_CAUSE], kind == kind, 0, 0)
    kept = (flags & (FLAG_IOC | FLAG_FOK)) == 0
    sound = np.where(flags & FLAG_POST_ONLY, kept & (kind == Kind.LIMIT), True)
    sound &= (flags & (FLAG_IOC | FLAG_FOK)) != (FLAG_IOC | FLAG_FOK)
    if not sound.all() or (flags & FLAG_FORCED).any():
        _fail(cohort, "flags that exclude each other (IOC and FOK, or POST_ONLY and one of them), or FORCED")


def _check_range(cohort: Cohort, name: str, column: Ints, where: Bools, low: int, high: int | Ints) -> None:
    values = column[where]
    wrong = (values < low) | (values > high)
    if wrong.any():
        _fail(cohort, f"{name} of a command is out of range (got {values[wrong][0]}, at least {low} expected)")


def _what(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__


def _fail(cohort: Cohort, reason: str) -> None:
    raise NotConforming(f"cohort {cohort.name!r} ({type(cohort).__name__}): {reason}")
