"""Arguments and options that several commands share, with what --help says of them."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

ScenarioName = Annotated[str, Parameter(help="Built-in scenario (delever scenarios list) or a TOML file.")]
Rules = Annotated[
    str,
    Parameter(
        help="Preset (delever rules list) or TOML file; changes to it after commas: textbook,margin.leverage_max=5.",
    ),
]
RulesList = Annotated[
    list[str],
    Parameter(
        name="--rules",
        negative=(),
        help="Preset or TOML file, with changes after commas: hyperliquid,liquidation.act=false. Once for each rule "
        "set; the first is what the others are compared with; all means every preset.",
    ),
]
Sets = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        negative=(),
        help="Change one value, as often as you like: traders=5000, duration_s=3600, cohorts.retail.share=0.5, "
        "markets.BTC.path.volatility=0.9, rules.margin.leverage_max=10.",
    ),
]
Traders = Annotated[
    int | None, Parameter(help="How many traders the cohorts have shares of, instead of the scenario's number.")
]
VolumeIn = Annotated[
    Literal["coins", "money"],
    Parameter(help="What a column volume of a file of candles counts (quote_volume always counts money)."),
]
AsJson = Annotated[
    bool,
    Parameter(
        name="--json", negative=(), show_default=False, help="Print exactly one JSON object on stdout, nothing else."
    ),
]
