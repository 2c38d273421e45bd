"""The world as a Mesa model: traders, the way to the venue, and the venue, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Mesa 3.3 changes the way processes start when it is imported; this module imports it first and undoes that.
from delever.agents.cohort import Cohort

# isort: split
import mesa

from delever.agents.parameters import CohortParameters
from delever.agents.view import View
from delever.engine.commands import C_ACCOUNT, COMMAND_COLUMNS, Kind, batch
from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.contract import Contract
from delever.engine.rules.io import load_rules, rules_hash
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import M_INDEX_TICKS, M_LONG_LOTS, M_MARK_TICKS, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.engine.venue import StepReport, Venue, no_lap

from .accounts import Directory, Member
from .blocks import BlockGateway
from .calendar import Calendar
from .faults import Faults
from .gateway import Gateway
from .history import MarkHistory
from .index import index_ticks, said_ticks
from .money import lot_size, money_of, multiplier_atoms
from .opening import deposits
from .populations import BEHAVIOURS, traders_of
from .profile import COHORT
from .scenario import Scenario, ScenarioError, load_scenario

Integers = NDArray[np.int64]
Snapshot = dict[str, NDArray[Any]]
Extra = tuple[type[Cohort], Mapping[str, Any]]
Solo = tuple[type[mesa.Agent], Mapping[str, Any]]

INT64 = np.dtype(np.int64)
ORDERS_MIN = 20_000
ORDERS_MAX = 4_000_000
ORDERS_PER_ACCOUNT = 32
DEFAULT_SCENARIO = "flash-shock"


class MarketModel(mesa.Model):
    """A market of traders around one venue.

    A step is this list, in `step`:

    1. look: a dated, read-only view of the venue at the end of the step before;
    2. wake: the calendar names the traders awake now;
    3. decide: each cohort's awake traders decide at once, solo agents one by one; commands go to the gateway;
    4. travel: the gateway returns the commands that arrive in this step, in the order of arrival;
    5. trade: the venue executes them, marks, and liquidates;
    6. remember: marks and volatility are noted for later views, and what the data collector is asked for.

    The opening (deposits only) is step 0 and done by the constructor. Nothing is drawn from Mesa's generators: draws
    are keyed by (seed, stream, trader, waking), see `delever.agents.draws`.
    """

    def __init__(
        self,
        scenario: Scenario | str | None = None,
        *,
        rules: RuleSet | str | None = None,
        seed: int = 0,
        cohorts: Sequence[Extra] = (),
        solos: Sequence[Solo] = (),
        labels: Sequence[int] | None = None,
        journal: bool = False,
        check: bool = False,
        collect: bool = True,
        lap: Callable[[str], None] = no_lap,
        **keywords: Any,
    ) -> None:
        """Build the world and open the venue.

        `scenario` and `rules` are values or names (default: the flash shock, the textbook). `cohorts` adds cohorts of
        the caller's own, as (class, parameters), with `name` and `count` among the parameters; `solos` adds single Mesa
        agents, as (class, arguments): each is made as `class(model, account=row, **arguments)` and given a deposit of
        `deposit_quote`, one of its arguments. `labels` permutes the account rows (for tests that rows mean nothing).
        `lap` is called at the end of every phase of a step with its name (see profile.py). `keywords` replace fields of
        the scenario, e.g. `traders=500`. Raises ScenarioError, RuleError, or ValueError.
        """
        if not 0 <= seed < 2**63:
            raise ScenarioError(f"seed must be from 0 to 2^63 - 1 (got {seed})")
        super().__init__(rng=seed)
        self.master_seed = seed
        self._lap = lap
        wanted = load_rules(rules) if isinstance(rules, str) else rules or TEXTBOOK
        self.scenario, self.rules = _resolve(scenario, keywords).settle(wanted)
        markets = range(len(self.scenario.markets))
        self._index_ticks = np.column_stack([index_ticks(self.scenario, market, seed) for market in markets])
        self.money = money_of(self.rules.contract, self.scenario.markets, self._index_ticks[0].tolist())
        self.units_per_quote = self.money.units_per_quote
        self.faults = self._make_faults()
        self._said_ticks = self.faults.said(said_ticks(self.scenario, self._index_ticks, self.rules.mark.index, seed))
        self.directory = Directory(_members(self.scenario, cohorts, solos), labels)
        self.wakings = np.zeros(self.directory.accounts, dtype=np.int64)
        self.cohorts = self._make_cohorts()
        self.venue = self._open_venue(journal, check)
        self.venue.lap = lap
        self.gateway = self._make_gateway()
        self.calendar = self._make_calendar()
        self._symbols = tuple(market.symbol for market in self.scenario.markets)
        self.history = MarkHistory(self.scenario.steps + 1, len(self.scenario.markets), self.scenario.dt_s)
        self.view: View | None = None
        self._listening = False
        self.solos, deposits = self._make_solos()
        self.arrived = self._opening(deposits)
        self.report: StepReport = self._trade()
        self.running = self.scenario.steps > 0
        self._collect = collect
        self.datacollector = mesa.DataCollector(
            model_reporters=_reporters(self.scenario, self.rules.contract) if collect else {}
        )
        self._remember()

    @property
    def step_now(self) -> int:
        """Number of the step that comes next; the opening was step 0."""
        return self.venue.step

    def step(self) -> None:
        """Advance the world by one step; see the class for what happens. Raises ValueError after the last step."""
        step = self.step_now
        if step > self.scenario.steps:
            raise ValueError(f"scenario {self.scenario.name!r} is over: it has {self.scenario.steps} steps")
        lap = self._lap
        self.view = self.look()
        lap("view")
        wakers = self.calendar.pop(step)
        lap("calendar")
        self._decide(wakers)
        self.calendar.put_back()
        lap("calendar")
        self.arrived = self.faults.arrivals(self.gateway, step).copy()
        lap("gateway")
        self.report = self._trade()
        self._remember()
        lap("record")
        self.running = step < self.scenario.steps

    def look(self) -> View:
        """Return the view of the venue as it stands, dated at the step to come."""
        tables, marks, volatility_ppm = self.faults.seen(self.venue.tables, self.history, self.step_now)
        return View(tables, self.rules, self._symbols, self.step_now, self.scenario.dt_s, marks, volatility_ppm)

    def submit(self, commands: Integers) -> None:
        """Send commands (n, COMMAND_COLUMNS) of solo agents; raises ValueError if an account is not one of theirs."""
        commands = _checked(commands, "submit takes")
        step, directory = self.step_now, self.directory
        # Solo agents wake in every step.
        self.wakings[directory.cohorts_end :] = step
        if not self.gateway.submit(commands, directory.cohorts_end, directory.accounts, step):
            raise ValueError("submit: a solo agent may only command its own account")

    def listen(self, sink: Callable[[Integers], None]) -> None:
        """Send the venue's events to `sink` from now on, beginning with those of the opening if no step was made."""
        sink(self.venue.drain_events())
        self.venue.set_sink(sink)
        self._listening = True

    def snapshot(self) -> Snapshot:
        """Return the whole state as arrays by name; solo agents keep their state themselves."""
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            "made of": {name: np.array(text) for name, text in self._made_of().items()},
            "collected": {name: np.array(values) for name, values in self.datacollector.model_vars.items()},
            "venue": self.venue.snapshot(),
            "gateway": self.gateway.snapshot(),
            "calendar": self.calendar.state(),
            "history": self.history.snapshot(),
            "faults": self.faults.snapshot(),
        }
        parts |= {f"cohort {cohort.name}": cohort.snapshot() for cohort in self.cohorts}
        return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a `snapshot` of a model made with the same arguments.

        Raises ValueError if scenario, rules or seed of the two differ; nothing is changed then.
        """

        def part(prefix: str) -> Snapshot:
            return {
                name.removeprefix(f"{prefix}/"): array
                for name, array in snapshot.items()
                if name.startswith(f"{prefix}/")
            }

        for name, text in self._made_of().items():
            if str(snapshot[f"made of/{name}"]) != text:
                raise ValueError(f"the snapshot was taken of a model with another {name}")
        self.venue.restore(part("venue"))
        self.gateway.restore(part("gateway"))
        self.calendar.restore(part("calendar"))
        self.history.restore(part("history"))
        self.faults.restore(part("faults"))
        for cohort in self.cohorts:
            cohort.restore(part(f"cohort {cohort.name}"))
        for name, values in part("collected").items():
            self.datacollector.model_vars[name] = values.tolist()
        self.running = self.step_now <= self.scenario.steps

    def close(self) -> None:
        """Let go of everything, at once: neither Mesa's record of models nor a circle of references keeps any of it."""
        self.running = False
        for agent in list(self.agents):
            agent.remove()
        # Mesa 3.3 numbers the agents of each model in a dictionary that it never clears.
        mesa.Agent._ids.pop(self, None)
        # The venue and its waterfall hold each other: without this the tables wait for the garbage collector.
        vars(self.venue).clear()
        for cohort in self.cohorts:
            cohort.columns = {}
            cohort.rows = cohort.keys = cohort.wakings = np.empty(0, dtype=np.int64)
        for name in ("venue", "gateway", "calendar", "history", "directory", "view", "cohorts", "solos", "arrived"):
            delattr(self, name)
        self._index_ticks = self._said_ticks = self.wakings = np.empty(0, dtype=np.int64)

    def _made_of(self) -> dict[str, str]:
        """Return what must be the same in a model that takes over a snapshot of this one."""
        return {
            "scenario": self.scenario.model_dump_json(),
            "rule set": rules_hash(self.rules),
            "seed": str(self.master_seed),
        }

    def _decide(self, wakers: Sequence[Integers]) -> None:
        """Let each cohort's awake traders and all solo agents decide, and send what they want."""
        assert self.view is not None
        step, lap = self.step_now, self._lap
        for cohort, place, awake in zip(self.cohorts, self.directory.cohorts, wakers, strict=True):
            if len(awake):
                try:
                    # A cohort of the user's own may keep what it is given.
                    wanted = cohort.act(self.view, awake.copy())
                except Exception as error:
                    error.add_note(f"raised by decide of cohort {cohort.name!r} in step {step}")
                    raise
                lap(COHORT + cohort.name)
                commands = _checked(wanted, f"decide of cohort {cohort.name!r} must return")
                lap("checks")
                parameters = cohort.parameters
                taken = self.gateway.submit(
                    commands, place.first, place.last, step,
                    base_ms=parameters.latency_ms, jitter_ms=parameters.jitter_ms,
                )  # fmt: skip
                lap("gateway")
                if not taken:
                    raise ValueError(f"decide of cohort {cohort.name!r} commands an account that is not in the cohort")
        for agent in self.solos:
            agent.step()
        lap("solo agents")

    def _trade(self) -> StepReport:
        """Let the venue process what has arrived; a broken law stops the run with seed and step."""
        step = self.step_now
        self.faults.impair(self.venue, step, self.units_per_quote * ATOMS_PER_QUOTE)
        try:
            report = self.venue.process(self.arrived, self._said_ticks[step])
        except AssertionError as error:
            raise AssertionError(
                f"a law is broken in step {step} of {self.scenario.name!r} under {self.rules.name!r}, "
                f"seed {self.master_seed}: {error}"
            ) from error
        if not self._listening and step > 0:
            self.venue.drain_events()
        return report

    def _remember(self) -> None:
        """Note the marks, and what the data collector is asked for."""
        self.history.note(self.venue.tables.markets[:, M_MARK_TICKS])
        self.faults.note(self.venue.tables, self.history.volatility_ppm, self.step_now - 1)
        self._lap("totals")
        if self._collect:
            self.datacollector.collect(self)

    def _make_cohorts(self) -> list[Cohort]:
        """Return all cohorts, those of the scenario first; each counts its wakings in its part of `wakings`."""
        directory, cohorts = self.directory, []
        for member, first, last in directory.cohorts:
            rows, keys = directory.rows[first:last], directory.keys[first:last]
            cohort = member.behaviour(self, member.name, rows, keys, self.master_seed, member.parameters)
            cohort.wakings = self.wakings[first:last]
            cohorts.append(cohort)
        return cohorts

    def _make_gateway(self) -> Gateway:
        """Return the way to the venue."""
        latency, blocks, directory = self.scenario.latency, self.scenario.blocks, self.directory
        gateway = Gateway if blocks is None else partial(BlockGateway, blocks)
        return gateway(
            self.master_seed,
            directory.keys_by_row,
            directory.trader_of,
            self.wakings,
            base_ms=latency.base_ms,
            jitter_ms=latency.jitter_ms,
            dt_s=self.scenario.dt_s,
        )

    def _make_faults(self) -> Faults:
        """Return what fails."""
        scenario = self.scenario
        symbols = [market.symbol for market in scenario.markets]
        return Faults(scenario.faults, symbols, self._index_ticks, scenario.dt_s, scenario.warmup_steps)

    def _make_calendar(self) -> Calendar:
        """Return the calendar of all cohorts, a group each."""
        directory, places = self.directory, self.directory.cohorts
        means = [max(1.0, cohort.mean_interval_s / self.scenario.dt_s) for cohort in self.cohorts]
        return Calendar(
            self.master_seed,
            directory.keys[: directory.cohorts_end],
            np.repeat(means, [place.last - place.first for place in places]),
            self.scenario.steps,
            bounds=[0, *(place.last for place in places)],
            wakings=self.wakings[: directory.cohorts_end],
        )

    def _open_venue(self, journal: bool, check: bool) -> Venue:
        """Return the venue, with a market and price range for each market of the scenario."""
        markets = []
        for number, spec in enumerate(self.scenario.markets):
            highest = self.faults.highest_ticks(number)
            price_max = 2 * highest if spec.price_max is None else int(spec.price_max / spec.tick_size)
            if highest >= price_max:
                raise ScenarioError(
                    f"markets.{spec.symbol}: the index rises to {highest * spec.tick_size:f}, price_max is "
                    f"{spec.price_max}: raise it, or leave it out"
                )
            markets.append(Market(spec.symbol, multiplier_atoms(self.rules.contract, spec), price_max))
        accounts = self.directory.accounts
        return Venue(
            self.rules,
            markets,
            self.directory.keys_by_row,
            dt_s=self.scenario.dt_s,
            backstops=self.directory.backstops(),
            first_index_ticks=self._index_ticks[0].tolist(),
            orders_max=min(max(ORDERS_MIN, ORDERS_PER_ACCOUNT * accounts), ORDERS_MAX),
            journal=journal,
            check=check,
        )

    def _make_solos(self) -> tuple[list[mesa.Agent], list[Integers]]:
        """Return the solo agents and their deposits."""
        agents, deposits = [], []
        for member, first, _ in self.directory.solos:
            account, arguments = int(self.directory.rows[first]), dict(member.arguments)
            quote = arguments.pop("deposit_quote", 0)
            if not quote > 0:
                raise ScenarioError(f"solo agent {member.name}: deposit_quote must be above 0 (got {quote})")
            atoms = round(quote * self.units_per_quote * ATOMS_PER_QUOTE)
            agents.append(member.behaviour(self, account=account, **arguments))
            deposits.append(batch(1, account=account, kind=Kind.DEPOSIT, amount=atoms))
        return agents, deposits

    def _opening(self, solo_deposits: Sequence[Integers]) -> Integers:
        """Return the commands of the opening: everybody's deposits, by key."""
        shares = self.scenario.collateral
        parts = [*solo_deposits, *(deposits(cohort, shares, self.venue) for cohort in self.cohorts)]
        commands = np.concatenate(parts)
        return commands[np.argsort(self.directory.keys_by_row[commands[:, C_ACCOUNT]], kind="stable")]


def _resolve(scenario: Scenario | str | None, keywords: Mapping[str, Any]) -> Scenario:
    """Return the scenario that is meant, with fields replaced by `keywords`."""
    if scenario is None or isinstance(scenario, str):
        scenario = load_scenario(scenario or DEFAULT_SCENARIO)
    return scenario.replaced(keywords) if keywords else scenario


def _members(scenario: Scenario, cohorts: Sequence[Extra], solos: Sequence[Solo]) -> list[Member]:
    """Return everybody who gets accounts: the scenario's cohorts, the caller's cohorts, solo agents."""
    members = [
        Member(spec.name, spec.kind, traders_of(spec, scenario.traders), BEHAVIOURS[spec.kind], spec, {})
        for spec in scenario.cohorts
    ]
    for behaviour, given in cohorts:
        numbers = dict(given)
        name = numbers.pop("name", behaviour.__name__.lower())
        parameters: CohortParameters = behaviour.Parameters(**numbers)
        count = traders_of(parameters, scenario.traders)
        members.append(Member(name, behaviour.__name__, count, behaviour, parameters, {}))
    for number, (agent, arguments) in enumerate(solos):
        members.append(Member(f"{agent.__name__.lower()}-{number}", agent.__name__, 1, agent, None, arguments))
    return members


def _checked(commands: Any, who: str) -> Integers:
    """Return `commands` if they are a batch; say who sent what if they are not."""
    sound = type(commands) is np.ndarray and commands.dtype == INT64 and commands.shape[1:] == (COMMAND_COLUMNS,)
    if not sound:
        got = f"{commands.dtype} of shape {commands.shape}" if isinstance(commands, np.ndarray) else type(commands)
        raise ValueError(f"{who} an int64 array of shape (n, {COMMAND_COLUMNS}) (got {got})")
    return commands


def _market_number(model: MarketModel, *, market: int, column: int, factor: float) -> float:
    return float(model.venue.tables.markets[market, column]) * factor


def _reporters(scenario: Scenario, contract: Contract) -> dict[str, Callable[[MarketModel], float]]:
    """Return what the data collector asks: prices, open interest in units of the underlying, money in its currency."""
    found: dict[str, Callable[[MarketModel], float]] = {}
    for market, spec in enumerate(scenario.markets):
        suffix = f" {spec.symbol}" if len(scenario.markets) > 1 else ""
        tick, lot = float(spec.tick_size), float(lot_size(contract, spec))
        for name, column, factor in (
            ("mark", M_MARK_TICKS, tick),
            ("index", M_INDEX_TICKS, tick),
            ("open_interest", M_LONG_LOTS, lot),
        ):
            # Mesa calls functions and partials with the model, any other callable with nothing.
            found[name + suffix] = partial(_market_number, market=market, column=column, factor=factor)
    return found | {"fund": _fund_units, "distressed": _distressed}


def _fund_units(model: MarketModel) -> float:
    rows = model.venue.tables.units[list(model.venue.fund_units)]
    return float((rows[:, U_CREDITS_ATOMS] - rows[:, U_DEBITS_ATOMS]).sum()) / model.money.atoms_per_unit


def _distressed(model: MarketModel) -> float:
    return float(model.report.distressed)
