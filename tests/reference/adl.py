"""Auto-deleveraging: rank, price and pairing (R-W9, R-W10)."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from . import adl_ranks, book, margin
from .accounts import settle
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, clamp, owner_of, sign


def deleverage(state: State, unit: Any, treated: list[Any]) -> None:
    """Close the positions of a unit against ranked counterparties, off the book."""
    held = state.held(unit)
    prices = {m: price_of(state, unit, m) for m in held}
    for m in held:
        close(state, unit, m, prices[m], 0, treated)


def close(state: State, unit: Any, m: int, price: int, keep: int, treated: list[Any]) -> None:
    """Close one position down to so many lots against its counterparties in order of rank."""
    owner = owner_of(unit)
    for other, most in counterparties(state, unit, m, price, keep, treated):
        needed = state.position(owner, m).lots
        needed -= sign(needed) * min(keep, abs(needed))
        if needed == 0:
            break
        if other != FUND and state.rules["deleveraging"]["cancel_orders"]:
            book.cancel_all(state, other, m)
        lots = sign(needed) * min(abs(needed), most)
        settle(state, owner, m, -lots, price, "none", keep_margin="until_flat")
        settle(state, other, m, lots, price, "none")
        identity = 0 if unit == FUND else state.liquidation_of[unit]
        record = {"step": state.step, "id": identity, "unit": unit, "market": m}
        state.adl.append(record | {"counterparty": other, "lots": lots, "price": price})
    state.events["adl_found_too_few"] += abs(state.position(owner, m).lots) > keep


def over_ratio(state: State) -> list[int]:
    """Return the markets in which winners gain too much from the FUND as a pool (R-W53)."""
    pool = state.rules["deleveraging"]["pool"]
    if pool is None:
        return []
    limit = pool["above_ppm"] * max(0, state.balances[FUND])
    return [m for m in state.held(FUND) if -margin.unrealised(state, FUND, m) * PPM > limit]


def relieve_pool(state: State, treated: list[Any]) -> None:
    """Close as many lots of the pool's positions as bring the ratio down (R-W53)."""
    markets = over_ratio(state)
    terms = {m: (named_price(state, m), lots_to_keep(state, m)) for m in markets}
    for m, (price, keep) in terms.items():
        close(state, FUND, m, price, keep, treated)


def lots_to_keep(state: State, market: int) -> int:
    """Return what the pool keeps of a position; found by bisection (R-W53)."""
    position, price = state.position(FUND, market), named_price(state, market)
    side, held = sign(position.lots), abs(position.lots)

    def enough(closed: int) -> bool:
        removed = sign(position.cost) * (abs(position.cost) * closed // held)
        pool = state.balances[FUND] + state.worth(market, side * closed, price) - removed
        loss = position.cost - removed - state.worth(market, side * (held - closed), state.mark[market])
        return bool(loss * PPM <= state.rules["deleveraging"]["pool"]["until_ppm"] * max(0, pool))

    return held - 1 - bisect_left(range(1, held), True, key=enough)


def price_of(state: State, unit: Any, market: int) -> int:
    """Return the price at which a position is deleveraged (R-W9, R-W10)."""
    if unit == FUND:
        return margin.bankruptcy_price(state, FUND, market, less=state.floor())
    if state.rules["deleveraging"]["price"] != "bankruptcy":
        return named_price(state, market)
    price, mark = margin.bankruptcy_price(state, unit, market), state.mark[market]
    far = state.rules["deleveraging"]["far_from_mark"]
    if far is not None and abs(price - mark) * PPM > far["distance_ppm"] * mark:
        state.events["adl_far_from_mark"] += 1
        return mark
    return price


def named_price(state: State, market: int) -> int:
    """Return the mark, the mark of the step before, or the index (R-W9, R-W54)."""
    rule = state.rules["deleveraging"]["price"]
    if rule == "index":
        return clamp(state.index[market], 1, state.markets[market].price_max - 1)
    return state.mark[market] if rule == "mark" else state.previous_mark[market]


def passed_over(state: State, account: int, market: int, price: int) -> bool:
    """Say whether an account is no counterparty by the filters (R-W56)."""
    rule = state.rules["deleveraging"]["eligible"]
    if rule is None:
        return False
    unit, lots = state.unit_of(account, market), state.position(account, market).lots
    values = [state.value(m, state.position(account, m).lots, state.mark[m]) for m in state.markets_of(unit)]
    worth = state.worth(market, lots, state.mark[market])
    share = margin.equity_share(state, unit, market, margin.equity(state, unit))
    return (
        (rule["spare_backstops"] and account in state.backstops)
        or (rule["profitable"] and margin.unrealised(state, account, market) <= 0)
        or abs(worth) < rule["minimum_quote"] * ATOMS_PER_QUOTE
        or (rule["hedged_ppm"] is not None and abs(sum(values)) * PPM <= rule["hedged_ppm"] * sum(map(abs, values)))
        or (rule["overlap"] and share + state.worth(market, lots, price) - worth < 0)
    )


def counterparties(
    state: State, unit: Any, market: int, price: int, keep: int, treated: list[Any]
) -> list[tuple[Any, int]]:
    """Return who is deleveraged against a position and for how many lots at most, first to last (R-W9, R-W83).

    The FUND comes last.
    """
    lots = state.position(owner_of(unit), market).lots
    wanted = -sign(lots)
    found = [
        account
        for account in state.accounts()
        if sign(state.position(account, market).lots) == wanted and state.unit_of(account, market) not in treated
    ]
    rank = state.rules["deleveraging"]["rank"]
    fitting = [account for account in found if not passed_over(state, account, market, price)]
    state.events["adl_passed_over"] += len(fitting) < len(found)
    if rank in adl_ranks.SPLIT:
        ranked: list[tuple[Any, int]] = [*adl_ranks.parts(state, fitting, market, abs(lots) - keep, len(found))]
    else:
        if rank == "random_start":
            queue: list[Any] = [a for a in adl_ranks.from_a_drawn_start(state, found, market) if a in fitting]
        else:
            queue = sorted(fitting, key=lambda a: (-score(state, a, market), state.keys[a]))
        ranked = [(a, abs(state.position(a, market).lots)) for a in queue]
    if unit != FUND and sign(state.position(FUND, market).lots) == wanted:
        ranked.append((FUND, abs(state.position(FUND, market).lots)))
    return ranked


def score(state: State, account: int, market: int) -> float:
    """Return the rank score of an account's position, in float64 and in this order of operations (R-W9)."""
    if state.rules["deleveraging"]["rank"] not in ("pnl_margin", "entry_leverage"):
        return adl_ranks.score(state, account, market)
    unit = state.unit_of(account, market)
    position = state.position(account, market)
    equity = float(margin.equity(state, unit))
    value = float(state.value(market, abs(position.lots), state.mark[market]))
    if state.rules["deleveraging"]["rank"] == "pnl_margin":
        profit = float(max(0, margin.unrealised(state, account, market)))
        least = (state.rules["deleveraging"]["least_balance_quote"] or 0) * ATOMS_PER_QUOTE
        gain = profit / float(max(1, least, state.balances[unit]))
        return gain * (float(margin.maintenance(state, unit)) / equity if equity > 0 else 0.0)
    cost = float(abs(position.cost))
    ratio = value / cost if position.cost > 0 else cost / value
    return ratio * (value / equity if equity > 0 else 0.0)
