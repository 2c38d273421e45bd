"""Collateral in several assets, in plain integers (R-C1 to R-C7)."""

from __future__ import annotations

from typing import Any

from . import margin
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, ceil_div

AMOUNT_MAX = 2**53
VALUE_MAX = 2**54
Command = dict[str, Any]


def rule(state: State) -> Any:
    """Return the rule for collateral, None if money is all there is."""
    return state.rules["margin"].get("collateral")


def listed(state: State) -> list[dict[str, Any]]:
    """Return the assets of the rule."""
    return list(rule(state)["assets"]) if rule(state) else []


def market_of(state: State, asset: dict[str, Any]) -> int | None:
    """Return the market whose index values an asset, None if the venue has no such market."""
    symbols = [market.symbol for market in state.markets]
    return symbols.index(asset["market"]) if asset["market"] in symbols else None


def price_of(state: State, asset: dict[str, Any]) -> int:
    """Return what a million atoms are worth (R-C1)."""
    if asset["market"] is None:
        return int(asset["price_ppm"])
    market = market_of(state, asset)
    assert market is not None
    return state.markets[market].multiplier * min(state.index[market], state.markets[market].price_max - 1)


def value_of(state: State, asset: dict[str, Any], amount: int) -> int:
    """Return the value of so many atoms (R-C1)."""
    return amount * price_of(state, asset) // PPM


def credit(asset: dict[str, Any], value: int) -> int:
    """Return what counts of a value, each part rounded down (R-C1)."""
    floors = [step["floor_quote"] * ATOMS_PER_QUOTE for step in asset["haircuts"]]
    tops = [*floors[1:], max(value, floors[-1])]
    parts = [max(0, min(value, top) - floor) for floor, top in zip(floors, tops, strict=True)]
    kept = [PPM - step["haircut_ppm"] for step in asset["haircuts"]]
    return sum(part * share // PPM for part, share in zip(parts, kept, strict=True))


def credited(state: State, unit: Any) -> int:
    """Return what a unit's assets add to its equity (R-C4)."""
    return sum(
        credit(asset, value_of(state, asset, state.holdings[unit, i]))
        for i, asset in enumerate(listed(state))
        if state.holdings.get((unit, i))
    )


def move(state: State, giver: Any, getter: Any, asset: int, amount: int) -> None:
    """Move an asset from one unit to another (R-C2); nothing is moved for 0."""
    if amount == 0:
        return
    for unit, change in ((giver, -amount), (getter, amount)):
        state.holdings[unit, asset] = state.holdings.get((unit, asset), 0) + change
        assert state.holdings[unit, asset] >= 0 or unit == "OUTSIDE", "I10: an asset that nobody had"
    state.touched.update((giver, getter))


def deposit(state: State, command: Command) -> str:
    """Carry out DEPOSIT_ASSET (R-C3)."""
    number, amount = command["market"], command["amount"]
    known = listed(state)
    if not 0 <= number < len(known):
        return "MARKET"
    if known[number]["market"] is None:
        highest = known[number]["price_ppm"]
    else:
        market = market_of(state, known[number])
        if market is None:
            return "MARKET"
        highest = state.markets[market].multiplier * state.markets[market].price_max
    there = -state.holdings.get(("OUTSIDE", number), 0)
    if not 1 <= amount <= AMOUNT_MAX or there + amount > min(AMOUNT_MAX, VALUE_MAX * PPM // highest):
        return "AMOUNT"
    account = command["account"]
    before = credited(state, ("cross", account))
    move(state, "OUTSIDE", ("cross", account), number, amount)
    gained = credited(state, ("cross", account)) - before
    state.session_start[account] = state.session_start.get(account, 0) + gained
    return "OK"


def withdraw(state: State, command: Command) -> str:
    """Carry out WITHDRAW_ASSET (R-C3)."""
    number, amount, unit = command["market"], command["amount"], ("cross", command["account"])
    known = listed(state)
    if not 0 <= number < len(known):
        return "MARKET"
    if known[number]["market"] is not None and market_of(state, known[number]) is None:
        return "MARKET"
    if not 1 <= amount <= AMOUNT_MAX:
        return "AMOUNT"
    if state.holdings.get((unit, number), 0) < amount:
        return "MARGIN"
    before = credited(state, unit)
    state.holdings[unit, number] -= amount
    lost = before - credited(state, unit)
    state.holdings[unit, number] += amount
    if margin.free_collateral(state, command["account"]) < lost:
        return "MARGIN"
    move(state, unit, "OUTSIDE", number, amount)
    state.session_start[command["account"]] = state.session_start.get(command["account"], 0) - lost
    return "OK"


def sell(state: State, unit: Any, shortage: int) -> None:
    """Sell assets of a cross unit until they have brought in a shortage (R-C5)."""
    if not rule(state) or unit[0] != "cross":
        return
    places = list(range(len(listed(state))))
    if rule(state)["sale_order"] == "haircut":
        places.sort(key=lambda i: -listed(state)[i]["haircuts"][0]["haircut_ppm"])
    for place in places:
        if shortage > 0 and state.holdings.get((unit, place)):
            shortage -= _sell_one(state, unit, place, shortage)


def _sell_one(state: State, unit: Any, place: int, shortage: int) -> int:
    asset, held = listed(state)[place], state.holdings[unit, place]
    kept = PPM - rule(state)["conversion_ppm"]

    wanted = ceil_div(shortage * PPM, kept)
    fewest = ceil_div(wanted * PPM, price_of(state, asset))
    amount = min(held, fewest)
    paid = value_of(state, asset, amount) * kept // PPM
    if paid == 0:
        return 0
    buyer = FUND if rule(state)["buyer"] == "fund" and state.balances[FUND] - state.floor() >= paid else "OUTSIDE"
    move(state, unit, buyer, place, amount)
    state.post(buyer, unit, paid, "CONVERSION")
    state.events["sold"] += 1
    return paid


def exchange_all(state: State) -> None:
    """Let whoever was touched and owes more than the threshold sell (R-C6)."""
    if not rule(state) or rule(state)["exchange_below_quote"] is None:
        return
    threshold = rule(state)["exchange_below_quote"] * ATOMS_PER_QUOTE
    for unit in state.trader_units():
        if unit in state.touched and -state.balances[unit] > threshold:
            sell(state, unit, -state.balances[unit])


def are_sold_first(state: State) -> bool:
    """Say whether assets are sold before positions."""
    return bool(rule(state)) and rule(state)["sale"] == "before_positions"


def sell_before(state: State, unit: Any, needed: int) -> None:
    """Sell assets of a unit under treatment until money alone lets it out of liquidation, at a level (R-C6)."""
    if are_sold_first(state):
        money = margin.equity(state, unit) - credited(state, unit)
        sell(state, unit, needed + margin.under(state, needed, margin.maintenance(state, unit)) - money)


def seize(state: State, unit: Any, taker: Any) -> None:
    """Give all assets a unit has left to a taker (R-C7)."""
    for place in range(len(listed(state))):
        move(state, unit, taker, place, state.holdings.get((unit, place), 0))


def check(state: State) -> None:
    """I10: every asset sums to zero over all holders."""
    for place in range(len(listed(state))):
        total = sum(amount for (_, asset), amount in state.holdings.items() if asset == place)
        assert total == 0, f"I10: asset {place} sums to {total}"
