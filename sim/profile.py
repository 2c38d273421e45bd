"""Where the time of a run goes: seconds by phase of the ordered pass, and how much of it is plain Python."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from delever.engine.venue import StepReport

# Phases that call a kernel and do next to nothing else, in the order of a step. Each is charged with the Python that
# makes the call.
KERNEL_PHASES = (
    "calendar", "gateway", "triggered orders", "commands", "funding", "premium sample", "mark", "liquidation rounds",
    "loss sharing", "laws", "totals", "survey",
)  # fmt: skip
# Phases that are Python: what is left of a step besides kernels and decisions.
PYTHON_PHASES = ("view", "checks", "solo agents", "events", "record")
COHORT = "cohort "
"""Phases of this prefix are the decisions of a cohort."""


class Profile:
    """Adds up what passes between two laps: `lap(phase)` charges `phase` with the time since the lap before."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.start()

    def start(self, event_bytes: int = 0) -> None:
        """Start the clock, forgetting what was measured: the opening of a venue, with `event_bytes`, is no step."""
        self._bytes_before = event_bytes
        self.seconds: dict[str, float] = {}
        self.steps = 0
        self.commands = 0
        self.rounds = 0
        self.event_bytes = 0
        self._last = perf_counter()

    def lap(self, phase: str) -> None:
        """Charge `phase` with the time since the last lap."""
        now = perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    def end_step(self, report: StepReport, event_bytes: int) -> None:
        """Count a step: its commands and rounds, and the bytes of all events so far."""
        self.steps += 1
        self.commands += report.commands
        self.rounds += report.rounds
        self.event_bytes = event_bytes - self._bytes_before
        self.lap("record")

    def report(self) -> dict[str, Any]:
        """Return counts a step, and seconds, share and microseconds a step by phase, longest first.

        `python_share` is the share of all phases that are neither kernels nor decisions of a cohort.
        """
        whole, steps = sum(self.seconds.values()), max(1, self.steps)
        python = sum(seconds for phase, seconds in self.seconds.items() if phase in PYTHON_PHASES)
        phases = [
            {
                "phase": phase,
                "kind": kind_of(phase),
                "seconds": round(seconds, 4),
                "share": round(seconds / whole, 4),
                "us_per_step": round(seconds / steps * 1e6, 2),
            }
            for phase, seconds in sorted(self.seconds.items(), key=lambda item: -item[1])
        ]
        return {
            "steps": self.steps,
            "commands_per_step": round(self.commands / steps, 2),
            "rounds_per_step": round(self.rounds / steps, 4),
            "event_bytes_per_step": round(self.event_bytes / steps, 1),
            "seconds": round(whole, 4),
            "us_per_step": round(whole / steps * 1e6, 2),
            "python_share": round(python / whole, 4) if whole else 0.0,
            "phases": phases,
        }


def kind_of(phase: str) -> str:
    """Return what a phase is: kernels, decisions of a cohort, or Python."""
    if phase.startswith(COHORT):
        return "decisions"
    assert phase in KERNEL_PHASES or phase in PYTHON_PHASES, f"no phase is called {phase!r}"
    return "kernels" if phase in KERNEL_PHASES else "python"
