"""Small positions are spared: the weight is the profit above 500. For `delever allocate --rule`, or any rule set."""

import numpy as np

from delever.engine.rules.deleveraging import Deleveraging

FREE = 500


class AboveAnAllowance(Deleveraging):
    """In proportion to what the profit exceeds an allowance by."""

    rank: str = "pro_rata_pnl"

    def scores(self, holders):
        return np.maximum(0.0, holders.unrealised_atoms - FREE)
