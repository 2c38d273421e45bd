"""`delever compare`: from what the user wrote to the runs, and what is printed of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console

from delever.sim.run import simulate

from .choose import ALL, check_paths, choose, folder_name, mistakes_of_users
from .compare import print_comparison, run_comparison
from .errors import UserError, at_least, writable_folder
from .single import progress_bar
from .warmup import compile_before_workers, told_when_compiling

SEED_MAX = 2**63 - 1


def compare_many(
    scenario: str,
    *,
    rules: list[str],
    seeds: int,
    first_seed: int,
    jobs: int,
    index: Path | None,
    symbol: str | None,
    sets: list[str],
    traders: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Do what `delever compare` says; see there. Raises UserError and Interrupted."""
    at_least("--seeds", seeds, 1)
    at_least("--first-seed", first_seed, 0)
    at_least("--jobs", jobs, 1)
    if first_seed + seeds - 1 > SEED_MAX:
        raise UserError(f"the last seed must be at most 2^63 - 1 (got {first_seed + seeds - 1})")
    if len(rules) < 2 and rules != [ALL]:
        raise UserError("compare needs at least two rule sets: --rules A --rules B")
    wanted = choose(scenario, rules, traders=traders, index=index, symbol=symbol, sets=sets)
    folder = writable_folder(out or Path("results") / folder_name(wanted.scenario, "compare"))
    check_paths(wanted.scenario, first_seed)
    numbers = range(first_seed, first_seed + seeds)
    jobs = min(jobs, os.cpu_count() or 1, seeds * len(wanted.rules))
    with mistakes_of_users(), progress_bar("runs") as moved, told_when_compiling():
        if jobs > 1:
            compile_before_workers()
        _, summary = run_comparison(
            wanted.scenario,
            wanted.rules,
            numbers,
            folder,
            jobs=min(jobs, os.cpu_count() or 1),
            simulate=simulate,
            progress=moved,
        )
    if as_json:
        print(json.dumps(summary))
    else:
        print_comparison(summary, Console())
