"""The fund trades what it took over back to the book (R-W11, R-W35)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .book import best_ask_ticks, lots_within
from .commands import CAUSE_DISPOSAL
from .contract import bankruptcy_ticks
from .forced import forced_orders
from .formulas_liquidation import disposal_lots
from .funds import fund_of
from .margin import equity_atoms, position_equity_atoms
from .tables import M_BEST_BID, M_MARK_TICKS, M_PRICE_MAX_TICKS, P_LOTS, V_MARKETS
from .units import PPM

if TYPE_CHECKING:
    from .venue import Venue


def dispose(venue: Venue) -> int:
    """Send part of each of the fund's positions to the book, if it is time; return the number of orders."""
    rule, t, fund = venue.rules.insurance, venue.tables, venue.fund_unit
    if rule.disposal_share_ppm == 0 or venue.step % venue.steps(rule.disposal_interval_s):
        return 0
    sent = 0
    for market in range(len(venue.markets)):
        lots = int(t.positions[fund * int(t.venue[V_MARKETS]) + market, P_LOTS])
        if lots == 0:
            continue
        side = -1 if lots > 0 else 1
        if rule.sale is None:
            price, size = _within_own_means(venue, market, lots), -(-abs(lots) * rule.disposal_share_ppm // PPM)
        else:
            price = _within_range(venue, market, lots)
            depth = int(lots_within(t, market, side, price))
            sale = rule.sale
            size = disposal_lots(abs(lots), rule.disposal_share_ppm, sale.whole_lots, depth, sale.book_share_ppm)
        assert 0 <= size <= abs(lots)
        if size > 0:
            one = forced_orders(fund, market, np.array([side]), np.array([size]), price, CAUSE_DISPOSAL)
            venue.execute(one, forced=True)
            sent += 1
    return sent


def _within_own_means(venue: Venue, market: int, lots: int) -> int:
    """Return the limit around the mark, not beyond the fund's own bankruptcy price (R-W11)."""
    rule, t = venue.rules.insurance, venue.tables
    mark, unit = int(t.markets[market, M_MARK_TICKS]), int(fund_of(t, market))
    share = position_equity_atoms(t, unit, market, equity_atoms(t, unit) - rule.floor_atoms)
    own = int(bankruptcy_ticks(t, market, lots, mark, share))
    if lots > 0:
        return max(own, -(-mark * (PPM - rule.disposal_range_ppm) // PPM))
    return min(own, mark * (PPM + rule.disposal_range_ppm) // PPM)


def _within_range(venue: Venue, market: int, lots: int) -> int:
    """Return the limit around mark or mid, within 1 .. price_max - 1 (R-W35)."""
    rule, t = venue.rules.insurance, venue.tables
    assert rule.sale is not None and lots != 0
    price = int(t.markets[market, M_MARK_TICKS])
    bid, ask = int(t.markets[market, M_BEST_BID]), int(best_ask_ticks(t, market))
    if rule.sale.around == "mid" and bid > 0 and ask > 0:
        price = (bid + ask) // 2
    reach = rule.disposal_range_ppm
    limit = -(-price * (PPM - reach) // PPM) if lots > 0 else price * (PPM + reach) // PPM
    return max(1, min(int(t.markets[market, M_PRICE_MAX_TICKS]) - 1, limit))
