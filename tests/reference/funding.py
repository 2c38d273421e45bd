"""Premium samples and payments of funding rules beyond the plain one (R-F2, R-F4 to R-F11)."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from . import book, prices
from .state import FUND, PPB, PPM, State, clamp

DAY_S = 86_400
YEAR_S = 365 * DAY_S


def own_sample(state: State, market: int) -> None:
    """Take the sample of a premium rule, or the sums of a TWAP rule (R-F4, R-F5, R-F8)."""
    memory, rule = state.memory, state.rules["charges"]["funding"]["premium"]
    if rule is None:
        memory.mark_sum[market] = memory.mark_sum.get(market, 0) + state.mark[market]
        memory.index_sum[market] = memory.index_sum.get(market, 0) + state.index[market]
        state.premium_count[market] += 1
        return
    if rule["every_s"] and state.step % state.steps(rule["every_s"]):
        return
    memory.premiums[market, state.step] = sample = premium(state, market, rule)
    if rule["median_s"]:
        group = state.steps(rule["median_s"])
        if (state.step + 1) % group:
            return
        steps = range(state.step - group + 1, state.step + 1)
        sample = prices.median([(memory.premiums[market, step], 1) for step in steps])
    state.premium_sum[market] += sample
    state.premium_count[market] += 1


def premium(state: State, market: int, rule: dict[str, Any]) -> int:
    """Return the premium of one step in ppb (R-F4)."""
    index, last = state.index[market], state.last[market]
    if rule["source"] == "impact":
        amount = prices.amount_of(state, market, rule["impact"])
        bid, ask = (prices.average_price(state, market, side, amount) for side in (-1, 1))
        gap = (max(0, bid - index * PPM) if bid else 0) - (max(0, index * PPM - ask) if ask else 0)
        return floor(Fraction(gap * PPB, index * PPM))
    if rule["source"] == "mark":
        return floor(Fraction((state.mark[market] - index) * PPB, index))
    if rule["source"] == "last":
        return 0 if last is None else floor(Fraction((last - index) * PPB, index))
    both = book.best_price(state, market, 1), book.best_price(state, market, -1)
    if both[0] is None or both[1] is None:
        return 0
    return floor(Fraction((both[0] + both[1] - 2 * index) * PPB, 2 * index))


def payment_due(state: State, market: int, price: int) -> tuple[int, Fraction | None]:
    """Return the rate of a payment in ppb, and what a lot pays in atoms where that is the rule (R-F2 to R-F11)."""
    rule, memory = state.rules["charges"]["funding"], state.memory
    seconds, period = rule["interval_s"], rule["period_s"]
    if rule["twap"]:
        return twap(state, market)
    if rule["velocity"]:
        speed = rule["velocity"]
        scale = speed["skew_scale_lots"]
        pool = [FUND, *state.backstops]
        skew = clamp(-sum(state.position(owner, market).lots for owner in pool), -scale, scale)
        before = memory.day_rate.get(market, 0)
        after = before + int(Fraction(skew * speed["velocity_ppb"] * seconds, scale * DAY_S))
        memory.day_rate[market] = after
        return with_rest(state, market, (before + after) * seconds, 2 * DAY_S), None
    count = state.premium_count[market]
    average = state.premium_sum[market] // count if count else 0
    rate = period_rate(state, market, average)
    if rule["continuous"]:
        return with_rest(state, market, rate * seconds, period), None
    if rule["cumulative"]:
        most = rule["cap_ppb"] * period // seconds
        rate = clamp(rate, -most, most)
        unit = 10 ** rule["cumulative"]["decimals"]
        delta = int(Fraction(rate * seconds, period * PPB) * state.value(market, 1, price) * unit)
        return clamp(rate * seconds // period, -rule["cap_ppb"], rule["cap_ppb"]), Fraction(delta, unit)
    return clamp(rate * seconds // period, -rule["cap_ppb"], rule["cap_ppb"]), None


def period_rate(state: State, market: int, average: int) -> int:
    """Return the rate of a period in ppb (R-F2, R-F5 to R-F7, R-F9)."""
    rule = state.rules["charges"]["funding"]
    interest = rule["interest_ppb"]
    if rule["interest_rates"]:
        rates = rule["interest_rates"]
        interest = (rates["quote_ppb"] - rates["base_ppb"]) // rates["intervals"]
    if rule["continuous"]:
        damper = rule["continuous"]["damper_ppb"]
        rate = 0 if abs(average) <= damper else average - damper if average > 0 else average + damper
    elif rule["premium"] and rule["premium"]["interest"] == "added":
        rate = average + interest
    else:
        rate = average + clamp(interest - average, -rule["clamp_ppb"], rule["clamp_ppb"])
    if rule["margin_cap"]:
        tier = prices.first_tier(state, market)
        gap = tier["initial_ppm"] - tier["maintenance_ppm"]
        most = rule["margin_cap"]["factor_ppm"] * gap * 1_000 // PPM
        rate = clamp(rate, -most, most)
    return int(rate)


def with_rest(state: State, market: int, numerator: int, denominator: int) -> int:
    """Return a rate within the cap; the remainder is kept for the next one (R-F9)."""
    cap = state.rules["charges"]["funding"]["cap_ppb"]
    rate, rest = divmod(numerator + state.memory.rest.get(market, 0), denominator)
    state.memory.rest[market] = rest if -cap <= rate <= cap else 0
    return clamp(rate, -cap, cap)


def twap(state: State, market: int) -> tuple[int, Fraction | None]:
    """Return the payment of two averages, as a rate and per lot (R-F8)."""
    rule, memory, count = state.rules["charges"]["funding"], state.memory, state.premium_count[market]
    if count == 0:
        return 0, None
    f, s = memory.mark_sum.pop(market) * PPB // count, memory.index_sum.pop(market) * PPB // count
    accrued = rule["twap"]["interest_year_ppb"] * count * state.dt_s // YEAR_S
    low, high = s * rule["twap"]["low_ppb"] // PPB, s * rule["twap"]["high_ppb"] // PPB
    payment = f - s + clamp(s + s * accrued // PPB - f, low, high)
    return int(Fraction(payment * PPB, s)), Fraction(payment * state.value(market, 1, 1), PPB)
