"""An exchange as a state machine: tables, matching, money, margin and the liquidation waterfall."""
