"""When traders are about: busy and quiet hours of the day, busy and quiet days of the week.

Traders keep their own luck: the gap to a trader's next waking is the same draw with and without a pattern, only
measured on a clock that runs fast in busy hours and slowly in quiet ones (a time change, as in Clark 1973; the pattern
itself as in Admati and Pfleiderer 1988). So the k-th waking of a trader depends on (seed, trader, k) and the pattern
alone.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

Floats = NDArray[np.float64]

HOUR_S = 3_600
HOURS, DAYS = 24, 7
Weights = tuple[Annotated[float, Field(ge=0.0, le=1e6)], ...]


class Activity(BaseModel):
    """How often traders wake, by hour and weekday; only proportions count, on average over a week nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    hours: Weights = (1.0,) * HOURS
    """24 numbers, for the hours from 0:00 on."""
    weekdays: Weights = (1.0,) * DAYS
    """7 numbers, Monday first."""
    start_hour: int = Field(default=0, ge=0, lt=HOURS)
    """Hour of the day at the end of the warm-up."""
    start_weekday: int = Field(default=0, ge=0, lt=DAYS)
    """Weekday then, 0 is Monday."""
    steady: tuple[str, ...] = ()
    """Names of cohorts that know no hours: machines."""

    @field_validator("hours", "weekdays")
    @classmethod
    def _complete(cls, values: Weights, info: object) -> Weights:
        name = getattr(info, "field_name", "")
        count = HOURS if name == "hours" else DAYS
        if len(values) != count or not sum(values) > 0.0:
            raise ValueError(f"give {count} numbers that are not all 0 (got {len(values)})")
        return values

    def factor(self, time_s: Floats) -> Floats:
        """Return how fast traders' clock runs at times after the end of the warm-up (negative: before it)."""
        hour = (np.floor(time_s / HOUR_S) + self.start_hour + HOURS * self.start_weekday).astype(np.int64)
        hours, weekdays = (np.array(each) / np.mean(each) for each in (self.hours, self.weekdays))
        return hours[hour % HOURS] * weekdays[hour // HOURS % DAYS]

    def clock(self, steps: int, dt_s: int, warmup_steps: int) -> Floats:
        """Return the time on traders' clock at the end of each step, in steps, (steps + 1,)."""
        time_s: Floats = (np.arange(1, steps + 1, dtype=np.float64) - warmup_steps) * dt_s
        return np.concatenate([[0.0], np.cumsum(self.factor(time_s))])
