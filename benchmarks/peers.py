"""Other agent-based markets, with agents of their own: order messages a second, to be compared with the crashes.

A message is an order or a cancel that reaches the exchange. Neither peer has accounts with margin, or liquidations.
"""

from __future__ import annotations

import random
import time
import warnings

from .measure import Reading, Request, rate

BOURSE_AGENTS, BOURSE_STEPS = 1_000, 200
BOURSE_ACTIVITY = 0.5
PAMS_AGENTS, PAMS_STEPS, PAMS_STEPS_FIRST = 100, 2_000, 100


def agents_bourse(request: Request) -> list[Reading]:
    """Measure bourse driven by its Python agents: each wakes with a probability, then cancels its order or places one.

    A message is a waking: the agents do nothing else then.
    """
    import numpy as np
    from bourse.core import StepEnv
    from bourse.step_sim import run
    from bourse.step_sim.agents import RandomAgent

    count, steps = request.scaled(BOURSE_AGENTS, least=10), request.scaled(BOURSE_STEPS, least=10)
    wakings = 0

    class Counted(RandomAgent):
        """The agent of the package, which counts what it sends."""

        def update(self, rng: np.random.Generator, env: StepEnv) -> None:
            nonlocal wakings
            before = self.order_id
            super().update(rng, env)
            wakings += self.order_id != before

    agents = [Counted(number, BOURSE_ACTIVITY, (90, 110), (1, 20), 1) for number in range(count)]
    environment = StepEnv(0, 0, 1, 1_000)
    began = time.process_time()
    run(environment, agents, steps, 0, show_progress=False)
    seconds = time.process_time() - began
    note = f"{count:,} agents, {steps:,} steps, {wakings:,} messages, {len(environment.get_trades()):,} trades"
    return [rate("", wakings, seconds, "messages/s", note, processor=True)]


def agents_pams(request: Request) -> list[Reading]:
    """Measure PAMS with its FCN agents, one market, one order a step: its own first example."""
    from pams.runners import SequentialRunner

    steps = request.scaled(PAMS_STEPS, least=20)
    sessions = [
        {"sessionName": name, "iterationSteps": count, "withOrderPlacement": True, "withOrderExecution": executed,
         "withPrint": False, "maxHighFrequencyOrders": 0}
        for name, count, executed in ((0, PAMS_STEPS_FIRST, False), (1, steps, True))
    ]  # fmt: skip
    settings = {
        "simulation": {"markets": ["Market"], "agents": ["FCNAgents"], "sessions": sessions},
        "Market": {"class": "Market", "tickSize": 0.00001, "marketPrice": 300.0},
        "FCNAgents": {
            "class": "FCNAgent", "numAgents": PAMS_AGENTS, "markets": ["Market"], "assetVolume": 50,
            "cashAmount": 10_000, "fundamentalWeight": {"expon": [1.0]}, "chartWeight": {"expon": [0.0]},
            "noiseWeight": {"expon": [1.0]}, "meanReversionTime": {"uniform": [50, 100]}, "noiseScale": 0.001,
            "timeWindowSize": [100, 200], "orderMargin": [0.0, 0.1],
        },
    }  # fmt: skip
    runner = SequentialRunner(settings=settings, prng=random.Random(0))
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # prices that are not whole ticks are rounded, with a warning each
        runner.main()
    seconds = time.process_time() - began
    market = runner.simulator.markets[0]
    orders = sum(market.get_n_buy_orders()) + sum(market.get_n_sell_orders())
    note = f"{PAMS_AGENTS} agents, {orders:,} orders"
    return [rate("", orders, seconds, "messages/s", note, processor=True)]
