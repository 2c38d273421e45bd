"""Liquidation and bankruptcy prices of inverse positions, exact and on the grid of the venue."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .desk import Desk, Grid, Number, exact, fine_coin_atom, fine_grid
from .examples import Situation, Unsupported, example
from .liquidation_prices import (
    MARKET,
    TRADER,
    bankruptcy_price,
    first_found,
    leverage_money,
    liquidation_price,
    published,
    signed,
    wallet,
)
from .rules import flat, ppm, under

TICK = Fraction(1, 2)
"""Of the prices that Bybit shows of BTCUSD, where an example does not name the tick."""


@example(
    "liq_price",
    "Bybit inverse",
    needs="qty entry balance mmr taker",
    answers="bankruptcy_price liq_price",
    labels="symbol",
)
def cross_with_closing_fee(case: Situation) -> dict[str, Any]:
    """An inverse position in cross margin; maintenance at entry and the fee of closing at the bankruptcy price."""
    changes = {
        "margin.schedule": flat(1, case.mmr),
        "margin.valuation": {"price": "entry"},
        "margin.closing_fee": {"rate_ppm": ppm(case.taker), "price": "bankruptcy"},
        "contract.closing_fee.fee_ppm": ppm(case.taker),
    }
    size = signed(case)
    fine = _desk("bybit-inverse", changes, size, case.entry, wallet(case))
    # The venue shows prices on its tick: the first one at which the position is distressed.
    tick, exactly = exact(case.get("tick", TICK)), liquidation_price(fine)
    shown = -(-exactly // tick) * tick if size > 0 else exactly // tick * tick
    return {"bankruptcy_price": bankruptcy_price(fine), "liq_price": shown}


def _desk(preset: str, changes: dict[str, Any], size: Fraction, entry: Number, money: Fraction, room: int = 1) -> Desk:
    """Return a desk with an inverse position and money in cross margin."""
    grid = fine_grid(MARKET, entry, size, room)
    desk = Desk(under(preset, changes), [grid], [entry], [TRADER], atom=fine_coin_atom(grid, money))
    desk.open(TRADER, MARKET, size, entry)
    desk.lend(TRADER, money)
    return desk


@example(
    "liq_price", "Bybit inverse", needs="qty entry leverage mmr", answers="bankruptcy_price liq_price", labels="symbol"
)
def isolated_at_mark(case: Situation) -> dict[str, Any]:
    """An isolated inverse position with the margin of its leverage; maintenance at the mark."""
    changes = {"margin.schedule": flat(1, case.mmr), "contract.closing_fee": None, "margin.closing_fee": None,
               "margin.valuation": None}  # fmt: skip
    size = signed(case)
    money = leverage_money(case, abs(size) / exact(case.entry))
    return first_found(lambda room: _desk("bybit-inverse", changes, size, case.entry, money, room))


@example("liq_price", "Kraken", needs="contracts entry margin mmr", answers="liq_price ioc_limit", labels="symbol")
def equity_protection(case: Situation) -> dict[str, Any]:
    """An inverse position with its margin; the limit of the forced order is the price at which equity is zero."""
    changes = {"margin.schedule": flat(case.get("imr", 1), case.mmr)}
    size, money = signed(case), wallet(case)
    found = first_found(lambda room: _desk("kraken-futures", changes, size, case.entry, money, room))
    return {**found, "ioc_limit": found["bankruptcy_price"]}


@example(
    "liq_price", "Binance COIN-M", needs="wb size entry mmr", answers="liq_price bankruptcy_price", labels="symbol"
)
def coin_margined(case: Situation) -> dict[str, Any]:
    """A wallet balance in coin behind an inverse position of contracts with a face; a maintenance amount in coin."""
    size, money = signed(case) * exact(case.get("contract_size", 1)), wallet(case)

    def make(room: int) -> Desk:
        grid = fine_grid(MARKET, case.entry, size, room)
        schedule = published(case.mmr, case.get("cum", 0), fine_coin_atom(grid, money))
        changes = {"margin.schedule": schedule, "margin.markets": {}, "margin.call_ppm": 0}
        return _desk("binance-coinm", changes, size, case.entry, money, room)

    return first_found(make)


CONTRACTS = 1_000


@example("bankruptcy_price", "Bybit inverse", needs="entry leverage", answers="raw rounded bankruptcy_price")
def inverse_bankruptcy(case: Situation) -> dict[str, Any]:
    """An isolated inverse position with the margin of its leverage; exact, and on the tick by the venue's rule."""
    rules = under("bybit-inverse", {"margin.schedule": flat(1, 0), "contract.closing_fee": None})
    size = signed(case) if case.gives("size") or case.gives("qty") else exact(case.get("side", 1)) * CONTRACTS
    money = leverage_money(case, abs(size) / exact(case.entry))
    if size < 0 and money >= abs(size) / exact(case.entry):
        raise Unsupported("a short without a bankruptcy price: its margin is all that it could lose")

    def found(grid: Grid, *, on_grid: bool) -> Fraction:
        mark = round(exact(case.entry) / grid.tick) * grid.tick
        desk = Desk(rules, [grid], [mark], [TRADER], atom=fine_coin_atom(grid, money))
        desk.open(TRADER, MARKET, size, case.entry)
        desk.lend(TRADER, money)
        return bankruptcy_price(desk, on_grid=on_grid)

    exactly = found(fine_grid(MARKET, case.entry, size), on_grid=False)
    shown = found(Grid(MARKET, exact(case.get("tick", TICK)), abs(size) / CONTRACTS), on_grid=True)
    return {"raw": exactly, "bankruptcy_price": exactly, "rounded": shown}
