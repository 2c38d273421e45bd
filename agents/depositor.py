"""Depositors: who holds money at the venue and does not trade, and takes it away when trust is gone.

What they do is in their wallets (wallet.py): money that comes and goes, and a run by the thresholds of Granovetter,
"Threshold models of collective behavior", American Journal of Sociology 83 (1978). This cohort is wallets alone.
"""

from __future__ import annotations

from pydantic import Field

from .cohort import NO_COMMANDS, Cohort, Commands
from .parameters import CohortParameters
from .view import Ints, View
from .wallet import WalletParameters


class DepositorParameters(CohortParameters):
    """Holders of money who do not trade."""

    mean_interval_s: float = Field(default=3_600.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a depositor, in seconds."""
    wallet: WalletParameters = WalletParameters(flow_share=0.02)
    """Money that comes and goes, and the run when trust in the venue is gone."""


class Depositor(Cohort):
    """Holds money, brings some and takes some, and runs below its threshold of trust."""

    Parameters = DepositorParameters

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return nothing: depositors do not trade."""
        return NO_COMMANDS
