"""The contract axis: what a lot is worth, in which currency, and how much of it anybody may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule

CurrencyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=12)]


class Inverse(Rule):
    """Contracts of a fixed face in quote units, margined and settled in the coin they are on (R-U5)."""

    currency: CurrencyName
    """Coin in which everything is paid, e.g. BTC."""
    units_per_coin: int = Field(ge=1, le=10**6)
    """Units of account per coin; all `_quote` numbers of the rule set count these, an atom is a millionth of one."""
    face_quote: int = Field(ge=1, le=10**6)
    """Value of one contract in quote units, whatever the price; a lot is one contract."""


class Quanto(Rule):
    """Contracts on a price in quote units that pay a fixed amount of another coin for each of them (R-U5)."""

    currency: CurrencyName
    """Coin in which everything is paid, e.g. BTC."""
    units_per_coin: int = Field(ge=1, le=10**6)
    """Units of account per coin; all `_quote` numbers of the rule set count these, an atom is a millionth of one."""
    point_atoms: int = Field(ge=1, le=10**12)
    """What one contract gains when the price rises by one quote unit; a lot is one contract."""
    coin_quote: int = Field(ge=1, le=10**9)
    """Price of the coin at which deposits that a scenario gives in quote units are brought in."""


class ClosingFee(Rule):
    """A bankruptcy price that leaves room for the fee of closing there (R-U6)."""

    fee_ppm: int = Field(ge=1, lt=PPM)
    """Fee of the closing trade, of its value."""


class Expiry(Rule):
    """Cash settlement of dated futures at a mean of the index (R-X1 to R-X4)."""

    expires_s: int = Field(ge=1, le=10**9)
    """Time of expiry, in seconds from the opening of the venue."""
    averaging_s: int = Field(ge=0, le=10**9)
    """The final settlement price is the mean index of so many seconds before expiry; 0 takes that of the moment."""
    no_trading_s: int = Field(ge=0, le=10**9)
    """Trading ends so long before expiry; 0 trades to the end."""
    markets: tuple[str, ...] = ()
    """Symbols of the markets that expire; none named: all."""

    @model_validator(mode="after")
    def _within_its_life(self) -> Expiry:
        for name in ("averaging_s", "no_trading_s"):
            if getattr(self, name) > self.expires_s:
                raise ValueError(
                    f"{name} must not be longer than expires_s (got {getattr(self, name)} > {self.expires_s})"
                )
        return self


class Contract(Rule):
    """What a contract is worth: value of n lots at p ticks is n * multiplier * p atoms if it is linear (R-U2, R-U5)."""

    payoff: Literal["linear", "inverse", "quanto"] = "linear"
    """`linear`: margined and settled in the quote currency; `inverse`: in the coin; `quanto`: in another coin."""
    lots_max: int = Field(default=100_000_000, ge=1, le=2**30 - 1)
    """Largest order, position and exposure, in lots (R-U4)."""
    orders_per_account_max: int = Field(default=200, ge=1, le=100_000)
    """Most resting and waiting orders an account may have over all markets (R-O9)."""
    inverse: Inverse | None = None
    """Coin and face of an inverse contract."""
    quanto: Quanto | None = None
    """Coin and multiplier of a quanto contract."""
    expiry: Expiry | None = None
    """Expiry and cash settlement; none is a perpetual contract."""
    closing_fee: ClosingFee | None = None
    """Fee that bankruptcy prices leave room for; none leaves no room."""

    @model_validator(mode="after")
    def _payoff_is_described(self) -> Contract:
        for word in ("inverse", "quanto"):
            if (self.payoff == word) != (getattr(self, word) is not None):
                raise ValueError(
                    f"payoff = '{word}' and the table [contract.{word}] belong together (got payoff = "
                    f"'{self.payoff}' {'without' if self.payoff == word else 'with'} that table)"
                )
        return self

    @property
    def currency(self) -> str:
        """Name of the currency of all money: the coin, or `quote` for a linear contract."""
        coin = self.inverse or self.quanto
        return coin.currency if coin else "quote"

    @property
    def atoms_per_coin(self) -> int:
        """Atoms of one whole coin, or of one quote unit."""
        coin = self.inverse or self.quanto
        return ATOMS_PER_QUOTE * (coin.units_per_coin if coin else 1)

    def largest_value_atoms(self, multiplier_atoms: int, price_max_ticks: int) -> int:
        """Return a bound of the value of a position in a market (R-U4); an inverse one is largest at one tick."""
        ticks = 1 if self.payoff == "inverse" else price_max_ticks
        return 2 * self.lots_max * multiplier_atoms * ticks
