"""dYdX v4: who is liquidatable, initial margin by open interest, and funding by a cumulative index."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

from delever.engine.formulas import RATE_MAX_PPB
from delever.engine.margin import equity_atoms, initial_atoms, unit_maintenance_atoms
from delever.engine.state import PRICE_TICKS_LIMIT
from delever.engine.tables import M_FUNDING_INDEX, V_LISTED_COUNT

from .desk import HOUSE, Desk, Grid, Number, decimal_step, exact
from .dydx import TRADER, USDC, account, grid_of
from .examples import Situation, Unsupported, example
from .rules import PPM, flat, ppm, under

PPB = 10**9
PERIOD_S = 28_800


@example("margin", "dYdX", needs="q s price mmf", answers="liquidatable")
def liquidatable(case: Situation) -> dict[str, Any]:
    """Whether the engine lists an account as distressed."""
    lot = decimal_step(case.s)
    rules = under("dydx-v4", {"margin.schedule": flat(1, case.mmf), "margin.markets": {}, "margin.open_interest": None,
                              "contract.lots_max": max(100, 4 * int(abs(exact(case.s)) / lot))})  # fmt: skip
    desk = Desk(rules, [grid_of("X", case.price, lot)], [case.price], [TRADER], atom=USDC)
    account(desk, TRADER, case.q, {"X": case.s})
    desk.venue.look()
    t, unit = desk.venue.tables, desk.unit(TRADER)
    listed = t.listed[: int(t.venue[V_LISTED_COUNT])].tolist()
    # Who has no position is never listed, whatever it owes.
    below = equity_atoms(t, unit) < unit_maintenance_atoms(t, unit)
    assert (unit in listed) == (below and bool(desk.position(TRADER, "X")))
    return {"liquidatable": unit in listed}


@example("margin", "dYdX", needs="imf oi lc uc q", answers="initial_margin_quantums")
def open_interest_fraction(case: Situation) -> dict[str, Any]:
    """Initial margin of a notional in quantums while open interest is at a place between the caps."""
    caps = {name: exact(cap) / PPM for name, cap in (("lower_quote", case.lc), ("upper_quote", case.uc))}
    if any(cap.denominator != 1 for cap in caps.values()):
        raise Unsupported("caps of open interest that are not whole units of money")
    changes = {
        "margin.schedule": flat(case.imf, min(exact(case.imf), Fraction(1, 2))),
        "margin.markets": {},
        "margin.open_interest": {name: int(cap) for name, cap in caps.items()},
        "contract.lots_max": LOTS,
    }
    # A lot at one tick is the largest unit of which the notional and the open interest are multiples, or nearly so.
    notional, interest = exact(case.q), exact(case.oi)
    lot = _common(notional, interest)
    desk = Desk(under("dydx-v4", changes), [Grid("X", Fraction(1), lot, 4)], [1], [TRADER, "whale"], atom=1)
    desk.lend(HOUSE, 2**60)
    held = round(interest / lot) * lot
    if held:
        desk.lend("whale", 2**60)
        desk.trade("whale", HOUSE, "X", held, 1)
    lots = desk.lots("X", notional)
    return {"initial_margin_quantums": int(initial_atoms(desk.venue.tables, desk.names[TRADER], 0, lots))}


LOTS = 2**29


def _common(notional: Fraction, interest: Fraction) -> Fraction:
    """Return a part of a notional of which open interest is a multiple, to half of such a part, in whole quantums."""
    if notional.denominator != 1 or notional <= 0:
        raise Unsupported(f"a notional of {notional} quantums")
    finest = int(notional) // math.gcd(int(notional), round(interest))
    parts = [part for part in (*range(1, 1_001), finest)
             if int(notional) % part == 0 and max(interest, notional) * part < notional * LOTS]  # fmt: skip
    if not parts:
        raise Unsupported(f"open interest that is more than {LOTS} times the notional")
    return min((notional / part for part in parts), key=lambda lot: (abs(round(interest / lot) * lot - interest), -lot))


class Paid(NamedTuple):
    """What one payment of funding did: to the sum per lot, and to the balance of who holds the position, in atoms."""

    per_lot: int
    balance: int


def one_payment(
    funding: dict[str, Any], value: Number, size: Number, *, schedule: dict[str, Any] | None = None, mark: int = 1
) -> Paid:
    """Let a position pay or get funding once, by a sum that counts whole atoms per lot.

    A lot is worth `value` atoms at the index, and the last trade, which is the mark, was at so many times the index.
    """
    worth, lots = exact(value), exact(size)
    if worth.denominator != 1 or lots.denominator != 1 or worth <= 0:
        raise Unsupported(f"funding of {size} lots that are worth {value} of the smallest unit each")
    rule = under("dydx-v4", bare=False).charges.funding
    assert rule is not None
    held = max(1, abs(int(lots)) + int(mark > 1))
    # Without a book the premium is that of the mark over the index.
    changes = {"premium": {"source": "mark", "interest": "added"}, "cumulative": {"decimals": 0}, "margin_cap": None,
               "cap_ppb": RATE_MAX_PPB, "period_s": PERIOD_S, **funding}  # fmt: skip
    rules = under("dydx-v4", {
        "margin.schedule": schedule or flat(1, 1), "margin.markets": {}, "margin.open_interest": None,
        "contract.lots_max": held, "charges.funding": {**rule.model_dump(), **changes},
        "mark.components": ["last" if mark > 1 else "index"], "liquidation.act": False,
    })  # fmt: skip
    grid = Grid("X", Fraction(1), Fraction(1), mark + 1)
    desk = Desk(rules, [grid], [1], [TRADER, "other"], atom=1 / worth, dt_s=changes["interval_s"])
    for name in (TRADER, "other", HOUSE):
        desk.lend(name, RICH_ATOMS * desk.atom)
    if lots:
        desk.open(TRADER, "X", lots, 1)
    if mark > 1:
        desk.trade("other", HOUSE, "X", 1, mark)
    desk.marks({})
    desk.step()
    before = desk.balance(TRADER)
    desk.step()
    paid = (desk.balance(TRADER) - before) / desk.atom
    return Paid(int(desk.venue.tables.markets[0, M_FUNDING_INDEX]), int(paid))


RICH_ATOMS = 2**56


@example("funding", "dYdX", needs="funding_index size index_at_entry", answers="settlement_ppm")
def funding_settlement(case: Situation) -> dict[str, Any]:
    """A position is settled by the change of the cumulative index, in millionths of a quantum per lot.

    A lot is worth as many of these millionths as the index changes by, and the rate is all of it.
    """
    change = exact(case.funding_index) - exact(case.index_at_entry)
    rate = {"interest_ppb": PPB if change > 0 else -PPB if change < 0 else 0, "interval_s": PERIOD_S}
    return {"settlement_ppm": one_payment(rate, abs(change) or 1, case.size).balance}


@example("funding", "dYdX", needs="price rate_ppm_8h seconds scale", answers="index_delta")
def funding_index_delta(case: Situation) -> dict[str, Any]:
    """The step of the cumulative index for a rate over some seconds at a price; price x scale is worth of a lot."""
    rate = round(exact(case.rate_ppm_8h) * 1000)
    if abs(rate) > 2 * PPB:
        raise Unsupported("a rate of more than 200 %, which the engine makes of two rates of interest")
    if int(case.seconds) < 1:
        raise Unsupported("an interval of no time")
    interest = {"quote_ppb": max(-PPB, min(PPB, rate)), "base_ppb": max(-PPB, min(PPB, rate)) - rate, "intervals": 1}
    funding = {"interest_rates": interest, "interval_s": int(case.seconds)}
    return {"index_delta": one_payment(funding, exact(case.price) * exact(case.scale) * PPM, 1).per_lot}


@example("funding", "dYdX", needs="cf im mf", answers="max_abs_rate_8h")
def funding_clamp(case: Situation) -> dict[str, Any]:
    """The largest rate of eight hours from the margin fractions."""
    return {"max_abs_rate_8h": _highest_rate(case.cf, case.im, exact(case.im) * exact(case.mf))}


@example("funding", "dYdX", needs="imf mmf k", answers="cap_8h impact_notional")
def funding_cap_of_the_docs(case: Situation) -> dict[str, Any]:
    """The documented cap, and the impact notional at an initial margin fraction."""
    answers = {"cap_8h": _highest_rate(case.k, case.imf, case.mmf)}
    return {**answers, **impact_notional(case)} if case.gives("impact") else answers


@example("funding", "dYdX", needs="impact imf2", answers="impact_notional")
def impact_notional(case: Situation) -> dict[str, Any]:
    """The value that is walked into the book at an initial margin fraction."""
    rule = under("dydx-v4", bare=False).charges.funding
    assert rule is not None and rule.premium is not None and rule.premium.impact is not None
    impact = rule.premium.impact.model_copy(update={"notional_quote": int(case.impact)})
    return {"impact_notional": Fraction(impact.notional_atoms(ppm(case.imf2)), PPM)}


def _highest_rate(factor: Number, initial: Number, maintenance: Number) -> Fraction:
    """Return what a position pays, for eight hours, where the mark is far above the index: the cap of the margin rates.

    The step is so short that the cap of one payment is far away, and a lot is worth so much that it pays the rate in
    ppb, of a very large one in ppm.
    """
    far = 2 + int(exact(factor) * (exact(initial) - exact(maintenance)))
    seconds = next((s for s in STEPS_S if far * PPB * s <= RATE_MAX_PPB * PERIOD_S), None)
    if seconds is None or far > PRICE_TICKS_LIMIT // 2:
        raise Unsupported(f"a cap of {far - 1} times the value or more")
    schedule = flat(initial, maintenance) if exact(initial) else flat(LEAST, LEAST)
    funding = {"margin_cap": {"factor_ppm": ppm(factor)}, "interest_ppb": 0, "interval_s": seconds}
    parts = PPB if far < FAR else PPM
    paid = one_payment(funding, PERIOD_S // seconds * parts, 1, schedule=schedule, mark=far + 1)
    return Fraction(paid.per_lot, parts)


FAR = 100
STEPS_S = (PERIOD_S, 3_600, 600, 60, 20)
LEAST = Fraction(1, PPM)
"""Of what a rate may be: with both rates the same there is nothing between them, as with none."""
