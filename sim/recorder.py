"""What is kept of a run: tables in the run folder, and the numbers of the summary. A record is no state of the world.

Without a folder only the summary is worked out; memory does not grow with the length of a run either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from delever.agents.account import account_equity_atoms
from delever.engine.commands import Result
from delever.engine.events import (
    E_ACCOUNT,
    E_AMOUNT_ATOMS,
    E_CAUSE,
    E_CODE,
    E_KIND,
    E_LOTS,
    E_MARKET,
    E_OTHER,
    E_PRICE_TICKS,
    E_STEP,
    Code,
    Event,
)
from delever.engine.kernel import kernel
from delever.engine.margin import equity_atoms
from delever.engine.payoff import values_atoms, worths_atoms
from delever.engine.tables import (
    BAD_DEBT,
    M_FILLS,
    M_FORCED_ATOMS,
    M_VOLUME_ATOMS,
    NONE,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    V_CALLS,
    V_CHAIN,
    V_MEMBERS_AT,
    Tables,
)
from delever.engine.venue import StepReport, Venue

from .episodes import (
    I_ACCOUNT,
    I_DEFICIT_ATOMS,
    I_END_STEP,
    I_EQUITY_ATOMS,
    I_LIQUIDATION,
    I_PARENT,
    I_STEP,
    I_UNIT,
    J_ADL_LOTS,
    J_BANKRUPTCY_TICKS,
    J_BOOK_ATOMS,
    J_BOOK_LOTS,
    J_LOTS,
    J_MAINTENANCE_ATOMS,
    J_MARK_TICKS,
    J_MARKET,
    J_TAKEOVER_LOTS,
    Episodes,
    Told,
)
from .output import OutputFolder, TableWriter
from .series import SERIES_COLUMNS, SeriesSampler
from .tally import Tally

Integers = NDArray[np.int64]

FUND_NAME = "fund"

EVENT_NAMES = (
    "sequence", "step", "kind", "market", "account", "other", "lots", "price_ticks", "amount_atoms", "cause", "code",
    "chain",
)  # fmt: skip
LIQUIDATION_COLUMNS = (
    "liquidation", "parent", "step", "time_s", "account", "cohort", "market", "isolated", "lots", "value_atoms",
    "mark_ticks", "bankruptcy_ticks", "equity_atoms", "maintenance_atoms", "book_lots", "book_atoms",
    "takeover_lots", "adl_lots", "margin_lost_atoms", "deficit_atoms", "end_step",
)  # fmt: skip
ADL_COLUMNS = (
    "step", "time_s", "market", "liquidation", "account", "counterparty", "counterparty_cohort", "lots",
    "price_ticks", "mark_ticks", "value_atoms", "haircut_atoms",
)  # fmt: skip
FUND_COLUMNS = ("step", "time_s", "code", "amount_atoms", "balance_atoms", "liquidation")
BALANCE_COLUMNS = ("row", "owner", "market", "debits_atoms", "credits_atoms")
POSITION_COLUMNS = ("account", "market", "lots", "cost_atoms")
TEXTS = ("cohort", "counterparty_cohort", "code", "owner")

TABLES = {
    "series": SERIES_COLUMNS,
    "liquidations": LIQUIDATION_COLUMNS,
    "adl": ADL_COLUMNS,
    "fund": FUND_COLUMNS,
}
JOURNAL_TABLES = {"journal": EVENT_NAMES, "balances": BALANCE_COLUMNS, "positions": POSITION_COLUMNS}
VENUE_UNIT_NAMES = ("FUND", "FEES", "SETTLEMENT", "FUNDING", "ROUNDING", "BAD_DEBT", "OUTSIDE")

CODE_NAMES = np.array(["", *("" for _ in range(max(Code)))], dtype=object)
CODE_NAMES[list(Code)] = [code.name for code in Code]
FILL, ADL = int(Event.FILL), int(Event.ADL)


class Owners(NamedTuple):
    """Who owns an account: names of the cohorts, and the number of the cohort of every trader row."""

    names: Sequence[str]
    place_of: Integers
    backstops: Sequence[int]


class Recorder:
    """Takes events and steps of one venue; writes tables if there is a folder; adds up the summary.

    Use: give `take` to the venue as its sink, call `after_step` after every step, `finish` once at the end, whatever
    the end was. The last two raise OutputError if the folder cannot be written to.
    """

    def __init__(
        self,
        venue: Venue,
        owners: Owners,
        *,
        dt_s: int,
        record_every_steps: int,
        folder: OutputFolder | None = None,
        journal: bool = False,
    ) -> None:
        """Begin the record of a venue that has not processed a step, or only its opening."""
        self.atoms_per_unit = venue.rules.contract.atoms_per_coin
        self.venue = venue
        self.owners = owners
        self.dt_s = dt_s
        self.record_every_steps = record_every_steps
        self.episodes = Episodes()
        self.sampler = SeriesSampler(venue, dt_s)
        self.counts: dict[str, int] = dict.fromkeys(
            ("commands", "adl_fills", "adl_atoms", "haircut_atoms", "liquidated_atoms", "unfinished"), 0
        )
        self.layers_atoms: dict[str, int] = dict.fromkeys(("own_margin", "deficits", "warehouse", "socialised"), 0)
        self.tally = Tally(venue.tables, owners.backstops)
        self.event_bytes = 0
        self.folder = folder
        self.writers: dict[str, TableWriter] = {}
        self._series: list[tuple[Any, ...]] = []
        self._names = np.array([*owners.names, FUND_NAME], dtype=object)
        self._place_of = np.append(owners.place_of, len(owners.names))
        if folder is not None:
            for name, columns in (TABLES | (JOURNAL_TABLES if journal else {})).items():
                kinds = {column: pa.string() if column in TEXTS else pa.int64() for column in columns}
                if name == "journal":
                    kinds["code"] = pa.int64()
                self.writers[name] = folder.table(name, kinds)

    @property
    def tables(self) -> Tables:
        """Tables of the venue."""
        return self.venue.tables

    def take(self, rows: Integers) -> None:
        """Take events in their order, (n, EVENT_COLUMNS)."""
        self.event_bytes += rows.nbytes
        if "journal" in self.writers:
            self.writers["journal"].append(dict(zip(EVENT_NAMES, rows.T, strict=True)))
        # Nearly all events are voluntary fills, which the counters of the markets have added up already.
        sifted = self.tally.sift(rows)
        self.counts["liquidated_atoms"] += sifted.liquidated_atoms
        self.layers_atoms["deficits"] += sifted.deficits_atoms
        self.layers_atoms["warehouse"] += sifted.warehouse_atoms
        self.layers_atoms["socialised"] += sifted.socialised_atoms
        if len(sifted.fund_rows) and "fund" in self.writers:
            step, code, amount, balance, liquidation = sifted.fund_rows.T
            values = (step, step * self.dt_s, CODE_NAMES[code], amount, balance, liquidation)
            self.writers["fund"].append(dict(zip(FUND_COLUMNS, values, strict=True)))
        if sifted.of_liquidations:
            self.episodes.take(rows[(rows[:, E_KIND] != FILL) | (rows[:, E_CAUSE] != 0)])
        if sifted.of_adl:
            self._take_adl(rows[rows[:, E_KIND] == ADL])

    def after_step(self, report: StepReport, commands: Integers) -> None:
        """Take the end of a step: its report and the commands it was given."""
        self.counts["commands"] += int(report.commands)
        self.counts["unfinished"] += int(report.unfinished)
        lap = self.venue.lap
        lap("record")
        self.tally.after_step(commands, report.results)
        lap("totals")
        self._put_down(self.episodes.ended())
        if "series" in self.writers and (self.venue.step - 1) % self.record_every_steps == 0:
            self._record_series()
        if self.folder is not None:
            self.folder.check()

    def finish(self) -> None:
        """Write down what is still open and close every table. The venue must stand between two steps."""
        try:
            self._put_down(self.episodes.rest())
            if "series" in self.writers and (self.venue.step - 1) % self.record_every_steps != 0:
                self._record_series()
            self._flush_series()
            if "journal" in self.writers:
                self._write_balances()
        finally:
            if self.folder is not None:
                self.folder.close_tables()

    def _record_series(self) -> None:
        fund = (self.tally.fund_equity_atoms[2], self.tally.fund_balance_atoms)
        lost = (-self._balance_atoms(self.venue.fund_unit + BAD_DEBT), self.layers_atoms["socialised"])
        self._series += self.sampler.sample(fund, lost)
        if len(self._series) >= 512:
            self._flush_series()

    def _flush_series(self) -> None:
        if self._series and "series" in self.writers:
            columns = zip(*self._series, strict=True)
            self.writers["series"].append(dict(zip(SERIES_COLUMNS, columns, strict=True)))
        self._series.clear()

    def _take_adl(self, rows: Integers) -> None:
        """Count and write down deleveraged pairs. A haircut is what the counterparty gets less than at the mark."""
        if not len(rows):
            return
        market, lots, price, mark = rows[:, E_MARKET], rows[:, E_LOTS], rows[:, E_PRICE_TICKS], rows[:, E_CODE]
        haircut = worths_atoms(self.tables, market, lots, mark) - worths_atoms(self.tables, market, lots, price)
        self.counts["adl_fills"] += len(rows)
        self.counts["adl_atoms"] += int(rows[:, E_AMOUNT_ATOMS].sum())
        self.counts["haircut_atoms"] += int(np.maximum(haircut, 0).sum())
        caused = rows[:, E_CAUSE] > 0
        self.counts["liquidated_atoms"] += int(rows[caused, E_AMOUNT_ATOMS].sum())
        if "adl" in self.writers:
            step = rows[:, E_STEP]
            values = (
                step, step * self.dt_s, market, rows[:, E_CAUSE], rows[:, E_ACCOUNT], rows[:, E_OTHER],
                self._cohorts(rows[:, E_OTHER]), lots, price, mark, rows[:, E_AMOUNT_ATOMS], haircut,
            )  # fmt: skip
            self.writers["adl"].append(dict(zip(ADL_COLUMNS, values, strict=True)))

    def _put_down(self, told: Told) -> None:
        """Add liquidations to the totals and, if there is a folder, to their table: one row per position."""
        episodes, parts = told
        if not len(episodes):
            return
        end_equity = np.zeros(len(episodes), dtype=np.int64)
        equity_of_units(self.tables, np.ascontiguousarray(episodes[:, I_UNIT]), end_equity)
        lost = told.margin_lost_atoms(end_equity)
        self.layers_atoms["own_margin"] += sum(lost.tolist())
        if "liquidations" not in self.writers:
            return
        of = told.episode_of_part
        whole = told.maintenance_atoms[of]
        share = np.where(whole > 0, parts[:, J_MAINTENANCE_ATOMS], 1)
        whole = np.maximum(1, whole)
        begun, lots, mark = episodes[of], parts[:, J_LOTS], parts[:, J_MARK_TICKS]
        values = (
            begun[:, I_LIQUIDATION], begun[:, I_PARENT], begun[:, I_STEP], begun[:, I_STEP] * self.dt_s,
            begun[:, I_ACCOUNT], self._cohorts(begun[:, I_ACCOUNT]), parts[:, J_MARKET],
            begun[:, I_UNIT] != begun[:, I_ACCOUNT], lots, values_atoms(self.tables, parts[:, J_MARKET], lots, mark),
            mark,
            parts[:, J_BANKRUPTCY_TICKS], pro_rata(begun[:, I_EQUITY_ATOMS], share, whole),
            parts[:, J_MAINTENANCE_ATOMS], parts[:, J_BOOK_LOTS], parts[:, J_BOOK_ATOMS], parts[:, J_TAKEOVER_LOTS],
            parts[:, J_ADL_LOTS], pro_rata(lost[of], share, whole),
            pro_rata(begun[:, I_DEFICIT_ATOMS], share, whole), begun[:, I_END_STEP],
        )  # fmt: skip
        self.writers["liquidations"].append(dict(zip(LIQUIDATION_COLUMNS, values, strict=True)))

    def _cohorts(self, accounts: Integers) -> NDArray[np.object_]:
        """Return the name of the cohort of each account."""
        return self._names[self._place_of[accounts]]

    def _balance_atoms(self, unit: int) -> int:
        row = self.tables.units[unit]
        return int(row[U_CREDITS_ATOMS] - row[U_DEBITS_ATOMS])

    def _write_balances(self) -> None:
        """Write down what every unit and position holds at the end, for the audit."""
        t, traders, markets = self.tables, self.venue.fund_unit, len(self.venue.markets)
        rows = np.arange(len(t.units))
        pockets_at = traders + len(VENUE_UNIT_NAMES)
        pocket = rows - pockets_at
        owners = [str(row) for row in range(traders)] + list(VENUE_UNIT_NAMES)
        members_at = t.venue.item(V_MEMBERS_AT) if t.venue[V_MEMBERS_AT] != NONE else len(rows)
        accounts = [str(row) for row in range(traders)] + ["FUND"]
        owners += [accounts[row // markets] for row in range(members_at - pockets_at)]
        owners += accounts[: len(rows) - members_at]
        market = np.where((rows >= pockets_at) & (rows < members_at), pocket % markets, NONE)
        units = (rows, owners, market, t.units[:, U_DEBITS_ATOMS], t.units[:, U_CREDITS_ATOMS])
        self.writers["balances"].append(dict(zip(BALANCE_COLUMNS, units, strict=True)))
        held = np.arange(len(t.positions))
        positions = (held // markets, held % markets, t.positions[:, P_LOTS], t.positions[:, P_COST_ATOMS])
        self.writers["positions"].append(dict(zip(POSITION_COLUMNS, positions, strict=True)))

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the run so far; money in quote units, or in coins if the venue settles in a coin."""
        markets = self.tables.markets
        volume, forced = int(markets[:, M_VOLUME_ATOMS].sum()), int(markets[:, M_FORCED_ATOMS].sum())
        start, lowest, end = self.tally.fund_equity_atoms
        refusals = {Result(code).name: int(count) for code, count in enumerate(self.tally.refused) if code and count}
        waterfall = self._waterfall_atoms()
        return {
            "digest": self.venue.digest(),
            "accounts": self.venue.fund_unit,
            "steps": self.venue.step,
            "commands": self.counts["commands"],
            "fills": int(markets[:, M_FILLS].sum()),
            "liquidations": self.episodes.count,
            "liquidated_notional": self._units(self.counts["liquidated_atoms"]),
            "max_drawdown": round(self.tally.drawdown, 6),
            "insurance_fund_start": self._units(start),
            "insurance_fund_min": self._units(lowest),
            "insurance_fund_end": self._units(end),
            "adl_fills": self.counts["adl_fills"],
            "adl_notional": self._units(self.counts["adl_atoms"]),
            "socialised_loss": self._units(waterfall["socialised"]),
            "bad_debt": self._units(waterfall["bad_debt"]),
            "unfinished_cascades": self.counts["unfinished"],
            "conservation_error": int(self.venue.conservation_error_atoms()),
            "volume_notional": self._units(volume),
            "forced_notional": self._units(forced),
            "forced_share": round(forced / volume, 9) if volume else 0.0,
            "margin_calls": int(self.tables.venue[V_CALLS]),
            "refusals": refusals,
            "waterfall": {layer: self._units(atoms) for layer, atoms in waterfall.items()},
            "events_chain": f"{int(self.tables.venue[V_CHAIN]) & (2**64 - 1):016x}",
        }

    def _contributions_atoms(self) -> tuple[int, int]:
        """Return what members have put into a default fund in all, and what of it has been paid out (R-W59, R-W60)."""
        first = self.tables.venue.item(V_MEMBERS_AT)
        if first == NONE:
            return 0, 0
        rows = self.tables.units[first : first + self.venue.fund_unit]
        return int(rows[:, U_CREDITS_ATOMS].sum()), int(rows[:, U_DEBITS_ATOMS].sum())

    def _units(self, atoms: int) -> float:
        """Return money in units of its currency, to the atom."""
        return round(atoms / self.atoms_per_unit, len(str(self.atoms_per_unit)) - 1)

    def _waterfall_atoms(self) -> dict[str, int]:
        """Return what each layer has borne so far, in the order in which layers pay.

        The fund's part is its payments of deficits and the loss on positions it took over, at the mark where they are
        still open; a gain makes it negative. Members pay what left their contributions, assessments included; the
        backstops' part is their loss beside it, if they have one.
        """
        fund = self.venue.fund_unit
        funds = self.venue.fund_units
        open_loss = sum(self._balance_atoms(unit) - int(equity_atoms(self.tables, unit)) for unit in funds)
        brought = int(self.tally.backstops_brought_atoms[0])
        left = sum(int(account_equity_atoms(self.tables, account)) for account in self.owners.backstops)
        contributed, members_paid = self._contributions_atoms()
        return {
            "own_margin": self.layers_atoms["own_margin"],
            "fund": self.layers_atoms["deficits"] + self.layers_atoms["warehouse"] + open_loss,
            "members": members_paid,
            "backstop": max(0, brought - contributed - left),
            "adl": self.counts["haircut_atoms"],
            "socialised": self.layers_atoms["socialised"],
            "bad_debt": -self._balance_atoms(fund + BAD_DEBT),
        }


@kernel
def equity_of_units(t: Tables, units: Integers, equity: Integers) -> None:
    """Write the equity of each unit (n,) at the marks into `equity` (n,), atoms."""
    for i in range(units.shape[0]):
        equity[i] = equity_atoms(t, units[i])


def pro_rata(amount: Integers, share: Integers, whole: Integers) -> Integers:
    """Return amount * share // whole, exactly."""
    if (np.abs(amount.astype(np.float64)) * share < 2.0**62).all():
        return amount * share // whole
    return (amount.astype(object) * share // whole).astype(np.int64)
