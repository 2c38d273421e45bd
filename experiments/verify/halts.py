"""Price bands and circuit breakers: what the engine's halts do when trades walk the price away from a reference."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from delever.engine.rules.halts import DailyLimits, DynamicBreaker, Halts, LimitUpDown
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import M_BAND_HIGH, M_BAND_LOW, M_HALT, M_LAST_TICKS, TRADING

from .desk import HOUSE, Desk, Grid, Number, exact
from .examples import Situation, Unsupported, example
from .rules import ppm, under

MARKET, TRADER = "X", "trader"
TICKS = 10_000  # of a reference price
PARTS = 1_000  # of a reference price, by which it is walked


def halting_desk(halts: Halts, reference: Number, dt_s: int = 1, preset: str = "textbook") -> Desk:
    """Return a venue with these halts, open at a reference price that is also its last trade."""
    tick = exact(reference) / TICKS
    rules = under(preset, {"halts": halts.model_dump(), "margin.call_ppm": 0, "liquidation.act": False,
                           "insurance.default_fund": None})  # fmt: skip
    desk = Desk(rules, [Grid(MARKET, tick, Fraction(1))], [reference], [TRADER], atom=tick, dt_s=dt_s)
    desk.deposit(TRADER, 10**6 * exact(reference))
    desk.trade(TRADER, HOUSE, MARKET, 1, TICKS)
    desk.step()
    return desk


def is_halted(desk: Desk) -> bool:
    """Say whether trading is interrupted."""
    return int(desk.venue.tables.markets[0, M_HALT]) != TRADING


def trade_at(desk: Desk, price: int) -> None:
    """Let one lot trade at so many ticks, if the engine lets it; then a step passes."""
    before = desk.position(TRADER, MARKET)
    desk.trade(TRADER, HOUSE, MARKET, 1, price)
    traded = desk.position(TRADER, MARKET) != before
    assert not traded or int(desk.venue.tables.markets[0, M_LAST_TICKS]) == price
    desk.step()


def halted_for_s(desk: Desk) -> int:
    """Let steps pass until trading goes on; return the seconds from the step that halted it to that step."""
    assert is_halted(desk)
    seconds = 0
    while is_halted(desk):
        desk.step()
        seconds += desk.venue.dt_s
    return seconds


def first_halt(make: Callable[[], Desk], direction: int) -> Fraction:
    """Return the smallest move, as a share of the reference, that halts trading when it is made at once."""
    low, high = 0, TICKS - 1
    while low < high:
        middle = (low + high) // 2
        desk = make()
        trade_at(desk, TICKS + direction * middle)
        low, high = (low, middle) if is_halted(desk) else (middle + 1, high)
    return Fraction(low, TICKS)


def band_share(desk: Desk) -> tuple[Fraction, Fraction]:
    """Return the lowest and highest price at which the engine lets trades take place now."""
    row = desk.venue.tables.markets[0]
    return desk.price(MARKET, int(row[M_BAND_LOW])), desk.price(MARKET, int(row[M_BAND_HIGH]))


@example("price_band", needs="ref pct", answers="lower upper")
def band_around_reference(case: Situation) -> dict[str, Any]:
    """The band of limit up, limit down around a mean that is the reference; doubled as at the open."""
    doubled = 60 if _is_doubled(case) else 0
    rule = LimitUpDown(width_ppm=ppm(case.pct), session_s=3_600, doubled_first_s=doubled)
    desk = halting_desk(Halts(collar_ppm=0, limit_up_down=rule), case.ref)
    desk.step()
    lower, upper = band_share(desk)
    return {"lower": lower, "upper": upper}


def _is_doubled(case: Situation) -> bool:
    """Say whether a band is twice as wide as its percentage, by the multiple of a case, if it gives one."""
    multiple = exact(case.get("mult", 1))
    if multiple not in (1, 2):
        raise Unsupported(f"a band {case.mult} times as wide: the engine's is doubled, at open and close")
    return multiple == 2


@example("price_band", needs="pct mult", answers="open_close_pct")
def wider_at_open_and_close(case: Situation) -> dict[str, Any]:
    """The half width of the band in the first and last minutes of a session."""
    edge = 20 if _is_doubled(case) else 0
    rule = LimitUpDown(width_ppm=ppm(case.pct), session_s=60, doubled_first_s=edge, doubled_last_s=edge)
    desk = halting_desk(Halts(collar_ppm=0, limit_up_down=rule), 1, dt_s=10)
    shares = []
    for _ in range(6):
        desk.step()
        shares.append(band_share(desk)[1] - 1)
    assert min(shares) == exact(case.pct), "as wide as that in the middle of the session"
    return {"open_close_pct": max(shares)}


@example(
    "price_band",
    "CME",
    needs="ref",
    answers="levels_down overnight_limit dynamic_width dynamic_window_s pause_s",
)
def limits_of_index_futures(case: Situation) -> dict[str, Any]:
    """Where a falling price halts, where nothing trades overnight, and how fast a move pauses for how long.

    While the stock exchange is closed the first of the day's levels is a hard limit.
    """
    rules = PRESETS["ccp-futures"].halts
    assert rules.daily is not None and rules.breaker is not None
    by_day = Halts(collar_ppm=0, daily=rules.daily)
    at_night = Halts(collar_ppm=0, daily=DailyLimits(levels=(), hard_ppm=rules.daily.levels[0].fall_ppm))
    fast = Halts(collar_ppm=0, breaker=rules.breaker)

    def desk_of(halts: Halts, dt_s: int = 1) -> Desk:
        return halting_desk(halts, case.ref, dt_s, "ccp-futures")

    night = desk_of(at_night)
    night.step()
    lowest, _ = band_share(night)
    width = first_halt(lambda: desk_of(fast), -1)
    moved = desk_of(fast)
    trade_at(moved, TICKS - int(width * TICKS))
    return {
        "levels_down": _levels(desk_of(by_day, 300), len(rules.daily.levels)),
        "overnight_limit": 1 - lowest / exact(case.ref),
        "dynamic_width": width,
        "dynamic_window_s": _window_s(desk_of(fast, 60), width),
        "pause_s": halted_for_s(moved),
    }


def _levels(desk: Desk, count: int) -> list[Fraction]:
    """Return the first `count` declines at which a price that falls and falls is halted."""
    found: list[Fraction] = []
    for fall in range(1, PARTS // 2):
        trade_at(desk, TICKS - fall * TICKS // PARTS)
        if is_halted(desk):
            found.append(Fraction(fall, PARTS))
            if len(found) == count:
                break
            halted_for_s(desk)
    return found


def _window_s(desk: Desk, width: Fraction) -> int:
    """Return for how long a price counts from which the breaker measures a move; the last trade was the reference."""
    fall = int(width * TICKS)
    seconds = 0
    while True:
        trade_at(desk, TICKS - fall // 2)
        seconds += desk.venue.dt_s
        saved = desk.venue.snapshot()
        trade_at(desk, TICKS - fall)
        if not is_halted(desk):
            return seconds
        desk.venue.restore(saved)


@example("price_band", "Coinbase", needs="width window_s", answers="halt_s lower upper")
def halt_at_hourly_limit(case: Situation) -> dict[str, Any]:
    """A price that reaches the limits around the reference of its interval: where they are, how long nothing trades."""
    rule = DynamicBreaker(
        width_ppm=ppm(case.width), window_s=int(case.window_s), reference="interval", limit_becomes_reference=True
    )
    halts, reference = Halts(collar_ppm=0, breaker=rule), exact(case.get("ref", 1))
    rise, fall = (first_halt(lambda: halting_desk(halts, 1), direction) for direction in (1, -1))
    assert rise == fall == exact(case.width)
    desk = halting_desk(halts, 1)
    trade_at(desk, TICKS + int(rise * TICKS))
    return {"halt_s": halted_for_s(desk), "lower": reference * (1 - fall), "upper": reference * (1 + rise)}
