"""Small worlds made by hand, as tests of both venues use them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.workload import World


def plain_world(
    accounts: int,
    *,
    markets: int = 1,
    multiplier: int = 1,
    price_max: int = 1000,
    first_index: int = 100,
    keys: Sequence[int] = (),
    backstops: Sequence[int] = (),
    dt_s: int = 1,
    orders_max: int = 100,
) -> World:
    """Return a world without money and without a will of its own; keys are the row numbers unless given."""
    rows = [{"symbol": f"M{m}", "multiplier_atoms": multiplier, "price_max_ticks": price_max} for m in range(markets)]
    return World(
        markets=rows,
        keys=list(keys or range(accounts)),
        dt_s=dt_s,
        backstops=list(backstops),
        makers=[],
        first_index_ticks=[first_index] * markets,
        orders_max=orders_max,
        deposits_atoms=[0] * accounts,
        volatility=0.0,
        jump_chance=0.0,
        depth_lots=0,
        quote_chance=0.0,
        commands_per_step=0,
    )
