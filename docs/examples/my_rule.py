"""Is it gentler to liquidate by thirds? Run it: python docs/examples/my_rule.py [SCENARIO]"""

import sys

import numpy as np

from delever.engine.rules.liquidation import Liquidation, Proposal
from delever.engine.rules.presets import TEXTBOOK
from delever.sim.run import simulate
from delever.sim.scenario import load_scenario


class ByThirds(Liquidation):
    """Closes a third of what is left, and looks again."""

    def propose(self, rows):
        lots = np.maximum(np.abs(rows.lots) // 3, 1)
        return Proposal(lots, partial=np.zeros(len(lots), dtype=np.bool_))


if __name__ == "__main__":
    scenario = load_scenario(sys.argv[1] if len(sys.argv) > 1 else "flash-shock").replaced({"fund_traders": None})
    for kind in (Liquidation, ByThirds):
        told = simulate(scenario, TEXTBOOK.model_copy(update={"liquidation": kind()}), 1).summary
        print(f"{kind.__name__}: {told['liquidations']} liquidations, {told['forced_notional']:,.0f} quote by force")
