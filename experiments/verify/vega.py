"""Vega's margin: models, funding that is owed, auctions, isolated margin, riskiest sides and levels."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from delever.engine.commands import Kind, Result
from delever.engine.margin import initial_atoms, unit_maintenance_atoms
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import IN_HALT, M_OWED, M_OWED_SCALE, P_ASKS_LOTS, P_BIDS_LOTS, P_LOTS

from .desk import HOUSE, Desk, Grid, Number, decimal_step, exact
from .examples import Situation, Unsupported, example
from .rules import ppm, under

TRADER, OTHER, MARKET = "trader", "other", "X"
FINE = Fraction(1, 10**6)
YEAR_S = 365 * 86_400
RICH = 100


def model(long: Number, short: Number, slippage: Number, *, scale: Number = 1, funding: Number = 0) -> dict[str, Any]:
    """Return a schedule of risk factors and slippage, initial margin at `scale`, with a part of the funding owed."""
    if max(exact(long), exact(short)) + exact(slippage) > 1:
        raise Unsupported("a maintenance margin above the value of the position is not part of the engine")
    return {
        "kind": "model",
        "long_ppm": ppm(long),
        "short_ppm": ppm(short),
        "slippage_ppm": ppm(slippage),
        "initial_scale_ppm": ppm(scale),
        "funding_share_ppm": ppm(funding),
    }


def vega(changes: dict[str, Any], lots: int = 1_000) -> RuleSet:
    """Return Vega's rules with a case's numbers and room for so many lots, without price monitoring."""
    return under("vega-0.79", {"halts.volatility_auction": None, "contract.lots_max": 4 * max(1_000, lots), **changes})


def whole(*sizes: Number) -> int:
    """Return how many lots the largest of some sizes is, in lots of their decimal step."""
    return int(max(abs(exact(size)) for size in sizes) / decimal_step(*sizes))


def _held(case: Situation, schedule: dict[str, Any]) -> Desk:
    """Return a desk with a position at the mark."""
    grid = Grid(MARKET, decimal_step(case.mark), decimal_step(case.pos))
    rules = vega({"margin.schedule": schedule}, whole(case.pos))
    desk = Desk(rules, [grid], [case.mark], [TRADER], atom=FINE * grid.tick * grid.lot)
    desk.deposit(TRADER, RICH * exact(case.mark) * abs(exact(case.pos)))
    if exact(case.pos):
        desk.open(TRADER, MARKET, case.pos, case.mark)
    return desk


@example("margin", "Vega", needs="mark pos slip", answers="maintenance maint_position_only")
def maintenance(case: Situation) -> dict[str, Any]:
    """The maintenance margin of a position at the mark; its orders, if it has any, do not count."""
    long = case.get("rfl", case.get("rf", 0))
    need = _held(case, model(long, case.get("rfs", case.get("rf", long)), case.slip)).maintenance(TRADER, MARKET)
    return {"maintenance": need, "maint_position_only": need}


def _with_orders(case: Situation, schedule: dict[str, Any], mark: Number) -> Desk:
    """Return a desk with a position and resting orders on both sides of the mark."""
    sizes = [case.pos, case.buys, case.sells]
    grid = Grid(MARKET, decimal_step(mark), decimal_step(*sizes))
    rules = vega({"margin.schedule": schedule}, whole(*sizes))
    desk = Desk(rules, [grid], [mark], [TRADER], atom=FINE * grid.tick * grid.lot)
    desk.deposit(TRADER, RICH * exact(mark) * sum(abs(exact(size)) for size in sizes))
    if exact(case.pos):
        desk.open(TRADER, MARKET, case.pos, mark)
    ticks = desk.ticks(MARKET, mark)
    for side, size, price in ((1, case.buys, ticks - 1), (-1, case.sells, ticks + 1)):
        lots = abs(desk.lots(MARKET, size))
        if lots:
            desk.command(TRADER, Kind.LIMIT, symbol=MARKET, side=side, lots=lots, price_ticks=price)
    return desk


def _riskiest(desk: Desk) -> tuple[int, int]:
    """Return the lots of the longest and of the shortest position that the orders of the trader may lead to."""
    row = desk.venue.tables.positions[desk.names[TRADER] * len(desk.grids)]
    return max(0, int(row[P_LOTS] + row[P_BIDS_LOTS])), min(0, int(row[P_LOTS] - row[P_ASKS_LOTS]))


@example("margin", "Vega", needs="pos buys sells", answers="riskiest_long riskiest_short")
def riskiest_sides(case: Situation) -> dict[str, Any]:
    """The longest and the shortest position that a trader's orders may lead to."""
    long, short = _riskiest(desk := _with_orders(case, model(0.1, 0.1, 0), 100))
    return {"riskiest_long": desk.size(MARKET, long), "riskiest_short": desk.size(MARKET, short)}


@example(
    "margin",
    "Vega",
    needs="mark pos buys sells slip rfl rfs",
    answers="riskiest_long riskiest_short maint_long maint_short",
)
def margin_of_riskiest_sides(case: Situation) -> dict[str, Any]:
    """Margin of those positions: what admission asks for, with initial margin at the level of maintenance."""
    desk = _with_orders(case, model(case.rfl, case.rfs, case.slip), case.mark)
    t, account = desk.venue.tables, desk.names[TRADER]
    long, short = _riskiest(desk)
    return {
        "riskiest_long": desk.size(MARKET, long),
        "riskiest_short": desk.size(MARKET, short),
        "maint_long": desk.money(int(initial_atoms(t, account, 0, long))),
        "maint_short": desk.money(int(initial_atoms(t, account, 0, short))),
    }


@example(
    "margin",
    "Vega",
    needs="maintenance scal",
    answers="search_initial_release search initial release",
)
def levels(case: Situation) -> dict[str, Any]:
    """The levels at which a margin account is filled from the general account, up to where, and released."""
    need = exact(case.maintenance)
    grid = Grid(MARKET, need, Fraction(1), price_max_ticks=4)
    atom = Fraction(1) if need.denominator == 1 else FINE * decimal_step(need)
    search, initial, release = (ppm(factor) for factor in case.scal)
    pockets = {"kind": "search", "search_ppm": search, "initial_ppm": initial, "release_ppm": release}
    rules = vega({"margin.schedule": model(1, 1, 0), "margin.pockets": pockets})
    desk = Desk(rules, [grid], [need], [TRADER], atom=atom)
    desk.deposit(TRADER, 100 * need)
    desk.open(TRADER, MARKET, 1, need)
    assert desk.maintenance(TRADER, MARKET) == need

    def settled(atoms: int) -> int:
        """Return what a margin account of so many atoms holds once the engine has settled it."""
        desk.pocket(TRADER, MARKET, desk.money(atoms))
        desk.step()
        return desk.atoms(desk.balance(TRADER, MARKET))

    filled = settled(0)
    lowest = _first(lambda atoms: settled(atoms) == atoms, 0, filled)
    highest = _first(lambda atoms: settled(atoms) != atoms, filled, 100 * filled) - 1
    found = [desk.money(atoms) for atoms in (lowest, filled, highest)]
    return {"search_initial_release": found, **dict(zip(("search", "initial", "release"), found, strict=True))}


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number from `low` on at which something holds that holds at `high`, and from there on."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


@example("margin", "Vega", needs="futures_margin s_twap dt ir factor pos", answers="funding_payment total")
def margin_with_funding(case: Situation) -> dict[str, Any]:
    """A position's margin with part of the funding that it would pay now; without bounds the carry is paid whole."""
    index, held = exact(case.s_twap), abs(exact(case.pos))
    rate, mark = _rate_and_mark(exact(case.futures_margin) / held, index, case.get("f_twap", None))
    tick = decimal_step(index, mark)
    funding = {
        "interval_s": 10 * YEAR_S,
        "period_s": 10 * YEAR_S,
        "notional": "index",
        "twap": {
            "interest_year_ppb": round(exact(case.ir) * 10**9),
            "low_ppb": round(exact(case.get("lb", -1)) * 10**9),
            "high_ppb": round(exact(case.get("ub", 1)) * 10**9),
        },
    }
    if not exact(case.dt):
        funding["twap"]["interest_year_ppb"] = 0  # type: ignore[index]  # a sample is at least a second old
    rules = vega(
        {
            "margin.schedule": model(rate, rate, 0, funding=case.factor),
            "mark": {"components": ["last"], "window_s": 1, "renew_in_rounds": False},
            "charges.funding": funding,
        },
        whole(case.pos),
    )
    grid = Grid(MARKET, tick, decimal_step(case.pos))
    dt_s = max(1, round(exact(case.dt) * YEAR_S))
    desk = Desk(rules, [grid], [index], [TRADER], atom=FINE * tick * grid.lot, dt_s=dt_s)
    desk.deposit(TRADER, RICH * index * held)
    desk.open(TRADER, MARKET, case.pos, mark)
    desk.marks({})
    desk.step()
    row = desk.venue.tables.markets[0]
    owed = Fraction(int(row[M_OWED]), max(1, int(row[M_OWED_SCALE])))
    return {"funding_payment": owed * desk.atom / grid.lot, "total": desk.maintenance(TRADER, MARKET)}


def _rate_and_mark(margin: Fraction, index: Fraction, mark: Number | None) -> tuple[Fraction, Fraction]:
    """Return a rate and a mark at which a unit needs a margin: the mark given, or one near the index on a grid."""
    if mark is not None:
        return margin / exact(mark), exact(mark)
    percents = sorted(range(1, 101), key=lambda percent: abs(index * percent - 100 * margin))
    marks = ((Fraction(percent, 100), margin * 100 / percent) for percent in percents)
    return next((rate, price) for rate, price in marks if (price * 100).denominator == 1)


@example("margin", "Vega", needs="size px rf", answers="margin")
def margin_in_auction(case: Situation) -> dict[str, Any]:
    """The least money with which an order enters an auction that would uncross at a price now, if at any."""
    indicative = case.get("indicative", None)
    prices = [case.px] if indicative is None else [case.px, indicative]
    grid = Grid(MARKET, decimal_step(*prices), decimal_step(case.size))
    schedule = model(case.rf, case.rf, case.get("slip", 0))
    rules = vega({"margin.schedule": schedule, "halts.volatility_auction": {}}, whole(case.size))
    desk = Desk(rules, [grid], [case.px], [TRADER, OTHER], atom=FINE * grid.tick * grid.lot)
    desk.venue.begin_auction(0, IN_HALT)
    if indicative is not None:
        desk.lend(OTHER, RICH * exact(indicative) * abs(exact(case.size)))
        for name, direction in ((OTHER, 1), (HOUSE, -1)):
            desk.limit(name, MARKET, direction, abs(exact(case.size)), indicative)
    return {"margin": _least_money(desk, case.size, case.px, max(map(exact, prices)))}


def _least_money(desk: Desk, size: Number, price: Number, highest: Number) -> Fraction:
    """Return the least money with which the venue accepts an order of the trader."""
    before = desk.venue.snapshot()

    def enters(atoms: int) -> bool:
        desk.venue.restore(before)
        desk.deposit(TRADER, desk.money(atoms))
        order = desk.order(TRADER, MARKET, size, price)
        return desk.venue.execute(order).tolist() == [Result.OK]

    return desk.money(_first(enters, 0, 2 * desk.atoms(abs(exact(size)) * exact(highest))))


FACTORS = " ".join(f"at_{percent / 100:g}" for percent in range(1, 101))


@example("margin", "Vega", needs="entry pos", answers=FACTORS)
def isolated_margin(case: Situation) -> dict[str, Any]:
    """What opening a position moves into its margin account at a factor of the trader's own: f1, f2 and so on."""
    names = [name for name in case.given if name[0] == "f" and name[1:].isdigit()]
    desks = {factor: _isolated(case.entry, case.pos, factor) for factor in (case.get(name, None) for name in names)}
    found = {}
    for factor, desk in desks.items():
        desk.open(TRADER, MARKET, case.pos, case.entry)
        found[f"at_{factor:g}"] = desk.balance(TRADER, MARKET)
    return found


def _isolated(price: Number, size: Number, factor: Number, money: int = RICH) -> Desk:
    """Return a desk where a trader has set a margin factor of its own."""
    grid = Grid(MARKET, decimal_step(price), decimal_step(size))
    rules = vega({"margin.schedule": model(0.01, 0.01, 0), "margin.pockets": None}, whole(size))
    desk = Desk(rules, [grid], [price], [TRADER], atom=FINE * grid.tick * grid.lot)
    desk.deposit(TRADER, money * exact(price) * abs(exact(size)))
    desk.command(TRADER, Kind.SET_LEVERAGE, symbol=MARKET, amount=ppm(factor))
    return desk


@example("margin", "Vega", needs="px size factor", answers="order_margin")
def isolated_order_margin(case: Situation) -> dict[str, Any]:
    """The least money with which an order enters at a margin factor of the trader's own."""
    desk = _isolated(case.px, case.size, case.factor, 0)
    return {"order_margin": _least_money(desk, case.size, case.px, case.px)}


@example("margin", "Vega", needs="pos mark slip", answers="network_maintenance")
def network_maintenance(case: Situation) -> dict[str, Any]:
    """The maintenance margin of what the network has taken over, in whole units of money."""
    rate = case.get("rf", 0)
    grid = Grid(MARKET, decimal_step(case.mark), decimal_step(case.pos))
    rules = vega({"margin.schedule": model(rate, rate, case.slip), "insurance.disposal_share_ppm": 0}, whole(case.pos))
    atom = min(Fraction(1), grid.tick * grid.lot)
    desk = Desk(rules, [grid], [case.mark], [TRADER], atom=atom)
    take_over(desk, TRADER, case.pos, case.mark, 0)
    return {"network_maintenance": desk.money(int(unit_maintenance_atoms(desk.venue.tables, desk.venue.fund_unit)))}


def take_over(desk: Desk, name: str, size: Number, price: Number, margin: Number) -> None:
    """Let a trader with a position opened at the mark `price` and so much margin be closed out in the next step."""
    held = desk.position("fund", MARKET)
    desk.marks({MARKET: price})
    desk.open(name, MARKET, size, price)
    desk.pocket(name, MARKET, margin)
    desk.lend(name, -desk.balance(name))
    desk.step()
    assert desk.position("fund", MARKET) == held + exact(size), "the network has taken the position over"
