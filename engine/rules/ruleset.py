"""A rule set: the eleven choices that make a venue, as one frozen value."""

from __future__ import annotations

from pydantic import model_validator

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

    @model_validator(mode="after")
    def _funding_fits_payoff(self) -> RuleSet:
        funding = self.charges.funding
        if self.contract.payoff == "inverse" and funding is not None:
            for name in ("twap", "cumulative"):
                if getattr(funding, name) is not None:
                    raise ValueError(
                        f"charges.funding.{name} pays so much per lot for each tick of price, but an inverse lot gains "
                        "no fixed amount a tick: leave it out, or choose another payoff"
                    )
        return self

    @model_validator(mode="after")
    def _assets_have_a_price(self) -> RuleSet:
        assets = self.margin.collateral.assets if self.margin.collateral else ()
        if self.contract.payoff == "inverse" and any(asset.market for asset in assets):
            raise ValueError(
                "margin.collateral: with payoff = 'inverse' money is the coin of the markets, and no index says what "
                "another asset is worth in it: give price_ppm instead of market"
            )
        return self
