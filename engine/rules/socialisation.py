"""The socialisation axis: who bears a loss that margin, fund and deleveraging left over."""

from __future__ import annotations

from typing import Literal

from .base import Rule


class Socialisation(Rule):
    """Loss sharing among winners pro rata to unrealised profit, or none (R-L2)."""

    rule: Literal["none", "winners"] = "none"
    """`winners`: all accounts with a positive unrealised profit pay pro rata; `none`: the venue books bad debt."""

    def shares_atoms(self, loss_atoms: int, profits_atoms: list[int]) -> list[int]:
        """Return what each winner pays, atoms, in the order given (largest profit first, then key).

        `profits_atoms` are positive. The sum of the shares is min(loss, sum of profits) exactly: every share is
        rounded down and the remainder goes one atom each to the first winners. Python integers: no overflow.
        """
        total = sum(profits_atoms)
        if self.rule == "none" or total == 0:
            return [0] * len(profits_atoms)
        covered = min(loss_atoms, total)
        shares = [covered * profit // total for profit in profits_atoms]
        for i in range(covered - sum(shares)):
            shares[i] += 1
        assert sum(shares) == covered
        assert all(share <= profit for share, profit in zip(shares, profits_atoms, strict=True))
        return shares
