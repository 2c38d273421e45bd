"""What failed in a stored run, and when: read from the scenario in its manifest, told in words."""

from __future__ import annotations

from typing import Any, NamedTuple

from delever.agents.parameters import MAIN

from .folder import RunFolder
from .words import amount, clock, count_of, duration, three_figures


class Failure(NamedTuple):
    """A fault of a run; times are those of its tables, which begin with the warm-up."""

    begin_s: float
    end_s: float
    kind: str
    words: str


def failures(run: RunFolder) -> list[Failure]:
    """Return the faults of the venue of a run, in order of time; runs of old know none."""
    scenario = run.manifest["scenario"]
    warmup_s = -(-int(scenario.get("warmup_s", 0)) // run.dt_s) * run.dt_s
    found = [
        Failure(
            warmup_s + fault["at_s"], warmup_s + fault["at_s"] + fault["length_s"], str(fault["kind"]), _words(fault)
        )
        for fault in scenario.get("faults") or ()
        if fault.get("venue", MAIN) == run.manifest.get("venue", MAIN)
    ]
    return sorted(found)


def tell_failures(run: RunFolder) -> list[str]:
    """Return a paragraph for each fault: what failed, when, and how many accounts waited for the engine."""
    told = []
    for failure in failures(run):
        text = f"From {clock(failure.begin_s)} for {duration(failure.end_s - failure.begin_s)} {failure.words}."
        rows = run.series[(run.series["time_s"] >= failure.begin_s) & (run.series["time_s"] <= failure.end_s)]
        if failure.kind.startswith("engine") and len(rows):
            text += f" Up to {count_of(int(rows['distressed'].max()), 'account')} waited for it at once."
        told.append(text)
    return told


def _words(fault: dict[str, Any]) -> str:
    """Return what a fault is, to follow "From then for so long"."""
    kind = fault["kind"]
    if kind == "engine_slowed":
        return f"the liquidation engine acted only every {duration(fault['every_s'])}"
    if kind == "engine_capped":
        caps = []
        if fault.get("liquidations") is not None:
            caps.append(count_of(int(fault["liquidations"]), "account"))
        if fault.get("notional_quote") is not None:
            caps.append(f"positions worth {amount(fault['notional_quote'])} quote")
        return f"the liquidation engine got to no more than {' and '.join(caps)} in a step"
    if kind.startswith("oracle"):
        whose = "the index" if fault.get("source") is None else f"source {fault['source']} of the index"
        if fault.get("market") is not None:
            whose += f" of {fault['market']}"
        if kind == "oracle_stale":
            return f"{whose} stood still"
        return f"{whose} was {three_figures(100 * abs(fault['size']))} % too {'low' if fault['size'] < 0 else 'high'}"
    if kind == "outage":
        after = "was lost" if fault.get("commands") == "lost" else "came in a burst at the end"
        return f"no command of a trader reached the venue; what was sent {after}"
    if kind == "data_delay":
        return f"traders decided on prices that were up to {duration(fault['delay_s'])} old"
    return "the liquidation engine stood still"
