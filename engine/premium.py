"""Premium samples and rates of funding rules beyond the plain one, and the payments of all (R-F2 to R-F11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .averages import PPM, median, towards_zero
from .events import Event, record
from .funding import clear_rounding, pay_funding
from .impact import impact_microticks
from .rules.charges import Funding
from .rules.funding_parts import DAY_S, NANO, Premium
from .tables import (
    FUND,
    H_PREMIUM_PPB,
    M_BEST_ASK,
    M_BEST_BID,
    M_EXPIRY_STEP,
    M_FUNDING_DAY_PPB,
    M_FUNDING_INDEX,
    M_FUNDING_PPB,
    M_FUNDING_REST,
    M_INDEX_SUM_TICKS,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_SUM_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    M_PREMIUM_COUNT,
    M_PREMIUM_SUM_PPB,
    M_PRICE_MAX_TICKS,
    M_TIERS,
    NONE,
    P_LOTS,
    TIER_INITIAL_PPM,
    TIER_MAINTENANCE_PPM,
    V_ACCOUNTS,
    V_HISTORY_ROWS,
    V_MARKETS,
)
from .units import PPB

if TYPE_CHECKING:
    from .venue import Venue

PER_LOT_LIMIT = 2**61
Row = NDArray[np.int64]


class Payment(NamedTuple):
    """What is paid in one market: the rate for the record, and if `scale` > 0 `per_lot` / `scale` atoms a lot."""

    rate_ppb: int
    per_lot: int = 0
    scale: int = 0


def sample_premiums(venue: Venue) -> None:
    """Take one premium sample of every market by the rule's own words (R-F4, R-F5, R-F8); part of the mark phase."""
    funding = venue.rules.charges.funding
    assert funding is not None and funding.has_own_samples
    rule = funding.premium
    if rule is not None and rule.every_s is not None and venue.step % venue.steps(rule.every_s):
        return  # R-F4: between two samples
    for market, row in enumerate(venue.tables.markets):
        if rule is None:
            row[M_MARK_SUM_TICKS] += row[M_MARK_TICKS]
            row[M_INDEX_SUM_TICKS] += row[M_INDEX_TICKS]
            row[M_PREMIUM_COUNT] += 1
            continue
        sample = premium_ppb(venue, market, rule)
        if rule.median_s is not None:
            group = venue.steps(rule.median_s)
            rows = int(venue.tables.venue[V_HISTORY_ROWS])
            history = venue.tables.history[market, :, H_PREMIUM_PPB]
            history[venue.step % rows] = sample
            if (venue.step + 1) % group:
                continue
            sample = median(history[(venue.step - np.arange(group)) % rows].tolist())
        row[M_PREMIUM_SUM_PPB] += sample
        row[M_PREMIUM_COUNT] += 1


def premium_ppb(venue: Venue, market: int, rule: Premium) -> int:
    """Return the premium over the index now in ppb, rounded down; 0 where its price does not exist (R-F4)."""
    row = venue.tables.markets[market]
    index, last = int(row[M_INDEX_TICKS]), int(row[M_LAST_TICKS])
    if rule.impact is not None:
        initial_ppm = int(venue.tables.tiers[row[M_TIERS], TIER_INITIAL_PPM])
        amount = rule.impact.notional_atoms(initial_ppm, venue.markets[market].symbol)
        bid = impact_microticks(venue.tables, market, -1, amount)
        ask = impact_microticks(venue.tables, market, 1, amount)
        above = max(0, bid - index * PPM) if bid else 0
        below = max(0, index * PPM - ask) if ask else 0
        return (above - below) * PPB // (index * PPM)
    if rule.source == "mark":
        return (int(row[M_MARK_TICKS]) - index) * PPB // index
    if rule.source == "last":
        return (last - index) * PPB // index if last else 0
    bid, ask = int(row[M_BEST_BID]), int(row[M_BEST_ASK])
    two_sided = bid > 0 and ask < row[M_PRICE_MAX_TICKS]
    return (bid + ask - 2 * index) * PPB // (2 * index) if two_sided else 0


def pay_if_due(venue: Venue) -> None:
    """Pay funding in every market if this step is a funding step (R-F2, R-F3)."""
    funding, t = venue.rules.charges.funding, venue.tables
    if funding is None or venue.step == 0 or venue.step % venue.steps(funding.interval_s):
        return
    for market, row in enumerate(t.markets):
        if row[M_EXPIRY_STEP]:
            continue  # a dated contract has no funding (R-X4)
        price = int(row[M_INDEX_TICKS] if funding.notional == "index" else row[M_MARK_TICKS])
        payment = payment_due(venue, funding, market, price)
        row[M_FUNDING_PPB] = payment.rate_ppb
        row[[M_PREMIUM_SUM_PPB, M_PREMIUM_COUNT, M_MARK_SUM_TICKS, M_INDEX_SUM_TICKS]] = 0
        for receiving in (False, True):
            account = 0
            while account <= t.venue[V_ACCOUNTS]:
                account = pay_funding(t, market, price, payment.per_lot, payment.scale, account, receiving)
                venue.flush()
        venue.make_room()
        clear_rounding(t)
        record(t, int(Event.FUNDING), market, NONE, NONE, 0, price, payment.rate_ppb, 0, 0)


def payment_due(venue: Venue, funding: Funding, market: int, price_ticks: int) -> Payment:
    """Return what is to be paid in a market now; modifies what the rule remembers from payment to payment."""
    row = venue.tables.markets[market]
    if funding.twap is not None:
        return twap_payment(funding, row, venue.dt_s)
    if funding.velocity is not None:
        before = int(row[M_FUNDING_DAY_PPB])
        after = before + funding.velocity.change_ppb(skew_lots(venue, market), funding.interval_s)
        row[M_FUNDING_DAY_PPB] = after
        rate = _with_rest(row, (before + after) * funding.interval_s, 2 * DAY_S, funding.cap_ppb)
    else:
        samples = int(row[M_PREMIUM_COUNT])
        premium = int(row[M_PREMIUM_SUM_PPB]) // samples if samples else 0
        period_rate = funding.period_rate_ppb(premium, period_cap_ppb(venue, funding, row))
        if funding.cumulative is not None:
            return _sum_payment(funding, row, period_rate, price_ticks)
        rest = int(row[M_FUNDING_REST]) if funding.continuous is not None else 0
        rate, left = funding.share_ppb(period_rate, rest)
        if funding.continuous is not None:
            row[M_FUNDING_REST] = left
    return Payment(rate)


def twap_payment(funding: Funding, row: Row, dt_s: int) -> Payment:
    """Return what a lot would pay if the interval ended now, and that as a rate of the index average (R-F8).

    `row`: that of the market in `markets`; `dt_s`: seconds of a step. Also what margin for the next payment is of.
    """
    assert funding.twap is not None and dt_s >= 1
    samples = int(row[M_PREMIUM_COUNT])
    if samples == 0:
        return Payment(0)
    mark, index = (int(row[column]) * NANO // samples for column in (M_MARK_SUM_TICKS, M_INDEX_SUM_TICKS))
    payment = funding.twap.payment_nanoticks(mark, index, funding.twap.accrued_ppb(samples * dt_s))
    per_lot, scale = payment * int(row[M_MULTIPLIER_ATOMS]), NANO
    while abs(per_lot) >= PER_LOT_LIMIT:
        per_lot, scale = towards_zero(per_lot, 10), scale // 10
    return Payment(towards_zero(payment * PPB, index), per_lot, scale)


def _sum_payment(funding: Funding, row: Row, period_rate_ppb: int, price_ticks: int) -> Payment:
    """Move the sum per lot by a payment and return it (R-F11)."""
    assert funding.cumulative is not None
    multiplier = int(row[M_MULTIPLIER_ATOMS])
    most = funding.cap_ppb * funding.period_s // funding.interval_s
    period_rate_ppb = max(-most, min(most, period_rate_ppb))
    delta = funding.cumulative.delta(period_rate_ppb, price_ticks, multiplier, funding.interval_s, funding.period_s)
    row[M_FUNDING_INDEX] += delta
    rate, _ = funding.share_ppb(period_rate_ppb, 0)
    return Payment(rate, delta, 10**funding.cumulative.decimals)


def period_cap_ppb(venue: Venue, funding: Funding, row: Row) -> int | None:
    """Return the cap of a period out of the market's margin rates, None without such a rule (R-F6)."""
    if funding.margin_cap is None:
        return None
    initial, maintenance = venue.tables.tiers[row[M_TIERS], [TIER_INITIAL_PPM, TIER_MAINTENANCE_PPM]].tolist()
    return funding.margin_cap.cap_ppb(initial, maintenance)


def _with_rest(row: Row, numerator: int, denominator: int, cap_ppb: int) -> int:
    """Return a rate within its cap; what rounding down leaves is kept for the next (R-F9, R-F10)."""
    rate, left = divmod(numerator + int(row[M_FUNDING_REST]), denominator)
    capped = max(-cap_ppb, min(cap_ppb, rate))
    row[M_FUNDING_REST] = left if capped == rate else 0
    return capped


def skew_lots(venue: Venue, market: int) -> int:
    """Return the lots of all traders but the backstop accounts: those and the fund are the other side of it (R-F10)."""
    t = venue.tables
    pool: Iterable[int] = (*venue.backstops, int(t.venue[V_ACCOUNTS]) + FUND)
    return -sum(int(t.positions[account * int(t.venue[V_MARKETS]) + market, P_LOTS]) for account in pool)
