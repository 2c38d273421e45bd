"""Drift: what liquidators close and earn, what the insurance fund gets, and who bears a loss."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from delever.engine.events import Code, Event

from .desk import Desk, Grid, Number, decimal_step, exact
from .examples import Situation, Unsupported, example
from .rules import flat, ppm, under

TRADER, KEEPER, MARKET = "trader", "keeper", "X"
LOTS = 10**9
ATOMS_PER_LOT = 10**6
RICH_ATOMS = 2**51


def keepers(bonus: Number, fund_fee: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return terms of liquidators who come at the oracle price."""
    return {"around": "index", "bonus_ppm": ppm(bonus), "fund_fee": fund_fee, **more}


def covering(terms: dict[str, Any], ramp: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the changes under which liquidators cover what a user is short of maintenance margin, without buffer."""
    return {
        "liquidation.levels": None,
        "liquidation.step": {"kind": "cover", "ramp": ramp},
        "liquidation.keepers": terms,
    }


def short_of(
    shortage: Number, base: Fraction, price: Fraction, rate: Number, changes: dict[str, Any], dt_s: int = 1
) -> Desk:
    """Return a desk with a long of `base` whose equity is so much below its margin, and a liquidator without money."""
    rules = under("drift-v2", {"margin.schedule": flat(rate, rate), "contract.lots_max": LOTS, **changes})
    grid = Grid(MARKET, price, base / LOTS, price_max_ticks=4)
    desk = Desk(rules, [grid], [price], [TRADER, KEEPER], atom=price * grid.lot / ATOMS_PER_LOT, backstops=[KEEPER],
                dt_s=dt_s)  # fmt: skip
    desk.open(TRADER, MARKET, base, price)
    desk.lend(TRADER, exact(rate) * base * price - exact(shortage))
    return desk


def liquidate(desk: Desk) -> Fraction:
    """Let a liquidator with money come, and return how much of the position is closed."""
    desk.lend(KEEPER, RICH_ATOMS * desk.atom)
    before = desk.position(TRADER, MARKET)
    desk.venue.drain_events()
    desk.step()
    return abs(before - desk.position(TRADER, MARKET))


def rate_paid(desk: Desk, code: Code) -> Fraction:
    """Return what was paid for a reason in the last step, as a part of the value that was taken over."""
    rows = desk.events()
    paid = sum(row["amount_atoms"] for row in rows if row["kind"] == Event.POST and row["code"] == code)
    return Fraction(paid, sum(row["amount_atoms"] for row in rows if row["kind"] == Event.TAKEOVER))


@example("partial_liq", "Drift", needs="shortage mr price", answers="base_to_liquidate")
def base_that_covers(case: Situation) -> dict[str, Any]:
    """What a liquidator takes of a position so that the rest is margined again, out of fees for both, if any."""
    price, fee, fund_fee = exact(case.price) * exact(case.get("quote_price", 1)), case.get("fee", 0), case.get("iff", 0)
    freed = price * (exact(case.mr) - exact(fee) - exact(fund_fee))
    if freed <= 0:
        raise Unsupported("a size that restores margin, where closing costs more than it frees")
    changes = covering(keepers(fee, {"highest_ppm": ppm(fund_fee)}))
    # a position somewhat larger than what has to be closed
    base = (exact(case.shortage) or price) / freed * Fraction(5, 4)
    desk = short_of(case.shortage, base, price, case.mr, changes)
    return {"base_to_liquidate": liquidate(desk)}


@example("partial_liq", "Drift", needs="slots base cap grace per_slot", answers="fee")
def rising_fee(case: Situation) -> dict[str, Any]:
    """What a liquidator earns who comes so many slots, of a second each, after a user became liquidatable."""
    rise = {"grace_s": case.grace, "each_second_ppm": ppm(case.per_slot), "highest_ppm": ppm(case.cap)}
    if exact(case.per_slot) * 10**6 != ppm(case.per_slot):
        raise Unsupported("a fee that rises by less than a millionth a second")
    changes = {**covering(keepers(case.base, rise=rise)), "liquidation.step": None}
    desk = short_of(1, Fraction(10), Fraction(100), "1/10", changes, max(1, case.slots))
    if case.slots:
        desk.step()
    liquidate(desk)
    return {"fee": rate_paid(desk, Code.BONUS)}


@example("partial_liq", "Drift", needs="shortage dust", answers="max_pct")
def ramp_at_once(case: Situation) -> dict[str, Any]:
    """The part of a shortage that may be covered so many slots after liquidation began: all of what is dust."""
    if exact(case.dust).denominator != 1:
        raise Unsupported("an amount of dust that is not whole units of money")
    ramp = {
        "initial_ppm": ppm(case.get("initial_pct", 0)),
        "duration_s": case.get("duration", 150),
        "dust_quote": int(case.dust),
    }
    rate, price = Fraction(1, 10), Fraction(100)
    rules = under("drift-v2", {"margin.schedule": flat(rate, rate), "contract.lots_max": LOTS,
                               "liquidation.rounds_max": 1, **covering(keepers(0), ramp)})  # fmt: skip
    # The dust is an amount of the rule's, so that atoms are those of its unit of money.
    grid = Grid(MARKET, price, decimal_step(case.shortage) / 1_000, price_max_ticks=4)
    elapsed = int(case.get("slots", 0))
    if not exact(case.shortage):
        raise Unsupported("a part of no shortage")
    desk = Desk(rules, [grid], [price], [TRADER, KEEPER], backstops=[KEEPER], dt_s=max(1, elapsed))
    base = 2 * exact(case.shortage) / (price * rate)
    desk.open(TRADER, MARKET, base, price)
    desk.lend(TRADER, desk.maintenance(TRADER) - exact(case.shortage))
    if elapsed:
        desk.step()
    liquidate(desk)
    left = desk.maintenance(TRADER) - desk.equity(TRADER)
    return {"max_pct": 1 - left / exact(case.shortage)}


@example("partial_liq", "Drift", needs="size0 initial_pct duration", answers="size_after_slot pct_margin_freed")
def ramp_with_orders(case: Situation) -> dict[str, Any]:
    """A liquidation over many slots that begins with an order."""
    raise Unsupported("maintenance margin for open orders, which cancelling them frees, is not part of the engine")


@example("insurance_flow", "Drift", needs="sh base mr lf price cap", answers="if_fee")
def fee_of_the_fund(case: Situation) -> dict[str, Any]:
    """The fund's part of what the margin rate leaves after the liquidator's and what is short."""
    if not exact(case.base):
        raise Unsupported("a fee on a position of no size")
    fee = {"highest_ppm": ppm(case.cap), "rest_ppm": ppm(case.get("share", "0.95"))}
    # A user who is short of nothing is liquidated only where that is enough.
    changes = {**covering(keepers(case.lf, fee)), "liquidation.trigger": "below" if exact(case.sh) else "at_or_below"}
    desk = short_of(case.sh, exact(case.base), exact(case.price) * exact(case.get("quote_price", 1)), case.mr, changes)
    liquidate(desk)
    return {"if_fee": rate_paid(desk, Code.LIQUIDATION_FEE)}


def _loss_desk(sharing: str, names: list[str], price: Fraction, lot: Fraction, atom: Fraction) -> Desk:
    """Return a desk of a venue that shares losses in a way."""
    changes = {"socialisation": {"rule": sharing}, "margin.schedule": flat("1/10", "1/20")}
    return Desk(under("drift-v2", changes), [Grid(MARKET, price, lot, price_max_ticks=4)], [price], names, atom=atom)


@example("socialised_loss", "Drift", needs="loss deposits", answers="delta")
def loss_of_lenders(case: Situation) -> dict[str, Any]:
    """Lenders lose in proportion to their deposits; what one of them loses of a unit."""
    total = exact(case.deposits)
    atom = max(total, exact(case.loss)) / 10**12
    desk = _loss_desk("deposits", [TRADER, "small", "large"], atom, Fraction(1), atom)
    desk.deposit("small", total / 4)
    desk.deposit("large", total - total / 4)
    desk.lend("house", -desk.balance("house"))
    desk.lend(TRADER, -exact(case.loss))
    before = desk.balance("large")
    desk.step()
    paid = before - desk.balance("large")
    return {"delta": paid / before if before else paid}


@example(
    "socialised_loss",
    "Drift",
    "Mango",
    needs="loss long_oi short_oi",
    answers="per_unit long_user_pays short_user_pays bankrupt_quote_after",
)
def loss_of_open_interest(case: Situation) -> dict[str, Any]:
    """Both sides bear a loss by what they hold; the venue's own side of an imbalance has nothing to pay from."""
    loss = exact(case.loss)
    long_user, short_user = exact(case.get("long_user", case.long_oi)), exact(case.get("short_user", case.short_oi))
    held = {
        "long_user": long_user,
        "other_longs": exact(case.long_oi) - long_user,
        "short_user": -short_user,
        "other_shorts": short_user - exact(case.short_oi),
    }
    if loss <= 0 or not any(held.values()):
        raise Unsupported("a loss of nothing, or one that nobody holds positions to bear")
    lot = decimal_step(*held.values())
    price = loss / 100
    desk = _loss_desk("open_interest", [TRADER, *held], price, lot, price * lot / 10**9)
    for name, size in held.items():
        if size:
            desk.lend(name, 100 * loss)
            desk.open(name, MARKET, size, price)
    desk.lend("house", -desk.balance("house"))
    desk.lend(TRADER, -loss)
    before = {name: desk.balance(name) for name in held}
    desk.step()
    pays = {name: before[name] - desk.balance(name) for name in held}
    user = "long_user" if held["long_user"] else "short_user"
    return {
        "per_unit": pays[user] / abs(held[user]),
        "long_user_pays": pays["long_user"],
        "short_user_pays": pays["short_user"],
        "bankrupt_quote_after": desk.balance(TRADER),
    }
