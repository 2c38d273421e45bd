"""Rule sets: presets and their sources, TOML, reforms, differences, published numbers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel

from delever.engine.rules.describe import describe, quantity
from delever.engine.rules.flat import fields, plain
from delever.engine.rules.io import (
    ABSENT,
    RuleError,
    canonical_json,
    diff,
    from_toml,
    load_rules,
    replace,
    rules_hash,
    schema,
    set_value,
    to_toml,
)
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.mark import Mark, MarkInputs
from delever.engine.rules.mark_parts import MISSING
from delever.engine.rules.presets import (
    BINANCE_USDM,
    HYPERLIQUID,
    PRESETS,
    SOURCES,
    TEXTBOOK,
    sourced,
    sources_of,
)
from delever.engine.rules.ruleset import RuleSet
from delever.engine.rules.socialisation import Socialisation
from delever.engine.rules.sources import QUALITIES
from tests.tree import ROOT

CASES = ROOT.parent / "shared" / "cases"
FUNDING = HYPERLIQUID.charges.funding
QUOTE = 1_000_000


def published_case(file: str, identifier: str) -> dict[str, Any]:
    path = CASES / file
    if not path.is_file():
        pytest.skip(f"published cases are not here: {file}")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return next(case for case in found if case["id"] == identifier)


def models_in(rules: BaseModel) -> Iterator[BaseModel]:
    yield rules
    for name in type(rules).model_fields:
        value = getattr(rules, name)
        if isinstance(value, BaseModel):
            yield from models_in(value)


def error_of(spec: str) -> str:
    with pytest.raises(RuleError) as caught:
        load_rules(spec)
    return str(caught.value)


# Presets and their sources


def test_presets_are_called_what_they_are() -> None:
    venues = ["textbook", "hyperliquid", "binance-usdm", "binance-coinm", "bybit-linear", "bybit-inverse", "okx"]
    venues += ["bitmex", "deribit", "dydx-v4", "drift-v2", "vega-0.79", "kraken-futures", "synthetix-v3", "mango-v4"]
    assert list(PRESETS) == [*venues, "perp-v2", "ccp-futures"]
    assert all(rules.name == name for name, rules in PRESETS.items())


@pytest.mark.parametrize("name", PRESETS)
def test_every_field_of_a_preset_has_a_source_and_is_written_out(name: str) -> None:
    assert SOURCES[name].keys() == sourced(PRESETS[name])
    for model in models_in(PRESETS[name]):
        kinds = type(model).model_fields
        left_out = {field for field in kinds.keys() - model.model_fields_set if kinds[field].default is not None}
        assert not left_out, f"{type(model).__name__} uses defaults"


@pytest.mark.parametrize("name", PRESETS)
def test_a_source_says_what_when_and_how_well(name: str) -> None:
    for path, source in SOURCES[name].items():
        assert source.text, path
        assert source.quality in QUALITIES, path
        assert bool(source.date) == (source.quality != "choice"), path


def test_a_reform_loses_the_source_of_what_it_changes_only() -> None:
    changed = "liquidation.act"
    reformed = replace(HYPERLIQUID, {changed: False})
    assert SOURCES["hyperliquid"].keys() - sources_of(reformed).keys() == {changed}
    assert sources_of(RuleSet(name="mine")) == {}


# Published numbers


def test_binance_deductions_are_the_published_ones() -> None:
    cum_quote = [0, 50, 950, 11_450, 131_450, 481_450, 2_981_450, 14_481_450, 26_481_450, 41_481_450]
    cum_quote += [121_481_450, 421_481_450]
    for symbol in ("BTC", "BTCUSDT", "ANY"):
        assert [row[3] for row in BINANCE_USDM.margin.table(symbol)] == [cum * QUOTE for cum in cum_quote]


def test_binance_ether_tiers_are_the_published_ones() -> None:
    case = published_case("binance.json", "binance-tiertable-02")
    table = BINANCE_USDM.margin.table("ETHUSDT")
    assert [row[0] for row in table] == [floor * QUOTE for floor in case["inputs"]["floors"]]
    assert [row[2] for row in table] == [round(rate * 10**6) for rate in case["inputs"]["rates"]]
    assert [row[3] for row in table] == [cum * QUOTE for cum in case["expected"]["cum"]]


def test_binance_leverage_is_never_exceeded() -> None:
    leverages = [125, 100, 75, 50, 25, 20, 10, 5, 4, 3, 2, 1]
    for leverage, row in zip(leverages, BINANCE_USDM.margin.table("BTC"), strict=True):
        assert row[1] * leverage >= 10**6 > (row[1] - 1) * leverage


@pytest.mark.parametrize(
    ("symbol", "leverages", "deduction_quote"), [("BTC", (40, 20), 1_875_000), ("SOL", (20, 10), 1_750_000)]
)
def test_hyperliquid_maintenance_is_half_of_initial_and_continuous(
    symbol: str, leverages: tuple[int, ...], deduction_quote: int
) -> None:
    table = HYPERLIQUID.margin.table(symbol)
    assert [row[1] for row in table] == [10**6 // leverage for leverage in leverages]
    assert [2 * row[2] for row in table] == [row[1] for row in table]
    assert table[1][3] == deduction_quote * QUOTE
    floor = table[1][0]
    assert floor * table[1][2] // 10**6 - table[1][3] == floor * table[0][2] // 10**6


def test_hyperliquid_ether_deduction_is_published_to_one_ppm_of_the_floor() -> None:
    # 1/15 and its half are no whole ppm: the rate is off by less than 1 ppm, the deduction by less than 1 ppm
    # of its floor of 100M.
    floor, initial, maintenance, deduction = HYPERLIQUID.margin.table("ETH")[1]
    assert (initial, maintenance) == (66_667, 33_333)
    published = published_case("hyperliquid.json", "hl-tier-02")["expected"]["maintenance_deduction"][1]
    assert 0 <= published * QUOTE - deduction < floor // 10**6
    assert deduction == 1_333_300 * QUOTE


def test_hyperliquid_backstop_is_two_thirds_of_maintenance() -> None:
    share = published_case("hyperliquid.json", "hl-backstop-01")["expected"]["backstop_equity_ratio"]
    ratio = HYPERLIQUID.liquidation.backstop_ppm * HYPERLIQUID.margin.table("BTC")[0][2] / 10**12
    assert ratio == pytest.approx(share, abs=1e-7)


def test_hyperliquid_partial_liquidation_is_the_published_one() -> None:
    inputs = published_case("hyperliquid.json", "hl-partial-01")["inputs"]
    rule = HYPERLIQUID.liquidation
    assert rule.size == "share"
    assert (rule.full_below_quote, rule.share_ppm, rule.cooldown_s) == (
        inputs["threshold"],
        inputs["portion"] * 10**6,
        inputs["cooldown"],
    )


def test_funding_rate_of_the_published_example() -> None:
    # hl-funding-01: premium 1 %, interest 0.01 %, clamp 0.05 %: 0.95 % per 8 hours, an eighth of it per hour.
    assert FUNDING is not None
    assert FUNDING.rate_ppb(10_000_000, 1) == 9_500_000 // 8
    eight_hours = FUNDING.model_copy(update={"interval_s": 28_800})
    assert eight_hours.rate_ppb(3 * 10_000_000, 3) == 9_500_000
    assert 10 * 10_000 * FUNDING.rate_ppb(10_000_000, 1) == 118.75 * 10**9


def test_funding_rate_is_clamped_capped_and_symmetric_but_for_interest() -> None:
    assert FUNDING is not None
    assert FUNDING.rate_ppb(0, 0) == 100_000 // 8
    assert FUNDING.rate_ppb(-10_000_000, 1) == -9_500_000 // 8
    assert FUNDING.rate_ppb(10**9, 1) == FUNDING.cap_ppb
    assert FUNDING.rate_ppb(-(10**9), 1) == -FUNDING.cap_ppb


def test_mark_is_the_median_of_three() -> None:
    inputs = MarkInputs(
        last_ticks=10_300,
        bid_ticks=10_100,
        ask_ticks=10_140,
        index_ticks=10_000,
        basis_microticks=70_500_000,
        funding_ppb=1_000_000,
        steps_to_funding=4,
        funding_interval_steps=8,
    )
    # index + basis = 10,070.5, half up; median(bid, ask, last) = 10,140; index = 10,000.
    assert Mark(components=("index_basis", "book", "index")).mark_ticks(inputs, 10**6) == 10_071
    # The same with ages; without a book the spare average joins the other two (R-P9).
    aged = inputs._replace(index_age_s=0, book_age_s=0)
    assert HYPERLIQUID.mark.mark_ticks(aged, 10**6) == 10_071
    assert HYPERLIQUID.mark.mark_ticks(aged._replace(book_age_s=MISSING, spare_ticks=10_020), 10**6) == 10_020
    # index x (1 + 0.1 % x 4/8) = 10,005; index + basis = 10,071; last = 10,300.
    assert BINANCE_USDM.mark.mark_ticks(inputs, 10**6) == 10_071
    assert Mark(components=("index_funding",)).mark_ticks(inputs, 10**6) == 10_005
    assert Mark(components=("book",)).mark_ticks(inputs, 10**6) == 10_140


# TOML in and out


@pytest.mark.parametrize("name", PRESETS)
def test_toml_round_trip_is_exact(name: str) -> None:
    assert from_toml(to_toml(PRESETS[name]), "other.toml") == PRESETS[name]


def test_toml_round_trip_without_funding() -> None:
    rules = replace(TEXTBOOK, {"charges.funding": None})
    assert rules.charges.funding is None
    assert 'funding = "none"' in to_toml(rules)
    assert from_toml(to_toml(rules), "other.toml") == rules


def test_whatever_may_be_left_out_can_be_switched_off_by_the_word() -> None:
    # TOML has no null; "none" stands for it wherever a rule is optional.
    for axis, model in ((name, getattr(TEXTBOOK, name)) for name in RuleSet.model_fields if name != "name"):
        for name, field in type(model).model_fields.items():
            if type(None) in get_args(field.annotation):
                rules = from_toml(f'[{axis}]\n{name} = "none"\n', "other.toml")
                assert getattr(getattr(rules, axis), name) is None
                assert from_toml(to_toml(rules), "other.toml") == rules


def test_another_kind_of_table_leaves_nothing_of_the_one_before() -> None:
    """In files and in specs, in whatever order: a cover of shortages knows no share."""
    plainly = from_toml('base = "dydx-v4"\nliquidation.step = {kind = "cover"}\n', "mine.toml")
    assert plainly.liquidation.step == load_rules("dydx-v4,liquidation.step.kind=cover").liquidation.step
    spec = "okx,liquidation.step.lots=5,liquidation.step.kind=slices,liquidation.step.rounds=2"
    step = load_rules(spec).liquidation.step
    assert step is not None
    assert step.model_dump() == {"kind": "slices", "lots": 5, "rounds": 2}
    same = from_toml('base = "dydx-v4"\nliquidation.step = {kind = "portion", share_ppm = 7}\n', "mine.toml")
    assert same.liquidation.step == load_rules("dydx-v4,liquidation.step.share_ppm=7").liquidation.step


def test_base_fills_what_a_file_does_not_say(tmp_path: Path) -> None:
    file = tmp_path / "tighter.toml"
    file.write_text(
        'base = "hyperliquid"\n[margin]\ncall_ppm = 1_500_000\n[[margin.markets.BTC]]\nfloor_quote = 0\n'
        "initial_ppm = 100_000\nmaintenance_ppm = 50_000\n",
        encoding="utf-8",
    )
    rules = load_rules(str(file))
    assert rules.name == "tighter"
    assert [path for path, *_ in diff(HYPERLIQUID, rules)] == ["margin.markets.BTC", "margin.call_ppm"]
    assert len(rules.margin.markets["BTC"]) == 1
    assert load_rules(f"{file},liquidation.act=false").name == f"{file},liquidation.act=false"


def test_a_file_without_base_starts_from_the_defaults() -> None:
    assert from_toml('name = "mine"\n', "x.toml") == RuleSet(name="mine")


# Reforms


def test_reforms_are_part_of_the_name() -> None:
    spec = 'hyperliquid,liquidation.act=false,margin.leverage_max=5,mark.components=["last","mid","index"]'
    rules = load_rules(spec)
    assert rules.name == spec
    assert rules.liquidation.act is False
    assert rules.margin.leverage_max == 5
    assert rules.mark.components == ("last", "mid", "index")
    assert load_rules("hyperliquid") is HYPERLIQUID


def test_replace_is_the_spec_in_python() -> None:
    rules = replace(HYPERLIQUID, {"liquidation.act": False, "liquidation.size": "full"})
    assert rules == load_rules("hyperliquid,liquidation.act=false,liquidation.size=full")
    assert replace(HYPERLIQUID, {}) == HYPERLIQUID
    assert replace(TEXTBOOK, {"charges.funding": None}) == load_rules("textbook,charges.funding=none")


def test_replace_takes_rules_and_leaves_the_base_alone() -> None:
    before = canonical_json(TEXTBOOK)
    tiers = (Tier(floor_quote=0, initial_ppm=10**6, maintenance_ppm=5),)
    rules = replace(TEXTBOOK, {"margin.tiers": tiers, "liquidation": Liquidation(latency_s=9)}, name="mine")
    assert (rules.name, rules.margin.tiers, rules.liquidation.latency_s) == ("mine", tiers, 9)
    assert canonical_json(TEXTBOOK) == before


def test_funding_can_be_switched_on_again() -> None:
    rules = load_rules("textbook,charges.funding=none,charges.funding.interval_s=60")
    assert rules.charges.funding is not None
    assert rules.charges.funding.interval_s == 60


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("7", 7),
        (" 1_000 ", 1000),
        ("-3", -3),
        ("0.5", 0.5),
        ("true", True),
        ("full", "full"),
        ('"full"', "full"),
        ('["a", "b"]', ["a", "b"]),
        ("2024-01-01", "2024-01-01"),
        ("1\nx = 2", "1\nx = 2"),
        ("[1", "[1"),
        ("", ""),
    ],
)
def test_set_value_reads_values_as_toml(raw: str, value: object) -> None:
    data: dict[str, Any] = {"a": {"b": [{"c": None}]}}
    set_value(data, "a.b.0.c", raw)
    assert data == {"a": {"b": [{"c": value}]}}
    assert type(data["a"]["b"][0]["c"]) is type(value)


# Differences and hashes


def test_diff_lists_what_differs_and_nothing_else() -> None:
    assert diff(TEXTBOOK, TEXTBOOK) == []
    reformed = replace(TEXTBOOK, {"liquidation.act": False, "charges.taker_ppm": 7})
    assert diff(TEXTBOOK, reformed) == [("liquidation.act", True, False), ("charges.taker_ppm", 500, 7)]
    without = replace(TEXTBOOK, {"charges.funding": None})
    assert ("charges.funding.interval_s", 28_800, ABSENT) in diff(TEXTBOOK, without)
    assert ("charges.funding", ABSENT, None) in diff(TEXTBOOK, without)


def test_equal_rules_have_one_hash_whatever_their_name() -> None:
    hashes = {rules_hash(rules) for rules in PRESETS.values()}
    assert len(hashes) == len(PRESETS)
    assert rules_hash(replace(TEXTBOOK, {}, name="copy")) == rules_hash(TEXTBOOK)
    assert rules_hash(replace(TEXTBOOK, {"liquidation.act": False})) not in hashes
    assert json.loads(canonical_json(TEXTBOOK)) == {k: v for k, v in plain(TEXTBOOK).items() if k != "name"}


def test_order_of_markets_does_not_change_the_hash() -> None:
    markets = dict(reversed(HYPERLIQUID.margin.markets.items()))
    turned = replace(HYPERLIQUID, {"margin.markets": markets}, name="turned")
    assert list(turned.margin.markets) != list(HYPERLIQUID.margin.markets)
    assert rules_hash(turned) == rules_hash(HYPERLIQUID)


# Messages


def test_all_mistakes_at_once_with_their_lines() -> None:
    text = (
        'base = "hyperliquid"\n'
        "[margin]\n"
        'mode = "isolate"\n'
        "leverage_max = -1\n"
        "[[margin.tiers]]\n"
        "floor_quote = 0\n"
        "initial_ppm = 2000000\n"
        "maintenance_ppm = 1\n"
        "[[margin.tiers]]\n"
        "floor_quote = 0.5\n"
        "initial_ppm = 2000\n"
        "[margin.markets]\n"
        "BTC = [  # [ in a comment\n"
        "    { floor_quote = 0, initial_ppm = 100, maintenance_ppm = 50 },\n"
        '    { floor_quote = "x", initial_ppm = 100, maintenance_ppm = 50 },\n'
        "]\n"
        "[liquidation]\n"
        "actt = true\n"
        "[charges]\n"
        "funding.interval_s = 0\n"
        "maker_ppm = true\n"
    )
    with pytest.raises(RuleError) as caught:
        from_toml(text, "venue.toml")
    assert str(caught.value).splitlines() == [
        "venue.toml:7: margin.tiers.0.initial_ppm: must be at most 1000000 (got 2000000)",
        "venue.toml:10: margin.tiers.1.floor_quote: must be a whole number (got 0.5)",
        "venue.toml:9: margin.tiers.1.maintenance_ppm: is missing",
        "venue.toml:15: margin.markets.BTC.1.floor_quote: must be a whole number (got 'x')",
        "venue.toml:4: margin.leverage_max: must be at least 0 (got -1)",
        "venue.toml:3: margin.mode: must be 'cross' or 'isolated' (got 'isolate'); did you mean 'isolated'?",
        "venue.toml:18: liquidation.actt: unknown key; did you mean 'act'?",
        "venue.toml:21: charges.maker_ppm: must be a whole number (got true)",
        "venue.toml:20: charges.funding.interval_s: must be at least 1 (got 0)",
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("textbook,margin.leverage_max=-5", "textbook: margin.leverage_max: must be at least 0 (got -5)"),
        (
            "textbook,margin.leverage_max=5.0",
            "textbook: margin.leverage_max: must be a whole number (got 5.0)",
        ),
        (
            "textbook,margin.leverage_max=nan",
            "textbook: margin.leverage_max: must be a whole number (got nan)",
        ),
        ("textbook,liquidation.act=1", "textbook: liquidation.act: must be true or false (got 1)"),
        ("textbook,liquidation=3", "textbook: liquidation: must be a table of keys (got 3)"),
        ("textbook,mark.components=last", "textbook: mark.components: must be a list (got 'last')"),
        (
            "textbook,mark.components=[]",
            "textbook: mark.components: give at least one component and at most 16 (got 0)",
        ),
        ("textbook,liquidaton.act=true", "textbook: liquidaton: unknown key; did you mean 'liquidation'?"),
        (
            "textbook,rounding.zzz=1",
            "textbook: rounding.zzz: unknown key; known keys: requirement, fee, bankruptcy_price",
        ),
        (
            "textbook,liquidation.size=shar",
            "textbook: liquidation.size: must be 'full', 'target' or 'share' (got 'shar'); did you mean 'share'?",
        ),
        (
            "textbook,liquidation.stage=takeover_only,liquidation.leftover=retry",
            "textbook: liquidation: stage = 'takeover_only' needs leftover = 'fund' or 'backstop'",
        ),
        (
            "textbook,liquidation.size.x=3",
            "liquidation.size.x: liquidation.size is a value, it has no key 'x'",
        ),
        (
            "textbook,margin.tiers.7.initial_ppm=1",
            "margin.tiers.7.initial_ppm: '7' must be the number of an item, 0 to 0",
        ),
        (
            "textbook,margin..x=1",
            "'margin..x': must be keys with dots between them, e.g. margin.leverage_max",
        ),
        (
            "textbook,foo",
            "textbook,foo: a reform is written key=value, e.g. margin.leverage_max=5 (got 'foo')",
        ),
        (
            "hyperliqid",
            f"unknown rules 'hyperliqid': the presets are {', '.join(PRESETS)}, and a path to "
            "a TOML file works too; did you mean 'hyperliquid'?",
        ),
        ("none.toml", f"none.toml: no such file; the presets are {', '.join(PRESETS)}"),
    ],
)
def test_message(spec: str, message: str) -> None:
    assert error_of(spec) == message


def test_overlapping_tiers_name_both_floors() -> None:
    rows = "[[margin.tiers]]\nfloor_quote = 0\ninitial_ppm = 9\nmaintenance_ppm = 5\n"
    with pytest.raises(RuleError, match=r"^x\.toml:2: margin: tiers: tiers overlap: floor_quote 0 follows 0;"):
        from_toml("\n" + rows + rows, "x.toml")
    with pytest.raises(ValueError, match="must start at floor_quote = 0"):
        Margin(tiers=(Tier(floor_quote=5, initial_ppm=9, maintenance_ppm=5),))
    with pytest.raises(ValueError, match="maintenance_ppm must not be above initial_ppm"):
        Tier(floor_quote=0, initial_ppm=5, maintenance_ppm=9)


def test_files_that_cannot_be_rules(tmp_path: Path) -> None:
    assert "is a folder" in error_of(str(tmp_path))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in error_of(str(binary))
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "x"\nmargin = \n', encoding="utf-8")
    assert error_of(str(broken)).startswith(f"{broken}:2: not TOML: ")


@pytest.mark.parametrize("base", ['"hl"', "3", "[]"])
def test_base_must_be_a_preset(base: str) -> None:
    with pytest.raises(RuleError, match=r"^x\.toml:2: base: must be one of textbook, hyperliquid, binance-usdm"):
        from_toml(f"\nbase = {base}\n", "x.toml")


def test_messages_are_lines_without_addresses() -> None:
    message = error_of("textbook,margin.leverage_max=-5,halts.collar_ppm=-1")
    assert len(message.splitlines()) == 2
    assert "http" not in message
    assert "pydantic" not in message


# Schema and description


def test_schema_knows_every_key_and_its_sentence() -> None:
    described = schema()
    assert set(described["properties"]) == {"base", *RuleSet.model_fields}
    assert described["properties"]["base"]["enum"] == list(PRESETS)
    for definition in described["$defs"].values():
        assert definition["additionalProperties"] is False
        assert all(entry.get("description") for entry in definition["properties"].values())
    assert {"const": "none"} in described["$defs"]["Charges"]["properties"]["funding"]["anyOf"]


@pytest.mark.parametrize("name", PRESETS)
def test_description_shows_every_field_with_its_source(name: str) -> None:
    text = describe(PRESETS[name], sources_of(PRESETS[name]))
    lines = [line.strip() for line in text.splitlines()]
    for path in fields(PRESETS[name]):
        assert any(line == path or line.startswith(f"{path} = ") for line in lines), path
    shown = [line for line in lines if line.startswith(tuple(f"[{quality}" for quality in QUALITIES))]
    assert len(shown) == len(SOURCES[name])


def test_description_of_own_rules_has_no_sources() -> None:
    text = describe(RuleSet(name="mine"))
    assert "[choice]" not in text
    assert "halts.collar_ppm = 50,000 ppm (5 %)" in text


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("charges.taker_ppm", 450, "450 ppm (0.045 %)"),
        ("charges.funding.interest_ppb", 100_000, "100,000 ppb (0.01 %)"),
        ("insurance.initial_quote", 1_000_000, "1,000,000 quote units"),
        ("mark.window_s", 150, "150 s"),
        ("contract.lots_max", 1000, "1,000"),
        ("liquidation.act", False, "false"),
        ("mark.components", ["last", "mid", "index"], "last, mid, index"),
        ("charges.funding", None, "none"),
        ("charges.funding", ABSENT, ABSENT),
        (
            "margin.tiers",
            [{"floor_quote": 1000, "initial_ppm": 66_667, "maintenance_ppm": 33_333}],
            "from 1,000 15x/3.3333 %",
        ),
    ],
)
def test_quantity_has_the_unit_of_its_name(path: str, value: Any, shown: str) -> None:
    assert quantity(path, value) == shown


@pytest.mark.parametrize("size", [10, 2**57])
def test_a_loss_is_shared_to_the_last_atom(size: int) -> None:
    """R-L2: rounded down, the remainder one atom each from the first; the products are beyond 64 bits for the large."""
    profits, loss = np.array([4 * size, 2 * size, size]), 5 * size + 3
    shares = Socialisation(rule="winners").shares_atoms(loss, profits)
    down = [loss * profit // (7 * size) for profit in profits.tolist()]
    rest = loss - sum(down)
    assert shares.tolist() == [part + (i < rest) for i, part in enumerate(down)]
    assert Socialisation(rule="none").shares_atoms(loss, profits).tolist() == [0, 0, 0]
    assert Socialisation(rule="winners").shares_atoms(100 * size, profits).tolist() == profits.tolist()
