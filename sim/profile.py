"""Where the time of a run goes: seconds by phase of the ordered pass, and how much of it is plain Python."""

from __future__ import annotations

from time import perf_counter
from typing import Any

# Phases that call a kernel and do next to nothing else, in the order of a step. Each is charged with the Python that
# makes the call.
KERNEL_PHASES = (
    "calendar", "gateway", "triggered orders", "commands", "funding", "premium sample", "look", "liquidation rounds",
    "loss sharing", "laws", "totals",
)  # fmt: skip
# Phases that are Python: what is left of a step besides kernels and decisions.
PYTHON_PHASES = ("view", "checks", "solo agents", "mark rule", "events", "record", "series", "other")
COHORT = "cohort "
"""Phases of this prefix are the decisions of a cohort."""


def no_lap(phase: str) -> None:
    """Measure nothing: what a run without a profile calls."""


class Profile:
    """Adds up what passes between two laps: `lap(phase)` charges `phase` with the time since the lap before."""

    def __init__(self) -> None:
        """Start the clock."""
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, phase: str) -> None:
        """Charge `phase` with the time since the last lap."""
        now = perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    def report(self, steps: int) -> dict[str, Any]:
        """Return seconds, share and microseconds a step by phase, longest first, and the share that is Python."""
        whole = sum(self.seconds.values())
        python = sum(seconds for phase, seconds in self.seconds.items() if phase in PYTHON_PHASES)
        phases = [
            {
                "phase": phase,
                "kind": kind_of(phase),
                "seconds": round(seconds, 4),
                "share": round(seconds / whole, 4),
                "us_per_step": round(seconds / max(1, steps) * 1e6, 2),
            }
            for phase, seconds in sorted(self.seconds.items(), key=lambda item: -item[1])
        ]
        return {"seconds": round(whole, 4), "python_share": round(python / whole, 4), "phases": phases}


def kind_of(phase: str) -> str:
    """Return what a phase is: kernels, decisions of a cohort, or Python."""
    if phase.startswith(COHORT):
        return "decisions"
    assert phase in KERNEL_PHASES or phase in PYTHON_PHASES, f"no phase is called {phase!r}"
    return "kernels" if phase in KERNEL_PHASES else "python"
