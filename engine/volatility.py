"""Requirements that move though nobody trades: with volatility, and with the funding that is owed (R-A26, R-A34)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .distress import nominate_holders
from .kernel import kernel
from .premium import period_cap_ppb, twap_payment
from .rules.charges import Funding
from .rules.margin import Margin
from .rules.schedules import Model
from .tables import (
    M_FUNDING_PPB,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    M_OWED,
    M_OWED_SCALE,
    M_PREMIUM_COUNT,
    M_PREMIUM_SUM_PPB,
    M_SAMPLE_TICKS,
    M_VARIANCE,
    M_VOLATILITY_PPM,
    V_DECAY_PPM,
    V_VOLATILITY_FLOOR_PPM,
    V_VOLATILITY_MAX_PPM,
    V_VOLATILITY_MULTIPLE_PPM,
    V_VOLATILITY_SHARE_PPM,
    Table,
    Tables,
)
from .units import PPB, PPM, ppb_up, ppm_down, root_down

if TYPE_CHECKING:
    from .venue import Venue


def moves(margin: Margin, symbols: list[str]) -> bool:
    """Say whether the rule has anything for `renew_requirements` to do in markets of these symbols."""
    schedules = [margin.schedule_of(symbol) for symbol in symbols]
    owes = any(isinstance(schedule, Model) and schedule.funding_share_ppm > 0 for schedule in schedules)
    return margin.volatility is not None or owes


def renew_requirements(venue: Venue) -> None:
    """Take a return of every market if one is due, and the funding owed now; those who hold lots are looked at again.

    Modifies M_VARIANCE, M_VOLATILITY_PPM, M_SAMPLE_TICKS, M_OWED and M_OWED_SCALE.
    """
    t, rule, funding = venue.tables, venue.rules.margin.volatility, venue.rules.charges.funding
    assert len(venue.markets) == len(t.markets)
    for market, symbol in enumerate(place.symbol for place in venue.markets):
        row = t.markets[market]
        if rule is not None and venue.step % venue.steps(rule.interval_s) == 0:
            sample_return(t, market, int(row[M_MARK_TICKS if rule.source == "mark" else M_INDEX_TICKS]))
        schedule = venue.rules.margin.schedule_of(symbol)
        if funding is not None and isinstance(schedule, Model) and schedule.funding_share_ppm > 0:
            note_owed(t, market, *_owed(venue, funding, row))


def _owed(venue: Venue, funding: Funding, row: Table) -> tuple[int, int]:
    """Return what would be paid now as (ppb of the value, 0), or as (atoms a lot, divided by this) (R-A26)."""
    if funding.twap is not None:
        payment = twap_payment(funding, row, venue.dt_s)
        return payment.per_lot, payment.scale
    if funding.velocity is not None:
        return int(row[M_FUNDING_PPB]), 0
    samples = int(row[M_PREMIUM_COUNT])
    premium = int(row[M_PREMIUM_SUM_PPB]) // samples if samples else 0
    rate, _ = funding.share_ppb(funding.period_rate_ppb(premium, period_cap_ppb(venue, funding, row)), 0)
    return rate, 0


@kernel
def sample_return(t: Tables, market: int, price_ticks: int) -> None:
    """Take the return since the sample before into a market's variance and rate (R-A34); the first sample has none."""
    m, venue = t.markets, t.venue
    before = m[market, M_SAMPLE_TICKS]
    m[market, M_SAMPLE_TICKS] = price_ticks
    assert price_ticks >= 1
    if before == 0:
        return
    change_ppb = min(PPB, abs(price_ticks - before) * PPB // before)
    kept, fresh = venue[V_DECAY_PPM], PPM - venue[V_DECAY_PPM]
    m[market, M_VARIANCE] = ppm_down(m[market, M_VARIANCE], kept) + ppm_down(change_ppb * change_ppb, fresh)
    assert 0 <= m[market, M_VARIANCE] <= PPB * PPB
    wanted = ppb_up(venue[V_VOLATILITY_MULTIPLE_PPM], root_down(m[market, M_VARIANCE]))
    rate_ppm = max(venue[V_VOLATILITY_FLOOR_PPM], min(venue[V_VOLATILITY_MAX_PPM], wanted))
    if rate_ppm != m[market, M_VOLATILITY_PPM]:
        m[market, M_VOLATILITY_PPM] = rate_ppm
        if venue[V_VOLATILITY_SHARE_PPM] > 0:
            nominate_holders(t, market)


@kernel
def note_owed(t: Tables, market: int, owed: int, scale: int) -> None:
    """Take the funding that would be paid now as what a position owes: see M_OWED (R-A26)."""
    assert scale >= 0
    if owed != t.markets[market, M_OWED] or scale != t.markets[market, M_OWED_SCALE]:
        t.markets[market, M_OWED] = owed
        t.markets[market, M_OWED_SCALE] = scale
        nominate_holders(t, market)
