"""Every table of a venue: its rows, its columns, their units, and the one module that writes each of them.

All tables are two- or three-dimensional C-ordered int64 arrays allocated once; a row is a record, so that what is
reached at random lies together, and a column is `table[:, COLUMN]`. Two dimensions of one type keep kernels cheap to
call and quick when interpreted; see docs/decisions/0002-tables.md. `NONE` (-1) is the null row everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NONE = -1
LINE_BYTES = 64  # what a processor fetches at once; tables begin with a line

Table = NDArray[np.int64]

# units: one row per margin unit (R-M1). Rows: traders' cross units 0..A-1, the fund A, the venue's own units, then
# pockets (A x M, row = pockets_at + account * M + market) if isolated margin is allowed.
U_DEBITS_ATOMS = 0  # ledger: everything ever taken from the unit
U_CREDITS_ATOMS = 1  # ledger: everything ever given to it
U_SINCE_STEP = 2  # distress: step since which the unit is distressed, NONE if it is not
U_LIQUIDATION = 3  # rounds, distress: id of the running liquidation, 0 if none
U_COOLDOWN_STEP = 4  # waterfall: last step of the cooldown after a partial order
U_FREED_ATOMS = 4  # steps: the same cell, with a step that grows with time: margin freed so far in this liquidation
U_FLAGS = 5  # distress, ledger, losses, rounds, takeover, adl_terms, steps, surplus: bits below
UNIT_COLUMNS = 6

FLAG_TOUCHED = 1  # traded or moved money since the last look
FLAG_NOTICE = 2  # a margin call stands
FLAG_LISTED = 4  # on the list of distressed units
FLAG_LOOKED = 8  # the mark reached a price at which the unit must be looked at
FLAG_OWING = 16  # on the list of flat units below zero
FLAG_TREATED = 32  # under treatment in this round
FLAG_REFUSED = 64  # a taker refused a position of it in this round, or the fund could not pay for a fill
FLAG_IDLE = 128  # treated in this step without effect: not due again in it
FLAG_SPARED = 256  # adl_terms, fixed: its account is never deleveraged
FLAG_PACED = 512  # a partial step went as planned: what is left is offered to nobody in this round

# The venue's own units, counted from the fund's row A.
FUND, FEES, SETTLEMENT, FUNDING, ROUNDING, BAD_DEBT, OUTSIDE = range(7)
VENUE_UNITS = 7

# accounts: one row per trader and one for the fund (row A).
A_KEY = 0  # fixed: label-free rank of the account; ties are broken by it
A_FIRST_ORDER = 1  # book: newest resting or waiting order
A_ORDERS = 2  # book: number of resting and waiting orders
ACCOUNT_COLUMNS = 3

# positions: row = account * M + market; the fund's rows come last.
P_LOTS = 0  # positions: signed
P_COST_ATOMS = 1  # positions: signed value of the entries still open
P_BIDS_LOTS = 2  # book: resting buys, reduce-only not counted
P_ASKS_LOTS = 3  # book: resting sells, likewise
P_INITIAL_PPM = 4  # wallet: the trader's own initial margin rate, 0 if none was set
P_ISOLATED = 5  # wallet: 1 if the market is isolated for the account
P_LOOK_NEXT = 6  # distress: links of the look-out list of a tick (R-W2)
P_LOOK_BEFORE = 7  # row before it, plus 1; of the first, -(2 * tick), one less for a short; 0 if not filed
POSITION_COLUMNS = 8

# orders: one row per resting or waiting order; free rows are linked through O_NEXT.
O_ACCOUNT = 0  # book writes all of these
O_MARKET = 1
O_SIDE = 2  # +1 buy, -1 sell
O_LOTS = 3  # still open
O_PRICE_TICKS = 4
O_TRIGGER_TICKS = 5  # 0 for an order in the book
O_KIND = 6
O_FLAGS = 7
O_TAG = 8
O_SEQUENCE = 9
O_NEXT = 10  # queue of the level, or of the trigger tick
O_BEFORE = 11
O_ACCOUNT_NEXT = 12  # the account's orders, newest first
O_ACCOUNT_BEFORE = 13
ORDER_COLUMNS = 14

# levels[ladder, tick]: the book. At rest a tick holds bids or asks, never both, and a market's ladder is its row. Where
# auctions may be held there are M more rows: in an auction the bids of market m lie in ladder M + m (R-H1).
L_HEAD = 0
L_TAIL = 1
L_LOTS = 2
LEVEL_COLUMNS = 3

# triggers[market, tick]: heads of waiting orders and of positions to look at.
T_LAST_FALLS = 0  # waiting orders that trigger when the last trade is at or below the tick
T_LAST_RISES = 1
T_MARK_FALLS = 2
T_MARK_RISES = 3
T_LOOK_LONGS = 4  # positions whose unit must be looked at when the mark is at or below the tick
T_LOOK_SHORTS = 5
TRIGGER_COLUMNS = 6

# markets: one row per market.
M_MULTIPLIER_ATOMS = 0  # fixed: value of a lot per tick; of an inverse lot, its value times the price
M_PRICE_MAX_TICKS = 1  # fixed
M_BEST_BID = 2  # book; 0 if there is none
M_BEST_ASK = 3  # book; price_max_ticks if there is none
M_LAST_TICKS = 4  # matching; 0 before the first trade
M_LOW_TICKS = 5  # matching: extremes of the last trade since the step began; 0 if it did not trade
M_HIGH_TICKS = 6
M_INDEX_TICKS = 7  # venue
M_MARK_TICKS = 8
M_MARK_BEFORE_TICKS = 9  # mark of the step before
M_BASIS_MICROTICKS = 10
M_PREMIUM_SUM_PPB = 11
M_PREMIUM_COUNT = 12
M_FUNDING_PPB = 13  # rate of the last payment
M_COLLAR_LOW = 14  # venue: admissible prices at the current mark
M_COLLAR_HIGH = 15
M_LONG_LOTS = 16  # positions: open interest (sum of long lots)
M_TIERS = 17  # fixed: first row and number of rows in `tiers`
M_TIER_COUNT = 18
M_RATE_MAX_PPM = 19  # fixed: highest maintenance rate
M_FORCED_CAUSE = 20  # matching: cause of the latest forced book fill
M_FORCED_STEP = 21  # matching: its step
M_FILLS = 22  # matching: counters since the venue opened
M_VOLUME_LOTS = 23
M_VOLUME_ATOMS = 24
M_FORCED_LOTS = 25
M_FORCED_ATOMS = 26
M_MARK_SEEN_TICKS = 27  # distress: mark at the last look
M_WAIT_MARK_TICKS = 28  # book: mark when waiting orders were last collected
M_SUM_COST_ATOMS = 29  # positions: sum of cost over all positions (control total of I3)
M_SCHEDULE = 40  # rules of margin, fixed (margin_columns.py): code below
M_LONG_INITIAL_PPM = 41  # base rates of the schedule, by side
M_LONG_MAINTENANCE_PPM = 42
M_SHORT_INITIAL_PPM = 43
M_SHORT_MAINTENANCE_PPM = 44
M_SLOPE_PPM = 45  # what M_SLOPE_LOTS add to the rate; of a model, the part of the funding owed that it asks for
M_SLOPE_LOTS = 46
M_SCALE_PPM = 47  # square root: part of the base; skew scaled: maintenance of initial; model: initial of maintenance
M_MINIMUM_ATOMS = 48
M_OWED = 49  # volatility: funding if it were paid now, where a schedule asks for a part of it: ppb of the value, or
M_OPEN_INTEREST_LOWER_ATOMS = 50
M_OPEN_INTEREST_UPPER_ATOMS = 51
M_VARIANCE = 52  # volatility: of returns, in ppb squared
M_VOLATILITY_PPM = 53  # volatility: rate that follows from it
M_OWED_SCALE = 46  # ... if this is above 0, atoms a lot, divided by it; a model has no M_SLOPE_LOTS
M_SAMPLE_TICKS = 54  # volatility: price from which the next return counts
M_AUCTION = 93  # auction: 0 while the market trades, else who holds the auction (R-H1)
M_AUCTION_TICKS = 94  # auction: price of its last uncrossing, 0 from its beginning until then
M_UNCROSSING_TICKS = 95  # auction: price at which orders are being matched just now, 0 otherwise
M_JOINED = 96  # auction: 1 if orders are in it that expire with it
M_WINDOW_MAX_LOTS = 80  # fixed: most lots liquidated in a window, 0 for no limit (R-W25)
M_WINDOW_LOTS = 81  # steps: lots liquidated in the window that ends with M_WINDOW_STEP
M_WINDOW_STEP = 82  # steps: step up to which `windows` is true
M_HALT = 100  # halts: TRADING, CANCEL_ONLY or REDUCE_ONLY
M_HALT_UNTIL = 101  # halts, bands: step in which the halt or auction ends
M_BAND_LOW = 102  # halts: prices at which trades may take place
M_BAND_HIGH = 103
M_LEANING = 104  # bands, halts: 1 if the band held an order back in this step
M_LIMIT_SINCE = 105  # halts: step since which orders lean against the band, NONE if none does
M_BREAKER_TICKS = 106  # halts: reference of the interval, of the session
M_SESSION_TICKS = 107
M_LEVELS_USED = 108  # halts: levels of decline used in this session
M_EXTENDED = 109  # halts, bands: 1 if the auction was extended
M_REFERENCE_SINCE = 110  # halts: step before which last prices are forgotten
M_TOP_BID = 97  # book, auction: sequence of the last order that bettered the market, 0 if none (R-O22)
M_TOP_ASK = 98
M_COUNTED_TICKS = 65  # trades: last trade that counts for the mark, and its step
M_COUNTED_STEP = 66
M_SEEN_BID = 67  # prices: best bid and ask when both were last there, and that step
M_SEEN_ASK = 68
M_SEEN_STEP = 69
M_IMPACT_TICKS = 70  # prices: impact mid when it last existed, and that step
M_IMPACT_STEP = 71
M_INDEX_STEP = 72  # prices: step of the last index from fresh sources
M_INDEX_MEAN_MICROTICKS = 73  # prices: average of the index that liquidation is guarded by
M_SPARE_MICROTICKS = 74  # prices: average of the median of bid, ask and last; 0 before the first
M_FUNDING_INDEX = 75  # premium: funding per lot since the opening
M_FUNDING_REST = 76  # premium: what rounding took from the rates so far
M_FUNDING_DAY_PPB = 77  # premium: rate of a day that moves with the skew
M_MARK_SUM_TICKS = 78  # premium: sums over the funding interval
M_INDEX_SUM_TICKS = 79
# Expiry of dated futures (expiry.py).
M_EXPIRY_STEP = 30  # fixed: step in which the market is settled, 0 if never
M_LAST_TRADING_STEP = 31  # fixed: from this step on traders may not trade it
M_FINAL_SUM_TICKS = 32  # sum and number of the samples of the final price so far
M_FINAL_COUNT = 33
M_FINAL_TICKS = 34  # final settlement price, 0 before there is one
M_FINAL_REST_ATOMS = 35  # what rounding has left of the payments so far
M_SUPPLY_LOTS = 120  # venue: units of the underlying in circulation, in lots; 0: not known
MARKET_COLUMNS = 121
M_MOVING = [M_OWED, M_VARIANCE, M_VOLATILITY_PPM, M_SAMPLE_TICKS]  # part of the state of a market, if not 0

# Values of M_SCHEDULE. Up to STEPPED the brackets of `tiers` hold by value; of BY_LOTS they hold by lots.
BRACKETED, STEPPED, BY_LOTS, AFFINE, SQUARE_ROOT, SKEW_SCALED, WEIGHTS, MODEL = range(8)

# history[market, step mod rows]: what the index, mark and funding rules need of the latest steps; no rows without them.
H_LOTS = 0  # trades: lots of the trades that count, and the sum of lots times price in ticks
H_VALUE_TICKS = 1
H_INDEX_TICKS = 2  # prices: index before any delay
H_PREMIUM_PPB = 3  # premium: sample of the step
HISTORY_COLUMNS = 4

# sources[market, source]: outside prices of which the index is made; no rows without such a rule.
G_TICKS = 0  # prices: last price, 0 before the first, and its step
G_STEP = 1
SOURCE_COLUMNS = 2

# tiers: rows of all markets, one after another (R-A1).
TIER_FLOOR_ATOMS = 0
TIER_INITIAL_PPM = 1
TIER_MAINTENANCE_PPM = 2
TIER_DEDUCTION_ATOMS = 3
TIER_COLUMNS = 4

# venue: one row of counters, limits and switches.
V_STEP = 0
V_SEQUENCE = 1  # last sequence number given
V_ACCOUNTS = 2  # number of traders A; the fund's unit and account row is A
V_MARKETS = 3
V_POCKETS_AT = 4  # first pocket row of `units`, NONE if there are no pockets
V_FREE_ORDER = 5  # head of the free list
V_FREE_ORDERS = 6
V_EVENT_COUNT = 7  # events in the buffer
V_CHAIN = 8  # running hash of all events
V_LISTED_COUNT = 9  # units on the list of distressed units
V_TOUCHED_COUNT = 10
V_LIQUIDATIONS = 11  # liquidation ids given
V_JOURNAL = 12  # 1 if every posting and command is an event
V_TRIGGERED_COUNT = 13
V_LOTS_MAX = 14
V_ORDERS_PER_ACCOUNT_MAX = 15
V_SELF_TRADE = 16
V_TAKER_PPM = 17
V_MAKER_PPM = 18
V_LIQUIDATION_PPM = 19
V_ROUND_REQUIREMENT_UP = 20
V_ROUND_FEE_UP = 21
V_ROUND_BANKRUPTCY_INWARD = 22
V_AT_OR_BELOW = 23
V_CALL_PPM = 24
V_ISOLATED_ALLOWED = 25
V_FUND_FLOOR_ATOMS = 26
V_FUND_CAP_ATOMS = 27
V_CALLS = 28  # margin calls sent
V_CAUSE = 29  # liquidation behind the order being matched, 0 if none
V_TAKER = 30  # order being matched when the event buffer was full, NONE otherwise
V_FORCING = 31  # 1 while the engine's own commands are executed; only then FLAG_FORCED is allowed
V_EVENTS_MAX = 32  # fixed: rows of `events`
V_OWING_COUNT = 33  # distress, losses: flat units found below zero in this step
V_LEFTOVER = 34  # rules of the waterfall, fixed
V_SEIZE_MARGIN = 35
V_WAREHOUSE_LEVERAGE = 36  # NONE: the rule is asked
V_ADL_TRIGGER = 37
V_ADL_RANK = 38  # NONE: the rule is asked
V_ADL_PRICE = 39
V_ADL_CANCELS = 40
V_FRESH_ORDER = 41  # book: first row of `orders` never used; it and all rows after it are free
V_MARK_FIRST = 42  # components of the mark, fixed: one three times, or three; NONE: the rule is asked
V_MARK_SECOND = 43
V_MARK_THIRD = 44
V_COLLAR_PPM = 45  # fixed
V_CALLED = 46  # distress: units on which a margin call stands
V_INVERSE = 47  # contract, fixed: 1 if the payoff is inverse
V_CLOSING_FEE_PPM = 48  # contract, fixed: fee for which bankruptcy prices leave room
V_REQUIREMENTS = 60  # rules of margin, fixed: bits below; 0: brackets at mark and nothing else
V_LEAST_INITIAL_PPM = 61
V_CLOSING_PPM = 62
V_SKEW_PPM = 63
V_SKEW_LOTS = 64
V_CONCENTRATION_FREE_PPM = 65
V_CONCENTRATION_PPM = 66
V_DECAY_PPM = 67
V_VOLATILITY_MULTIPLE_PPM = 68
V_VOLATILITY_FLOOR_PPM = 69
V_VOLATILITY_MAX_PPM = 70
V_VOLATILITY_SHARE_PPM = 71  # of it that maintenance margin asks for
# The insurance fund and what it decides (drawdown.py, adl_terms.py).
V_ADL_WINDOW_STEPS = 115  # fixed: drawdown that starts deleveraging; 0 steps: none
V_ADL_DROP_PPM = 116
V_ADL_UNTIL_PPM = 117
V_FUND_WINDOW_STEPS = 118  # fixed: drawdown in which the fund refuses positions
V_FUND_DROP_PPM = 119
V_FUND_UNTIL_PPM = 120
V_ADL_FAR_PPM = 121  # fixed; NONE: a bankruptcy price is never too far
V_ADL_FILTERS = 122  # fixed: bits below
V_ADL_MINIMUM_ATOMS = 123
V_ADL_HEDGED_PPM = 124
V_POOL_ABOVE_PPM = 125  # fixed; NONE: the fund is no pool
V_POOL_UNTIL_PPM = 126
V_POCKETS = 75  # fixed: POCKETS_FREE, POCKETS_STRICT or POCKETS_SEARCH
V_SEARCH_PPM = 76  # fixed: levels of the general account's search, 0 without it
V_SEARCH_INITIAL_PPM = 77
V_SEARCH_RELEASE_PPM = 78
V_SESSION = 127  # fixed: 1 if profits of a session are counted
V_MARKET_FUNDS = 129  # fixed: 1 if some market has a fund of its own
V_FEE_SHARE_PPM = 130  # fixed: shares of trading and liquidation fees that are the fund's
V_LIQUIDATION_SHARE_PPM = 131
V_SALE_PPM = 49  # fixed: fee of the fund for what it trades
V_FEES_SEEN_ATOMS = 132  # funds: balance of FEES after the last contribution
V_MEMBERS_AT = 134  # fixed: row of `units` of the first contribution to a default fund, NONE without one
V_TRADER_UNITS_END = 133  # fixed: row of `units` behind the last pocket of a trader
V_CARRIED_ATOMS = 128  # losses: written off in this session, to be clawed back at its end
V_ADL_SPREAD = 135  # fixed: how a position goes to its counterparties, QUEUE, PRO_RATA or FAIREST
V_ADL_AT_TURN = 136  # fixed: 1 if scores are given when a position's turn comes, not kept as accounts change
V_ADL_BALANCE_ATOMS = 137  # fixed: what a balance counts for at least in the rank PNL_MARGIN
V_AUCTIONS = 150  # fixed: 1 if markets may be in auction, so that `levels` has a second ladder for each
V_AUCTION_TIE = 151  # fixed: which of several prices an auction takes
V_AUCTION_MARGIN = 152  # fixed: 1 if orders in an auction are margined at its indicative price
V_AUCTION_PERSISTENT = 200  # fixed: 1 if orders that never rest have no part in auctions
V_SURPLUS = 100  # rules of liquidation, fixed: whether forced fills are settled at the bankruptcy price (R-W29)
V_SURPLUS_PPM = 101  # most of a fill's value, NONE for all
V_SURPLUS_COVERS = 102
V_SURPLUS_UNIT = 103  # who gets it
V_START_PPM = 104  # thresholds as multiples of maintenance margin (R-W28)
V_STOP_PPM = 105
V_BUFFER_PPM = 106
V_TAKES_AT_MARK = 107  # takeover (R-W32)
V_TAKES_ALL = 108
V_TAKES_SOLVENT = 204  # a backstop takes what costs it nothing while it is solvent
V_CANCELS = 109  # which orders are cancelled first (R-W33): a word of CANCELS
V_RAMPED = 110  # whether U_FREED_ATOMS is in use
V_SURPLUS_REFUSES = 111  # whether fills that the fund could not pay for are not made (R-W37)
V_LOST_MAX_ATOMS = 112  # most the fund pays for the fills of a unit in a round, 0 for no limit
V_COVERED_UNIT = 113  # rounds, surplus: unit whose fills the fund paid for last in this round, NONE if none,
V_COVERED_ATOMS = 114  # and how much
V_HALTS = 165  # fixed: 1 if the rules know halts
V_BANDS = 166  # fixed: what happens at the band: NO_BAND, HELD_BACK or TO_AUCTION
V_GATE_UNTIL = 167  # halts: step from which withdrawals are possible again, NONE if they always were
V_POSITION_VALUE_ATOMS = 168  # fixed: limits of one account's exposure in a market, 0 if there is none
V_POSITION_INTEREST_PPM = 169
V_POSITION_FREE_ATOMS = 170
V_POSITION_SUPPLY_PPM = 203
V_AUCTION_STEPS = 171  # fixed: length of an auction that an order begins
V_ALLOCATION = 153  # fixed: 1 if a level's lots are shared among its orders, 0 if the oldest comes first
V_TOP_MIN = 154  # fixed: lots an order needs to become TOP
V_TOP_MAX = 155  # fixed: most lots for the TOP order; 0: no limit; NONE: it has no privilege
V_LEAD_PPM = 156  # fixed: part for lead market makers
V_FIFO_PPM = 157  # fixed: part for the oldest
V_SHARE_MINIMUM = 158  # fixed: smaller proportions get nothing
V_BOARD_LOTS = 159  # fixed: proportions are multiples of it,
V_SHARE_NEAREST = 160  # fixed: the nearest (1) or the one below (0)
V_LEVELLING = 161  # fixed: 1 if who got nothing gets a lot
V_SHARING = 162  # allocation: price at which shares are being traded just now, 0 otherwise
V_NOTE_TRADES = 90  # fixed: which trades are noted for the mark, see trades.py
V_HISTORY_ROWS = 91  # fixed
V_GUARD_PPM = 92  # fixed: 0 if no guard holds liquidations back
V_PREMIUM_RULE = 93  # fixed: 1 if the premium is sampled by a rule of its own
V_FUNDING_STEPS = 94  # venue: steps from one payment to the next, 0 without funding
V_TAGGED = 163  # fixed: 1 if fills are recorded with the tags of their orders, in a replay of messages
V_ASSETS = 79  # fixed: number of collateral assets; 0: money only
V_ASSET_BUYER = 80  # fixed: unit that buys assets, counted from the fund's row: FUND or OUTSIDE
V_CONVERSION_PPM = 81  # fixed
V_SELLS_BEFORE = 82  # fixed: 1 if assets are sold before positions
V_DUE_UNITS_MAX = 201  # venue: what an impaired liquidation engine does in a step (R-W61), NONE for no limit: units,
V_DUE_VALUE_MAX_ATOMS = 202  # and the value of their positions that is exceeded once
V_EXCHANGE_ATOMS = 83  # fixed: a unit owing more than this sells; NONE: no automatic exchange
VENUE_COLUMNS = 205

# Bits of V_REQUIREMENTS.
HAS_SCHEDULES = 1  # a market has a schedule other than brackets
AT_ENTRY = 2  # maintenance margin is worked out from the entry
CLOSING_AT_MARK = 4
CLOSING_AT_BANKRUPTCY = 8
BY_OPEN_INTEREST = 16
BY_OWN_SIZE = 32
BY_IMBALANCE = 64
BY_CONCENTRATION = 128
BY_VOLATILITY = 256
BY_OTHERS = BY_OPEN_INTEREST | BY_IMBALANCE | BY_CONCENTRATION  # what depends on the positions of others
BY_ITSELF = BY_OWN_SIZE | BY_VOLATILITY
OF_POSITION = AT_ENTRY | CLOSING_AT_BANKRUPTCY  # what depends on more than lots and mark

# Values of V_LEFTOVER, V_ADL_TRIGGER, V_ADL_RANK and V_ADL_PRICE: a rule's words in the order given here.
LEFTOVERS = ("retry", "fund", "backstop")
ADL_TRIGGERS = ("none", "fund_empty", "equity_below_zero")
ADL_RANKS = (
    "pnl_margin", "entry_leverage", "pnl_leverage", "leveraged_return", "pnl", "leverage", "size", "random_start",
    "pro_rata_pnl", "pro_rata_equity", "pro_rata_lots", "pro_rata_wealth", "pro_rata_leverage_pnl", "min_max",
)  # fmt: skip
ADL_PRICES = ("bankruptcy", "mark", "previous_mark", "index")
RETRY, TO_FUND, TO_BACKSTOP = range(3)
NO_ADL, FUND_EMPTY, EQUITY_BELOW_ZERO = range(3)
(
    PNL_MARGIN, ENTRY_LEVERAGE, PNL_LEVERAGE, LEVERAGED_RETURN, PNL, LEVERAGE, SIZE, RANDOM_START,
    PRO_RATA_PNL, PRO_RATA_EQUITY, PRO_RATA_LOTS, PRO_RATA_WEALTH, PRO_RATA_LEVERAGE_PNL, MIN_MAX,
) = range(14)  # fmt: skip
QUEUE, PRO_RATA, FAIREST = range(3)
AT_BANKRUPTCY, AT_MARK, AT_PREVIOUS_MARK, AT_INDEX = range(4)
CANCELS = ("all", "none", "market", "worst_first")
CANCEL_EVERYTHING, CANCEL_NOTHING, CANCEL_IN_MARKET, CANCEL_WORST_FIRST = range(4)

# Bits of V_ADL_FILTERS: who is passed over (R-W56).
PASS_NO_OVERLAP, PASS_NO_PROFIT, PASS_SMALL, PASS_HEDGED, PASS_BACKSTOPS = 1, 2, 4, 8, 16

# peaks[watch]: the highest balances of the fund in a rolling window. Row 0: column 0 the newest row of the ring,
# column 1 their number; row 1: column 0 whether the drawdown is on. The ring follows: step and balance.
PEAK_WATCHES = 2
ADL_WATCH, FUND_WATCH = range(PEAK_WATCHES)
PEAK_HEAD_ROWS = 2
PEAK_COLUMNS = 2
# Values of V_POCKETS: what else than fills and the trader moves margin.
POCKETS_FREE, POCKETS_STRICT, POCKETS_SEARCH = range(3)

LEAD_MAKERS_MAX = 16

# Values of V_AUCTION_TIE and M_AUCTION.
AUCTION_TIES = ("reference", "pressure", "middle")
BY_REFERENCE, BY_PRESSURE, BY_MIDDLE = range(3)
OPEN, IN_BATCH, IN_HALT = range(3)
# Values of M_HALT and V_BANDS.
TRADING, CANCEL_ONLY, REDUCE_ONLY = range(3)
NO_BAND, HELD_BACK, TO_AUCTION = range(3)


SHAPES: dict[str, tuple[str, ...]] = {
    "venue": ("VENUE_COLUMNS",),
    "markets": ("M", "MARKET_COLUMNS"),
    "tiers": ("tiers of all markets", "TIER_COLUMNS"),
    "units": ("units", "UNIT_COLUMNS"),
    "accounts": ("A + 1", "ACCOUNT_COLUMNS"),
    "positions": ("(A + 1) * M", "POSITION_COLUMNS"),
    "orders": ("orders_max + 1", "ORDER_COLUMNS"),
    "levels": ("M or 2 M", "price_max_ticks", "LEVEL_COLUMNS"),
    "occupied": ("M or 2 M", "words"),  # bit map of the occupied levels, see occupancy.py
    "triggers": ("M", "price_max_ticks", "TRIGGER_COLUMNS"),
    "touched": ("units",),  # rows of `units` that traded or moved money since the last look
    "lasts": ("M", "steps remembered"),  # last price of each step, row step % rows; one row if halts need none
    "listed": ("units",),  # rows of distressed units
    "owing": ("units",),  # rows of flat units below zero, until loss sharing
    "shares": ("orders_max + 1",),  # lots of a taker shared out to resting orders, while it trades with them
    "leads": ("LEAD_MAKERS_MAX",),  # keys of lead market makers, fixed; NONE beyond
    "history": ("M", "steps remembered", "HISTORY_COLUMNS"),
    "sources": ("M", "sources of the index", "SOURCE_COLUMNS"),
    "triggered": ("orders_max + 1",),  # waiting orders collected for execution
    "windows": ("M", "seconds of the window"),  # lots liquidated per step of the rolling window (R-W25)
    "events": ("events_max", "EVENT_COLUMNS"),  # see events.py
    "sessions": ("A, or one",),  # equity at the start of the session less withdrawals since, plus deposits
    "assets": ("assets", "ASSET_COLUMNS"),
    "haircuts": ("haircuts of all assets", "HAIRCUT_COLUMNS"),
    "holdings": ("A + VENUE_UNITS", "assets", "H_COLUMNS"),
    "index_looks": ("assets", "price_max_ticks"),  # heads of the holdings to look at when the index falls to the tick
    "peaks": ("PEAK_WATCHES", "longest window in steps", "PEAK_COLUMNS"),  # see drawdown.py
}
TABLE_NAMES = tuple(SHAPES)
DIRECTORY_WORDS = 4  # a table's entry in the directory: address of its first cell, then its lengths


class Tables:
    """All state of one venue: every table a C-ordered int64 array of the shape in `SHAPES`, never replaced.

    `address` is that of a directory with the address and lengths of every table; compiled kernels see nothing else
    (handles.py).
    """

    venue: Table
    markets: Table
    tiers: Table
    units: Table
    accounts: Table
    positions: Table
    orders: Table
    levels: Table
    occupied: Table
    triggers: Table
    touched: Table
    lasts: Table
    listed: Table
    owing: Table
    shares: Table
    leads: Table
    history: Table
    sources: Table
    triggered: Table
    windows: Table
    events: Table
    sessions: Table
    assets: Table
    haircuts: Table
    holdings: Table
    index_looks: Table
    peaks: Table

    __slots__ = (*TABLE_NAMES, "_directory", "address")

    def __init__(self, **tables: Table) -> None:
        """Take over all tables by name; raises ValueError unless each is a C-ordered int64 array of its dimensions."""
        if set(tables) != set(TABLE_NAMES):
            raise ValueError(f"tables needed: {', '.join(TABLE_NAMES)} (got {', '.join(tables)})")
        self._directory = np.zeros((len(TABLE_NAMES), DIRECTORY_WORDS), dtype=np.int64)
        for i, name in enumerate(TABLE_NAMES):
            table = tables[name]
            sound = table.dtype == np.int64 and table.flags.c_contiguous and table.ndim == len(SHAPES[name])
            if not sound:
                raise ValueError(f"table {name} must be a C-ordered int64 array ({', '.join(SHAPES[name])})")
            object.__setattr__(self, name, table)
            self._directory[i, 0] = table.ctypes.data
            self._directory[i, 1 : 1 + table.ndim] = table.shape
        self.address = int(self._directory.ctypes.data)

    def as_dict(self) -> dict[str, Table]:
        """Return the tables by name; the arrays themselves, not copies."""
        return {name: getattr(self, name) for name in TABLE_NAMES}
