"""How far the fund fell from its peak of a rolling window (R-W50): all samples kept, all looked at every time."""

from __future__ import annotations

from .state import FUND, PPM, State


def note(state: State, step: int) -> None:
    """Keep the balance of the fund at the end of a step (-1: at the opening)."""
    state.fund_samples.append((step, state.balances[FUND]))
    look(state)


def look(state: State) -> None:
    """Switch the two watches on or off."""
    for axis in ("deleveraging", "insurance"):
        watch = state.rules[axis]["drawdown"]
        if watch is None:
            continue
        now = state.balances[FUND]
        oldest = state.fund_samples[-1][0] + 1 - state.steps(watch["window_s"]) if state.fund_samples else 0
        peak = max([now, *(balance for step, balance in state.fund_samples if step >= oldest)])
        share = watch["drop_ppm"]
        if axis in state.fund_down and watch["until_ppm"] is not None:
            share = watch["until_ppm"]
        if peak > 0 and (peak - now) * PPM >= share * peak:
            state.fund_down.add(axis)
        else:
            state.fund_down.discard(axis)
