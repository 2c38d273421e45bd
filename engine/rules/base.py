"""What every rule shares: a frozen value, strict about its keys, in named units."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

ATOMS_PER_QUOTE = 1_000_000
PPM = 1_000_000
PPB = 1_000_000_000

NONE = "none"
"""How a rule that may be left out (`charges.funding`) is switched off in TOML, which has no null."""


class Rule(BaseModel):
    """Base of all rule values: frozen, no unknown keys, no silent conversion of floats to integers."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
