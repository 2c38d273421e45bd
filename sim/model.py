"""The world as a Mesa model: traders, the ways to the venues, and the venues, one step at a time."""

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

from delever.agents.parameters import MAIN, CohortParameters
from delever.agents.view import View
from delever.engine.commands import C_ACCOUNT, COMMAND_COLUMNS, Kind, batch
from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.io import load_rules, rules_hash
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import M_INDEX_TICKS, M_LONG_LOTS, M_MARK_TICKS, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.engine.venue import StepReport, no_lap

from .accounts import Directory, Member
from .calendar import Calendar
from .money import lot_size
from .opening import deposits
from .populations import BEHAVIOURS, traders_of
from .profile import COHORT
from .scenario import Scenario, ScenarioError, load_scenario
from .site import Site, Snapshot
from .transfers import Transfers

Integers = NDArray[np.int64]
Extra = tuple[type[Cohort], Mapping[str, Any]]
Solo = tuple[type[mesa.Agent], Mapping[str, Any]]

INT64 = np.dtype(np.int64)
QUOTE = "quote"
DEFAULT_SCENARIO = "flash-shock"


class MarketModel(mesa.Model):
    """A market of traders around one venue, or several: `sites` holds them, the main one first.

    `venue`, `gateway`, `history`, `money`, `view`, `report` and `arrived` are those of the main venue. A step is this
    list, in `step`:

    1. look: a dated, read-only view of each venue at the end of the step before;
    2. wake: the calendar names the traders awake now;
    3. decide: each cohort's awake traders decide at once, solo agents one by one; commands go to the gateways;
    4. travel: each gateway returns the commands that arrive in this step, in the order of arrival;
    5. trade: each venue executes them, marks, and liquidates;
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
        `deposit_quote`, one of its arguments. `labels` permutes the main venue's account rows (for tests that rows mean
        nothing). `lap` is called at the end of every phase of a step with its name (see profile.py). `keywords` replace
        fields of the scenario, e.g. `traders=500`. Raises ScenarioError, RuleError, or ValueError.
        """
        if not 0 <= seed < 2**63:
            raise ScenarioError(f"seed must be from 0 to 2^63 - 1 (got {seed})")
        super().__init__(rng=seed)
        self.master_seed = seed
        self._lap = lap
        wanted = load_rules(rules) if isinstance(rules, str) else rules or TEXTBOOK
        self.scenario, self.rules = _resolve(scenario, keywords).settle(wanted)
        self.directory = Directory(_members(self.scenario, cohorts, solos))
        self.wakings = np.zeros(self.directory.traders, dtype=np.int64)
        self.sites = self._make_sites(labels, journal=journal, check=check)
        main = self.sites[0]
        self.venue, self.gateway, self.history, self.money = main.venue, main.gateway, main.history, main.money
        self.faults = main.faults
        self.transfers = self._make_transfers()
        self.cohorts = self._make_cohorts()
        self.calendar = self._make_calendar()
        self.view: View | None = None
        self.solos, deposits = self._make_solos()
        self._trade([self._opening(site, deposits if site is main else []) for site in self.sites])
        self.running = self.scenario.steps > 0
        self._collect = collect
        self.datacollector = mesa.DataCollector(model_reporters=_reporters(self.sites) if collect else {})
        self._remember()

    @property
    def report(self) -> StepReport:
        """What the main venue did in the newest step."""
        return self.sites[0].report

    @property
    def arrived(self) -> Integers:
        """Commands that the main venue executed in the newest step."""
        return self.sites[0].arrived

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
        views = [site.view() for site in self.sites]
        self.view = views[0]
        lap("view")
        wakers = self.calendar.pop(step)
        lap("calendar")
        self._decide(views, wakers)
        self.calendar.put_back()
        lap("calendar")
        arriving = [site.collect(step) for site in self.sites]
        lap("gateway")
        self._trade(arriving)
        self._remember()
        lap("record")
        self.running = step < self.scenario.steps

    def look(self) -> View:
        """Return the view of the main venue as it stands, dated at the step to come."""
        return self.sites[0].view()

    def units_per_quote_at(self, venue: str) -> float:
        """Return how many units of account of a venue, by its name, one quote unit is."""
        return self.sites[self.scenario.venue_names.index(venue)].money.units_per_quote

    def submit(self, commands: Integers) -> None:
        """Send commands (n, COMMAND_COLUMNS) of solo agents; raises ValueError if an account is not one of theirs."""
        commands = _checked(commands, "submit takes")
        step, directory = self.step_now, self.directory
        # Solo agents wake in every step.
        self.wakings[directory.cohorts_end :] = step
        if not self.gateway.submit(commands, directory.cohorts_end, directory.traders, step):
            raise ValueError("submit: a solo agent may only command its own account")

    def listen(self, sink: Callable[[Integers], None]) -> None:
        """Send the main venue's events to `sink` from now on; see `Site.listen`."""
        self.sites[0].listen(sink)

    def snapshot(self) -> Snapshot:
        """Return the whole state as arrays by name; solo agents keep their state themselves."""
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            "made of": {name: np.array(text) for name, text in self._made_of().items()},
            "collected": {name: np.array(values) for name, values in self.datacollector.model_vars.items()},
            "calendar": self.calendar.state(),
            "transfers": self.transfers.snapshot(),
        }
        for site in self.sites:
            parts |= {f"site {site.name} {part}": arrays for part, arrays in site.parts().items()}
        parts |= {f"cohort {cohort.name}": cohort.snapshot() for cohort in self.cohorts}
        return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a `snapshot` of a model made with the same arguments.

        Raises ValueError if scenario, rules or seed of the two differ; nothing is changed then.
        """
        for name, text in self._made_of().items():
            if str(snapshot[f"made of/{name}"]) != text:
                raise ValueError(f"the snapshot was taken of a model with another {name}")
        for site in self.sites:
            site.restore(partial(_part, snapshot, f"site {site.name} "))
        self.calendar.restore(_part(snapshot, "", "calendar"))
        self.transfers.restore(_part(snapshot, "", "transfers"))
        for cohort in self.cohorts:
            cohort.restore(_part(snapshot, "", f"cohort {cohort.name}"))
        for name, values in _part(snapshot, "", "collected").items():
            self.datacollector.model_vars[name] = values.tolist()
        self.running = self.step_now <= self.scenario.steps

    def close(self) -> None:
        """Let go of everything, at once: neither Mesa's record of models nor a circle of references keeps any of it."""
        self.running = False
        for agent in list(self.agents):
            agent.remove()
        # Mesa 3.3 numbers the agents of each model in a dictionary that it never clears.
        mesa.Agent._ids.pop(self, None)
        for site in self.sites:
            site.close()
        for cohort in self.cohorts:
            cohort.columns = {}
            cohort.rows = cohort.keys = cohort.wakings = np.empty(0, dtype=np.int64)
            cohort.accounts = ()
        parts = ("sites", "venue", "gateway", "history", "faults", "calendar", "transfers", "directory", "view")
        for name in (*parts, "cohorts", "solos"):
            delattr(self, name)
        self.wakings = np.empty(0, dtype=np.int64)

    def _made_of(self) -> dict[str, str]:
        """Return what must be the same in a model that takes over a snapshot of this one."""
        return {
            "scenario": self.scenario.model_dump_json(),
            "rule set": rules_hash(self.rules),
            "seed": str(self.master_seed),
        }

    def _decide(self, views: Sequence[View], wakers: Sequence[Integers]) -> None:
        """Let each cohort's awake traders and all solo agents decide, and send what they want."""
        step, lap = self.step_now, self._lap
        for cohort, place, awake in zip(self.cohorts, self.directory.cohorts, wakers, strict=True):
            if len(awake):
                seats = self._seats[cohort.name]
                try:
                    # A cohort of the user's own may keep what it is given.
                    said = cohort.decide_at([views[seat] for seat in seats], awake.copy())
                except Exception as error:
                    error.add_note(f"raised by decide of cohort {cohort.name!r} in step {step}")
                    raise
                lap(COHORT + cohort.name)
                parameters = cohort.parameters
                for seat, wanted in zip(seats, said, strict=True):
                    commands = _checked(wanted, f"decide of cohort {cohort.name!r} must return")
                    lap("checks")
                    taken = self.sites[seat].gateway.submit(
                        commands, place.first, place.last, step,
                        base_ms=parameters.latency_ms, jitter_ms=parameters.jitter_ms,
                    )  # fmt: skip
                    lap("gateway")
                    if not taken:
                        raise ValueError(
                            f"decide of cohort {cohort.name!r} commands an account that is not in the cohort"
                        )
        for agent in self.solos:
            agent.step()
        lap("solo agents")

    def _trade(self, arriving: Sequence[Integers]) -> None:
        """Let every venue process what has arrived at it, with the money that arrives in this step in front."""
        step = self.step_now
        said = [site.said_ticks() for site in self.sites]
        for number, (site, commands) in enumerate(zip(self.sites, arriving, strict=True)):
            brought = self.transfers.arriving(number, step)
            site.trade(np.concatenate([brought, commands]) if len(brought) else commands, said[number])
            self.transfers.after_step(number, step, len(brought), site.arrived, site.report.results)

    def _remember(self) -> None:
        """Note the marks, and what the data collector is asked for."""
        for site in self.sites:
            site.remember()
        self._lap("totals")
        if self._collect:
            self.datacollector.collect(self)

    def _make_sites(self, labels: Sequence[int] | None, *, journal: bool, check: bool) -> list[Site]:
        """Return the main venue and those beside it, each with its accounts; `labels` are of the main one."""
        rules = [self.rules, *(spec.rule_set() for spec in self.scenario.venues)]
        sites = [
            Site(
                self.scenario, name, own, self.directory, self.wakings, self.master_seed,
                labels=labels if name == MAIN else None, journal=journal, check=check, lap=self._lap,
            )
            for name, own in zip(self.scenario.venue_names, rules, strict=True)
        ]  # fmt: skip
        for site in sites:
            site.look_at(sites)
        return sites

    def _make_transfers(self) -> Transfers:
        """Return the way of money between venues. Raises ScenarioError if it is not the same money at both."""
        for place in self.directory.cohorts:
            for site in self.sites:
                if len(place.member.venues) > 1 and site.name in place.member.venues and site.money.currency != QUOTE:
                    raise ScenarioError(
                        f"cohorts.{place.member.name}: moves money between venues, which must all settle in quote "
                        f"units, but {site.name!r} settles in {site.money.currency}"
                    )
        rosters = [site.roster for site in self.sites]
        return Transfers(self.directory, rosters, self.scenario.venue_names, self.scenario.dt_s)

    def _make_cohorts(self) -> list[Cohort]:
        """Return all cohorts, those of the scenario first; each counts its wakings in its part of `wakings`."""
        cohorts = []
        self._seats: dict[str, list[int]] = {}
        for member, first, last in self.directory.cohorts:
            seats = [self.scenario.venue_names.index(venue) for venue in member.venues]
            accounts = [self.sites[seat].roster.rows[first:last] for seat in seats]
            keys = self.directory.keys[first:last]
            cohort = member.behaviour(self, member.name, accounts[0], keys, self.master_seed, member.parameters)
            cohort.accounts = (cohort.rows, *accounts[1:])
            cohort.wakings = self.wakings[first:last]
            self._seats[member.name] = seats
            cohorts.append(cohort)
        return cohorts

    def _make_calendar(self) -> Calendar:
        """Return the calendar of all cohorts, a group each."""
        directory, places = self.directory, self.directory.cohorts
        scenario, activity = self.scenario, self.scenario.activity
        sizes = [place.last - place.first for place in places]
        means = [max(1.0, cohort.mean_interval_s / scenario.dt_s) for cohort in self.cohorts]
        steady = [activity is None or cohort.name in activity.steady for cohort in self.cohorts]
        return Calendar(
            self.master_seed,
            directory.keys[: directory.cohorts_end],
            np.repeat(means, sizes),
            scenario.steps,
            bounds=[0, *(place.last for place in places)],
            wakings=self.wakings[: directory.cohorts_end],
            clock=None if activity is None else activity.clock(scenario.steps, scenario.dt_s, scenario.warmup_steps),
            steady=np.repeat(steady, sizes),
        )

    def _make_solos(self) -> tuple[list[mesa.Agent], list[Integers]]:
        """Return the solo agents and their deposits."""
        agents, deposits = [], []
        for member, first, _ in self.directory.solos:
            account, arguments = int(self.sites[0].roster.rows[first]), dict(member.arguments)
            quote = arguments.pop("deposit_quote", 0)
            if not quote > 0:
                raise ScenarioError(f"solo agent {member.name}: deposit_quote must be above 0 (got {quote})")
            atoms = round(quote * self.money.units_per_quote * ATOMS_PER_QUOTE)
            agents.append(member.behaviour(self, account=account, **arguments))
            deposits.append(batch(1, account=account, kind=Kind.DEPOSIT, amount=atoms))
        return agents, deposits

    def _opening(self, site: Site, solo_deposits: Sequence[Integers]) -> Integers:
        """Return the commands of the opening of a venue: everybody's deposits, by key."""
        shares, number = self.scenario.collateral, self.sites.index(site)
        parts = [
            deposits(cohort, seats.index(number), shares, site.venue)
            for cohort, seats in zip(self.cohorts, self._seats.values(), strict=True)
            if number in seats
        ]
        commands = np.concatenate([*solo_deposits, *parts])
        return commands[np.argsort(site.roster.keys_by_row[commands[:, C_ACCOUNT]], kind="stable")]


def _part(snapshot: Snapshot, before: str, name: str) -> Snapshot:
    """Return the arrays of one part of a snapshot, whose name is `before` and `name`, by their own names."""
    prefix = f"{before}{name}/"
    return {key.removeprefix(prefix): array for key, array in snapshot.items() if key.startswith(prefix)}


def _resolve(scenario: Scenario | str | None, keywords: Mapping[str, Any]) -> Scenario:
    """Return the scenario that is meant, with fields replaced by `keywords`."""
    if scenario is None or isinstance(scenario, str):
        scenario = load_scenario(scenario or DEFAULT_SCENARIO)
    return scenario.replaced(keywords) if keywords else scenario


def _members(scenario: Scenario, cohorts: Sequence[Extra], solos: Sequence[Solo]) -> list[Member]:
    """Return everybody who gets accounts: the scenario's cohorts, the caller's cohorts, solo agents."""
    members = [
        Member(spec.name, spec.kind, traders_of(spec, scenario.traders), BEHAVIOURS[spec.kind], spec, {})
        for spec in (cohort.scaled(scenario.traders) for cohort in scenario.cohorts)
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


def _market_number(model: MarketModel, *, site: int, market: int, column: int, factor: float) -> float:
    return float(model.sites[site].venue.tables.markets[market, column]) * factor


def _reporters(sites: Sequence[Site]) -> dict[str, Callable[[MarketModel], float]]:
    """Return what the data collector asks: prices, open interest in units of the underlying, money in its currency."""
    found: dict[str, Callable[[MarketModel], float]] = {}
    for number, site in enumerate(sites):
        for market, spec in enumerate(site.markets):
            suffix = f" {site.name}" if number else ""
            suffix += f" {spec.symbol}" if len(site.markets) > 1 else ""
            tick, lot = float(spec.tick_size), float(lot_size(site.rules.contract, spec))
            for name, column, factor in (
                ("mark", M_MARK_TICKS, tick),
                ("index", M_INDEX_TICKS, tick),
                ("open_interest", M_LONG_LOTS, lot),
            ):
                # Mesa calls functions and partials with the model, any other callable with nothing.
                found[name + suffix] = partial(_market_number, site=number, market=market, column=column, factor=factor)
    return found | {"fund": _fund_units, "distressed": _distressed}


def _fund_units(model: MarketModel) -> float:
    rows = model.venue.tables.units[list(model.venue.fund_units)]
    return float((rows[:, U_CREDITS_ATOMS] - rows[:, U_DEBITS_ATOMS]).sum()) / model.money.atoms_per_unit


def _distressed(model: MarketModel) -> float:
    return float(model.report.distressed)
