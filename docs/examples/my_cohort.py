"""Do patient buyers stop a cascade? Run it: python docs/examples/my_cohort.py [SCENARIO]"""

import sys

from delever.agents.cohort import Cohort
from delever.agents.draws import Stream
from delever.sim.run import simulate


class DipBuyers(Cohort):
    """Whoever has no order bids for a position of twice its equity, 2 to 15 percent below the mark."""

    def decide(self, view, wakers):
        idle = wakers[view.open_orders(self.rows[wakers]) == 0]
        market = self.pick_market(view, idle)
        discount = 0.02 + 0.13 * self.uniform(Stream.CUSTOM, idle)
        lots = self.room_lots(view, idle, market, side=1, leverage=2.0)
        return self.limit(idle, market, 1, lots, view.mark_ticks[market] * (1 - discount))


if __name__ == "__main__":
    scenario = sys.argv[1] if len(sys.argv) > 1 else "flash-shock"
    for share in (0.0, 0.1):
        told = simulate(scenario, "textbook", 1, cohorts=[(DipBuyers, {"share": share})]).summary
        print(f"{share:.0%} dip buyers: {told['liquidations']} liquidations, {told['liquidated_notional']:,.0f} quote")
