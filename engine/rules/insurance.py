"""The insurance axis: the fund that stands between bankrupt accounts and everybody else."""

from __future__ import annotations

from pydantic import Field, model_validator

from delever.engine.formulas import fund_accepts

from .base import ATOMS_PER_QUOTE, PPM, Rule
from .disposal import Sale
from .drawdown import Drawdown


class MarketFunds(Rule):
    """Funds of single markets beside the shared one (R-W57). Source: Bybit, isolated pools; dYdX v4."""

    initial_quote: int = Field(ge=0, le=10**12)
    """Balance of each of them at the start, in quote units."""
    only: tuple[str, ...] = ()
    """Symbols of the markets that have a fund of their own; empty: every market."""


class DefaultFund(Rule):
    """Contributions of clearing members, who are the venue's backstop accounts (R-W59, R-W60).

    The insurance fund is the venue's own capital that stands before them. Source: waterfalls of central counterparties.
    """

    contribution_quote: int = Field(ge=0, le=10**12)
    """What each member puts in, in quote units, as soon as it has it free."""
    assessment_ppm: int = Field(ge=0, le=10 * PPM)
    """Most a member is called for when all contributions are used up, as a share of its contribution."""

    @property
    def contribution_atoms(self) -> int:
        return self.contribution_quote * ATOMS_PER_QUOTE

    @property
    def assessment_atoms(self) -> int:
        return self.contribution_quote * self.assessment_ppm  # a quote unit has as many atoms as a whole has ppm


class Contribution(Rule):
    """What the fund is given of the venue's fees (R-W58)."""

    trading_fee_ppm: int = Field(ge=0, le=PPM)
    """Share of what the venue earns in fees beside what is the fund's already."""
    liquidation_fee_ppm: int = Field(default=PPM, ge=0, le=PPM)
    """Share of liquidation fees; the venue keeps the rest."""


class Insurance(Rule):
    """Insurance fund: start, floor, cap per event, warehouse and disposal (R-W5, R-W8, R-W11)."""

    initial_quote: int = Field(default=1_000_000, ge=0, le=10**12)
    """Balance at the start, in quote units."""
    floor_quote: int = Field(default=0, ge=0, le=10**12)
    """The fund never pays below this balance."""
    cap_per_event_quote: int = Field(default=0, ge=0, le=10**12)
    """Most the fund pays or loses for one liquidated unit at a time; 0 means no cap."""
    warehouse_leverage: int = Field(default=10, ge=1, le=1000)
    """Largest value of taken-over positions as a multiple of the fund's equity above its floor."""
    disposal_share_ppm: int = Field(default=100_000, ge=0, le=PPM)
    """Share of a taken-over position sent to the book at each disposal; 0 means the fund keeps positions."""
    disposal_interval_s: int = Field(default=10, ge=1)
    """Seconds between disposals."""
    disposal_range_ppm: int = Field(default=10_000, ge=0, lt=PPM)
    """Furthest distance from the mark at which the fund trades."""
    sale: Sale | None = None
    """Bounds of a disposal by the book; none bounds it by the fund's own bankruptcy price."""
    drawdown: Drawdown | None = None
    """While the fund is down so far, it takes no position over."""
    market_funds: MarketFunds | None = None
    """Funds of single markets; left out: one fund for all."""
    default_fund: DefaultFund | None = None
    """What clearing members put in and may be called for; left out: the venue has no members."""
    contribution: Contribution | None = None
    """Shares of fees for the fund; left out: all of the liquidation fees, none of the trading fees."""

    @model_validator(mode="after")
    def _starts_above_floor(self) -> Insurance:
        if self.initial_quote < self.floor_quote:
            raise ValueError(
                f"initial_quote must be at least floor_quote (got {self.initial_quote} < {self.floor_quote})"
            )
        own = self.market_funds
        if own is not None and own.initial_quote < self.floor_quote:
            raise ValueError(
                f"market_funds.initial_quote must be at least floor_quote, the floor of every fund "
                f"(got {own.initial_quote} < {self.floor_quote})"
            )
        return self

    @property
    def floor_atoms(self) -> int:
        return self.floor_quote * ATOMS_PER_QUOTE

    @property
    def cap_per_event_atoms(self) -> int:
        return self.cap_per_event_quote * ATOMS_PER_QUOTE

    def accepts(self, loss_atoms: int, equity_atoms: int, warehouse_after_atoms: int) -> bool:
        """Say whether the fund takes a position over, from its loss at mark and its state (R-W5)."""
        assert loss_atoms >= 0 and warehouse_after_atoms >= 0
        floor, cap = self.floor_atoms, self.cap_per_event_atoms
        return fund_accepts(loss_atoms, equity_atoms, warehouse_after_atoms, floor, cap, self.warehouse_leverage)
