"""What hypothesis draws: streams of order-book commands, few accounts and prices, so that orders meet; tiers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.desk import command as full_command

ACCOUNTS = 3
LOW, HIGH = 97, 103
PPM = 1_000_000

Step = list[dict[str, Any]]


class Shown(dict[str, Any]):
    """A command that prints only what is in it, so that a failing example can be read."""

    def __repr__(self) -> str:
        fields = " ".join(f"{name}={value}" for name, value in list(self.items())[3:] if value)
        return f"<{self['account']} {self['kind']} {fields}>"


def command(kind: str, account: int, **fields: Any) -> Shown:
    """Return a command of market 0."""
    return Shown(full_command(kind, account, **fields))


accounts = st.integers(0, ACCOUNTS - 1)
sides = st.sampled_from([1, -1])
prices = st.integers(LOW, HIGH)
lots = st.integers(1, 6)
tags = st.integers(0, 2)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a LIMIT or MARKET order with at most one time in force and perhaps reduce-only."""
    kind = draw(st.sampled_from(["LIMIT", "LIMIT", "LIMIT", "MARKET"]))
    flag = draw(st.sampled_from(["", "", "", "ioc", "fok", "post_only"]))
    return command(
        kind,
        draw(accounts),
        side=draw(sides),
        lots=draw(lots),
        price=draw(prices),
        tag=draw(tags),
        reduce_only=draw(st.sampled_from([False, False, True])),
        **({flag: True} if flag else {}),
    )


@st.composite
def waiting_orders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a STOP or TAKE_PROFIT order."""
    return command(
        draw(st.sampled_from(["STOP", "TAKE_PROFIT"])),
        draw(accounts),
        side=draw(sides),
        lots=draw(lots),
        trigger=draw(prices),
        tag=draw(tags),
        by_mark=draw(st.booleans()),
        reduce_only=draw(st.booleans()),
        fok=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a CANCEL, CANCEL_ALL or REPLACE."""
    kind = draw(st.sampled_from(["CANCEL", "REPLACE", "REPLACE", "CANCEL_ALL"]))
    price = draw(prices)
    return command(kind, draw(accounts), lots=draw(lots), price=price, trigger=price, tag=draw(tags))


@st.composite
def tier_tables(draw: st.DrawFn) -> list[dict[str, int]]:
    """Draw up to five tiers with rising floors and rates."""
    count = draw(st.integers(1, 5))
    floors = [0, *sorted(draw(st.sets(st.integers(1, 10_000), min_size=count - 1, max_size=count - 1)))]
    initial = sorted(draw(st.lists(st.integers(1, PPM), min_size=count, max_size=count)))
    maintenance = sorted(draw(st.integers(1, rate)) for rate in initial)
    return [
        {"floor_quote": floor, "initial_ppm": first, "maintenance_ppm": min(first, last)}
        for floor, first, last in zip(floors, initial, maintenance, strict=True)
    ]


commands = orders() | orders() | waiting_orders() | changes()
streams: st.SearchStrategy[list[Step]] = st.lists(st.lists(commands, max_size=10), max_size=8)
