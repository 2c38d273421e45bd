"""Vega's network party: what it takes over, what that does to the insurance pool, how it sells, who shares a loss."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from delever.engine.commands import Kind

from .desk import HOUSE, Desk, Grid, Number, decimal_step, exact
from .examples import Situation, Unsupported, example
from .limits import ENTRIES_MAX
from .rules import PPM, ppm
from .vega import MARKET, TRADER, model, take_over, vega, whole

# A tenth of the value: whoever has no money behind a position is closed out.
RISK = model("1/10", "1/10", 0)
KEEPING = {"margin.schedule": RISK, "insurance.disposal_share_ppm": 0}
PRICE = 1_000


def _desk(
    changes: dict[str, Any], sizes: list[Number], prices: list[Number], names: list[str], *amounts: Number
) -> Desk:
    """Return a desk on whose grid sizes and prices lie, with atoms in which amounts are whole."""
    grid = Grid(MARKET, decimal_step(*prices), decimal_step(*sizes))
    atom = min(grid.tick * grid.lot, decimal_step(*amounts))
    return Desk(vega(changes, whole(*sizes)), [grid], [prices[0]], names, atom=atom)


@example("socialised_loss", "Vega", needs="winners due collected", answers="paid")
def share_a_loss(case: Situation) -> dict[str, Any]:
    """Winners gain what they are due by one tick of the mark; the loser has only what is collected."""
    names, due = [str(name) for name in case.winners], [exact(amount) for amount in case.due]
    unit = decimal_step(*due, case.collected)
    lots = [int(amount / unit) for amount in due]
    grid = Grid(MARKET, Fraction(1), Fraction(1))
    rules = vega(KEEPING, sum(lots))
    desk = Desk(rules, [grid], [PRICE], [*names, TRADER], atom=1)
    for name, size in zip(names, lots, strict=True):
        desk.deposit(name, PRICE * size)
        desk.open(name, MARKET, size, PRICE)
    desk.open(TRADER, MARKET, -sum(lots), PRICE)
    desk.pocket(TRADER, MARKET, exact(case.collected) / unit)
    desk.lend(TRADER, -desk.balance(TRADER))
    before = [_wealth(desk, name) for name in names]
    desk.step(**{MARKET: PRICE + 1})
    return {"paid": [(_wealth(desk, name) - was) * unit for name, was in zip(names, before, strict=True)]}


def _wealth(desk: Desk, name: str) -> Fraction:
    """Return what an account has in its margin account, with unrealised profit, and in its general account."""
    return desk.equity(name, MARKET) + desk.balance(name)


@example("insurance_flow", "Vega", needs="deposit", answers="pool_after")
def seize_margin(case: Situation) -> dict[str, Any]:
    """A party is closed out at the mark at which it entered: all its margin goes to the pool."""
    size, pool = max(Fraction(1), exact(case.deposit) * 20 / PRICE), case.get("pool0", 0)
    desk = _desk(KEEPING, [size], [PRICE], [TRADER], case.deposit, pool)
    desk.fund(pool)
    take_over(desk, TRADER, size, PRICE, case.deposit)
    return {"pool_after": desk.fund_balance()}


@example("insurance_flow", "Vega", needs="deposit liq_px size fee", answers="fee pool_after")
def sell_for_a_fee(case: Situation) -> dict[str, Any]:
    """The network takes a position over at a price, and sells it there for a fee that it pays out of its pool."""
    changes = {
        # So large a part of the value that the deposit does not keep the position.
        "margin.schedule": model(1, 1, 0),
        "charges.taker_ppm": ppm(case.fee),
        **sales(share=1, every_lots=0, book_share=1),
    }
    pool = exact(case.get("pool0", 0))
    desk = _desk(changes, [case.size], [case.liq_px], [TRADER], case.deposit, pool)
    desk.fund(pool)
    # The party rests and the house takes, so that the position costs it no fee.
    desk.lend(TRADER, 10 * exact(case.deposit) + 10 * abs(exact(case.size)) * exact(case.liq_px))
    side = 1 if exact(case.size) > 0 else -1
    for name, direction in ((TRADER, side), (HOUSE, -side)):
        desk.limit(name, MARKET, direction, abs(exact(case.size)), case.liq_px)
    desk.pocket(TRADER, MARKET, case.deposit)
    desk.lend(TRADER, -desk.balance(TRADER))
    desk.step()
    assert desk.position("fund", MARKET) == exact(case.size), "the network has taken the position over"
    before = desk.fund_balance()
    _offer(desk, case.size, case.liq_px)
    desk.step()
    assert desk.position("fund", MARKET) == 0
    return {"fee": before - desk.fund_balance(), "pool_after": desk.fund_balance()}


def sales(*, share: Number, every_lots: int, book_share: Number, range_ppm: int = 500_000) -> dict[str, Any]:
    """Return the changes with which the network sells a share every second, whole from so many lots down."""
    sale = {"whole_lots": every_lots, "book_share_ppm": ppm(book_share), "around": "mid", "fee": "taker"}
    return {
        "insurance.disposal_share_ppm": ppm(share),
        "insurance.disposal_interval_s": 1,
        "insurance.disposal_range_ppm": range_ppm,
        "insurance.sale": sale,
    }


def _offer(desk: Desk, size: Number, price: Number) -> None:
    """Let the house bid for what the network is long, or offer what it is short, at a price."""
    side = 1 if exact(size) > 0 else -1
    desk.limit(HOUSE, MARKET, side, abs(exact(size)), price)


@example("insurance_flow", "Vega", needs="pool0", answers="after_first_takeover after_second_takeover after_mark_60")
def pool_of_two_takeovers(case: Situation) -> dict[str, Any]:
    """Scenario 0012-POSR-016: a party loses 100 with one long from 200, and 20 of 40 with two shorts from 100."""
    desk = _desk(KEEPING, [1], [200], [TRADER], case.pool0)
    desk.fund(case.pool0)
    after = []
    for size, entry, margin, mark in ((1, 200, 100, 100), (-2, 100, 20, 120)):
        desk.marks({MARKET: entry})
        desk.open(TRADER, MARKET, size, entry)
        desk.pocket(TRADER, MARKET, margin)
        desk.lend(TRADER, -desk.balance(TRADER))
        desk.step(**{MARKET: mark})
        assert desk.position(TRADER, MARKET) == 0
        after.append(_pool(desk))
    desk.step(**{MARKET: 60})
    return {"after_first_takeover": after[0], "after_second_takeover": after[1], "after_mark_60": _pool(desk)}


def _pool(desk: Desk) -> Fraction:
    """Return the pool as the venue counts it: the network's profit is settled at every mark."""
    return desk.fund_balance() + _unrealised(desk)


def _unrealised(desk: Desk) -> Fraction:
    mark = desk.price(MARKET, int(desk.index[0]))
    return desk.position("fund", MARKET) * mark - desk.cost("fund", MARKET)


@example("insurance_flow", "Vega", needs="steps", answers="position realised unrealised avg_entry pool_after")
def profit_of_takeovers(case: Situation) -> dict[str, Any]:
    """The network takes positions over at marks, those with a size; [mark, size] each."""
    desk, start = _network(case, [mark for mark, _ in case.steps], [size for _, size in case.steps])
    for mark, size in case.steps:
        _take_or_mark(desk, mark, size)
    return _profit(desk, start)


def _network(case: Situation, prices: Sequence[Number], sizes: Sequence[Number]) -> tuple[Desk, Fraction]:
    """Return a desk whose pool has its own money and enough for any loss, and how much the latter is."""
    held = [size for size in sizes if exact(size)]
    enough = sum((abs(exact(size)) for size in held), Fraction(1)) * max(map(exact, prices))
    pool = exact(case.get("pool0", 0))
    desk = _desk(KEEPING, held, list(prices), [TRADER], pool, enough)
    desk.fund(pool + enough)
    return desk, enough


def _take_or_mark(desk: Desk, mark: Number, size: Number) -> None:
    if exact(size):
        take_over(desk, TRADER, size, mark, 0)
    else:
        desk.step(**{MARKET: mark})


def _profit(desk: Desk, start: Fraction) -> dict[str, Any]:
    """Return the network's position and its profit; `start` is what the pool began with beside its own."""
    size = desk.position("fund", MARKET)
    return {
        "position": size,
        "realised": desk.fund_balance() - start,
        "unrealised": _unrealised(desk),
        "avg_entry": desk.cost("fund", MARKET) / size if size else None,
        "pool_after": _pool(desk) - start,
    }


@example(
    "insurance_flow",
    "Vega",
    needs="p1 p2 mark",
    answers="position avg_entry " + " ".join(f"unrealised_at_{price} pool_at_{price}" for price in range(1, 1_001)),
)
def profit_of_two_longs(case: Situation) -> dict[str, Any]:
    """The network takes over a long, or another size, at one price and at another; its profit there and at a mark."""
    prices, size = [case.p1, case.p2, case.mark], case.get("size", 1)
    desk, start = _network(case, prices, [size, size])
    answers: dict[str, Any] = {}
    for price, taken in zip(prices, (size, size, 0), strict=True):
        _take_or_mark(desk, price, taken)
        found = _profit(desk, start)
        answers[f"unrealised_at_{price:g}"] = found["unrealised"]
        answers[f"pool_at_{price:g}"] = found["pool_after"]
    return {**answers, "position": found["position"], "avg_entry": found["avg_entry"]}


@example("insurance_flow", "Vega", needs="size entry exit", answers="network_realised")
def profit_of_a_sale(case: Situation) -> dict[str, Any]:
    """The network takes a position over, waits for somebody to trade with, and sells it whole."""
    changes = {"margin.schedule": RISK, **sales(share=1, every_lots=0, book_share=1)}
    enough = abs(exact(case.size)) * max(exact(case.entry), exact(case.exit))
    desk = _desk(changes, [case.size], [case.entry, case.exit], [TRADER], enough)
    desk.fund(enough)
    take_over(desk, TRADER, case.size, case.entry, 0)
    desk.step()
    assert desk.position("fund", MARKET) == exact(case.size), "without another side of the book it waits"
    before = desk.fund_balance()
    desk.marks({MARKET: case.exit})
    _offer(desk, case.size, case.exit)
    desk.step()
    assert desk.position("fund", MARKET) == 0
    return {"network_realised": desk.fund_balance() - before}


@example("partial_liq", "Vega", needs="pos frac full maxfrac book", answers="sizes")
def sell_step_by_step(case: Situation) -> dict[str, Any]:
    """What the network sells in each step, of so many or until nothing is left, to a book that is filled up again."""
    if int(case.get("steps", 0)) > ENTRIES_MAX:
        raise Unsupported(f"more than {ENTRIES_MAX} steps of disposal")
    desk = _seller(case, case.book)
    sizes: list[Fraction] = []
    while len(sizes) < int(case.get("steps", ENTRIES_MAX)):
        if not desk.position("fund", MARKET):
            return {"sizes": sizes + [Fraction(0)] * (int(case.get("steps", len(sizes))) - len(sizes))}
        _offer(desk, _signed(case, case.book), PRICE)
        sizes.append(_sold(desk))
        desk.command(HOUSE, Kind.CANCEL_ALL)
    return {"sizes": sizes}


@example("partial_liq", "Vega", needs="pos full in_range maxfrac", answers="first second third")
def sell_within_a_range(case: Situation) -> dict[str, Any]:
    """What the network sells to a book of which only the lots within the range count, and which is not filled up."""
    reach = ppm(case.get("range", "1/10"))
    if not exact(case.in_range):
        raise Unsupported("a book without any lots within the range")
    desk = _seller(case, 10 * exact(case.in_range), reach)
    _offer(desk, _signed(case, case.in_range), PRICE)
    beyond = 1 - 2 * Fraction(reach, PPM) * (1 if exact(case.pos) > 0 else -1)
    _offer(desk, _signed(case, 9 * exact(case.in_range)), round(PRICE * beyond))
    return {name: _sold(desk) for name in ("first", "second", "third")}


def _signed(case: Situation, size: Number) -> Fraction:
    return abs(exact(size)) * (1 if exact(case.pos) > 0 else -1)


def _seller(case: Situation, book: Number, range_ppm: int = 500_000) -> Desk:
    """Return a desk whose network has taken over a position and has not yet sold any of it."""
    share, full = case.get("frac", 1), int(exact(case.full) / decimal_step(case.pos, book))
    changes = sales(share=share, every_lots=full, book_share=case.maxfrac, range_ppm=range_ppm)
    desk = _desk({"margin.schedule": RISK, **changes}, [case.pos, book], [PRICE], [TRADER])
    take_over(desk, TRADER, case.pos, PRICE, 0)
    return desk


def _sold(desk: Desk) -> Fraction:
    """Return what the network sells, or buys back, in a step."""
    before = desk.position("fund", MARKET)
    desk.step()
    return abs(before - desk.position("fund", MARKET))
