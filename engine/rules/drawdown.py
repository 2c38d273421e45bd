"""A choice of two axes: how far the insurance fund fell from its highest balance of a rolling window."""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import PPM, Rule


class Drawdown(Rule):
    """On while the fund is so far below its peak of the last so many seconds (R-W50)."""

    window_s: int = Field(ge=1, le=604_800)
    """Length of the rolling window in which the highest balance counts, seconds."""
    drop_ppm: int = Field(gt=0, le=PPM)
    """It begins when the fund has lost this share of its peak."""
    until_ppm: int | None = Field(default=None, gt=0, le=PPM)
    """It ends when less than this share of the peak is missing; left out: as soon as it would not begin."""

    @model_validator(mode="after")
    def _ends_below(self) -> Drawdown:
        if self.until_ppm is not None and self.until_ppm > self.drop_ppm:
            raise ValueError(
                f"until_ppm must be at most drop_ppm, or it ends before it begins "
                f"(got {self.until_ppm} > {self.drop_ppm})"
            )
        return self

    @property
    def end_ppm(self) -> int:
        """Share of the peak that may be missing for it to be over."""
        return self.drop_ppm if self.until_ppm is None else self.until_ppm
