"""Simulations that take no time, and go wrong in chosen ways; light enough for a worker process to start at once."""

import errno
import os
import random
import signal
from pathlib import Path
from typing import Any

from pydantic import BaseModel


class World(BaseModel):
    """A scenario of which the made-up simulations need nothing but a place to leave traces."""

    name: str = "made-up"
    traces: str


class Rules(BaseModel):
    """A rule set with one number."""

    name: str
    factor: float = 1.0


class Outcome:
    """What a made-up simulation returns."""

    def __init__(self, summary: dict[str, Any]) -> None:
        self.summary = summary


def made_up(world: World, rules: Rules, seed: int) -> Outcome:
    """A simulation of which the result depends on seed and rules alone; it leaves a trace of every call."""
    with open(Path(world.traces) / f"{rules.name}-{seed}", "a") as trace:
        trace.write("x")
    luck = random.Random(seed).random()
    return Outcome(
        {
            "scenario": world.name, "rules": rules.name, "seed": seed, "digest": f"{luck * rules.factor}",
            "liquidations": int(1000 * luck * rules.factor), "bad_debt": 0.0, "wall_s": random.random(),
            "waterfall": {"fund": luck}, "refusals": {"MARGIN": 3} if seed % 2 else {},
        }
    )  # fmt: skip


def killed_once(world: World, rules: Rules, seed: int) -> Outcome:
    trace = Path(world.traces) / "killed"
    if seed == 2 and not trace.exists():
        trace.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return made_up(world, rules, seed)


def killed_always(world: World, rules: Rules, seed: int) -> Outcome:
    if seed == 2 and rules.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return made_up(world, rules, seed)


def interrupted_at_three(world: World, rules: Rules, seed: int) -> Outcome:
    if seed == 3:
        raise KeyboardInterrupt
    return made_up(world, rules, seed)


def full_disk_at_three(world: World, rules: Rules, seed: int) -> Outcome:
    if seed == 3:
        raise OSError(errno.ENOSPC, "No space left on device")
    return made_up(world, rules, seed)


def unlucky_at_one(world: World, rules: Rules, seed: int) -> Outcome:
    if seed == 1:
        raise AssertionError("I2 does not hold in step 5")
    return made_up(world, rules, seed)
