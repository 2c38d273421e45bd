"""The socialisation axis: who bears a loss that margin, fund and deleveraging left over."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .base import Rule


class Socialisation(Rule):
    """Loss sharing among winners pro rata to unrealised profit, or none (R-L2)."""

    rule: Literal["none", "winners"] = "none"
    """`winners`: all accounts with a positive unrealised profit pay pro rata; `none`: the venue books bad debt."""

    def shares_atoms(self, loss_atoms: int, profits_atoms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what each winner pays, atoms, in the order given (largest profit first, then key).

        `profits_atoms` are positive. The sum of the shares is min(loss, sum of profits) exactly: every share is
        rounded down and the remainder goes one atom each to the first winners.
        """
        total = sum(profits_atoms.tolist())
        if self.rule == "none" or total == 0:
            return np.zeros_like(profits_atoms)
        covered = min(loss_atoms, total)
        assert covered > 0 and (profits_atoms > 0).all()
        if covered * int(profits_atoms.max()) < 2**63:
            shares = covered * profits_atoms // total
        else:  # in Python's integers, which do not overflow
            shares = np.array([covered * profit // total for profit in profits_atoms.tolist()], dtype=np.int64)
        shares[: covered - int(shares.sum())] += 1
        assert shares.sum() == covered and (shares <= profits_atoms).all()
        return shares
