"""The socialisation axis: who bears a loss that margin, fund and deleveraging left over."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .base import Rule
from .sharing import Receiver, floor_shares, split


class Remainder(Rule):
    """What becomes of the atoms that equal shares leave over (R-L5). Source: Vega 0.79, the last winner gets them."""

    rounded: Literal["paid", "kept"] = "paid"
    """What is rounded down: what a winner pays, or what it keeps of its profit (its due)."""
    to: Receiver = "largest"
    """Who pays or keeps the rest: one atom each from the largest on, or all of it the first or last by key."""


class Session(Rule):
    """The time over which profits count, or losses are carried (R-L6, R-L7)."""

    length_s: int = Field(ge=1, le=31_536_000)
    """Length of a session, seconds; the first begins with the venue."""
    at_end: bool = False
    """Whether the venue carries losses until the session ends and only then claws them back."""


class Socialisation(Rule):
    """Loss sharing among winners, open interest or deposits, or none (R-L2, R-L4 to R-L7)."""

    rule: Literal["none", "winners", "step_profit", "session_profit", "open_interest", "deposits"] = "none"
    """`winners`: all accounts with a positive unrealised profit pay pro rata; `none`: the venue books bad debt;
    `step_profit`: those who gained from the step's change of the mark; `session_profit`: those who made a profit,
    realised or not, since the session began; `open_interest`: both sides, by the value of what they hold; `deposits`:
    everybody, by the money in the account."""
    remainder: Remainder | None = None
    """How shares become whole atoms; left out: what is paid is rounded down, the rest goes to the largest."""
    session: Session | None = None
    """Needed by `session_profit`, and by a clawback at the end of a session."""

    @model_validator(mode="after")
    def _means_something(self) -> Socialisation:
        if self.rule == "session_profit" and self.session is None:
            raise ValueError("rule = 'session_profit' needs a session, as in session = {length_s = 86_400}")
        if self.session is not None and (self.rule == "none" or not (self.session.at_end or self._by_session)):
            raise ValueError(
                f"session means nothing here: it is for rule = 'session_profit', or with at_end = true for a rule "
                f"that shares losses (got rule = {self.rule!r})"
            )
        if self.rule == "open_interest" and self.remainder is not None and self.remainder.rounded == "kept":
            raise ValueError(
                "remainder.rounded = 'kept' rounds a profit that is due: open interest has none, use 'paid'"
            )
        return self

    @property
    def _by_session(self) -> bool:
        return self.rule == "session_profit"

    @property
    def in_order_of_keys(self) -> bool:
        """Whether payers are listed by key, not from the largest down."""
        return self.remainder is not None and self.remainder.to != "largest"

    def shares_atoms(
        self, loss_atoms: int, profits_atoms: NDArray[np.int64], limits_atoms: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Return what each payer pays, atoms, in the order given (largest profit first, then key, or by key: R-L5).

        `profits_atoms` are positive; they are also the most each one pays, unless `limits_atoms` are given (only
        for `open_interest`). The shares add up to min(loss, sum of the limits) exactly.
        """
        limits = profits_atoms if limits_atoms is None else limits_atoms
        able = sum(limits.tolist())
        covered = min(loss_atoms, able)
        if self.rule == "none" or covered == 0:
            return np.zeros_like(profits_atoms)
        assert covered > 0 and (profits_atoms > 0).all()
        remainder = self.remainder or Remainder()
        if remainder.rounded == "kept":
            return profits_atoms - split(able - covered, profits_atoms, profits_atoms, remainder.to)
        if limits_atoms is None and remainder.to == "largest":
            shares = floor_shares(covered, profits_atoms)
            shares[: covered - int(shares.sum())] += 1
        else:
            shares = split(covered, profits_atoms, limits, remainder.to)
        assert shares.sum() == covered and (shares <= limits).all()
        return shares
