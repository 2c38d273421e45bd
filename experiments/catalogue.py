"""`delever rules` and `delever scenarios`: what there is, what it says, whether a file is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

rules_app = App(name="rules", help="List, show, compare and check rule sets.", help_format="markdown")
scenarios_app = App(name="scenarios", help="List, show and check scenarios.", help_format="markdown")

SIZES = {"full": "whole", "target": "target", "share": "share"}
STAGES = {"book": "book", "takeover_only": "takeover", "keepers": "keepers"}
LEFTOVERS = {"retry": "again", "fund": "fund", "backstop": "backstop"}
TRIGGERS = {"none": "-", "fund_empty": "fund empty", "equity_below_zero": "equity < 0"}

RulesSpec = Annotated[str, Parameter(help="Preset or TOML file, with changes after commas.")]
AsToml = Annotated[
    bool, Parameter(name="--toml", negative=(), show_default=False, help="As TOML, to be copied and changed.")
]


@rules_app.command(name="list")
def list_rules() -> None:
    """List the rule sets that come with delever.

    For example:

        delever rules list
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from delever.engine.rules.presets import PRESETS

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    for column in ("paid in", "closed", "by", "the rest", "ADL", "then"):
        table.add_column(column, overflow="fold")
    for name, rules in PRESETS.items():
        closing, last = rules.liquidation, rules.socialisation.rule
        table.add_row(
            name,
            rules.contract.currency,
            closing.step.kind.replace("_", " ") if closing.step else SIZES[closing.size],
            STAGES[closing.stage],
            "-" if closing.stage == "keepers" else LEFTOVERS[closing.leftover],
            TRIGGERS[rules.deleveraging.trigger],
            "bad debt" if last == "none" else last.replace("_", " "),
        )
    Console().print(table)
    print(
        "\nHow much is closed at once, by whom, who takes what the book leaves, when winners are\n"
        "deleveraged, who bears what is left then.\n"
        "delever rules show NAME explains one, with the source of every number."
    )


@rules_app.command(name="show")
def show_rules(name: RulesSpec, *, toml: AsToml = False) -> None:
    """Show a rule set in words, every number with its source.

    For example:

        delever rules show hyperliquid
        delever rules show textbook --toml > mine.toml
    """
    from delever.engine.rules.describe import describe
    from delever.engine.rules.io import load_rules, to_toml
    from delever.engine.rules.presets import sources_of

    from .choose import mistakes_of_users

    with mistakes_of_users():
        rules = load_rules(name)
    print(to_toml(rules) if toml else describe(rules, sources_of(rules)), end="")


@rules_app.command(name="page")
def write_pages(
    name: Annotated[str, Parameter(help="Preset or TOML file, with changes after commas; all: every preset.")] = "all",
    *,
    out: Annotated[Path, Parameter(help="Folder to write to.")] = Path("results/venues"),
) -> None:
    """Write a page of Markdown about each rule set: every field with its value, source, date and how well it is known.

    For example:

        delever rules page
        delever rules page hyperliquid --out results/pages
    """
    from delever.engine.rules.io import load_rules
    from delever.engine.rules.page import page
    from delever.engine.rules.presets import PRESETS, sources_of

    from .choose import ALL, mistakes_of_users
    from .errors import writable_folder

    with mistakes_of_users():
        chosen = list(PRESETS.values()) if name == ALL else [load_rules(name)]
    folder = writable_folder(out)
    for rules in chosen:
        safe = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in rules.name)
        file = folder / f"{safe}.md"
        file.write_text(page(rules, sources_of(rules)), encoding="utf-8")
        print(f"{rules.name}: {file}")


@rules_app.command(name="diff")
def diff_rules(a: RulesSpec, b: RulesSpec) -> None:
    """Show what differs between two rule sets.

    For example:

        delever rules diff hyperliquid binance-usdm
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from delever.engine.rules.describe import quantity
    from delever.engine.rules.io import diff, load_rules

    from .choose import mistakes_of_users

    with mistakes_of_users():
        found = diff(load_rules(a), load_rules(b))
    if not found:
        print(f"{a} and {b} are the same rules.")
        return
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    table.add_column("rule", overflow="fold")
    table.add_column(a, overflow="fold")
    table.add_column(b, overflow="fold")
    for path, left, right in found:
        table.add_row(path, quantity(path, left), quantity(path, right))
    Console().print(table)


@rules_app.command(name="check")
def check_rules(file: RulesSpec) -> None:
    """Say whether a rules file is right, or what is wrong in which line.

    For example:

        delever rules check mine.toml
    """
    from delever.engine.rules.io import load_rules, rules_hash

    from .choose import mistakes_of_users

    with mistakes_of_users():
        rules = load_rules(file)
    print(f"{file} is right: rules {rules.name}, hash {rules_hash(rules)[:16]}")


@rules_app.command(name="schema")
def rules_schema() -> None:
    """Print the JSON schema of rules files, for editors that complete and check TOML.

    For example:

        delever rules schema > rules.schema.json
    """
    import json

    from delever.engine.rules.io import schema

    print(json.dumps(schema(), indent=2))


@scenarios_app.command(name="list")
def list_scenarios() -> None:
    """List the scenarios that come with delever.

    For example:

        delever scenarios list
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from delever.sim.scenario import load_scenario, scenario_names

    from .words import duration

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    table.add_column("name")
    table.add_column("what happens")
    table.add_column("lasts", justify="right")
    table.add_column("traders", justify="right")
    for name in scenario_names():
        scenario = load_scenario(name)
        table.add_row(name, scenario.title, duration(scenario.duration_s), f"{scenario.traders:,}")
    Console().print(table)


@scenarios_app.command(name="show")
def show_scenario(name: Annotated[str, Parameter(help="Built-in scenario or TOML file.")]) -> None:
    """Show a scenario as TOML with its comments, to be copied and changed.

    For example:

        delever scenarios show flash-shock > mine.toml
    """
    from delever.sim.scenario import load_scenario, scenario_names, scenario_text

    from .choose import mistakes_of_users

    with mistakes_of_users():
        if name in scenario_names():
            text = scenario_text(name)
        else:
            load_scenario(name)
            text = Path(name).read_text(encoding="utf-8")
    print(text, end="")


@scenarios_app.command(name="check")
def check_scenario(file: Annotated[str, Parameter(help="TOML file, or a built-in scenario.")]) -> None:
    """Say whether a scenario file is right, its price files too, or what is wrong in which line.

    For example:

        delever scenarios check mine.toml
    """
    from delever.sim.scenario import load_scenario

    from .choose import check_paths, mistakes_of_users
    from .words import count_of, duration

    with mistakes_of_users():
        scenario = load_scenario(file)
    check_paths(scenario, 0)
    print(
        f"{file} is right: {count_of(scenario.accounts, 'trader')}, {count_of(len(scenario.markets), 'market')}, "
        f"{duration(scenario.duration_s)}"
    )
