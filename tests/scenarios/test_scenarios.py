"""Every scenario, played by the engine and by the reference venue, ends in its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import Observation, ReferenceSide, first_difference
from tests.engine_side import EngineSide

from .tables import SIDES, Row, Scenario, read

FOLDER = Path(__file__).parent
SCENARIOS = [scenario for path in sorted(FOLDER.glob("*.txt")) for scenario in read(path)]
Found = list[list[Any]]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    """Answers, and every table of the scenario; engine and reference agree on everything else too."""
    rules = RuleSet.model_validate(scenario.rules).model_dump()
    engine, reference = EngineSide(scenario.world, rules), ReferenceSide(scenario.world, rules)
    history = []
    for step in scenario.steps:
        answers = engine.process(step.commands, step.index)
        assert answers == step.answers, f"answers of step {step.number}"
        assert reference.process(step.commands, step.index) == answers
        history.append(engine.observe())
        assert first_difference(reference.observe(), history[-1]) == "", f"step {step.number}"
    assert history[-1]["unfinished"] == scenario.unfinished
    logs = {"liquidations": [], "takeovers": [], "adl": []} | scenario.tables
    for name, rows in logs.items():
        wanted, found = CHECKS[name](scenario, rows, history)
        assert found == wanted, f"{name}: found {found}, wanted {wanted}"


def _numbers(row: Row, *columns: str) -> list[Any]:
    """Return cells as numbers; an empty cell is 0."""
    return [int(row.get(column) or 0) for column in columns]


def _money(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    last = history[-1]
    wanted = [[row["unit"], int(row["atoms"])] for row in rows]
    return wanted, [[row["unit"], last.get(("balance", scenario.unit(row["unit"])), 0)] for row in rows]


def _holdings(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [[scenario.unit(row["unit"]), scenario.assets.index(row["asset"]), int(row["atoms"])] for row in rows]
    found = [[*key[1:], atoms] for key, atoms in history[-1].items() if key[0] == "holding"]
    return sorted(wanted, key=str), sorted(found, key=str)


def _positions(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [
        [scenario.account(row["owner"]), scenario.market(row.get("market", "M0")), *_numbers(row, "lots", "cost")]
        for row in rows
    ]
    found = [[*key[1:], *value] for key, value in history[-1].items() if key[0] == "position"]
    return sorted(wanted, key=str), sorted(found, key=str)


def _book(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [[row["side"], scenario.account(row["who"]), *_numbers(row, "price", "lots")] for row in rows]
    found = []
    for name, side in (("buy", 1), ("sell", -1)):
        found += [[name, order[0], order[2], order[3]] for order in history[-1]["book", 0, side]]
    return wanted, found


def _waiting(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [
        [
            scenario.account(row["who"]),
            row["kind"],
            SIDES[row["side"]],
            *_numbers(row, "lots", "trigger"),
        ]
        for row in rows
    ]
    return wanted, [[account, kind, side, lots, at] for account, _, kind, side, lots, at in history[-1]["waiting", 0]]


def _distressed(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [[scenario.unit(row["unit"]), int(row["since"])] for row in rows]
    return sorted(wanted), sorted([unit, since] for unit, since in history[-1]["distressed"].items())


def _notices(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    return sorted([scenario.unit(row["unit"])] for row in rows), sorted([unit] for unit in history[-1]["notices"])


def _of_steps(key: str, column: str) -> Callable[[Scenario, list[Row], list[Observation]], tuple[Found, Found]]:
    """Return the check of a number of a market at the steps named."""

    def check(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
        where = [[int(row["step"]), scenario.market(row.get("market", "M0"))] for row in rows]
        wanted = [[*place, int(row[column])] for place, row in zip(where, rows, strict=True)]
        return wanted, [[step, m, history[step][key, m]] for step, m in where]

    return check


def _fills(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [
        [
            int(row["step"]),
            scenario.account(row["taker"]),
            scenario.account(row["maker"]),
            scenario.market(row.get("market", "M0")),
            *_numbers(row, "lots", "price", "cause"),
        ]
        for row in rows
        if row["taker"]
    ]
    steps = list(dict.fromkeys(int(row["step"]) for row in rows))
    return wanted, [[step, *fill] for step in steps for fill in history[step]["fills"]]


def _postings(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
    wanted = [
        [int(row["step"]), row["code"], scenario.unit(row["from"]), scenario.unit(row["to"]), int(row["atoms"])]
        for row in rows
    ]
    pairs = {(int(row["step"]), row["code"]) for row in rows}
    found = [
        [step, code, debit, credit, atoms]
        for step, code_wanted in pairs
        for (code, debit, credit), atoms in history[step]["postings"].items()
        if code == code_wanted
    ]
    return sorted(wanted, key=str), sorted(found, key=str)


def _log(name: str, *columns: str) -> Callable[[Scenario, list[Row], list[Observation]], tuple[Found, Found]]:
    """Return the check of a log that runs over the whole scenario."""

    def cell(scenario: Scenario, column: str, row: Row) -> Any:
        if column in ("account", "taker", "counterparty"):
            return scenario.account(row[column])
        if column == "market":
            return scenario.market(row["market"]) if row.get("market") else (-1 if name == "liquidations" else 0)
        return int(row[column])

    def check(scenario: Scenario, rows: list[Row], history: list[Observation]) -> tuple[Found, Found]:
        wanted = [[cell(scenario, column, row) for column in columns] for row in rows]
        return wanted, [list(entry) for entry in history[-1][name]]

    return check


CHECKS: dict[str, Callable[[Scenario, list[Row], list[Observation]], tuple[Found, Found]]] = {
    "money": _money,
    "holdings": _holdings,
    "positions": _positions,
    "book": _book,
    "waiting": _waiting,
    "distressed": _distressed,
    "notices": _notices,
    "marks": _of_steps("mark", "ticks"),
    "rates": _of_steps("rate", "ppb"),
    "fills": _fills,
    "postings": _postings,
    "liquidations": _log("liquidations", "id", "step", "account", "market", "parent"),
    "takeovers": _log("takeovers", "step", "cause", "account", "market", "taker", "lots", "price"),
    "adl": _log("adl", "step", "cause", "account", "market", "counterparty", "lots", "price"),
}
