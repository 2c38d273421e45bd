"""A scenario: the world a venue is put into, as one frozen value that is read from and written to TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib import resources
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from delever.agents.parameters import MAIN
from delever.engine.rules.io import RuleError, replace, set_value
from delever.engine.rules.messages import at_line, did_you_mean, explain
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet

from .activity import Activity
from .blocks import BLOCKS_PER_STEP_MAX, Blocks
from .faults import FAULTS_MAX, Fault, OracleFault
from .paths import FileIndex, read_prices
from .places import VENUES_MAX, AnyMarket, Latency, MarketSpec, Part, VenueSpec, flat
from .populations import Population, traders_of
from .supply import Supply

BUILT_IN = "delever.experiments.scenarios"
ACCOUNTS_MAX = 10_000_000
RULES_PREFIX = "rules."


class ScenarioError(ValueError):
    """A scenario that cannot be: a line per mistake, with the place, what was wrong, what would be right."""


class Scenario(Part):
    """Traders, markets and time; everything but the venue's rules and the seed."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$", max_length=80)]
    """Name under which results are reported."""
    title: str = ""
    """One line for lists."""
    description: str = ""
    """What happens, for a reader of the report."""
    dt_s: int = Field(default=1, ge=1, le=86_400)
    """Seconds of a step."""
    duration_s: int = Field(ge=1, le=10 * 366 * 86_400)
    """Seconds from the end of the warm-up to the end of the run; the last step is filled up."""
    warmup_s: int = Field(default=0, ge=0, le=366 * 86_400)
    """Seconds before that, in which the index stands at its first price; the times of shocks count from its end."""
    record_every_s: int = Field(default=60, ge=1, le=366 * 86_400)
    """Seconds between two rows of the recorded series."""
    traders: int = Field(ge=1, le=ACCOUNTS_MAX)
    """Number of traders that cohorts have shares of."""
    fund_traders: int | None = Field(default=None, ge=1, le=ACCOUNTS_MAX)
    """Number of traders for which the fund of the rules is meant: with more or fewer it is scaled; none leaves it."""
    latency: Latency = Latency()
    """How long commands travel."""
    blocks: Blocks | None = None
    """Blocks in which they reach the venue then; none: each by itself, as soon as it arrives."""
    activity: Activity | None = None
    """Busy and quiet hours; none: traders wake alike at all hours."""
    faults: Annotated[tuple[Fault, ...], Field(max_length=FAULTS_MAX)] = ()
    """What fails at the main venue, when and for how long."""
    markets: tuple[MarketSpec, ...]
    """Markets of the main venue, in order."""
    venues: Annotated[tuple[VenueSpec, ...], Field(max_length=VENUES_MAX)] = ()
    """Venues beside the main one, in order; the rule set of a run and `rules` are the main one's."""
    cohorts: tuple[Population, ...]
    """Cohorts, in order."""
    collateral: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = {}
    """Share of each deposit brought in each of these assets where the rules take it, in money elsewhere."""
    rules: dict[str, Any] = {}
    """Rules this scenario changes in every rule set it is run with."""

    @property
    def steps(self) -> int:
        """Steps after the opening, warm-up included."""
        return self.warmup_steps - (-self.duration_s // self.dt_s)

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up."""
        return -(-self.warmup_s // self.dt_s)

    @property
    def record_every_steps(self) -> int:
        """Steps between two recorded rows."""
        return max(1, self.record_every_s // self.dt_s)

    @property
    def accounts(self) -> int:
        """Number of trader accounts over all cohorts."""
        return sum(traders_of(cohort, self.traders) for cohort in self.cohorts)

    @property
    def venue_names(self) -> tuple[str, ...]:
        """Names of all venues, the main one first."""
        return (MAIN, *(venue.name for venue in self.venues))

    def markets_of(self, venue: str) -> tuple[AnyMarket, ...]:
        """Return the markets of a venue by its name."""
        return self.markets if venue == MAIN else next(spec.markets for spec in self.venues if spec.name == venue)

    def latency_of(self, venue: str) -> Latency:
        """Return how long commands to a venue travel."""
        own = {spec.name: spec.latency for spec in self.venues}.get(venue)
        return self.latency if own is None else own

    def faults_of(self, venue: str) -> tuple[Fault, ...]:
        """Return what fails at a venue."""
        return tuple(fault for fault in self.faults if fault.venue == venue)

    def blocks_of(self, venue: str) -> Blocks | None:
        """Return the blocks in which commands reach a venue, None without."""
        return self.blocks if venue == MAIN else next(spec.blocks for spec in self.venues if spec.name == venue)

    def supplies_of(self, venue: str) -> list[tuple[Supply, ...]]:
        """Return the circulating supply of each market of a venue: a coin has one, which its main market states."""
        stated = {market.symbol: market.supply for market in self.markets}
        return [stated.get(market.symbol, ()) for market in self.markets_of(venue)]

    def told(self, venue: str) -> str:
        """Return what stands before the keys of a venue in messages: nothing for the main one."""
        return "" if venue == MAIN else f"venues.{venue}."

    @field_validator("rules")
    @classmethod
    def _rules_exist(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            replace(TEXTBOOK, flat(value))
        except RuleError as error:
            raise ValueError(str(error).replace(f"{TEXTBOOK.name}: ", "")) from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        if sum(self.collateral.values()) > 1.0:
            raise ValueError(f"collateral: shares of a deposit must add up to at most 1 (got {self.collateral})")
        for what, names in (
            ("symbols of markets", [market.symbol for market in self.markets]),
            ("names of cohorts", [cohort.name for cohort in self.cohorts]),
            ("names of venues", list(self.venue_names)),
            *(
                (f"symbols of markets of {spec.name}", [market.symbol for market in spec.markets])
                for spec in self.venues
            ),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} must differ ({twice[0]!r} stands twice)")
        if not self.markets:
            raise ValueError("at least one market is needed")
        self._check_venues()
        if not 1 <= self.accounts <= ACCOUNTS_MAX:
            raise ValueError(
                f"the cohorts have {self.accounts} traders in all; between 1 and {ACCOUNTS_MAX} are possible: "
                "give shares or counts"
            )
        cohorts = [cohort.name for cohort in self.cohorts]
        for name in self.activity.steady if self.activity is not None else ():
            if name not in cohorts:
                raise ValueError(f"activity.steady: no cohort {name!r}; there are {', '.join(cohorts)}")
        self._check_faults()
        self._check_supplies()
        for venue, blocks in [("", self.blocks), *((f"venues.{spec.name}.", spec.blocks) for spec in self.venues)]:
            if blocks is not None and blocks.block_ms * BLOCKS_PER_STEP_MAX < self.dt_s * 1_000:
                raise ValueError(
                    f"{venue}blocks.block_ms: a step of {self.dt_s} s has at most {BLOCKS_PER_STEP_MAX} blocks: choose "
                    f"at least {self.dt_s * 1_000 / BLOCKS_PER_STEP_MAX:g} ms (got {blocks.block_ms:g})"
                )
        return self

    def _check_faults(self) -> None:
        """Refuse faults that come too late, or befall venues and markets that are not there."""
        for number, fault in enumerate(self.faults):
            if fault.at_s >= self.duration_s:
                raise ValueError(
                    f"faults.{number}: {fault.kind} at {fault.at_s:g} s comes after the end at {self.duration_s} s"
                )
            if fault.venue not in self.venue_names:
                hint = did_you_mean(fault.venue, self.venue_names) or f"; there are {', '.join(self.venue_names)}"
                raise ValueError(f"faults.{number}.venue: no venue is called {fault.venue!r}{hint}")
            symbols = [market.symbol for market in self.markets_of(fault.venue)]
            if isinstance(fault, OracleFault) and fault.market not in (None, *symbols):
                raise ValueError(f"faults.{number}.market: no market {fault.market!r}; there are {', '.join(symbols)}")

    def _check_supplies(self) -> None:
        """Refuse changes of a supply that come too late."""
        for market in self.markets:
            for number, each in enumerate(market.supply):
                if ceil(each.at_s / self.dt_s) * self.dt_s >= self.duration_s:
                    raise ValueError(
                        f"markets.{market.symbol}.supply.{number}: the change at {each.at_s:g} s comes after the end "
                        f"at {self.duration_s} s"
                    )

    def _check_venues(self) -> None:
        """Refuse names of venues and markets that nothing is called by."""
        names = self.venue_names
        for cohort in self.cohorts:
            cohort.scaled(self.traders)
            for venue in cohort.venues:
                if venue not in names:
                    hint = did_you_mean(venue, names) or f"; there are {', '.join(names)}"
                    raise ValueError(f"cohorts.{cohort.name}: no venue is called {venue!r}{hint}")
            if len(cohort.venues) > 1:
                self._check_pair(cohort.name, *cohort.venues)
        symbols = {venue: {market.symbol for market in self.markets_of(venue)} for venue in names}
        places = [(venue, market) for venue in names for market in self.markets_of(venue)]
        for venue, market in places:
            if market.path is None and market.symbol not in symbols[MAIN]:
                raise ValueError(
                    f"{self.told(venue)}markets.{market.symbol}: give a path; without one it follows the main market "
                    f"of the same symbol, and those are {', '.join(sorted(symbols[MAIN]))}"
                )
        for venue, market in places:
            known = [name for name in names if name != venue and market.symbol in symbols[name]]
            for source in market.sources:
                if source.venue is not None and source.venue not in known:
                    raise ValueError(
                        f"{self.told(venue)}markets.{market.symbol}.sources: venue must be another one with a market "
                        f"{market.symbol} (got {source.venue!r}; there are {', '.join(known) or 'none'})"
                    )

    def _check_pair(self, name: str, venue: str, other: str) -> None:
        """Refuse two venues at which the same number of lots is not the same size of something."""
        here, there = ({market.symbol: market.lot_size for market in self.markets_of(each)} for each in (venue, other))
        shared = here.keys() & there.keys()
        if not shared:
            raise ValueError(f"cohorts.{name}: {venue!r} and {other!r} have no market of the same symbol")
        for symbol in sorted(shared):
            if here[symbol] != there[symbol]:
                raise ValueError(
                    f"cohorts.{name}: trades at {venue!r} and {other!r}, where lot_size of {symbol} must be the same "
                    f"(got {here[symbol]} and {there[symbol]})"
                )

    def replaced(self, values: Mapping[str, Any]) -> Scenario:
        """Return this scenario with some of its fields replaced, e.g. `traders=500`. Raises ScenarioError."""
        return _validate({**self.model_dump(mode="json", exclude_unset=True), **values}, self.name)

    def settle(self, rules: RuleSet) -> tuple[Scenario, RuleSet]:
        """Return the scenario without changes to rules, and `rules` with them: a pair that needs no further change."""
        return self.model_copy(update={"rules": {}, "fund_traders": None}), self.venue_rules(rules)

    def venue_rules(self, rules: RuleSet) -> RuleSet:
        """Return `rules` with what this scenario changes in them: its own rules, the fund scaled to its traders.

        Raises ScenarioError if the steps are too long for a moving average of the mark, or a limit is a share of a
        supply that is not stated.
        """
        changes = flat(self.rules)
        if self.fund_traders is not None:
            meant = {key: getattr(rules.insurance, key) for key in ("initial_quote", "floor_quote")}
            if rules.insurance.market_funds is not None:
                meant["market_funds.initial_quote"] = rules.insurance.market_funds.initial_quote
            for key, quote in meant.items():
                whole = 2 * quote * self.traders + self.fund_traders
                changes.setdefault(f"insurance.{key}", whole // (2 * self.fund_traders))
        changed = replace(rules, changes, name=rules.name) if changes else rules
        for venue, each in zip(self.venue_names, (changed, *(spec.rule_set() for spec in self.venues)), strict=True):
            self._check_window(each)
            self._check_supply(venue, each)
        return changed

    def _check_window(self, rules: RuleSet) -> None:
        """Refuse steps in which the average basis is the last one: index + basis would be the mid, index or not."""
        if "index_basis" in rules.mark.components and rules.mark.window_s <= self.dt_s:
            raise ScenarioError(
                f"{self.name}: dt_s: must be below mark.window_s of rules {rules.name!r}, {rules.mark.window_s} s (got "
                f"{self.dt_s} s): the component index_basis would be the mid of the book, and the index no pull; "
                "choose shorter steps, a longer window, or the component mid"
            )

    def _check_supply(self, venue: str, rules: RuleSet) -> None:
        """Refuse a limit of positions that is a share of a supply nobody states, or of which lots are no share."""
        limit = rules.halts.position_limit
        if limit is None or not limit.supply_ppm:
            return
        which = f"halts.position_limit.supply_ppm of rules {rules.name!r}"
        for market, supply in zip(self.markets_of(venue), self.supplies_of(venue), strict=True):
            if not supply:
                raise ScenarioError(
                    f"{self.name}: {which} is a share of the circulating supply of {market.symbol}: state it in "
                    f"markets.{market.symbol}.supply, or set the limit to 0"
                )
        if rules.contract.payoff != "linear":
            raise ScenarioError(
                f"{self.name}: {which} needs contracts whose lots are units of the underlying: payoff 'linear' "
                f"(got {rules.contract.payoff!r})"
            )


def scenario_names() -> tuple[str, ...]:
    """Return the names of the built-in scenarios."""
    folder = resources.files(BUILT_IN)
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))


def scenario_text(name: str) -> str:
    """Return the TOML of a built-in scenario, comments included; raise ScenarioError if there is none of this name."""
    names = scenario_names()
    if name not in names:
        hint = did_you_mean(name, names)
        raise ScenarioError(
            f"unknown scenario {name!r}: the built-in ones are {', '.join(names)}, and a path to a TOML file works too"
            + hint
        )
    return resources.files(BUILT_IN).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Return a built-in scenario by name, or one from a TOML file. Raises ScenarioError."""
    file = Path(name_or_path)
    if file.suffix != ".toml" and str(name_or_path) in scenario_names():
        return from_toml(scenario_text(str(name_or_path)), f"{name_or_path}.toml")
    try:
        if file.is_file():
            return from_toml(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError:
        raise ScenarioError(f"{file}: is not UTF-8 text; scenario files are TOML") from None
    except OSError as error:
        raise ScenarioError(f"{file}: cannot be read: {error.strerror}") from None
    if file.suffix == ".toml" or len(file.parts) > 1:
        raise ScenarioError(f"{file}: no such file; the built-in scenarios are {', '.join(scenario_names())}")
    scenario_text(str(name_or_path))
    raise AssertionError("a name without a text was refused above")


def from_toml(text: str, source: str) -> Scenario:
    """Return the scenario a TOML text describes; `source` names it in messages. Raises ScenarioError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ScenarioError(f"{at_line(source, int(line[1]) if line else 0)}: not TOML: {error}") from None
    return _validate({"name": Path(source).stem, **data}, source, text)


def to_toml(scenario: Scenario) -> str:
    """Return the scenario as TOML, every value written out that is not none; `from_toml` gives back an equal one."""
    return tomli_w.dumps(scenario.model_dump(mode="json", exclude_none=True))


def set_values(scenario: Scenario, sets: Iterable[str]) -> Scenario:
    """Return the scenario with values set from texts `dotted.key=value`, values as in TOML. Raises ScenarioError.

    A cohort is named by its name and a market by its symbol: `cohorts.retail.share=0.5`,
    `markets.BTC.path.bridge_volatility=1.2`; a venue by its name, other items of lists by their number, from 0.
    """
    data = scenario.model_dump(mode="json", exclude_unset=True)
    for key, raw in map(_split, sets):
        data = _with_value(data, scenario, key, raw)
    return _validate(data, "--set")


def apply_sets(scenario: Scenario, rules: RuleSet, sets: Iterable[str]) -> tuple[Scenario, RuleSet]:
    """Return scenario and rules with values set as by `set_values`; keys that begin with `rules.` go to the rule set.

    What the scenario itself changes in rules comes first, so that a set has the last word; the scenario returned
    changes no rules any more. Raises ScenarioError or, for rules, RuleError.
    """
    texts = [(text, _split(text)) for text in sets]
    changed = set_values(scenario, [text for text, (key, _) in texts if not key.startswith(RULES_PREFIX)])
    changed, rules = changed.settle(rules)
    for _, (key, raw) in texts:
        if key.startswith(RULES_PREFIX):
            try:
                rules = replace(rules, {key.removeprefix(RULES_PREFIX): _value(raw)})
            except RuleError as error:
                raise RuleError(f"--set {key}={raw}: {_after_name(str(error), rules.name)}") from None
    return changed, rules


def with_index(scenario: Scenario, file: str | Path, symbol: str | None = None) -> Scenario:
    """Return the scenario with the index of its first market taken from a price file, over the length of the file.

    Ticks and lots are rescaled by a power of ten, so that the first price has about as many ticks, and a lot about the
    value, as before; so are those of other venues' markets that follow it. Raises PriceFileError if the file cannot be
    used.
    """
    market = scenario.markets[0]
    prices = read_prices(str(file), symbol)
    before = market.path.prices(0, 0, 1, float(scenario.dt_s))[0]
    places = round((Decimal(repr(float(prices.price[0]))) / Decimal(repr(float(before)))).log10())
    scale = Decimal(10) ** places
    path = FileIndex(kind="file", path=str(file), symbol=symbol)

    def rescaled(old: AnyMarket, **values: object) -> AnyMarket:
        units = {"tick_size": old.tick_size * scale, "lot_size": old.lot_size / scale, "price_max": None}
        return old.model_copy(update={"symbol": symbol or market.symbol, **units, **values})

    venues = []
    for venue in scenario.venues:
        followers = [old.path is None and old.symbol == market.symbol for old in venue.markets]
        markets = [rescaled(old) if follows else old for old, follows in zip(venue.markets, followers, strict=True)]
        venues.append(venue.model_copy(update={"markets": tuple(markets)}))
    length = int(prices.time_s[-1] - prices.time_s[0])
    update = {
        "markets": (rescaled(market, path=path), *scenario.markets[1:]),
        "venues": tuple(venues),
        "duration_s": min(length, _duration_max(scenario, length)),
    }
    return _validate(scenario.model_copy(update=update).model_dump(mode="json", exclude_none=True), str(file))


def _duration_max(scenario: Scenario, length: int) -> int:
    """Return the longest duration in whole steps that prices over `length` seconds last for."""
    return length // scenario.dt_s * scenario.dt_s


def _validate(data: Mapping[str, Any], source: str, text: str = "") -> Scenario:
    """Return the scenario of plain data; strict, as JSON, so that 5.0, "5" and true are no whole numbers."""
    try:
        return Scenario.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        message = explain(error, Scenario, source, text)
    for what, key in (("cohorts", "name"), ("markets", "symbol"), ("venues", "name")):
        for number, item in enumerate(data[what] if isinstance(data.get(what), list) else []):
            name = item.get(key, item.get("kind")) if isinstance(item, dict) else None
            message = message.replace(f" {what}.{number}", f" {what}.{name or number}")
    raise ScenarioError(message)


def _split(text: str) -> tuple[str, str]:
    key, equals, raw = text.partition("=")
    if not equals or not key.strip():
        raise ScenarioError(f"--set takes dotted.key=value, e.g. traders=5000 (got {text!r})")
    return key.strip(), raw.strip()


def _with_value(data: dict[str, Any], scenario: Scenario, key: str, raw: str) -> dict[str, Any]:
    """Return a copy of `data` in which the dotted `key` has the value of the text `raw`."""
    path = key.split(".")
    known = {
        "cohorts": [cohort.name for cohort in scenario.cohorts],
        "markets": [market.symbol for market in scenario.markets],
        "venues": [venue.name for venue in scenario.venues],
    }
    names = known.get(path[0])
    if names is not None and len(path) > 1:
        if path[1] not in names:
            hint = did_you_mean(path[1], names) or f"; there are {', '.join(names)}"
            raise ScenarioError(f"--set {key}: no entry {path[1]!r} in {path[0]}{hint}")
        path[1] = str(names.index(path[1]))
    copy: dict[str, Any] = json.loads(json.dumps(data))
    try:
        set_value(copy, ".".join(path), raw)
    except RuleError as error:
        raise ScenarioError(f"--set {key}: {error}") from None
    return copy


def _value(raw: str) -> object:
    holder: dict[str, Any] = {}
    set_value(holder, "value", raw)
    return holder["value"]


def _after_name(message: str, name: str) -> str:
    """Return a message without the name of the rule set in front of its lines."""
    return "\n".join(line.removeprefix(f"{name}: ") for line in message.splitlines())
