"""The summary of one run as a person reads it in a terminal, and as columns of a table."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .words import LAYER_NAMES, MEASURES, amount, count_of, three_figures, written

SHOWN = (
    "max_drawdown", "liquidations", "liquidated_notional", "forced_share", "margin_calls", "insurance_fund_start",
    "insurance_fund_min", "insurance_fund_end", "adl_fills", "adl_notional", "socialised_loss", "bad_debt",
    "unfinished_cascades", "conservation_error", "accounts", "commands", "fills", "commands_per_s", "wall_s",
)  # fmt: skip


def flat(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the summary with nested objects written as `outer.inner`."""
    values: dict[str, Any] = {}
    for key, value in summary.items():
        if isinstance(value, dict):
            values |= {f"{key}.{inner}": entry for inner, entry in value.items()}
        else:
            values[key] = value
    return values


def in_quote(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the flat summary with all money in quote units, at the price with which the run began."""
    values = flat(summary)
    price = float(values.get("quote_per_unit", 1.0))
    return values | {key: values[key] * price for key in values if key in MEASURES and MEASURES[key].kind == "quote"}


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """Print what happened in one paragraph, then the main numbers."""
    console.print(
        f"\n[bold]{summary['scenario']}[/bold] under the rules [bold]{summary['rules']}[/bold], seed {summary['seed']}",
        highlight=False,
    )
    console.print(in_words(summary), highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column("measure")
    table.add_column("value", justify="right")
    for key in SHOWN:
        if key in summary:
            table.add_row(MEASURES[key].label, written(key, summary[key]))
    table.add_row("digest", str(summary["digest"])[:16])
    console.print(table)


def print_profile(profile: dict[str, Any], console: Console) -> None:
    """Print where the time of the steps went: a `Profile.report`."""
    table = Table(box=box.SIMPLE, pad_edge=False, title="Where the time of the steps went", title_justify="left")
    table.add_column("phase")
    table.add_column("kind")
    for heading in ("seconds", "share", "µs a step"):
        table.add_column(heading, justify="right")
    for row in profile["phases"]:
        table.add_row(
            row["phase"], row["kind"], f"{row['seconds']:.3f}", f"{row['share']:.1%}", f"{row['us_per_step']:.1f}"
        )
    table.add_section()
    table.add_row("all", "", f"{profile['seconds']:.3f}", "100.0%", f"{profile['us_per_step']:.1f}")
    console.print(table)
    console.print(
        f"A step: {profile['commands_per_step']:,.1f} commands, {profile['rounds_per_step']:,.2f} liquidation rounds, "
        f"{profile['event_bytes_per_step']:,.0f} bytes of events. Python outside kernels and the decisions of cohorts: "
        f"{profile['python_share']:.1%}.",
        highlight=False,
        soft_wrap=True,
    )


def in_words(summary: dict[str, Any]) -> str:
    """Return the run in two or three sentences."""
    fall = f"The mark price fell by at most {three_figures(100 * summary['max_drawdown'])} % from an earlier high."
    if summary["liquidations"] == 0:
        return f"{fall} Nobody was liquidated."
    told = [
        fall,
        f"There were {count_of(summary['liquidations'], 'liquidation')}; positions worth "
        f"{amount(summary['liquidated_notional'])} {summary.get('currency', 'quote')} were closed.",
    ]
    paid = [
        f"{LAYER_NAMES[layer]} ({amount(quote)})" for layer, quote in summary.get("waterfall", {}).items() if quote > 0
    ]
    if paid:
        told.append(f"Who paid, in order: {', then '.join(paid)}.")
    return " ".join(told)
