"""Value funds with leverage: they buy what is cheap, on credit up to a limit, and lose investors when they lose money.

A fund holds wealth x aggression x mispricing worth of the asset, at most wealth x leverage; when the price falls it
has to sell at the limit, though the asset became cheaper. Money flows in and out with its recent returns. Below a
share of its first wealth it leaves, and a new one comes after a while. Source: Thurner, Farmer and Geanakoplos,
"Leverage causes fat tails and clustered volatility", Quantitative Finance 12 (2012); a limit inverse to
volatility is that of a constant value at risk: Aymanns and Farmer, "The dynamics of the leverage cycle", Journal of
Economic Dynamics and Control 50 (2015).

Demand at a price depends on the fund's wealth at that price. So the price at which all funds' demand and the rest of
the supply (`holder`) meet is worked out by the funds, as common knowledge, and the orders that follow are sent to the
venue's call auction, which finds that price again: docs/decisions/0015-foreseen-auctions.md.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from delever.engine.commands import Kind
from delever.engine.kernel import kernel
from delever.engine.tables import (
    M_INDEX_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    M_PRICE_MAX_TICKS,
    P_LOTS,
    V_LOTS_MAX,
    Table,
    Tables,
)

from .account import account_equity_atoms, position_row
from .cohort import Cohort, Commands, Floats
from .elementary import log_of
from .holder import FIRST_MARKET, rung_of_trade
from .outbox import write_amount, write_market
from .parameters import CohortParameters, Numbers, Record
from .ranges import check_ranges
from .view import Ints, View

DEPOSIT, WITHDRAW = int(Kind.DEPOSIT), int(Kind.WITHDRAW)
COMMANDS_MAX = 3
HALVINGS = 60
ROUNDING_ATOMS = 10  # more than a requirement, and a multiple of it, is rounded up by
SEARCH_LOW, SEARCH_HIGH = 0.001, 10.0

# What a fund remembers: its wealth after the last auction without what investors take out, the money that was to come
# (or go, if below 0) since, its average return, and for how many more wakings it is out.
FUND = np.dtype(
    [("wealth_atoms", "i8"), ("flow_atoms", "i8"), ("performance", "f8"), ("out_wakings", "i8"), ("exits", "i8")]
)

# What a fund brings to the next auction.
PLAN = np.dtype(
    [
        ("lots", "i8"), ("wealth_atoms", "i8"), ("flow_atoms", "i8"), ("performance", "f8"), ("out_wakings", "i8"),
        ("left", "i8"), ("deposit_atoms", "i8"), ("withdraw_atoms", "i8"), ("target_lots", "i8"),
    ]
)  # fmt: skip


class ValueFundParameters(CohortParameters):
    """Value funds with leverage, redemptions and exits, in the first market."""

    mean_interval_s: float = Field(default=1.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds; as long as a step or shorter: every step."""
    wealth_quote_median: float = Field(default=200.0, gt=0.0, le=9e9)
    """What a fund begins with, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto"] = "equal"
    """Distribution of it: everybody the median, lognormal, or Pareto."""
    value_ticks: float = Field(default=1_000.0, gt=0.0, le=2**40)
    """What the asset is worth."""
    supply_lots: int = Field(default=10_000_000, ge=1, le=2**30 - 1)
    """Lots there are of it: those of all holders together, whose demand the funds foresee."""
    leverage: float = Field(default=5.0, gt=0.0, le=1000.0)
    """Largest value of a position as a multiple of wealth."""
    aggression_min: float = Field(default=5.0, gt=0.0, le=1e6)
    """Value of a position as a multiple of wealth and mispricing (a share of the value), of the least aggressive ..."""
    aggression_max: float = Field(default=50.0, gt=0.0, le=1e6)
    """... and of the most aggressive fund; evenly between."""
    exit_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """A fund leaves when its wealth is below this share of what it began with, ..."""
    out_wakings: int = Field(default=100, ge=2, le=1_000_000)
    """... and a new one begins with the same wealth after so many wakings."""
    performance_weight: float = Field(default=0.1, gt=0.0, le=1.0)
    """Weight of the latest return in the average that investors look at."""
    flow_share: float = Field(default=0.15, ge=0.0, le=100.0)
    """Share of its wealth that comes in, or goes out, at a waking, per unit of average return above the benchmark."""
    benchmark_return: float = Field(default=0.005, ge=-1.0, le=1.0)
    """Average return at which nothing flows."""
    volatility_ppm: float = Field(default=0.0, ge=0.0, le=1e6)
    """Volatility of a step at which the limit is `leverage`; the limit is inverse to it. 0: it does not follow it."""
    volatility_steps: int = Field(default=30, ge=1, le=100_000)
    """How many returns it is measured over, ..."""
    volatility_room: float = Field(default=3.0, ge=1.0, le=1000.0)
    """... and how many times `leverage` the limit may become; it does not fall below 1."""

    @model_validator(mode="after")
    def _aggression_in_order(self) -> Self:
        check_ranges(self, ("aggression_min", "aggression_max"))
        return self


class ValueFund(Cohort):
    """Buys below the value, in proportion to wealth and mispricing, within its leverage at the price that comes."""

    Parameters = ValueFundParameters
    parameters: ValueFundParameters

    def prepare(self) -> None:
        """Spread aggression over the funds; nobody has begun."""
        parameters = self.parameters
        self.aggression = np.linspace(parameters.aggression_min, parameters.aggression_max, self.n)
        self.start_atoms = self.initial_deposit_atoms()
        self.plans: Numbers = np.zeros(self.n, dtype=PLAN)
        self.columns = {"fund": np.zeros(self.n, dtype=FUND)}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what flows, and an order to the position that fits the price to come."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_value_funds(
                view.tables, self.numbers, self.aggression, self.start_atoms, view.mark_history, self.columns["fund"],
                self.plans, self.rows, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_value_funds(
    t: Tables, numbers: Numbers, aggression: Floats, starts: Ints, mark_history: Ints, funds: Table, plans: Table,
    rows: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out`, return how many there are; modifies `funds` of wakers, and `plans`.

    Every fund's plan is made, whoever is awake: the price a fund foresees does not depend on that.
    """
    p = numbers[0]
    for fund in range(rows.shape[0]):
        _plan(t, p, funds[fund], plans[fund], starts[fund], rows[fund])
    leverage = _limit(p, mark_history)
    _foresee(t, p, aggression, leverage, plans)
    row = 0
    for i in range(wakers.shape[0]):
        fund = wakers[i]
        _remember(funds[fund], plans[fund])
        row = _act(t, plans[fund], rows[fund], out, row)
    return row


@kernel
def _plan(t: Tables, p: Record, fund: Record, plan: Record, start: int, account: int) -> None:
    """Work out what a fund brings to the auction; writes `plan` alone."""
    plan["lots"] = t.positions[position_row(t, account, FIRST_MARKET), P_LOTS]
    # What investors withdrew at the last waking leaves now: until the auction it was margin of the position before.
    plan["withdraw_atoms"] = max(0, -fund["flow_atoms"])
    wealth = account_equity_atoms(t, account) - plan["withdraw_atoms"]
    plan["deposit_atoms"], plan["flow_atoms"], plan["performance"], plan["left"] = 0, 0, 0.0, 0
    plan["out_wakings"] = max(0, fund["out_wakings"] - 1)
    if plan["out_wakings"] > 0:
        plan["wealth_atoms"] = 0
        return
    if fund["wealth_atoms"] == 0:
        plan["deposit_atoms"] = max(0, start - wealth)
        plan["wealth_atoms"] = max(1, wealth + plan["deposit_atoms"])
        return
    profit = wealth - fund["wealth_atoms"] - fund["flow_atoms"]
    weight = p["performance_weight"]
    performance = (1.0 - weight) * fund["performance"] + weight * profit / fund["wealth_atoms"]
    if wealth < p["exit_share"] * start or wealth <= 0:
        plan["wealth_atoms"], plan["out_wakings"], plan["left"] = 0, p["out_wakings"] - 1, 1
        return
    flow = int(max(-1.0, p["flow_share"] * (performance - p["benchmark_return"])) * wealth)
    plan["wealth_atoms"], plan["flow_atoms"], plan["performance"] = wealth, flow, performance
    plan["deposit_atoms"] = max(0, flow)


@kernel
def _limit(p: Record, mark_history: Ints) -> float:
    """Return the largest leverage now: that of the parameters, or one inverse to the volatility of the last steps."""
    leverage, returns = p["leverage"], min(p["volatility_steps"], mark_history.shape[0] - 1)
    if p["volatility_ppm"] == 0.0 or returns < 1:
        return leverage
    squares, first = 0.0, mark_history.shape[0] - 1 - returns
    for step in range(first, first + returns):
        change = log_of(mark_history[step + 1, FIRST_MARKET] / mark_history[step, FIRST_MARKET])
        squares += change * change
    scaled = leverage * p["volatility_ppm"] / 1e6 / max(np.sqrt(squares / returns), 1e-9)
    return max(min(leverage, 1.0), min(scaled, leverage * p["volatility_room"]))


@kernel
def _wealth_atoms(plan: Record, atoms_per_tick: float, mark: int, price: float) -> float:
    """Return a fund's wealth if the auction has this price, redemptions taken off."""
    return plan["wealth_atoms"] + plan["flow_atoms"] + plan["lots"] * (price - mark) * atoms_per_tick


@kernel
def _wanted_lots(
    t: Tables, p: Record, aggression: Floats, leverage: float, plans: Table, fund: int, price: float
) -> float:
    """Return the position a fund wants at a price: none at the value or above, none without wealth."""
    plan, atoms_per_tick = plans[fund], float(t.markets[FIRST_MARKET, M_MULTIPLIER_ATOMS])
    mispricing = 1.0 - price / p["value_ticks"]
    if plan["out_wakings"] > 0 or mispricing <= 0.0:
        return 0.0
    wealth = max(0.0, _wealth_atoms(plan, atoms_per_tick, t.markets[FIRST_MARKET, M_MARK_TICKS], price))
    return min(aggression[fund] * mispricing, leverage) * wealth / (price * atoms_per_tick)


@kernel
def _foresee(t: Tables, p: Record, aggression: Floats, leverage: float, plans: Table) -> None:
    """Find the price of the next auction, and write each fund's position after it to its plan.

    Where several prices would do, which happens at high leverage, halving a wide range picks one; the source does not
    say which. Positions are those at the exact price; the auction's is a whole number of ticks, at which no fund may
    be beyond its limit.
    """
    index, supply = t.markets[FIRST_MARKET, M_INDEX_TICKS], p["supply_lots"]
    low, high = SEARCH_LOW * index, SEARCH_HIGH * max(index, p["value_ticks"])
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        wanted = supply * (index / middle - 1.0)
        for fund in range(plans.shape[0]):
            wanted += _wanted_lots(t, p, aggression, leverage, plans, fund, middle)
        if wanted > 0.0:
            low = middle
        else:
            high = middle
    for fund in range(plans.shape[0]):
        wanted = _wanted_lots(t, p, aggression, leverage, plans, fund, high)
        plans[fund]["target_lots"] = min(int(wanted), t.venue[V_LOTS_MAX])
    _cut_to_limit(t, p, leverage, plans)


@kernel
def _cut_to_limit(t: Tables, p: Record, leverage: float, plans: Table) -> None:
    """Cut positions to the limit at the tick at which the funds' orders meet the holder's; a sale may lower that."""
    markets, supply = t.markets, p["supply_lots"]
    index, mark = markets[FIRST_MARKET, M_INDEX_TICKS], markets[FIRST_MARKET, M_MARK_TICKS]
    atoms_per_tick = markets[FIRST_MARKET, M_MULTIPLIER_ATOMS]
    held = 0
    for fund in range(plans.shape[0]):
        held += plans[fund]["lots"]
    cut = True
    while cut:
        cut, wanted = False, 0
        for fund in range(plans.shape[0]):
            wanted += plans[fund]["target_lots"]
        price = rung_of_trade(supply, index, -held, -min(wanted, supply - 1))
        price = max(1, min(price, markets[FIRST_MARKET, M_PRICE_MAX_TICKS] - 1))
        for fund in range(plans.shape[0]):
            wealth = _wealth_atoms(plans[fund], float(atoms_per_tick), mark, float(price))
            wealth = max(0.0, wealth - ROUNDING_ATOMS)
            largest = int(leverage * wealth / (price * atoms_per_tick))
            if plans[fund]["target_lots"] > largest:
                plans[fund]["target_lots"] = largest
                cut = True


@kernel
def _remember(fund: Record, plan: Record) -> None:
    """Keep what the fund has to know at its next waking."""
    fund["wealth_atoms"], fund["flow_atoms"] = plan["wealth_atoms"], plan["flow_atoms"]
    fund["performance"], fund["out_wakings"] = plan["performance"], plan["out_wakings"]
    fund["exits"] += plan["left"]


@kernel
def _act(t: Tables, plan: Record, account: int, out: Table, row: int) -> int:
    """Write what one fund does: money out, money in, and one order.

    At any price, because the price is foreseen: a limit above the mark would be margined for a loss that cannot come.
    """
    if plan["withdraw_atoms"] > 0:
        row = write_amount(out, row, account, FIRST_MARKET, WITHDRAW, plan["withdraw_atoms"])
    if plan["deposit_atoms"] > 0:
        row = write_amount(out, row, account, FIRST_MARKET, DEPOSIT, plan["deposit_atoms"])
    change = plan["target_lots"] - plan["lots"]
    return write_market(
        out, row, account, FIRST_MARKET, 1 if change > 0 else -1, min(abs(change), t.venue[V_LOTS_MAX]), 0
    )
