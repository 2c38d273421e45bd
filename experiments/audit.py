"""`delever audit`: does the stored journal of a run lead to its stored balances and positions, and break no law?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .errors import UserError
from .folder import COLUMNS, RunFolder
from .replay import FINDINGS_MAX, NO_ROW, Chain, Finding, Replay, Terms

ROWS_AT_ONCE = 1 << 17
QUOTE_ATOMS = 1_000_000
NEEDED = ("journal", "balances", "positions")


class Audit(NamedTuple):
    """What an audit found; no findings means that everything was proved."""

    rows: int
    findings: list[Finding]


def audit(folder: Path) -> Audit:
    """Replay the journal of the run in `folder` and compare it with everything the run stored about money.

    Proved are: the chain of hashes; rising sequence numbers; every trade's value, realised profit and fees; the
    settlement identity; debits = credits; the fund never ends a step below its floor, nor a trader without positions
    in debt; balances, positions, the fund's movements and the final hash as stored. Raises UserError if the run has
    no journal or was interrupted.
    """
    run = RunFolder(folder)
    missing = [name for name in NEEDED if not run.has(name)]
    if "journal" in missing:
        raise UserError(f"{folder} has no journal. Make the run again with: delever run ... --journal")
    if missing:
        raise UserError(
            f"{folder} has no {missing[0]}.parquet: the run did not come to its end, so there is nothing to prove."
        )
    balances = run.table("balances")
    replay, chain = Replay(_terms(run, balances)), Chain()
    broken: list[Finding] = []
    for first_row, columns in _chunks(folder / "journal.parquet"):
        broken = broken + chain.check(columns, first_row)
        if len(replay.findings) < FINDINGS_MAX:
            replay.feed(columns)
    if len(replay.findings) < FINDINGS_MAX:
        replay.finish()
    stored = [
        *_check_end(run, chain, replay),
        *_check_balances(replay, balances),
        *_check_positions(replay, run.table("positions")),
        *_check_fund(replay, run),
    ]
    return Audit(replay.rows, sorted([*broken[:1], *replay.findings], key=lambda found: found.row) + stored)


def _chunks(path: Path) -> Iterator[tuple[int, dict[str, NDArray[np.int64]]]]:
    """Yield (number of the first row, columns) of the journal, a part at a time."""
    first_row = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE, columns=list(COLUMNS["journal"])):
            columns = {name: np.asarray(batch.column(name).cast(pa.int64())) for name in COLUMNS["journal"]}
            yield first_row, columns
            first_row += batch.num_rows
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a journal: {error}") from None


def _terms(run: RunFolder, balances: pd.DataFrame) -> Terms:
    rules: dict[str, Any] = run.manifest["rules"]
    fund = balances.loc[(balances["owner"] == "FUND") & (balances["market"] < 0), "row"]
    if len(fund) != 1:
        raise UserError(f"{run.path}/balances.parquet has no row for the FUND: it is not the table of a run.")
    return Terms(
        accounts=int(fund.iloc[0]),
        multipliers_atoms=[int(market["multiplier_atoms"]) for market in run.manifest["markets"]],
        pockets=bool((balances["market"] >= 0).any()),
        isolated_at_start=rules["margin"]["mode"] == "isolated",
        fund_floor_atoms=int(rules["insurance"]["floor_quote"]) * QUOTE_ATOMS,
        taker_ppm=int(rules["charges"]["taker_ppm"]),
        maker_ppm=int(rules["charges"]["maker_ppm"]),
        fee_up=rules["rounding"]["fee"] == "up",
        members=rules["insurance"].get("default_fund") is not None,
        own_funds=_own_funds(rules, [market["symbol"] for market in run.manifest["markets"]]),
        inverse=rules["contract"]["payoff"] == "inverse",
    )


def _own_funds(rules: dict[str, Any], symbols: list[str]) -> frozenset[int]:
    """Return the markets that have an insurance fund of their own (R-W57)."""
    own = rules["insurance"].get("market_funds")
    if own is None:
        return frozenset()
    return frozenset(market for market, symbol in enumerate(symbols) if not own["only"] or symbol in own["only"])


def _check_end(run: RunFolder, chain: Chain, replay: Replay) -> list[Finding]:
    """The last hash is the one in the summary: nothing was cut off or added at the end."""
    claimed = run.summary.get("events_chain")
    if claimed is None:
        return [
            Finding(NO_ROW, "the run has no summary.json with the hash of its last event, so its end cannot be proved")
        ]
    if claimed == f"{chain.value:016x}":
        return []
    return [Finding(NO_ROW, f"the hash after the last row ({replay.rows:,} rows) is not the one in summary.json")]


def _check_balances(replay: Replay, balances: pd.DataFrame) -> list[Finding]:
    found = []
    if int(balances["debits_atoms"].sum()) != int(balances["credits_atoms"].sum()):
        found.append(Finding(NO_ROW, "balances.parquet: debits and credits of all units are not equal"))
    unknown = (set(replay.debits) | set(replay.credits)) - set(balances["row"].tolist())
    found += [
        Finding(NO_ROW, f"the journal moves money of unit {unit}, which balances.parquet does not have")
        for unit in unknown
    ]
    columns = ("row", "owner", "market", "debits_atoms", "credits_atoms")
    for unit, owner, market, debits, credits in zip(*(balances[c].tolist() for c in columns), strict=True):
        replayed = (replay.debits.get(unit, 0), replay.credits.get(unit, 0))
        if replayed != (debits, credits):
            whose = f"unit {unit} ({owner}{f', market {market}' if market >= 0 else ''})"
            found.append(
                Finding(
                    NO_ROW,
                    f"balances.parquet gives {whose} debits of {debits:,} and credits of {credits:,} atoms; "
                    f"the journal leads to {replayed[0]:,} and {replayed[1]:,}",
                )
            )
    return found[:FINDINGS_MAX]


def _check_positions(replay: Replay, positions: pd.DataFrame) -> list[Finding]:
    columns = ("account", "market", "lots", "cost_atoms")
    stored = {(a, m): (lots, cost) for a, m, lots, cost in zip(*(positions[c].tolist() for c in columns), strict=True)}
    found = []
    for market in sorted({market for _, market in stored}):
        total = sum(lots for (_, m), (lots, _) in stored.items() if m == market)
        if total:
            found.append(
                Finding(NO_ROW, f"positions.parquet: the lots of market {market} add up to {total:,}, not to 0")
            )
    for key in sorted(stored.keys() | replay.positions.keys()):
        kept, replayed = stored.get(key, (0, 0)), replay.positions.get(key, (0, 0))
        if kept != replayed:
            found.append(
                Finding(
                    NO_ROW,
                    f"positions.parquet gives account {key[0]} in market {key[1]} {kept[0]:,} lots at a cost of "
                    f"{kept[1]:,} atoms; the journal leads to {replayed[0]:,} lots and {replayed[1]:,} atoms",
                )
            )
    return found[:FINDINGS_MAX]


def _check_fund(replay: Replay, run: RunFolder) -> list[Finding]:
    """The movements in fund.parquet are those of the journal, and the balances between them follow."""
    fund = run.fund
    amounts, after = fund["amount_atoms"].tolist(), fund["balance_atoms"].tolist()
    balance = 0
    for row, (amount, stated) in enumerate(zip(amounts, after, strict=True)):
        balance += amount
        if balance != stated:
            return [
                Finding(
                    NO_ROW,
                    f"fund.parquet, row {row:,}: the balance after {amount:,} atoms is {balance:,}, not {stated:,}",
                )
            ]
    held = sum(replay.balance_atoms(unit) for unit in replay.fund_units())
    if balance != held:
        return [Finding(NO_ROW, f"fund.parquet ends at {balance:,} atoms; the journal leads to {held:,}")]
    return []


def print_audit(folder: Path) -> bool:
    """Audit a run, print what was proved or what is broken, and return whether everything was proved."""
    result = audit(folder)
    if not result.findings:
        print(
            f"{folder}: {result.rows:,} rows of the journal replayed. The chain of hashes is whole, every profit and "
            "fee follows from its trade, and all balances, positions and movements of the fund are what it leads to."
        )
        return True
    print(f"{folder}: the journal does not prove this run.")
    for found in result.findings:
        print(f"- {found.sentence}")
    return False
