"""Scenarios as text a person can read: blocks of tables, parsed straight into values.

A file holds scenarios, each from a line `scenario: what it says` to the next. Then `proves:` names rule ids of
docs/rules.md, `dt_s:`, `orders_max:` and `unfinished:` (cascades, R-W12) may be set, and indented blocks follow:

- rules: TOML, laid over the plain rules of tests/unit/desk.py (10 % and 5 % margin, mark = index, no charges)
- markets: symbol, multiplier, price_max, index; one market M0 with 1, 1000, 100 if the block is missing
- accounts: name, deposit and, if wanted, key and backstop (yes); all deposits are made in step 0
- assets are named in the rules; DEPOSIT_ASSET and WITHDRAW_ASSET name one in the column market
- steps: step, index (of all markets, with / between, of its sources with commas; `"` the one above), who, does, side,
  lots, price, market, answer, then name=value or a flag; columns may be left out. A row without `who` is a step without
  commands
- what must be true after the last step: money (of the units named), holdings (all there are), positions, book, waiting
  (all there are), distressed, notices (all there are), marks and rates (of the steps named)
- what must have happened: fills, postings (all of the steps and codes named), liquidations, takeovers, adl (all there
  were; a block that is missing says there were none)

`.` is an empty cell, `none` as first cell an empty table, ` #` begins a comment.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.reference.workload import Command, World
from tests.unit.desk import PLAIN, command

Row = dict[str, str]
RULE_ID = re.compile(r"R-[A-Z]+[0-9]+")
BLOCKS = {
    "rules", "markets", "accounts", "steps", "money", "holdings", "positions", "book", "waiting", "distressed",
    "notices", "marks", "rates", "fills", "postings", "liquidations", "takeovers", "adl",
}  # fmt: skip
SIDES = {"buy": 1, "sell": -1}


@dataclass
class Step:
    """The commands of one step, the answers they must get, and the index of every market."""

    number: int
    index: list[Any]
    commands: list[Command] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


@dataclass
class Scenario:
    """One story: a world, its rules, what is asked of it, and the tables it must end in."""

    name: str
    proves: list[str]
    world: World
    rules: dict[str, dict[str, Any]]
    accounts: list[str]
    markets: list[str]
    assets: list[str]
    steps: list[Step]
    tables: dict[str, list[Row]]
    unfinished: int

    def account(self, name: str) -> Any:
        """Return the row of an account by name; FUND stands for itself."""
        return name if name == "FUND" else self.accounts.index(name)

    def market(self, symbol: str) -> int:
        """Return the row of a market by symbol."""
        return self.markets.index(symbol)

    def unit(self, name: str) -> Any:
        """Return a unit by name: `ann`, `ann/M0` for a pocket, `FUND`, `FEES`, ..."""
        if name.isupper():
            return name
        account, _, symbol = name.partition("/")
        return ("pocket", self.account(account), self.market(symbol)) if symbol else ("cross", self.account(account))


def read(path: Path) -> list[Scenario]:
    """Return the scenarios of a file."""
    pieces = path.read_text(encoding="utf-8").split("\nscenario: ")
    return [_scenario(piece) for piece in pieces[1:]]


def _scenario(text: str) -> Scenario:
    lines = text.splitlines()
    head = {"proves": "", "dt_s": "1", "orders_max": "100", "unfinished": "0"}
    blocks: dict[str, list[str]] = {}
    for line in lines[1:]:
        words = f" {line}".partition(" #")[0][1:].rstrip()
        if not words:
            continue
        if words.startswith(" "):
            blocks[list(blocks)[-1]].append(words)
        elif ":" in words:
            name, _, value = words.partition(":")
            assert name in head, f"{lines[0]}: unknown line {line!r}"
            head[name] = value.strip()
        else:
            assert words in BLOCKS and words not in blocks, f"{lines[0]}: unknown or second block {words!r}"
            blocks[words] = []
    rules = tomllib.loads("\n".join(blocks.pop("rules", [])))
    tables = {name: _table(rows) for name, rows in blocks.items()}
    return _put_together(lines[0], head, rules, tables)


def _table(lines: list[str]) -> list[Row]:
    """Return the rows of a table by column name; what stands beyond the last column goes to `more`."""
    if lines[0].split() == ["none"]:
        return []
    columns = lines[0].split()
    rows = []
    for line in lines[1:]:
        cells = line.split()
        rows.append(dict(zip(columns, cells, strict=False)) | {"more": " ".join(cells[len(columns) :])})
    return [{name: "" if cell == "." else cell for name, cell in row.items()} for row in rows]


def _put_together(name: str, head: dict[str, str], rules: dict[str, Any], tables: dict[str, list[Row]]) -> Scenario:
    markets = tables.pop("markets", [{"symbol": "M0", "multiplier": "1", "price_max": "1000", "index": "100"}])
    accounts = tables.pop("accounts")
    names = [row["name"] for row in accounts]
    symbols = [row["symbol"] for row in markets]
    world = World(
        markets=[
            {
                "symbol": row["symbol"],
                "multiplier_atoms": int(row["multiplier"]),
                "price_max_ticks": int(row["price_max"]),
            }
            for row in markets
        ],
        keys=[int(row.get("key", i)) for i, row in enumerate(accounts)],
        dt_s=int(head["dt_s"]),
        backstops=[i for i, row in enumerate(accounts) if row.get("backstop")],
        makers=[],
        first_index_ticks=[int(row["index"]) for row in markets],
        orders_max=int(head["orders_max"]),
        deposits_atoms=[int(row["deposit"]) for row in accounts],
        volatility=0.0,
        jump_chance=0.0,
        depth_lots=0,
        quote_chance=0.0,
        commands_per_step=0,
    )
    first = Step(0, world.first_index_ticks)
    for account, amount in enumerate(world.deposits_atoms):
        if amount:
            first.commands.append(command("DEPOSIT", account, amount=amount))
            first.answers.append("OK")
    axes = {axis: PLAIN.get(axis, {}) | rules.get(axis, {}) for axis in {*PLAIN, *rules}}
    collateral = axes.get("margin", {}).get("collateral", {})
    assets = [asset["symbol"] for asset in collateral.get("assets", [])]
    steps = [first, *_steps(tables.pop("steps", []), names, symbols, assets, first.index)]
    proves, unfinished = RULE_ID.findall(head["proves"]), int(head["unfinished"])
    return Scenario(name, proves, world, axes, names, symbols, assets, steps, tables, unfinished)


def _steps(rows: list[Row], names: list[str], symbols: list[str], assets: list[str], index: list[Any]) -> list[Step]:
    """Return the steps of a `steps` block, filling in those between that nobody mentions."""
    steps: list[Step] = []
    opening = index
    for row in rows:
        if row["index"] != '"':
            index = [_prices(cell) for cell in row["index"].split("/")]
        number = int(row["step"])
        while not steps or steps[-1].number < number:
            quiet = (steps[-1].number if steps else 0) + 1
            steps.append(Step(quiet, index if quiet == number else steps[-1].index if steps else opening))
        if row.get("who"):
            known = assets if row["does"].endswith("_ASSET") else symbols
            steps[-1].commands.append(_command(row, names, known))
            steps[-1].answers.append(row["answer"])
    return steps


def _prices(cell: str) -> Any:
    """Return the index of a market, or the list of what each source says (0: nothing)."""
    return [int(price) for price in cell.split(",")] if "," in cell else int(cell)


def _command(row: Row, names: list[str], symbols: list[str]) -> Command:
    fields: dict[str, Any] = {}
    for word in row["more"].split():
        key, _, value = word.partition("=")
        fields[key] = int(value) if value else True
    if row.get("side"):
        fields["side"] = SIDES[row["side"]]
    for column in ("lots", "price"):
        if row.get(column):
            fields[column] = int(row[column])
    market = symbols.index(row["market"]) if row.get("market") else 0
    return command(row["does"], names.index(row["who"]), market, **fields)
