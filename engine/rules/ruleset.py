"""A rule set: the eleven choices that make a venue, as one frozen value."""

from __future__ import annotations

from .base import Rule
from .charges import Charges
from .contract import Contract
from .deleveraging import Deleveraging
from .halts import Halts
from .insurance import Insurance
from .liquidation import Liquidation
from .margin import Margin
from .mark import Mark
from .matching import Matching
from .rounding import Rounding
from .socialisation import Socialisation


class RuleSet(Rule):
    """Eleven fields, one axis each; a reform is `replace(base, ...)`, a difference is `diff(a, b)`."""

    name: str = "custom"
    """Name under which results are reported."""
    contract: Contract = Contract()
    matching: Matching = Matching()
    margin: Margin = Margin()
    mark: Mark = Mark()
    liquidation: Liquidation = Liquidation()
    insurance: Insurance = Insurance()
    deleveraging: Deleveraging = Deleveraging()
    socialisation: Socialisation = Socialisation()
    charges: Charges = Charges()
    halts: Halts = Halts()
    rounding: Rounding = Rounding()
