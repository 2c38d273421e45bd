"""Make a stored run again from its manifest and compare: python docs/examples/repeat_run.py FOLDER"""

import json
import sys
from pathlib import Path

from delever.engine.rules.ruleset import RuleSet
from delever.sim.run import simulate
from delever.sim.scenario import Scenario

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    stored = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    # The manifest's rules are those the venue had: what the scenario changes in rules is in them already.
    scenario = Scenario.model_validate(manifest["scenario"]).replaced({"rules": {}, "fund_traders": None})
    again = simulate(scenario, RuleSet.model_validate(manifest["rules"]), manifest["seed"]).summary
    print("the same digest" if again["digest"] == stored["digest"] else "ANOTHER digest", again["digest"])
    sys.exit(again["digest"] != stored["digest"])
