"""dYdX v4: bankruptcy quotes, fillable prices, the fund's part of a fill, offsetting, margin, blocks and funding."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from delever.engine import deleverage, funding, limits, rounds, takeover
from delever.engine.bankruptcy import bankruptcy_quote_atoms
from delever.engine.commands import Kind
from delever.engine.margin import equity_atoms, initial_atoms, unit_maintenance_atoms
from delever.engine.tables import M_FUNDING_PPB, V_LISTED_COUNT

from .desk import HOUSE, Desk, Grid, Number, exact
from .examples import Situation, example
from .rules import PPM, flat, ppm, under

USDC = Fraction(1, 10**6)
TRADER = "trader"


def account(desk: Desk, name: str, quote_balance: Number, positions: dict[str, Number]) -> None:
    """Give an account positions at the present marks, and money so that its quote balance is what it should be."""
    for symbol, size in positions.items():
        if exact(size):
            desk.open(name, symbol, size, desk.price(symbol, int(desk.index[desk.market(symbol)])))
    desk.lend(name, exact(quote_balance) - quote_balance_of(desk, name))


def quote_balance_of(desk: Desk, name: str) -> Fraction:
    """Return the balance as the venue counts it: money less the value at entry of what is held."""
    return desk.balance(name) - sum((desk.cost(name, symbol) for symbol in desk.grids), Fraction(0))


def _grid(symbol: str, price: Number, lot: Fraction) -> Grid:
    """Return a grid on which a price lies, and so coarse that lots of `lot` are whole quantums per tick."""
    tick = USDC / lot if lot * exact(price) < 1 else Fraction(1)
    while exact(price) / tick > 10**6 // 2 or (lot * tick / USDC).denominator != 1:
        tick *= 10
    return Grid(symbol, tick, lot, int(4 * exact(price) / tick))


def _portfolio(case: Situation, lot: Fraction, changes: dict[str, Any] | None = None) -> Desk:
    """Return a desk with the positions of a case at their oracle prices and margin fractions."""
    grids = [_grid(p["market"], p["oracle_price"], lot) for p in case.positions]
    schedules = {p["market"]: flat(1, p["mmf"]) for p in case.positions}
    most = max(abs(exact(p["size"])) / lot for p in case.positions)
    rules = under("dydx-v4", {"margin.schedules": schedules, "margin.open_interest": None,
                              "contract.lots_max": 2 * int(most), **(changes or {})})  # fmt: skip
    desk = Desk(rules, grids, [p["oracle_price"] for p in case.positions], [TRADER], atom=USDC)
    account(desk, TRADER, case.quote_balance, {p["market"]: p["size"] for p in case.positions})
    return desk


def _lot_of(*sizes: Number) -> Fraction:
    """Return the largest power of ten of which all sizes are multiples."""
    lot = Fraction(1)
    while any((exact(size) / lot).denominator != 1 for size in sizes):
        lot /= 10
    return lot


def quote_delta(desk: Desk, symbol: str, delta: Number) -> Fraction:
    """Return what the trader receives for closing a part of a position at its bankruptcy price."""
    unit, lots = desk.unit(TRADER, symbol), desk.lots(symbol, delta)
    return desk.money(int(bankruptcy_quote_atoms(desk.venue.tables, unit, desk.market(symbol), lots)))


@example("bankruptcy_price", "dYdX", needs="quote_balance positions close_market delta", answers="quote_delta")
def bankruptcy_quote(case: Situation) -> dict[str, Any]:
    """An account with one or two positions closes part of one."""
    desk = _portfolio(case, _lot_of(case.delta, *(p["size"] for p in case.positions)))
    return {"quote_delta": quote_delta(desk, case.close_market, case.delta)}


@example("adl_execution", "dYdX", needs="quote_balance positions close_market delta", answers="quote_delta quote_after")
def offset_of_one_of_two(case: Situation) -> dict[str, Any]:
    """An account with two positions is offset in one of them."""
    delta = bankruptcy_quote(case)["quote_delta"]
    return {"quote_delta": delta, "quote_after": exact(case.quote_balance) + delta}


@example("liq_price", "dYdX", needs="quote_balance positions market ba smmr", answers="fillable_price")
def fillable_price(case: Situation) -> dict[str, Any]:
    """The limit of the liquidation order of one position."""
    limit = {"kind": "fillable", "adjustment_ppm": min(2**32 - 1, ppm(case.ba)), "spread_ppm": ppm(case.smmr)}
    lot = _lot_of(*(p["size"] for p in case.positions))
    desk = _portfolio(case, lot, {"liquidation.limit": limit})
    t, unit = desk.venue.tables, desk.unit(TRADER)
    rows = np.zeros((len(desk.grids), rounds.CLOSING_COLUMNS), dtype=np.int64)
    rows = rows[: rounds.describe_all(t, np.array([unit]), rows)]
    prices = np.zeros(len(rows), dtype=np.int64)
    rule = desk.venue.rules.liquidation.limit
    assert rule is not None
    limits.limit_ticks(t, limits.numbers_of(rule), rows, prices)
    row = rows[:, rounds.K_MARKET].tolist().index(desk.market(case.market))
    return {"fillable_price": desk.price(case.market, int(prices[row]))}


@example(
    "insurance_flow",
    "dYdX",
    needs="quote_balance position oracle_price mmf is_buy size px max_fee",
    answers="insurance_fund_delta",
)
def insurance_delta(case: Situation) -> dict[str, Any]:
    """A liquidated account's order meets one at a price; what the fund gets, or pays."""
    lot = _lot_of(case.position, case.size) / 1000
    changes = {
        "margin.schedule": flat(1, case.mmf),
        "margin.tiers": [{"floor_quote": 0, "initial_ppm": PPM, "maintenance_ppm": PPM}],
        "margin.markets": {},
        "margin.open_interest": None,
        "contract.lots_max": 2**20,
        "liquidation.step": None,
        "liquidation.limit": None,
        "liquidation.surplus.cap_ppm": ppm(case.max_fee),
        "liquidation.rounds_max": 1,
        "deleveraging.trigger": "none",
        "deleveraging.eligible": None,
    }
    fund = 10**6
    grid = Grid("X", Fraction(1), lot)
    desk = Desk(under("dydx-v4", changes), [grid], [case.oracle_price], [TRADER], atom=USDC)
    account(desk, TRADER, case.quote_balance, {"X": case.position})
    desk.fund(fund)
    lots, price = desk.lots("X", case.size), desk.ticks("X", case.px)
    desk.command(HOUSE, Kind.LIMIT, symbol="X", side=-1 if case.is_buy else 1, lots=lots, price_ticks=price)
    desk.step()
    return {"insurance_fund_delta": desk.fund_balance() - fund}


@example(
    "insurance_flow",
    "dYdX",
    needs="deposit size entry mark mmf fill max_spread_mult",
    answers="mmr_at_entry equity_at_mark max_spread pnl_at_fill fund_pays",
)
def insurance_of_the_docs(case: Situation) -> dict[str, Any]:
    """The documentation's long: margin at entry, equity at the mark, the fill below bankruptcy and who pays for it."""
    changes = {
        "margin.schedule": flat(1, case.mmf),
        "margin.markets": {},
        "margin.open_interest": None,
        "liquidation.step": None,
        "liquidation.limit.spread_ppm": ppm(case.max_spread_mult),
        "liquidation.limit.adjustment_ppm": 10**9,
        "deleveraging.trigger": "none",
        "deleveraging.eligible": None,
    }
    rules, fund = under("dydx-v4", changes), 10**4
    tick = Fraction(1, 1000)
    desk = Desk(rules, [Grid("X", tick, Fraction(1))], [case.entry], [TRADER], atom=USDC)
    desk.deposit(TRADER, case.deposit)
    desk.open(TRADER, "X", case.size, case.entry)
    desk.fund(fund)
    at_entry = desk.maintenance(TRADER)
    desk.marks({"X": case.mark})
    at_mark, before = desk.equity(TRADER), desk.balance(TRADER)
    limit = rules.liquidation.limit
    assert limit is not None and limit.kind == "fillable"
    desk.command(HOUSE, Kind.LIMIT, symbol="X", side=1, lots=desk.lots("X", case.size),
                 price_ticks=desk.ticks("X", case.fill))  # fmt: skip
    desk.step()
    paid = fund - desk.fund_balance()
    return {
        "mmr_at_entry": at_entry,
        "equity_at_mark": at_mark,
        "max_spread": exact(case.mmf) * Fraction(limit.spread_ppm, PPM),
        "pnl_at_fill": desk.balance(TRADER) - paid - before,
        "fund_pays": paid,
    }


def _offsetting_desk(price: Number, mmf: Number, names: list[str], lot: Fraction = Fraction(1)) -> Desk:
    """Return a desk whose venue offsets at once what nobody takes over."""
    changes = {
        "margin.schedule": flat(1, mmf),
        "margin.markets": {},
        "margin.open_interest": None,
        "liquidation.stage": "takeover_only",
        "liquidation.leftover": "fund",
        "liquidation.step": None,
        "liquidation.limit": None,
        "liquidation.surplus": None,
        "deleveraging.trigger": "fund_empty",
        "deleveraging.eligible.spare_backstops": True,
    }
    # The house takes the other side of what a case leaves open; it is no counterparty of an offset.
    grid = Grid("X", Fraction(1), lot)
    return Desk(under("dydx-v4", changes), [grid], [price], names, atom=USDC, backstops=[HOUSE])


def offset(desk: Desk, name: str) -> None:
    """Let the engine offset an account: nobody takes its position over, so that counterparties have to."""
    venue, unit = desk.venue, desk.unit(name)
    venue.look()
    units = np.array([unit], dtype=np.int64)
    venue.for_each(rounds.begin_treatment, units)
    takeover.stage(venue, units, np.zeros(1, dtype=np.int64))
    deleverage.stage(venue, units)
    before = np.zeros((1, len(desk.grids)), dtype=np.int64)
    rounds.end_treatment(venue.tables, units, before)


@example("adl_execution", "dYdX", needs="liquidated others oracle_price mmf delta", answers="accounts remaining")
def offset_accounts(case: Situation) -> dict[str, Any]:
    """A liquidated account is offset against others: those on its side and those without overlap are passed over."""
    everybody = [case.liquidated, *case.others]
    desk = _offsetting_desk(case.oracle_price, case.mmf, [one["account"] for one in everybody])
    for one in everybody:
        quote = one["quote_balance"]
        account(desk, one["account"], 10**6 if quote is None else quote, {"X": one["position"]})
    offset(desk, case.liquidated["account"])
    shown = [one["account"] for one in everybody if one["quote_balance"] is not None]
    return {
        "accounts": {name: [quote_balance_of(desk, name), desk.position(name, "X")] for name in shown},
        "remaining": abs(desk.position(case.liquidated["account"], "X")),
    }


@example(
    "adl_execution",
    "dYdX",
    needs="lq0 liquidated_position oq0 offsetting_position P sz",
    answers="accepted offsetting_quote liquidated_quote",
)
def offset_pair(case: Situation) -> dict[str, Any]:
    """One account is offset against another, whole or in part, if their bankruptcy prices overlap."""
    names = ["liquidated", "other"]
    desk = _offsetting_desk(case.P, 1, names, _lot_of(case.sz))
    account(desk, "liquidated", case.lq0, {"X": case.liquidated_position})
    account(desk, "other", case.oq0, {"X": case.offsetting_position})
    part, whole = exact(case.sz), abs(exact(case.liquidated_position))
    closing = part if exact(case.liquidated_position) < 0 else -part
    unit, lots = desk.unit("liquidated"), desk.lots("X", closing)
    received = desk.money(int(bankruptcy_quote_atoms(desk.venue.tables, unit, 0, lots)))
    offset(desk, "liquidated")
    accepted = desk.position("liquidated", "X") == 0
    if not accepted:
        return {"accepted": False}
    if part < whole:  # the engine offsets the whole; a part of it changes hands for its own quote
        return {
            "accepted": True,
            "offsetting_quote": exact(case.oq0) - received,
            "liquidated_quote": exact(case.lq0) + received,
        }
    return {
        "accepted": True,
        "offsetting_quote": quote_balance_of(desk, "other"),
        "liquidated_quote": quote_balance_of(desk, "liquidated"),
    }


@example("margin", "dYdX", needs="q s price mmf", answers="liquidatable")
def liquidatable(case: Situation) -> dict[str, Any]:
    """Whether the engine lists an account as distressed."""
    lot = _lot_of(case.s) / 1000
    rules = under("dydx-v4", {"margin.schedule": flat(1, case.mmf), "margin.markets": {}, "margin.open_interest": None})
    desk = Desk(rules, [Grid("X", Fraction(1), lot)], [case.price], [TRADER], atom=USDC)
    account(desk, TRADER, case.q, {"X": case.s})
    desk.venue.look()
    t, unit = desk.venue.tables, desk.unit(TRADER)
    listed = t.listed[: int(t.venue[V_LISTED_COUNT])].tolist()
    assert (unit in listed) == (equity_atoms(t, unit) < unit_maintenance_atoms(t, unit))
    return {"liquidatable": unit in listed}


@example("margin", "dYdX", needs="imf oi lc uc q", answers="initial_margin_quantums")
def open_interest_fraction(case: Situation) -> dict[str, Any]:
    """Initial margin of a notional in quantums while open interest is at a place between the caps."""
    lower, upper = exact(case.lc), exact(case.uc)
    changes = {
        "margin.schedule": flat(case.imf, min(exact(case.imf), Fraction(1, 2))),
        "margin.markets": {},
        "margin.open_interest": {
            "lower_quote": round(lower / PPM),
            "upper_quote": round(upper / PPM),
        },
        "contract.lots_max": 2**29,
    }
    # One lot at one tick is the notional asked about; open interest is so many of them.
    notional = exact(case.q)
    desk = Desk(under("dydx-v4", changes), [Grid("X", Fraction(1), notional, 4)], [1], [TRADER, "whale"], atom=1)
    desk.lend(HOUSE, 2**60)
    held = round(exact(case.oi) / notional) * notional
    if held:
        desk.lend("whale", 2**60)
        desk.trade("whale", HOUSE, "X", held, 1)
    return {"initial_margin_quantums": int(initial_atoms(desk.venue.tables, desk.names[TRADER], 0, 1))}


@example("funding", "dYdX", needs="funding_index size index_at_entry", answers="settlement_ppm")
def funding_settlement(case: Situation) -> dict[str, Any]:
    """A position is settled by the change of the cumulative index, in millionths of a quantum per lot."""
    change = case.funding_index - case.index_at_entry
    rules = under("dydx-v4", {"margin.schedule": flat(1, 1), "margin.markets": {}, "margin.open_interest": None,
                              "contract.lots_max": 2**25})  # fmt: skip
    desk = Desk(rules, [Grid("X", Fraction(1), Fraction(1))], [1], [TRADER], atom=1)
    desk.open(TRADER, "X", case.size, 1)
    before = desk.balance(TRADER)
    t = desk.venue.tables
    t.markets[0, M_FUNDING_PPB] = change * 1000
    for receiving in (False, True):
        funding.pay_funding(t, 0, 1, change, PPM, 0, receiving)
    return {"settlement_ppm": (desk.balance(TRADER) - before) * PPM}


@example("funding", "dYdX", needs="price rate_ppm_8h seconds scale", answers="index_delta")
def funding_index_delta(case: Situation) -> dict[str, Any]:
    """The step of the cumulative index for a rate over some seconds at a price."""
    cumulative = under("dydx-v4", bare=False).charges.funding
    assert cumulative is not None and cumulative.cumulative is not None
    sum_rule = cumulative.cumulative.model_copy(update={"decimals": 0})
    # price x scale is the value of a lot; the rule takes price in ticks and the value of a tick in atoms.
    value = exact(case.price) * exact(case.scale) * PPM
    assert value.denominator == 1
    return {"index_delta": sum_rule.delta(case.rate_ppm_8h * 1000, int(value), 1, case.seconds, 28_800)}


@example("funding", "dYdX", needs="cf im mf", answers="max_abs_rate_8h")
def funding_clamp(case: Situation) -> dict[str, Any]:
    """The largest rate of eight hours from the margin fractions."""
    return {"max_abs_rate_8h": _rate_cap(case.cf, case.im, exact(case.im) * exact(case.mf))}


@example("funding", "dYdX", needs="imf mmf k impact imf2", answers="cap_8h impact_notional")
def funding_cap_of_the_docs(case: Situation) -> dict[str, Any]:
    """The documented cap, and the impact notional at an initial margin fraction."""
    rule = under("dydx-v4", bare=False).charges.funding
    assert rule is not None and rule.premium is not None and rule.premium.impact is not None
    impact = rule.premium.impact.model_copy(update={"notional_quote": case.impact})
    return {
        "cap_8h": _rate_cap(case.k, case.imf, case.mmf),
        "impact_notional": Fraction(impact.notional_atoms(ppm(case.imf2)), PPM),
    }


def _rate_cap(factor: Number, initial: Number, maintenance: Number) -> Fraction:
    """Return the cap of the preset's funding rule with another factor."""
    rule = under("dydx-v4", bare=False).charges.funding
    assert rule is not None and rule.margin_cap is not None
    cap = rule.margin_cap.model_copy(update={"factor_ppm": ppm(factor)})
    return Fraction(cap.cap_ppb(ppm(initial), ppm(maintenance)), 10**9)
